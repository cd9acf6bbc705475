"""Pieces of a remote volume, fetched several at a time into an array."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from zbench.errors import DataError
from zbench.model import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zbench.datasets.portal.nouns import Piece, Source

__all__ = ["transfer"]

# Enough to fill a line to a distant bucket, few enough that chunks of 64 MiB fit the memory.
_FETCH_AT_ONCE = 4


def transfer(
    source: Source,
    pieces: list[Piece],
    box: Box,
    out: npt.NDArray[Any],
    *,
    progress: Callable[[int, int], None],
) -> None:
    """Fetch a box of a volume.

    Parameters
    ----------
    source
        The volume.
    pieces
        Those of it that hold the box.
    box
        The voxels that are wanted, ``(z, y, x)``.
    out
        Where they go; zeros to begin with.
    progress
        Told the bytes that have come and those that will have in the end, never from two threads at once.

    Raises
    ------
    DataError
        If a piece cannot be had or is not what it should be. The array then holds anything.
    """
    _Transfer(source, pieces, box, progress).into(out)


class _Transfer:
    """Pieces on their way into an array."""

    def __init__(self, source: Source, pieces: list[Piece], box: Box, progress: Callable[[int, int], None]) -> None:
        self._source, self._pieces, self._box, self._progress = source, pieces, box, progress
        self._all = sum(piece.size_bytes for piece in pieces)
        self._done = 0
        self._lock, self._over = threading.Lock(), threading.Event()

    def into(self, out: npt.NDArray[Any]) -> None:
        covered = sum(self._common(piece).voxels for piece in self._pieces)
        if covered < self._box.voxels and self._source.fill != 0:
            out[...] = self._source.fill
        with ThreadPoolExecutor(_FETCH_AT_ONCE) as pool:
            coming = [pool.submit(self._one, piece, out) for piece in self._pieces]
            try:
                for one in as_completed(coming):
                    one.result()
            except BaseException:
                # The others end at their next part, instead of when they have all.
                self._over.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(self, piece: Piece, out: npt.NDArray[Any]) -> None:
        voxels = self._source.voxels(piece, self._source.read(piece, self._report))
        common = self._common(piece)
        out[_within(common, self._box)] = voxels[_within(common, piece.box)]

    def _common(self, piece: Piece) -> Box:
        starts = zip(piece.box.start, self._box.start, strict=True)
        stops = zip(piece.box.stop, self._box.stop, strict=True)
        return Box(tuple(map(max, starts)), tuple(map(min, stops)))

    def _report(self, size_bytes: int) -> None:
        if self._over.is_set():
            msg = (
                f"A crop is fetched whole or not at all: fetching from {self._source.address} was given up. Ask again."
            )
            raise DataError(msg)
        with self._lock:
            self._done += size_bytes
            self._progress(self._done, self._all)


def _within(part: Box, whole: Box) -> tuple[slice, ...]:
    return tuple(
        slice(low - first, high - first) for low, high, first in zip(part.start, part.stop, whole.start, strict=True)
    )
