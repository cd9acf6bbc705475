"""The access patterns by name: who reads a volume how.

The definitions are those of the project's workload list, W1-W3 and W6-W8: scrolling through slices, jumping to three
orthogonal planes, reading everything, training crops, particle boxes. All positions come from `SplitMix64`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from zbench.errors import RefusedError, UnknownNameError
from zbench.model import AccessPattern, Box
from zbench.patterns.places import SplitMix64, hilbert_order
from zbench.units import Shape

__all__ = ["PATTERN_FORMS", "access_pattern", "one_by_one"]

_SCROLL_PLANES = 64
_JUMPS = 30
_JUMPS_SHOWN = 6
_CROPS = 16
_CLUSTER_MEAN = 20.0
_CLUSTER_SIGMA = 60.0
# A box as large as the volume has one place, which a spread of 60 voxels finds once in millions of draws.
_DRAWS_BEFORE_DOUBT = 20_000
_DRAWS_PER_BOX = 1_000
_NORMALS = {"xy": 0, "xz": 1, "yz": 2}

_Operations: TypeAlias = tuple[tuple[Box, ...], ...]
_Maker: TypeAlias = Callable[[re.Match[str], Shape, int, Sequence[Shape]], tuple[_Operations, int]]


def _full(_match: re.Match[str], shape: Shape, _seed: int, _points: Sequence[Shape]) -> tuple[_Operations, int]:
    return ((Box.whole(shape),),), 1


def _scroll(match: re.Match[str], shape: Shape, _seed: int, _points: Sequence[Shape]) -> tuple[_Operations, int]:
    axis = _NORMALS[match["plane"]]
    first = shape[axis] // 2
    count = min(_SCROLL_PLANES, shape[axis] - first) if match["kind"] == "scroll" else 1
    return tuple((_plane(shape, axis, place),) for place in range(first, first + count)), 1


def _ortho3(_match: re.Match[str], shape: Shape, seed: int, _points: Sequence[Shape]) -> tuple[_Operations, int]:
    source = SplitMix64(seed)
    jumps = [tuple(source.below(extent) for extent in shape) for _ in range(_JUMPS)]
    operations = tuple(tuple(_plane(shape, axis, jump[axis]) for axis in range(3)) for jump in jumps)
    return operations, 6


def _train(match: re.Match[str], shape: Shape, seed: int, points: Sequence[Shape]) -> tuple[_Operations, int]:
    edge = int(match["edge"])
    room = _room(shape, edge, match[0])
    source = SplitMix64(seed)
    if match["biased"] is None:
        starts = [tuple(source.below(extent) for extent in room) for _ in range(_CROPS)]
    else:
        if not points:
            msg = f"Access pattern {match[0]!r} needs places to be biased to: got none. Give the voxels of a label."
            raise RefusedError(msg)
        centres = [points[source.below(len(points))] for _ in range(_CROPS)]
        starts = [_clamp(centre, edge, room) for centre in centres]
    # One batch of sixteen crops is what the user waits for.
    return (tuple(_cube(start, edge) for start in starts),), 8


def _particles(match: re.Match[str], shape: Shape, seed: int, _points: Sequence[Shape]) -> tuple[_Operations, int]:
    edge, count = int(match["edge"]), int(match["count"])
    starts = _clustered(SplitMix64(seed), shape, edge, count, match[0])
    if match["sorted"]:
        starts = [starts[index] for index in hilbert_order(starts)]
    return tuple((_cube(start, edge),) for start in starts), 1


def _clustered(source: SplitMix64, shape: Shape, edge: int, count: int, name: str) -> list[Shape]:
    """Draw a Neyman-Scott process: uniform parents, a Poisson number of children spread normally around each."""
    room = _room(shape, edge, name)
    starts: list[Shape] = []
    drawn = 0
    while len(starts) < count:
        if drawn > _DRAWS_BEFORE_DOUBT and len(starts) * _DRAWS_PER_BOX < drawn:
            msg = (
                f"The boxes of an access pattern must fit around its clusters: {name!r} placed {len(starts)} of "
                f"{drawn} boxes inside the volume {shape}. Take a smaller box or a larger volume."
            )
            raise RefusedError(msg)
        parent = [source.uniform() * extent for extent in shape]
        children = source.poisson(_CLUSTER_MEAN)
        drawn += children
        for _ in range(children):
            centre = [round(place + _CLUSTER_SIGMA * source.normal()) for place in parent]
            start = tuple(place - edge // 2 for place in centre)
            if all(0 <= low < extent for low, extent in zip(start, room, strict=True)):
                starts.append(start)
    return starts[:count]


def _room(shape: Shape, edge: int, name: str) -> Shape:
    if min(shape) < edge:
        msg = (
            f"The boxes of an access pattern must fit the volume: {name!r} asks for {edge} voxels an axis, the volume "
            f"has {shape}. Take a smaller box or a larger volume."
        )
        raise RefusedError(msg)
    return tuple(extent - edge + 1 for extent in shape)


def _clamp(centre: Shape, edge: int, room: Shape) -> Shape:
    return tuple(min(max(place - edge // 2, 0), limit - 1) for place, limit in zip(centre, room, strict=True))


def _cube(start: Shape, edge: int) -> Box:
    return Box(start, tuple(place + edge for place in start))


def _plane(shape: Shape, axis: int, place: int) -> Box:
    start, stop = [0] * len(shape), list(shape)
    start[axis], stop[axis] = place, place + 1
    return Box(tuple(start), tuple(stop))


_MAKERS: tuple[tuple[str, re.Pattern[str], _Maker], ...] = (
    ("full_read", re.compile(r"full_read"), _full),
    ("{xy,xz,yz}_scroll", re.compile(r"(?P<plane>xy|xz|yz)_(?P<kind>scroll)"), _scroll),
    ("{xy,xz,yz}_plane", re.compile(r"(?P<plane>xy|xz|yz)_(?P<kind>plane)"), _scroll),
    ("ortho3_jump", re.compile(r"ortho3_jump"), _ortho3),
    ("train_patch-EDGE[-biased]", re.compile(r"train_patch-(?P<edge>[1-9]\d*)(?P<biased>-biased)?"), _train),
    (
        "particles-EDGE-COUNT[-sorted]",
        re.compile(r"particles-(?P<edge>[1-9]\d*)-(?P<count>[1-9]\d*)(?P<sorted>-sorted)?"),
        _particles,
    ),
)

PATTERN_FORMS = tuple(form for form, _, _ in _MAKERS)


def access_pattern(name: str, shape: Shape, *, seed: int = 0, points: Sequence[Shape] = ()) -> AccessPattern:
    """Make an access pattern for a volume.

    Parameters
    ----------
    name
        One of `PATTERN_FORMS` with its numbers: ``full_read`` (the whole array); ``xy_scroll``, ``xz_scroll``,
        ``yz_scroll`` (64 consecutive planes from the middle, normal to z, y, x) and ``xy_plane``... (the first of
        them alone); ``ortho3_jump`` (30 random places, the three planes through each); ``train_patch-64`` (one batch
        of 16 random cubes of 64 voxels; ``-biased`` centres them on given places); ``particles-48-1000`` (1000
        cubes of 48 voxels around clustered picks: on average 20 a cluster, spread 60 voxels; ``-sorted`` orders
        them along a Hilbert curve).
    shape
        Extent of the volume in voxels, ``(z, y, x)``.
    seed
        Of all random positions.
    points
        Voxels that a biased pattern centres its boxes on.

    Returns
    -------
    AccessPattern
        The same for the same arguments on every machine.

    Raises
    ------
    RefusedError
        If the volume is too small for the boxes or has not three axes.
    UnknownNameError
        If there is no pattern of that name.
    """
    for form, pattern, maker in _MAKERS:
        match = pattern.fullmatch(name)
        if match is not None:
            if len(shape) != 3 and form != "full_read":
                msg = f"Access pattern {name!r} needs a volume of three axes: got shape {shape}. Use full_read."
                raise RefusedError(msg)
            operations, concurrency = maker(match, shape, seed, points)
            return AccessPattern(name=name, operations=operations, concurrency=concurrency)
    raise UnknownNameError.of(kind="access pattern", name=name, known=PATTERN_FORMS)


def one_by_one(name: str, shape: Shape) -> AccessPattern:
    """Make an access pattern whose boxes are asked for one after the other, but for the three planes of a jump.

    Parameters
    ----------
    name
        Name of an access pattern.
    shape
        Extent of the volume in voxels.

    Returns
    -------
    AccessPattern
        Each box its own operation, so that those of a batch share no chunk; of jumps the first six, which show all
        that there is to see: wherever the point is, three planes through it touch as many chunks.
    """
    pattern = access_pattern(name, shape)
    if name == "ortho3_jump":
        return AccessPattern(name=name, operations=pattern.operations[:_JUMPS_SHOWN])
    return AccessPattern(name=name, operations=tuple((box,) for box in pattern.boxes))
