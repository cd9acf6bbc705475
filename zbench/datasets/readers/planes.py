"""Planes as single files, in a folder or a zip: TIFF or PNG in the natural order of their names, or DICOM."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers import dicom
from zbench.datasets.readers.member import Member, Opened, is_companion, natural, stack
from zbench.datasets.readers.tiff import read_tiff
from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["members", "stacked"]

_KINDS = {".tif": "tiff", ".tiff": "tiff", ".png": "png"}
_GREY = ("1", "L", "I", "I;16")


def members(path: Path) -> list[Member]:
    """List the volumes of a folder of planes, or the one of a single PNG.

    Parameters
    ----------
    path
        The folder or file.

    Returns
    -------
    list of Member
        One for pictures, read into memory; for DICOM one for each series.

    Raises
    ------
    DataError
        If the folder holds no plane.
    """
    if path.is_file():
        return [Member(name="data", open=lambda: Opened(array=_decode_png(path.read_bytes(), path)))]
    files = {file.name: file for file in path.iterdir() if file.is_file() and not is_companion(file.name)}
    names = [name for name in files if _kind(name) != "other"]
    # Beside a series there may be a picture to look at.
    if not names or any(name.lower().endswith(dicom.DICOM_SUFFIXES) for name in files):
        found = dicom.members(path)
        if found:
            return found
        msg = (
            f"A folder is read when it holds TIFF, PNG or DICOM planes, or is a Zarr array or group: {str(path)!r} "
            f"holds {len(files)} files, none of these. Give the file that holds the volume."
        )
        raise DataError(msg)

    def read(wanted: list[str]) -> Iterator[bytes]:
        return (files[name].read_bytes() for name in wanted)

    return [Member(name="data", open=lambda: Opened(array=stacked(names, read, path)))]


def stacked(names: list[str], read: Callable[[list[str]], Iterator[bytes]], path: Path) -> Any:
    """Read planes and put them on top of each other.

    Parameters
    ----------
    names
        Their names, in any order, at least one.
    read
        From names to the bytes of the pictures, one after the other.
    path
        Where they are, for messages.

    Returns
    -------
    ndarray
        Planes in the natural order of their names.

    Raises
    ------
    DataError
        If they are of several kinds, or differ in shape or type.
    """
    kinds = {_kind(name) for name in names}
    if len(kinds) != 1:
        msg = (
            f"The planes of a stack are of one kind, TIFF or PNG: {str(path)!r} has {len(names)} files of kinds "
            f"{sorted(kinds)}. Sort them apart."
        )
        raise DataError(msg)
    decode = _decode_png if kinds == {"png"} else read_tiff
    planes = (decode(data, path) for data in read(sorted(names, key=natural)))
    return next(planes) if len(names) == 1 else stack(planes, len(names), path)


def _kind(name: str) -> str:
    return _KINDS.get(PurePosixPath(name).suffix.lower(), "other")


def _decode_png(data: bytes, path: Path) -> Any:
    from PIL import Image  # noqa: PLC0415 - only for this format

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.mode not in _GREY:
                msg = (
                    f"Voxels are single numbers: a PNG of {str(path)!r} is {picture.mode}, with colours. Convert it to "
                    "grey values."
                )
                raise RefusedError(msg)
            values = np.array(picture)
    except Image.DecompressionBombError as error:
        msg = f"A PNG plane has as many pixels as Pillow takes: {str(path)!r} has more ({error}). Convert it to TIFF."
        raise RefusedError(msg) from error
    # Older releases of Pillow widen the 16 bits of a PNG to 32.
    return values.astype(np.uint16) if values.dtype.itemsize == 4 else values
