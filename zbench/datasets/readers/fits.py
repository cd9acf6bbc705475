"""FITS images and cubes, https://fits.gsfc.nasa.gov: stored values as they are, scaling kept as meaning."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.hdf5 import unpacked
from zbench.datasets.readers.member import Member, Opened, check_bytes
from zbench.errors import DataError
from zbench.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["members"]

# By the beginning of the type of an axis.
_LETTERS = {
    "x": ("RA", "GLON", "ELON", "HPLN", "X", "LINEAR"),
    "y": ("DEC", "GLAT", "ELAT", "HPLT", "Y"),
    "v": ("VRAD", "VOPT", "VELO", "FELO", "ZOPT", "BETA", "FREQ", "ENER", "WAVE", "WAVN", "AWAV", "VEL"),
    "s": ("STOKES",),
    "t": ("TIME", "UTC", "TAI"),
}


def members(path: Path) -> list[Member]:
    """List the images of a FITS file.

    Parameters
    ----------
    path
        The file, perhaps compressed by gzip.

    Returns
    -------
    list of Member
        One for each image of three axes or more, or of two if there is none; mapped where the file is not compressed.

    Raises
    ------
    DataError
        If the file is cut.
    """
    from astropy.io import fits  # noqa: PLC0415 - only for this format

    is_packed = path.suffix.lower() == ".gz"
    source = unpacked(path) if is_packed else path
    size_bytes = len(source.getbuffer()) if isinstance(source, io.BytesIO) else path.stat().st_size
    with _told(path):
        units = fits.open(source, memmap=not is_packed, do_not_scale_image_data=True)
        found = [(unit, _extent(unit)) for unit in units if unit.is_image and _extent(unit)]
        for unit, _ in found:
            end = unit.fileinfo()["datLoc"] + unit.fileinfo()["datSpan"]
            if end > size_bytes:
                msg = (
                    f"The header of a FITS file describes its data: {str(path)!r} says {end} bytes or more, and has "
                    f"{size_bytes}. Get it again."
                )
                raise DataError(msg)
    deep = [unit for unit, extent in found if len(extent) >= 3]
    chosen = deep or [unit for unit, extent in found if len(extent) == 2]
    calls = [str(unit.name or "PRIMARY") for unit in chosen]
    if len(set(calls)) < len(calls):
        calls = [f"{call}-{unit.ver}" for call, unit in zip(calls, chosen, strict=True)]
    return [Member(name=call, open=partial(_opened, unit, path)) for call, unit in zip(calls, chosen, strict=True)]


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what astropy raises beyond what Python has into what zbench does, and have it told once."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _errors() as error:
        msg = f"A FITS file follows the rules of FITS: {str(path)!r} does not ({error}). Get it again."
        raise DataError(msg) from error


def _errors() -> tuple[type[Exception], ...]:
    from astropy.io import fits  # noqa: PLC0415 - only for this format

    # What its compressed images raise is nowhere public.
    with contextlib.suppress(ImportError):
        from astropy.io.fits.hdu.compressed._compression import CfitsioException  # noqa: PLC0415 - only for this format

        return (fits.VerifyError, CfitsioException)
    return (fits.VerifyError,)


def _extent(unit: Any) -> list[int]:
    """Tell the extent of an image, slowest axis first, without axes of a single place."""
    return [int(extent) for extent in unit.shape if extent != 1] if unit.shape else []


def _opened(unit: Any, path: Path) -> Opened:
    header = unit.header
    with _told(path):
        is_mapped = unit.fileinfo()["file"].memmap and not header.get("ZIMAGE")
        check_bytes(0 if is_mapped else math.prod(unit.shape) * abs(header["BITPIX"]) // 8, path)
        return _described(unit.data, header)


def _described(array: Any, header: Any) -> Opened:
    kept = [place for place, extent in enumerate(array.shape) if extent != 1]
    # Axes are counted from 1, the fastest first.
    numbers = [array.ndim - place for place in kept]
    edges = [abs(float(header.get(f"CDELT{number}", 0))) for number in numbers]
    units = {str(header.get(f"CUNIT{number}", "")).strip() for number in numbers}
    known = len(units) == 1 and "" not in units and all(0 < edge < math.inf for edge in edges)
    return Opened(
        array=array.squeeze(),
        axes=_axes([str(header.get(f"CTYPE{number}", "")) for number in numbers]),
        spacing=tuple(edges) if known else None,
        spacing_unit=units.pop() if known else None,
        meaning=_meaning(header),
    )


def _axes(types: list[str]) -> str | None:
    """Call axes by what they are, if all say so."""
    found = ""
    for told in types:
        name = told.upper().partition("-")[0].strip()
        letters = [letter for letter, starts in _LETTERS.items() if name in starts]
        found += letters[0] if letters else ""
    return found if len(found) == len(set(found)) == len(types) else None


def _meaning(header: Any) -> Meaning:
    scale, offset = float(header.get("BSCALE", 1)), float(header.get("BZERO", 0))
    unit, fill = str(header.get("BUNIT", "")).strip(), header.get("BLANK")
    return Meaning(unit=unit or None, scale=scale, offset=offset, fill=None if fill is None else float(fill))
