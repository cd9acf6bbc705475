"""MRC, MAP, REC and stacks of them: MRC2014, doi:10.1016/j.jsb.2015.04.002."""

from __future__ import annotations

import bz2
import gzip
import io
import math
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from zbench.datasets.readers.member import Member, Opened, check_bytes
from zbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.units import Shape

__all__ = ["members", "read_mrc"]

_HEADER_BYTES = 1024
# Where the header has the size of the extended header that follows it.
_EXTENDED = slice(92, 96)
_UNPACK: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}


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
    return [Member(name="data", open=lambda: _open(path))]


def _open(path: Path) -> Opened:
    unpack = _UNPACK.get(path.suffix.lower())
    if unpack is not None:
        with unpack(path) as stream:
            return read_mrc(stream, path)
    with path.open("rb") as file:
        header, offset = _header(file.read(_HEADER_BYTES))
    dtype, shape = _layout(header, offset, path)
    _check_size(path.stat().st_size, offset, dtype, shape, path=path)
    array = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
    return _opened(array, header)


def read_mrc(stream: BinaryIO, path: Path) -> Opened:
    """Read an MRC file out of a stream, no further than its header says.

    Parameters
    ----------
    stream
        At the beginning of the file.
    path
        Where it is, for messages.

    Returns
    -------
    Opened
        In memory.

    Raises
    ------
    DataError
        If header and data do not agree, or the data do not fit the memory.
    """
    header, offset = _header(stream.read(_HEADER_BYTES))
    dtype, shape = _layout(header, offset, path)
    data_bytes = math.prod(shape) * dtype.itemsize
    check_bytes(offset + data_bytes, path)
    extended = stream.read(offset - _HEADER_BYTES)
    data = stream.read(data_bytes)
    # One byte more tells that there is more, whatever it unpacks to.
    _check_size(_HEADER_BYTES + len(extended) + len(data) + len(stream.read(1)), offset, dtype, shape, path=path)
    return _opened(np.frombuffer(data, dtype).reshape(shape), header)


def _header(data: bytes) -> tuple[Any, int]:
    from mrcfile.mrcinterpreter import MrcInterpreter  # noqa: PLC0415 - only for this format

    with warnings.catch_warnings():
        # Permissive, for many programs write no map ID or a wrong machine stamp; sizes are judged here.
        warnings.simplefilter("ignore")
        # The extended header is not wanted, and may claim any size: here it has none.
        plain = data[: _EXTENDED.start] + bytes(4) + data[_EXTENDED.stop :]
        header = MrcInterpreter(iostream=io.BytesIO(plain), permissive=True, header_only=True).header
    return header, _HEADER_BYTES + int(np.frombuffer(data[_EXTENDED], header.dtype["nsymbt"])[0])


def _layout(header: Any, offset: int, path: Path) -> tuple[np.dtype[Any], Shape]:
    from mrcfile import utils  # noqa: PLC0415 - only for this format

    shape = utils.data_shape_from_header(header)
    if offset < _HEADER_BYTES or min(shape) < 1:
        msg = (
            f"The header of an MRC file describes its data: {str(path)!r} says {shape} voxels after {offset} bytes. It "
            "is damaged, or of another format."
        )
        raise DataError(msg)
    return utils.data_dtype_from_header(header), shape


def _check_size(size_bytes: int, offset: int, dtype: np.dtype[Any], shape: Shape, *, path: Path) -> None:
    expected = offset + math.prod(shape) * dtype.itemsize
    if size_bytes != expected:
        told = "more" if size_bytes > expected else f"{size_bytes}"
        msg = (
            f"The header of an MRC file describes its data: {str(path)!r} says {shape} {dtype}, {expected} bytes with "
            f"the header, and has {told}. Get it again."
        )
        raise DataError(msg)


def _opened(array: Any, header: Any) -> Opened:
    """Say which axis of the cell runs along columns, rows and sections: not x, y, z in every file."""
    order = tuple(int(axis) for axis in (header.maps, header.mapr, header.mapc))
    order = order if sorted(order) == [1, 2, 3] else (3, 2, 1)
    letters = ["xyz"[axis - 1] for axis in order][-array.ndim :]
    cell = [(float(header.cella[letter]), int(header[f"m{letter}"])) for letter in letters]
    # In a stack of images the cell has one part along the sections, however many there are: no spacing between them.
    is_stack = array.ndim == 3 and cell[0][1] == 1 < array.shape[0]
    known = len(cell) == array.ndim and not is_stack and all(0 < size < math.inf and parts > 0 for size, parts in cell)
    return Opened(
        array=array,
        axes="".join(letters) if len(letters) == array.ndim else None,
        spacing=tuple(length / parts for length, parts in cell) if known else None,
        spacing_unit="angstrom" if known else None,
    )
