"""EM files of the TOM toolbox: a header of 512 bytes, then voxels, x fastest; doi:10.1016/j.jsb.2004.10.006."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.member import Member, Opened
from zbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["members", "parse_em"]

_HEADER_BYTES = 512
# Byte 0 is the machine: 6 is a PC, little-endian; 0, 3 and 5 are big-endian workstations.
_BIG_ENDIAN = (0, 3, 5)
_TYPES = {1: "i1", 2: "i2", 4: "i4", 5: "f4", 8: "c8", 9: "f8"}


def members(path: Path) -> list[Member]:
    """List the one array of an EM file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One, mapped.
    """
    return [Member(name="data", open=lambda: Opened(array=parse_em(np.memmap(path, np.uint8, "r"), path)))]


def parse_em(data: Any, path: Path) -> Any:
    """Take the voxels out of an EM file.

    Parameters
    ----------
    data
        All its bytes, as an array of ``uint8``.
    path
        The file, for messages.

    Returns
    -------
    ndarray
        Voxels, ``(z, y, x)``.

    Raises
    ------
    DataError
        If the header is none, or the data are shorter than it says.
    """
    header = bytes(data[:_HEADER_BYTES])
    if len(header) < _HEADER_BYTES or header[3] not in _TYPES:
        told = f"type {header[3]}" if len(header) == _HEADER_BYTES else f"{len(header)} bytes in all"
        msg = (
            f"An EM file has a header of 512 bytes with a type of {sorted(_TYPES)}: {str(path)!r} has {told}. It is "
            "damaged, or of another format."
        )
        raise DataError(msg)
    order = ">" if header[0] in _BIG_ENDIAN else "<"
    extent = tuple(int(edge) for edge in np.frombuffer(header, f"{order}i4", 3, 4))[::-1]
    dtype = np.dtype(f"{order}{_TYPES[header[3]]}")
    size = math.prod(extent) * dtype.itemsize
    if min(extent) < 1 or len(data) < _HEADER_BYTES + size:
        told = f"{str(path)!r} says {extent} {dtype}, and is {len(data)} bytes long"
        msg = f"An EM file holds what its header says: {told}. Get it again."
        raise DataError(msg)
    return data[_HEADER_BYTES : _HEADER_BYTES + size].view(dtype).reshape(extent)
