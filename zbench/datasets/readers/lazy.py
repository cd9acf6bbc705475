"""Arrays that are read when a box of them is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.member import check_bytes
from zbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from zbench.model.volume import ArrayLike
    from zbench.units import Shape

__all__ = ["Part", "Planes"]


class Part:
    """An array with one place chosen on some of its axes.

    Parameters
    ----------
    array
        The whole.
    places
        The place on each axis that is gone, by number of the axis.
    """

    def __init__(self, array: ArrayLike, places: Mapping[int, int]) -> None:
        self._array, self._places = array, dict(places)
        self._kept = [axis for axis in range(len(array.shape)) if axis not in self._places]
        self.shape: Shape = tuple(int(array.shape[axis]) for axis in self._kept)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        chunks = getattr(array, "chunks", None)
        self.chunks: Shape | None = tuple(int(chunks[axis]) for axis in self._kept) if chunks else None

    def __getitem__(self, index: Any, /) -> npt.NDArray[Any]:
        asked = dict(zip(self._kept, _of_all_axes(index, len(self.shape)), strict=True))
        # A slice of one place, which is dropped afterwards: not every codec pipeline of Zarr takes whole numbers.
        asked |= {axis: slice(place, place + 1) for axis, place in self._places.items()}
        found = self._array[tuple(asked[axis] for axis in sorted(asked))]
        left = [axis for axis in sorted(asked) if isinstance(asked[axis], slice)]
        return found[tuple(0 if axis in self._places else slice(None) for axis in left)]


class Planes:
    """Equal planes, each decoded when it is asked for.

    Parameters
    ----------
    shape
        Extent of the whole; a plane is its last two axes.
    dtype
        Type of a voxel.
    decode
        From numbers of planes, counted in C order, to the planes.
    path
        Their file, for messages.
    """

    def __init__(
        self, shape: Shape, dtype: np.dtype[Any], decode: Callable[[list[int]], Iterator[npt.NDArray[Any]]], path: Path
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self.chunks: Shape = (*(1 for _ in shape[:-2]), *shape[-2:])
        self._decode, self._path = decode, path

    def __getitem__(self, index: Any, /) -> npt.NDArray[Any]:
        *before, rows, columns = _of_all_axes(index, len(self.shape))
        numbers = np.arange(math.prod(self.shape[:-2])).reshape(self.shape[:-2])[tuple(before)]
        size = np.empty(self.shape[-2:], "?")[rows, columns].shape
        check_bytes(numbers.size * math.prod(size) * self.dtype.itemsize, self._path)
        found = np.empty((numbers.size, *size), self.dtype)
        wanted = [int(number) for number in numbers.reshape(-1)]
        for place, plane in enumerate(self._decode(wanted)):
            if plane.shape != self.shape[-2:] or plane.dtype != self.dtype:
                msg = (
                    f"The planes of a stack have one shape and type: {str(self._path)!r} says {self.shape[-2:]} "
                    f"{self.dtype}, plane {wanted[place]} is {plane.shape} {plane.dtype}. Sort them apart."
                )
                raise DataError(msg)
            found[place] = plane[rows, columns]
        return found.reshape((*numbers.shape, *size))


def _of_all_axes(index: Any, count: int) -> tuple[Any, ...]:
    """Write an index with one entry an axis."""
    entries = index if isinstance(index, tuple) else (index,)
    if Ellipsis not in entries:
        entries = (*entries, Ellipsis)
    place = entries.index(Ellipsis)
    filled = (slice(None),) * (count - len(entries) + 1)
    return (*entries[:place], *filled, *entries[place + 1 :])
