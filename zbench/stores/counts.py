"""Exact numbers from a trace."""

from __future__ import annotations

import re
from bisect import bisect_right
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zbench.model import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zbench.model import ArrayLayout, Box, Request, StoreSpec, Trace
    from zbench.stores.local import Inventory

__all__ = ["chunk_keys", "counts"]

_METADATA = re.compile(r"(^|/)(zarr\.json|\.zarray|\.zattrs|\.zgroup|\.zmetadata)$")
# Specification of sharding_indexed: offset and length of each inner chunk, eight bytes each, then a CRC-32C.
_ENTRY_BYTES = 16
_CHECKSUM_BYTES = 4
_ABSENT = 2**64 - 1


def chunk_keys(trace: Trace) -> tuple[Request, ...]:
    """Keep the requests that fetched voxels.

    Parameters
    ----------
    trace
        All requests of one execution.

    Returns
    -------
    tuple of Request
        Those that got something of an object that is not metadata, shard indices included.
    """
    return tuple(request for request in trace.of("get") if request.found and not _METADATA.search(request.key))


def counts(
    trace: Trace,
    kept: Inventory,
    *,
    store: StoreSpec,
    layout: ArrayLayout,
    itemsize: int,
    boxes: Sequence[Box],
    begins_ns: Sequence[int] = (),
) -> Counts:
    """Count what one execution cost.

    A chunk whose bytes were got whole is decoded whole, as often as it is got. Of a chunk that was got in part, which
    only an uncompressed one can be, the part counts. Of a shard each inner chunk counts by itself, if its bytes were
    got for a box that asks for a voxel of it: what is got between two chunks to save a request is fetched, but not
    decoded.

    Parameters
    ----------
    trace
        All requests of the execution.
    kept
        What the store holds.
    store
        The local store that was read.
    layout
        Chunks and shards.
    itemsize
        Bytes of a voxel.
    boxes
        What was asked for, one after the other.
    begins_ns
        When each box was begun, as an offset of the trace. Without it any request may be for any of the boxes, which
        is exact for one box, and too much for several that share a shard.

    Returns
    -------
    Counts
        Exact numbers.
    """
    gets, puts = trace.of("get"), trace.of("put")
    chunk_bytes = prod(layout.chunks) * itemsize
    got = chunk_keys(trace)
    kept_chunks = _KeptChunks(store, layout)
    decoded = 0
    for request in got:
        last = bisect_right(begins_ns, request.offset_ns)
        asked = boxes[max(last - 1, 0) : last] if begins_ns else boxes
        decoded += kept_chunks.decoded_bytes(request, asked, chunk_bytes)
    return Counts(
        requests=len(trace.requests),
        reads=len(gets),
        writes=len(puts),
        bytes_fetched=sum(request.size_bytes for request in gets),
        bytes_written=sum(request.size_bytes for request in puts),
        bytes_decoded=decoded,
        bytes_needed=sum(box.voxels for box in boxes) * itemsize,
        objects=kept.objects,
        stored_bytes=kept.stored_bytes,
    )


class _Extents(NamedTuple):
    """Chunks of one object: place in the grid of all chunks, and first byte and end in the object."""

    places: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


class _KeptChunks:
    """Where in its objects each chunk lies."""

    def __init__(self, store: StoreSpec, layout: ArrayLayout) -> None:
        self._root, self._layout = Path(store.location), layout
        self._known: dict[str, tuple[int, _Extents]] = {}

    def decoded_bytes(self, request: Request, boxes: Sequence[Box], chunk_bytes: int) -> int:
        """Add up what a request got of each chunk that a box asks for: all of it, or the part that was got."""
        if request.key not in self._known:
            size = Path(self._root, request.key).stat().st_size
            self._known[request.key] = size, self._read_extents(request.key, size)
        size, extents = self._known[request.key]
        start = request.start or 0
        first = max(size + start, 0) if start < 0 else start
        overlaps = np.minimum(extents.ends, first + request.size_bytes) - np.maximum(extents.begins, first)
        overlaps[~self._asked(extents.places, boxes)] = 0
        whole = (overlaps == extents.ends - extents.begins) & (overlaps > 0)
        partial = overlaps[(overlaps > 0) & ~whole]
        return int(np.count_nonzero(whole)) * chunk_bytes + int(partial.sum())

    def _asked(self, places: npt.NDArray[np.int64], boxes: Sequence[Box]) -> npt.NDArray[np.bool_]:
        if self._layout.shards is None:
            # Nobody gets an object but for the one chunk in it.
            return np.ones(len(places), dtype=bool)
        asked = np.zeros(len(places), dtype=bool)
        for box in boxes:
            first = np.array(box.start) // self._layout.chunks
            last = (np.array(box.stop) - 1) // self._layout.chunks
            asked |= ((places >= first) & (places <= last)).all(axis=1)
        return asked

    def _read_extents(self, key: str, size: int) -> _Extents:
        layout = self._layout
        if layout.shards is None:
            return _Extents(np.zeros((1, len(layout.chunks)), np.int64), np.array([0]), np.array([size]))
        grid = tuple(s // c for s, c in zip(layout.shards, layout.chunks, strict=True))
        length = prod(grid) * _ENTRY_BYTES
        data = Path(self._root, key).read_bytes()
        at_start = layout.index_location == "start"
        table = data[:length] if at_start else data[-length - _CHECKSUM_BYTES : -_CHECKSUM_BYTES]
        index = np.frombuffer(table, "<u8").reshape(-1, 2)
        there = index[:, 0] != _ABSENT
        corner = np.array([int(number) for number in re.findall(r"\d+", key)[-len(grid) :]]) * grid
        begins, lengths = index[there].astype(np.int64).T
        return _Extents((np.indices(grid).reshape(len(grid), -1).T + corner)[there], begins, begins + lengths)
