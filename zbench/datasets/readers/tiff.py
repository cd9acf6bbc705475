"""TIFF volumes."""

from __future__ import annotations

import contextlib
import io
import math
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.member import Member, Opened, check_bytes
from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["members", "read_tiff"]

# As ImageJ and OME write them. What is in neither is a number without a meaning, such as "pixel".
_UNITS = {
    "\u00c5": "angstrom",
    "angstrom": "angstrom",
    "nm": "nanometer",
    "um": "micrometer",
    "\u00b5m": "micrometer",
    "\u03bcm": "micrometer",
    "\\u00B5m": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "mm": "millimeter",
}


def members(path: Path) -> list[Member]:
    """List the series of a TIFF file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One for each series, mapped where the file allows.

    Raises
    ------
    DataError
        If pages are missing.
    RefusedError
        If all series are coloured.
    """
    import tifffile  # noqa: PLC0415 - only for this format

    with tifffile.TiffFile(path) as file:
        series = [(index, found.size * found.dtype.itemsize) for index, found in _grey(file, path)]
        spacing, unit = _spacing(file)

    def opener(index: int, size_bytes: int) -> Callable[[], Opened]:
        return lambda: Opened(array=_array(path, index, size_bytes), spacing=spacing, spacing_unit=unit)

    return [Member(name=f"series{index}", open=opener(index, size)) for index, size in series]


def read_tiff(data: bytes, path: Path) -> Any:
    """Read the first series of a TIFF file that is in memory.

    Parameters
    ----------
    data
        The file.
    path
        Where it is, for messages.

    Returns
    -------
    ndarray
        Voxels.

    Raises
    ------
    DataError
        If pages are missing, or do not fit the memory.
    RefusedError
        If they are coloured, or compressed in a way that needs another package.
    """
    import tifffile  # noqa: PLC0415 - only for this format

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        _, series = _grey(file, path)[0]
        check_bytes(series.size * series.dtype.itemsize, path)
        return _decoded(series, path)


def _array(path: Path, index: int, size_bytes: int) -> Any:
    import tifffile  # noqa: PLC0415 - only for this format

    try:
        return tifffile.memmap(path, mode="r", series=index)
    except ValueError:
        # Compressed, or not in one piece: it can only be read.
        check_bytes(size_bytes, path)
        with tifffile.TiffFile(path) as file:
            return _decoded(file.series[index], path)


def _grey(file: Any, path: Path) -> list[tuple[int, Any]]:
    # Of a file that was cut tifffile reads the pages that are left: the last one must say that none follows.
    file.filehandle.seek(file.pages.next_page_offset)
    if file.filehandle.read(file.tiff.offsetsize) != bytes(file.tiff.offsetsize):
        msg = f"A TIFF file must be whole, with all its pages: {str(path)!r} ends between them. Get it again."
        raise DataError(msg)
    found = [(index, series) for index, series in enumerate(file.series) if "S" not in series.axes]
    if file.series and not found:
        msg = f"Voxels are single numbers: {str(path)!r} has {file.series[0].axes}, with samples of colour. Split it."
        raise RefusedError(msg)
    return found


def _decoded(series: Any, path: Path) -> Any:
    try:
        return series.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        msg = f"This compression of TIFF needs the package imagecodecs: {str(path)!r}. Run: pip install imagecodecs."
        raise RefusedError(msg) from error


def _spacing(file: Any) -> tuple[tuple[float, ...] | None, str | None]:
    """Take the size of a voxel from what ImageJ or OME wrote; whatever they wrote, the voxels can be read."""
    edges: tuple[float, ...] = ()
    unit: str | None = None
    with contextlib.suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        if file.is_imagej:
            told = file.imagej_metadata
            unit = _UNITS.get(told["unit"])
            tags = [file.pages[0].tags[name].value for name in ("YResolution", "XResolution")]
            planes = (float(told["spacing"]),) if "spacing" in told else ()
            edges = (*planes, *(below / above for above, below in tags))
        elif file.is_ome:
            edges, unit = _ome_spacing(file.ome_metadata)
    known = unit is not None and bool(edges) and all(0 < edge < math.inf for edge in edges)
    return (edges, unit) if known else (None, None)


def _ome_spacing(text: str) -> tuple[tuple[float, ...], str | None]:
    import tifffile  # noqa: PLC0415 - only for this format

    images = tifffile.xml2dict(text)["OME"]["Image"]
    pixels = (images[0] if isinstance(images, list) else images)["Pixels"]
    letters = [letter for letter in "ZYX" if f"PhysicalSize{letter}" in pixels]
    units = {_UNITS.get(pixels.get(f"PhysicalSize{letter}Unit", "um")) for letter in letters}
    (unit,) = units
    return tuple(float(pixels[f"PhysicalSize{letter}"]) for letter in letters), unit
