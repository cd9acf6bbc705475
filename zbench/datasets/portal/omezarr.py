"""One level of an OME-Zarr (OME-NGFF 0.4 over Zarr format 2, as the portal stores tomograms), chunk by chunk."""

from __future__ import annotations

import contextlib
import json
import math
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zbench.datasets.portal.nouns import Piece
from zbench.datasets.portal.objects import Objects
from zbench.errors import DataError, RefusedError
from zbench.model import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from zbench.units import Shape

__all__ = ["OmeZarrLevel"]

_AXES = ["z", "y", "x"]
# Asking for the size of a chunk is all waiting.
_ASK_AT_ONCE = 16


class OmeZarrLevel:
    """An array of which chunks can be had.

    Parameters
    ----------
    address
        Of the multiscale group.
    level
        Which of its arrays; 0 is full size.

    Attributes
    ----------
    address
        Of the array.
    shape, chunks
        Extent in voxels, ``(z, y, x)``.
    dtype
        As it is stored.
    fill
        Value of voxels in chunks that were not stored.
    scale
        Size of a voxel in units of one at full size, by axis.

    Raises
    ------
    DataError
        If there is no such level, or the metadata are not those of one.
    RefusedError
        If it is an OME-Zarr of another form.
    """

    def __init__(self, address: str, level: int) -> None:
        group = Objects(address)
        levels = _levels(group)
        if level >= len(levels):
            msg = f"A level is one that was stored: got {level}, {group.address} has 0 to {len(levels) - 1}."
            raise DataError(msg)
        path, scale = levels[level]
        self.scale = tuple(here / full for here, full in zip(scale, levels[0][1], strict=True))
        self._objects = Objects(f"{group.address}/{path}")
        self.address = self._objects.address
        with _metadata(self.address):
            told = json.loads(self._objects.read(".zarray"))
            self.shape: Shape = tuple(int(extent) for extent in told["shape"])
            self.chunks: Shape = tuple(int(extent) for extent in told["chunks"])
            self.dtype: np.dtype[Any] = np.dtype(told["dtype"])
            # None says that it does not matter; texts stand for what JSON has no number for.
            self.fill: Any = np.asarray(0 if told["fill_value"] is None else told["fill_value"]).astype(self.dtype)[()]
            orders: dict[str, Literal["C", "F"]] = {"C": "C", "F": "F"}
            self._order = orders[told["order"]]
            self._codecs = [*(told["filters"] or []), *([told["compressor"]] if told["compressor"] else [])]
            self._separator = told.get("dimension_separator", ".")
            self._check(told)

    def pieces(self, box: Box) -> list[Piece]:
        """List the chunks that hold a box, those that were not stored left out.

        Parameters
        ----------
        box
            Voxels of this level.

        Returns
        -------
        list of Piece
            Each with its size, which the server is asked for.
        """
        ranges = [
            range(low // edge, -(-high // edge))
            for low, high, edge in zip(box.start, box.stop, self.chunks, strict=True)
        ]
        places = list(product(*ranges))
        keys = [self._separator.join(map(str, place)) for place in places]
        with ThreadPoolExecutor(_ASK_AT_ONCE) as pool:
            sizes = list(pool.map(self._objects.size, keys))
        return [
            Piece(key=key, span=None, size_bytes=size, box=self._box(place))
            for place, key, size in zip(places, keys, sizes, strict=True)
            if size is not None
        ]

    def read(self, piece: Piece, report: Callable[[int], None]) -> bytearray:
        """Fetch a chunk.

        Parameters
        ----------
        piece
            The chunk.
        report
            Told the number of bytes of each part that arrives.

        Returns
        -------
        bytearray
            As stored.
        """
        return self._objects.read(piece.key, report=report)

    def voxels(self, piece: Piece, data: bytearray) -> npt.NDArray[Any]:
        """Decode a chunk.

        Parameters
        ----------
        piece
            The chunk.
        data
            As stored.

        Returns
        -------
        ndarray
            Voxels of its box: without what pads a chunk at the edge.

        Raises
        ------
        DataError
            If it is not what the metadata say.
        """
        import numcodecs  # noqa: PLC0415 - importing zbench stays light

        decoded: Any = data
        try:
            for config in reversed(self._codecs):
                decoded = numcodecs.get_codec(dict(config)).decode(decoded)
            flat = np.frombuffer(numcodecs.compat.ensure_contiguous_ndarray(decoded).view("u1"), self.dtype)
            whole: npt.NDArray[Any] = flat.reshape(self.chunks, order=self._order)
        except (RuntimeError, TypeError, ValueError, LookupError, OSError) as error:
            msg = (
                f"A chunk decodes to what its array says: {self.address}/{piece.key} of {len(data)} bytes does not "
                f"({type(error).__name__}: {error}). It was damaged on its way or is so at its source; try again."
            )
            raise DataError(msg) from error
        return whole[tuple(slice(extent) for extent in piece.box.shape)]

    def _box(self, place: tuple[int, ...]) -> Box:
        start = tuple(number * edge for number, edge in zip(place, self.chunks, strict=True))
        stop = (min(low + edge, extent) for low, edge, extent in zip(start, self.chunks, self.shape, strict=True))
        return Box(start, tuple(stop))

    def _check(self, told: dict[str, Any]) -> None:
        if min(self.shape) < 1 or min(self.chunks) < 1 or not len(self.shape) == len(self.chunks) == 3:
            msg = f"shape {self.shape} and chunks {self.chunks}, not three axes of at least one"
            raise ValueError(msg)
        # A filter called pickle would run whatever a server sends.
        names = [config["id"] for config in self._codecs]
        if told["zarr_format"] != 2 or self.dtype.kind not in "iuf" or self._separator not in "./" or "pickle" in names:
            msg = (
                f"Tomograms are arrays of numbers in Zarr format 2: {self.address} has format {told['zarr_format']}, "
                f"type {self.dtype}, codecs {names}, separator {self._separator!r}. Ask for its MRC file instead."
            )
            raise RefusedError(msg)


def _levels(group: Objects) -> list[tuple[str, tuple[float, ...]]]:
    """Path and scale of each level, full size first."""
    with _metadata(group.address):
        if group.size(".zattrs") is None:
            msg = (
                f"The OME-Zarr of a tomogram is a group of Zarr format 2: {group.address} has no .zattrs. Check what "
                "the portal says of it, or ask for its MRC file instead."
            )
            raise DataError(msg)
        told = json.loads(group.read(".zattrs"))
        (multiscale,) = told["multiscales"]
        axes = [axis["name"] for axis in multiscale["axes"]]
        if axes != _AXES:
            msg = f"A tomogram has the axes z, y, x: {group.address} has {axes}. Ask for its MRC file instead."
            raise RefusedError(msg)
        return [(str(level["path"]).strip("/"), _scale(level)) for level in multiscale["datasets"]]


def _scale(level: dict[str, Any]) -> tuple[float, ...]:
    (scale,) = (step["scale"] for step in level["coordinateTransformations"] if step["type"] == "scale")
    edges = tuple(float(edge) for edge in scale)
    if len(edges) != len(_AXES) or not all(0 < edge < math.inf for edge in edges):
        msg = f"scale {scale}, not three numbers above 0"
        raise ValueError(msg)
    return edges


@contextlib.contextmanager
def _metadata(address: str) -> Iterator[None]:
    try:
        yield
    except (DataError, RefusedError):
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        msg = (
            f"The metadata of an OME-Zarr are those of OME-NGFF 0.4: at {address} they are not "
            f"({type(error).__name__}: {error}). Ask for its MRC file instead."
        )
        raise DataError(msg) from error
