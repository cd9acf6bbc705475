"""NumPy's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zbench.datasets.readers.member import Member, Opened

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["members"]


def members(path: Path) -> list[Member]:
    """List the one array of an npy file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One, mapped.
    """
    # numpy.load would also open a zip or a pickle that is named so.
    return [Member(name="data", open=lambda: Opened(array=np.lib.format.open_memmap(path, mode="r")))]
