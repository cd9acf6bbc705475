"""Planes as single pictures, in a folder or a zip: TIFF or PNG, in the natural order of their names."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.member import Member, check_bytes, natural, stack
from zbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["members", "stacked"]

_KINDS = {".tif": "tiff", ".tiff": "tiff", ".png": "png"}


def members(path: Path) -> list[Member]:
    """List the one volume of a folder of planes, or of a single PNG.

    Parameters
    ----------
    path
        The folder or file.

    Returns
    -------
    list of Member
        One, read into memory.
    """
    files = [path] if path.is_file() else [file for file in path.iterdir() if file.suffix.lower() in _KINDS]
    names = {file.name: file for file in files}
    return [Member(name="data", open=lambda: stacked(list(names), lambda name: names[name].read_bytes(), path))]


def stacked(names: list[str], read: Callable[[str], bytes], path: Path) -> Any:
    """Read planes and put them on top of each other.

    Parameters
    ----------
    names
        Their names, in any order.
    read
        From a name to the bytes of the picture.
    path
        Where they are, for messages.

    Returns
    -------
    ndarray
        Planes in the natural order of their names.

    Raises
    ------
    DataError
        If there is none, they are of several kinds, or differ in shape or type.
    """
    kinds = {_KINDS.get(name[name.rfind(".") :].lower(), "other") for name in names}
    if len(kinds) != 1 or kinds == {"other"}:
        msg = (
            f"A stack is TIFF or PNG planes of one kind: {str(path)!r} has {len(names)} files of kinds {sorted(kinds)}."
        )
        raise DataError(msg)
    decode = _decode_png if kinds == {"png"} else _decode_tiff
    ordered = sorted(names, key=natural)
    first = decode(read(ordered[0]))
    check_bytes(first.nbytes * len(ordered), path)
    planes = stack([first, *(decode(read(name)) for name in ordered[1:])], path)
    return planes[0] if len(ordered) == 1 else planes


def _decode_tiff(data: bytes) -> Any:
    import tifffile  # noqa: PLC0415 - only for this format

    return tifffile.imread(io.BytesIO(data))


def _decode_png(data: bytes) -> Any:
    from PIL import Image  # noqa: PLC0415 - only for this format

    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture)
