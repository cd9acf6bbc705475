"""Exact numbers from a trace."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zbench.model import Counts
from zbench.patterns import touched_chunks

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
) -> Counts:
    """Count what one execution cost.

    A chunk whose bytes were got whole is decoded whole, as often as it is got. Of a chunk that was got in part, which
    only an uncompressed one can be, the part counts. Of a shard each inner chunk counts by itself, if its bytes were
    got and a box asks for a voxel of it: what is got between two chunks to save a request is fetched, but not decoded.

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
        What was asked for.

    Returns
    -------
    Counts
        Exact numbers.
    """
    gets, puts = trace.of("get"), trace.of("put")
    chunk_bytes = prod(layout.chunks) * itemsize
    got = chunk_keys(trace)
    kept_chunks = _KeptChunks(store, layout, boxes)
    decoded = sum(kept_chunks.decoded_bytes(request, chunk_bytes) for request in got)
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


class _KeptChunks:
    """Where in its objects each chunk lies."""

    def __init__(self, store: StoreSpec, layout: ArrayLayout, boxes: Sequence[Box]) -> None:
        self._root, self._layout = Path(store.location), layout
        self._wanted = (
            {place for box in boxes for place in touched_chunks(box, layout.chunks)} if layout.shards else set()
        )
        self._sizes: dict[str, int] = {}
        self._extents: dict[str, npt.NDArray[np.int64]] = {}

    def decoded_bytes(self, request: Request, chunk_bytes: int) -> int:
        """Add up what a request got of each chunk: all of it, or the part that was got."""
        if request.key not in self._sizes:
            path = self._root / request.key
            self._sizes[request.key] = path.stat().st_size
            self._extents[request.key] = self._read_extents(path)
        start = request.start or 0
        first = max(self._sizes[request.key] + start, 0) if start < 0 else start
        begins, ends = self._extents[request.key].T
        overlaps = np.minimum(ends, first + request.size_bytes) - np.maximum(begins, first)
        whole = (overlaps == ends - begins) & (overlaps > 0)
        partial = overlaps[(overlaps > 0) & ~whole]
        return int(np.count_nonzero(whole)) * chunk_bytes + int(partial.sum())

    def _read_extents(self, path: Path) -> npt.NDArray[np.int64]:
        """List begin and end of each chunk in an object that some box asks for."""
        layout, key = self._layout, path.relative_to(self._root).as_posix()
        if layout.shards is None:
            return np.array([[0, self._sizes[key]]])
        grid = tuple(s // c for s, c in zip(layout.shards, layout.chunks, strict=True))
        length = prod(grid) * _ENTRY_BYTES
        data = path.read_bytes()
        at_start = layout.index_location == "start"
        table = data[:length] if at_start else data[-length - _CHECKSUM_BYTES : -_CHECKSUM_BYTES]
        index = np.frombuffer(table, "<u8").reshape(*grid, 2)
        corner = [int(number) * edge for number, edge in zip(re.findall(r"\d+", key)[-len(grid) :], grid, strict=True)]
        entries = [
            index[inner]
            for inner in np.ndindex(*grid)
            if tuple(a + b for a, b in zip(corner, inner, strict=True)) in self._wanted and index[inner][0] != _ABSENT
        ]
        there = np.array(entries, dtype=np.int64).reshape(-1, 2)
        return np.stack([there[:, 0], there.sum(axis=1)], axis=1)
