"""NIfTI-1 and NIfTI-2 files, https://nifti.nimh.nih.gov: stored values as they are, scaling kept as meaning."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.hdf5 import unpacked
from zbench.datasets.readers.member import Member, Opened
from zbench.errors import DataError
from zbench.model import Meaning

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["members"]

_UNITS = {"meter": "meter", "mm": "millimeter", "micron": "micrometer"}
# How the axes are called, slowest first: the last ones of these.
_AXES = "wvtzyx"


def members(path: Path) -> list[Member]:
    """List the one array of a NIfTI file.

    Parameters
    ----------
    path
        The file, perhaps compressed by gzip.

    Returns
    -------
    list of Member
        One, mapped when it is not compressed.
    """
    return [Member(name="data", open=partial(_opened, path))]


def _opened(path: Path) -> Opened:
    import nibabel  # noqa: PLC0415 - only for this format

    log = logging.getLogger("nibabel.global")
    quiet, log.disabled = log.disabled, True  # It prints what it mends in a header.
    try:
        if path.suffix.lower() == ".gz":
            stream = unpacked(path)
            size_bytes = len(stream.getbuffer())
            # The size of its header tells the version, in either byte order.
            is_second = 540 in (int.from_bytes(stream.getbuffer()[:4], order) for order in ("little", "big"))
            image = (nibabel.Nifti2Image if is_second else nibabel.Nifti1Image).from_stream(stream)
        else:
            size_bytes = path.stat().st_size
            image = nibabel.load(path)
        _check_size(image.dataobj, size_bytes, path)
        # x is the fastest axis: transposed, the slowest one comes first.
        array = image.dataobj.get_unscaled().T
    except _errors(nibabel) as error:
        msg = f"A NIfTI file has a header that describes its data: {str(path)!r} has none ({error}). Get it again."
        raise DataError(msg) from error
    finally:
        log.disabled = quiet
    axes, edges = _AXES[-array.ndim :], tuple(float(edge) for edge in image.header.get_zooms()[:3])[::-1]
    array, axes = _without_single(array, axes)
    unit = _UNITS.get(image.header.get_xyzt_units()[0])
    known = unit is not None and all(0 < edge < math.inf for edge in edges)
    return Opened(
        array=array,
        axes=axes,
        spacing=edges if known else None,
        spacing_unit=unit if known else None,
        meaning=Meaning(scale=float(image.dataobj.slope), offset=float(image.dataobj.inter)),
    )


def _check_size(data: Any, size_bytes: int, path: Path) -> None:
    """Refuse a file that is shorter than its header says, before the library takes the memory for it."""
    shape = tuple(int(extent) for extent in data.shape)
    end = data.offset + math.prod(shape) * data.dtype.itemsize
    if min(shape, default=0) < 1 or end > size_bytes:
        msg = (
            f"The header of a NIfTI file describes its data: {str(path)!r} says {shape[::-1]} {data.dtype}, {end} "
            f"bytes with the header, and has {size_bytes}. Get it again."
        )
        raise DataError(msg)


def _errors(nibabel: Any) -> tuple[type[Exception], ...]:
    return (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.wrapstruct.WrapStructError,
    )


def _without_single(array: Any, axes: str) -> tuple[Any, str]:
    """Drop axes beyond space that have a single place."""
    single = tuple(place for place, axis in enumerate(axes) if axis not in "zyx" and array.shape[place] == 1)
    return array.squeeze(single), "".join(axis for place, axis in enumerate(axes) if place not in single)
