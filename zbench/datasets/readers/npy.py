"""numpy's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zbench.datasets.readers.member import Member

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
    return [Member(name="data", open=lambda: np.load(path, mmap_mode="r", allow_pickle=False))]
