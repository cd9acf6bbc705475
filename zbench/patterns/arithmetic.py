"""From boxes to chunks, shards, requests and bytes: what a read must cost, before anything is read."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbench.model import AccessPattern, ArrayLayout, Box
    from zbench.units import Shape

__all__ = ["Plan", "mean_touched", "plan", "touched_chunks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What an access pattern costs on an unfilled store with the least that the format allows.

    Attributes
    ----------
    chunks
        Chunks to decode, after what the cache of decoded chunks saves.
    objects
        Objects to open, each once an operation: shards with sharding, else the chunks.
    requests
        Requests for chunk data: with sharding one for the index of each object and one for each chunk in it.
    bytes_decoded
        Decoded size of the chunks; chunks at the edge are stored whole.
    bytes_needed
        Bytes of the voxels that were asked for.
    """

    chunks: int
    objects: int
    requests: int
    bytes_decoded: int
    bytes_needed: int

    @property
    def amplification(self) -> float:
        """Bytes decoded ÷ bytes needed."""
        return self.bytes_decoded / self.bytes_needed


def touched_chunks(box: Box, chunks: Shape) -> Iterator[Shape]:
    """List the chunks that hold some voxel of a box.

    Parameters
    ----------
    box
        What is asked for.
    chunks
        Extent of a chunk in voxels.

    Yields
    ------
    Shape
        Place of a chunk in the chunk grid, C order.
    """
    ranges = (range(a // c, -(-b // c)) for a, b, c in zip(box.start, box.stop, chunks, strict=True))
    yield from product(*ranges)


def plan(pattern: AccessPattern, layout: ArrayLayout, *, itemsize: int, cache_bytes: int = 0) -> Plan:
    """Work out what an access pattern costs.

    Within one operation a chunk is decoded once, however many of its boxes touch it; between operations a cache of
    decoded chunks, least recently used out first, may keep it.

    Parameters
    ----------
    pattern
        Boxes to read.
    layout
        Chunks and shards.
    itemsize
        Bytes of a voxel.
    cache_bytes
        Size of the cache of decoded chunks.

    Returns
    -------
    Plan
        Exact numbers.
    """
    chunk_bytes = prod(layout.chunks) * itemsize
    cache: OrderedDict[Shape, None] = OrderedDict()
    chunks = objects = 0
    for operation in pattern.operations:
        wanted = dict.fromkeys(place for box in operation for place in touched_chunks(box, layout.chunks))
        missing = [place for place in wanted if place not in cache]
        chunks += len(missing)
        objects += len({_object_of(place, layout) for place in missing})
        _remember(cache, wanted, cache_bytes // chunk_bytes)
    return Plan(
        chunks=chunks,
        objects=objects,
        requests=chunks + (objects if layout.shards else 0),
        bytes_decoded=chunks * chunk_bytes,
        bytes_needed=pattern.voxels * itemsize,
    )


def _remember(cache: OrderedDict[Shape, None], used: dict[Shape, None], room: int) -> None:
    for place in used:
        cache[place] = None
        cache.move_to_end(place)
    while len(cache) > room:
        cache.popitem(last=False)


def _object_of(place: Shape, layout: ArrayLayout) -> Shape:
    if layout.shards is None:
        return place
    return tuple(i // (s // c) for i, s, c in zip(place, layout.shards, layout.chunks, strict=True))


def mean_touched(shape: Shape, box: Shape, chunks: Shape) -> float:
    """Average the number of chunks that a box touches over every place where it fits.

    Parameters
    ----------
    shape
        Extent of the volume in voxels.
    box
        Extent of the box in voxels.
    chunks
        Extent of a chunk in voxels.

    Returns
    -------
    float
        The axes are independent, so this is the product of the averages along each.
    """
    mean = 1.0
    for extent, edge, chunk in zip(shape, box, chunks, strict=True):
        starts = range(extent - edge + 1)
        mean *= sum(-(-(start + edge) // chunk) - start // chunk for start in starts) / len(starts)
    return mean
