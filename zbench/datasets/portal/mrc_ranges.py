"""An MRC file on a web server, read by ranges of planes."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np

from zbench.datasets.portal.nouns import Piece
from zbench.datasets.portal.objects import Objects
from zbench.errors import DataError, RefusedError
from zbench.model import Box
from zbench.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zbench.units import Shape

__all__ = ["MrcFile"]

_HEADER_BYTES = 1024
# Where the header has the size of the extended header that follows it.
_EXTENDED = slice(92, 96)
# Whole planes lie behind one another, so one range may hold several.
_RANGE_BYTES = 16 * MIB


class MrcFile:
    """A file of which planes can be had.

    Parameters
    ----------
    address
        An http or https address.

    Attributes
    ----------
    address
        As it was given.
    shape
        Extent in voxels, ``(z, y, x)``.
    dtype
        As it is stored.
    fill
        Nothing is left out of a file; 0.
    scale
        The one level is full size; 1 on each axis.

    Raises
    ------
    DataError
        If it cannot be had, or header and size do not agree.
    RefusedError
        If its axes are others, its voxels no numbers, or the library for it is not installed.
    """

    fill: Any = 0
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __init__(self, address: str) -> None:
        self.address = address
        folder, _, name = address.rpartition("/")
        self._objects, self._key = Objects(folder), unquote(name)
        data, size_bytes = self._objects.read_sized(self._key, (0, _HEADER_BYTES))
        self.dtype, self.shape, self._offset = _layout(data, address)
        expected = self._offset + math.prod(self.shape) * self.dtype.itemsize
        if size_bytes != expected:
            msg = (
                f"The header of an MRC file describes its data: {address} says {self.shape} {self.dtype}, {expected} "
                f"bytes with the header, and has {size_bytes}. Ask for its OME-Zarr instead."
            )
            raise DataError(msg)

    def pieces(self, box: Box) -> list[Piece]:
        """List the ranges that hold a box: its rows of each plane in full width, whole planes together.

        Parameters
        ----------
        box
            Voxels of the volume.

        Returns
        -------
        list of Piece
            Without asking the server.
        """
        _, rows, columns = self.shape
        (z, y, _), (z_stop, y_stop, _) = box.start, box.stop
        row_bytes = columns * self.dtype.itemsize
        at_once = max(1, _RANGE_BYTES // (rows * row_bytes)) if (y, y_stop) == (0, rows) else 1
        found = []
        for low in range(z, z_stop, at_once):
            high = min(low + at_once, z_stop)
            first = self._offset + (low * rows + y) * row_bytes
            last = self._offset + ((high - 1) * rows + y_stop) * row_bytes
            part = Box((low, y, 0), (high, y_stop, columns))
            found.append(Piece(key=self._key, span=(first, last), size_bytes=last - first, box=part))
        return found

    def read(self, piece: Piece, report: Callable[[int], None]) -> bytearray:
        """Fetch a range.

        Parameters
        ----------
        piece
            The range.
        report
            Told the number of bytes of each part that arrives.

        Returns
        -------
        bytearray
            As stored.
        """
        return self._objects.read(piece.key, piece.span, report=report)

    def voxels(self, piece: Piece, data: bytearray) -> npt.NDArray[Any]:
        """Decode a range.

        Parameters
        ----------
        piece
            The range.
        data
            As stored.

        Returns
        -------
        ndarray
            Voxels of its box.
        """
        return np.frombuffer(data, self.dtype).reshape(piece.box.shape)


def _layout(data: bytearray, address: str) -> tuple[np.dtype[Any], Shape, int]:
    try:
        from mrcfile import utils  # noqa: PLC0415 - only for this format
        from mrcfile.mrcinterpreter import MrcInterpreter  # noqa: PLC0415 - only for this format
    except ImportError as error:
        msg = f"Reading {address} needs mrcfile: it is not installed ({error}). Run: pip install 'zbench[portal]'."
        raise RefusedError(msg) from error
    # The extended header is not fetched, and may claim any size: for the interpreter it has none.
    plain = data[: _EXTENDED.start] + bytes(4) + data[_EXTENDED.stop :]
    try:
        with warnings.catch_warnings():
            # Permissive, for many programs write no map ID or a wrong machine stamp; sizes are judged here.
            warnings.simplefilter("ignore")
            header = MrcInterpreter(iostream=io.BytesIO(plain), permissive=True, header_only=True).header
        offset = _HEADER_BYTES + int(np.frombuffer(data[_EXTENDED], header.dtype["nsymbt"])[0])
        shape = tuple(int(extent) for extent in utils.data_shape_from_header(header))
        dtype = np.dtype(utils.data_dtype_from_header(header))
    except (AttributeError, LookupError, ValueError) as error:
        msg = f"An MRC file begins with its header: {address} does not ({type(error).__name__}: {error}). Check it."
        raise DataError(msg) from error
    order = tuple(int(axis) for axis in (header.maps, header.mapr, header.mapc))
    # Programs that leave the three at 0 mean the usual order.
    if (
        order not in ((3, 2, 1), (0, 0, 0))
        or len(shape) != 3
        or dtype.kind not in "iuf"
        or min(shape) < 1
        or offset < _HEADER_BYTES
    ):
        msg = (
            f"An MRC file of a tomogram is a volume of numbers with columns along x, rows along y: {address} has "
            f"shape {shape}, type {dtype}, axes {order}. Ask for its OME-Zarr instead."
        )
        raise RefusedError(msg)
    return dtype, shape, offset
