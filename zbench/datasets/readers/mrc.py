"""MRC, MAP, REC and stacks of them: MRC2014, doi:10.1016/j.jsb.2015.04.002."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.member import Member
from zbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["members", "open_mrc"]


def members(path: Path) -> list[Member]:
    """List the one array of an MRC file.

    Parameters
    ----------
    path
        The file, perhaps compressed by gzip or bzip2.

    Returns
    -------
    list of Member
        One, mapped when it is not compressed.
    """
    array, spacing = open_mrc(path)
    return [Member(name="data", open=lambda: array, spacing=spacing, spacing_unit="angstrom" if spacing else None)]


def open_mrc(path: Path) -> tuple[Any, tuple[float, ...] | None]:
    """Open an MRC file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    array : ndarray
        Voxels, ``(z, y, x)``.
    spacing : tuple of float or None
        Size of a voxel in angstrom, ``(z, y, x)``; ``None`` if the header has no cell.

    Raises
    ------
    DataError
        If header and data do not agree.
    """
    import mrcfile  # noqa: PLC0415 - only for this format

    compressed = path.suffix.lower() in (".gz", ".bz2")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        # Permissive, for many programs write no map ID; what it warns of is judged here.
        opened = (mrcfile.open if compressed else mrcfile.mmap)(path, mode="r", permissive=True)
    complaints = [str(warning.message) for warning in told]
    if opened.data is None or any("expected" in text or "larger than" in text for text in complaints):
        opened.close()
        msg = f"The header of an MRC file describes its data: {str(path)!r} does not fit ({'; '.join(complaints)})."
        raise DataError(msg)
    size = opened.voxel_size
    spacing = (float(size.z), float(size.y), float(size.x))
    return opened.data, spacing if all(edge > 0 for edge in spacing) else None
