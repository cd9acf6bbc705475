"""TIFF volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.member import Member, check_bytes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["members"]


def members(path: Path) -> list[Member]:
    """List the series of a TIFF file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One for each series of more than one axis.
    """
    import tifffile  # noqa: PLC0415 - only for this format

    with tifffile.TiffFile(path) as file:
        found = [(index, series.size * series.dtype.itemsize) for index, series in enumerate(file.series)]
    return [Member(name=f"series{index}", open=_opener(path, index, size)) for index, size in found]


def _opener(path: Path, index: int, size_bytes: int) -> Any:
    def opened() -> Any:
        import tifffile  # noqa: PLC0415 - only for this format

        try:
            return tifffile.memmap(path, mode="r", series=index)
        except ValueError:
            # Compressed, or not in one piece: it can only be read.
            check_bytes(size_bytes, path)
            return tifffile.imread(path, series=index)

    return opened
