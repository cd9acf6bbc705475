"""The embedded volume: a generated tomogram of a vitrified cell, the same to the bit on every machine.

It stands in where no real tomogram is at hand, so it has what decides how a real one is stored: float32 voxels whose
noise fills the mantissa and is correlated as a reconstruction correlates it, weak particles and membranes smeared by
the missing wedge, and a few gold beads. ``zbench study phantom`` holds its compression ratios against published ones
and against real tomograms.

Every voxel is a function of its place and the seed alone, so any box can be made by itself. Only whole numbers and the
operations that IEEE 754 rounds exactly (+, -, *, /, sqrt) are used: sines and exponentials differ between machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import LayoutError
from zbench.model import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zbench.units import Shape

__all__ = ["Phantom", "phantom"]

# The noise of a voxel is a sum over its neighbours, weighted by binomials along z, y, x: what a weighted
# back-projection with a soft cut-off does. Their widths set how well the top byte of a voxel foretells the next.
_KERNELS = ((1, 4, 6, 4, 1), (1, 4, 6, 4, 1), (1, 2, 1))
# Standard deviation of the noise, in the arbitrary unit of reconstructions. Calibrated: it decides where the powers of
# four fall, at which the top byte of a float32 changes.
_NOISE = 1.8
# Standard deviation of the weighted sum of four uniform 16-bit numbers for each voxel of the kernels.
_SUM_DEVIATION = float(np.sqrt(4 * (2**32 - 1) / 12 * 70 * 70 * 6))
_PLANES_AT_ONCE = 16
_GOLDEN = 0x9E3779B97F4A7C15
_PRIMES = (0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """One kind of object, at most one in each cell of a lattice.

    Attributes
    ----------
    cell
        Edge of a cell of the lattice in voxels; an object reaches no further than the neighbouring cells.
    share
        Share of the cells that hold one.
    low, high
        Range of radii in voxels.
    wall
        Thickness of the shell on each side of its radius; zero fills the object.
    contrast
        Density in the middle in standard deviations of the noise; matter is dark.
    """

    cell: int
    share: float
    low: float
    high: float
    wall: float
    contrast: float


_KINDS = (
    _Kind(cell=30, share=0.6, low=7.0, high=11.0, wall=0.0, contrast=-1.8),  # ribosomes
    _Kind(cell=96, share=0.7, low=26.0, high=44.0, wall=3.5, contrast=-1.6),  # vesicles
    _Kind(cell=110, share=0.3, low=3.5, high=4.5, wall=0.0, contrast=-9.0),  # gold beads
)
# The missing wedge of a tilt series of 60 degrees each way draws objects out along z by about a third.
_STRETCH = 1.35


class Phantom:
    """A phantom of which a box is made when it is asked for.

    Parameters
    ----------
    shape
        Extent in voxels, ``(z, y, x)``.
    seed
        Of everything in it.

    Attributes
    ----------
    shape
        Extent in voxels.
    dtype
        ``float32``.

    Raises
    ------
    LayoutError
        If the shape has not three axes.
    """

    dtype = np.dtype("<f4")

    def __init__(self, shape: Shape, *, seed: int = 0) -> None:
        if len(shape) != 3:
            msg = f"The phantom is a volume of three axes, z, y and x: got shape {shape}. Give three extents."
            raise LayoutError(msg)
        self.shape = shape
        self._seed = seed

    def __getitem__(self, index: Any, /) -> npt.NDArray[Any]:
        parts = index if isinstance(index, tuple) else (index,)
        if Ellipsis in parts:
            place = parts.index(Ellipsis)
            parts = (*parts[:place], *[slice(None)] * (4 - len(parts)), *parts[place + 1 :])
        parts = (*parts, *[slice(None)] * (3 - len(parts)))
        ranges = [
            range(extent)[part] if isinstance(part, slice) else range(extent)[part : part + 1 or None]
            for part, extent in zip(parts, self.shape, strict=True)
        ]
        kept = tuple(0 if not isinstance(part, slice) else slice(None) for part in parts)
        if not all(ranges):
            return np.empty([len(places) for places in ranges], self.dtype)[kept]
        low = tuple(min(places) for places in ranges)
        made = phantom(self.shape, seed=self._seed, box=Box(low, tuple(max(places) + 1 for places in ranges)))
        steps = tuple(slice(None, None, places.step) for places in ranges)
        return made[steps][kept]


def phantom(shape: Shape, *, seed: int = 0, box: Box | None = None) -> npt.NDArray[np.float32]:
    """Make a phantom, or a box of one.

    Parameters
    ----------
    shape
        Extent of the volume in voxels, ``(z, y, x)``.
    seed
        Of everything in it.
    box
        Make only this part of it.

    Returns
    -------
    ndarray
        ``float32``, mean near zero; the same voxels whichever box they are made with.

    Raises
    ------
    LayoutError
        If the box leaves the volume, or the shape has not three axes.
    """
    wanted = Box.whole(shape) if box is None else box
    if len(shape) != 3 or len(wanted.stop) != 3 or any(b > s for b, s in zip(wanted.stop, shape, strict=True)):
        msg = f"A box of the phantom lies inside its three axes: got {wanted.start}..{wanted.stop} of {shape}."
        raise LayoutError(msg)
    made = np.empty(wanted.shape, "<f4")
    for first in range(0, wanted.shape[0], _PLANES_AT_ONCE):
        last = min(first + _PLANES_AT_ONCE, wanted.shape[0])
        low = (wanted.start[0] + first, *wanted.start[1:])
        part = Box(low, (wanted.start[0] + last, *wanted.stop[1:]))
        made[first:last] = (_noise(part, seed) + _objects(part, seed)) * _NOISE
    return made


def _noise(box: Box, seed: int) -> npt.NDArray[np.float64]:
    """Correlated noise of mean 0 and deviation 1, nearly normal; whole numbers until the last step."""
    margins = [len(kernel) // 2 for kernel in _KERNELS]
    places = [
        np.arange(a - m, b + m, dtype=np.int64).astype(np.uint64)
        for a, b, m in zip(box.start, box.stop, margins, strict=True)
    ]
    bits = _scatter(places[0][:, None, None], places[1][:, None], places[2], seed=seed)
    # The sum of four uniform numbers is close to normal, and the kernels bring it closer.
    total = sum((bits >> np.uint64(shift) & np.uint64(0xFFFF)).astype(np.int32) for shift in (0, 16, 32, 48))
    values: npt.NDArray[np.int32] = np.asarray(total, np.int32) - np.int32(2 * 0xFFFF)
    for axis, kernel in enumerate(_KERNELS):
        rows = range(box.shape[axis])
        weighed = np.zeros([*values.shape[:axis], len(rows), *values.shape[axis + 1 :]], np.int32)
        for at, weight in enumerate(kernel):
            weighed += values.take([row + at for row in rows], axis=axis) * np.int32(weight)
        values = weighed
    return values / _SUM_DEVIATION


def _scatter(*places: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """Give every place 64 random bits: the finaliser of SplitMix64 (doi:10.1145/2660193.2660195) over a mixed key."""
    with np.errstate(over="ignore"):
        key = np.asarray((seed * _GOLDEN + 1) % 2**64, np.uint64)
        for place, prime in zip(places, _PRIMES, strict=True):
            key = (key ^ (place * np.uint64(prime))) * np.uint64(_GOLDEN)
            key = key ^ (key >> np.uint64(29))
        key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(key ^ (key >> np.uint64(31)))


def _objects(box: Box, seed: int) -> npt.NDArray[np.float64]:
    """Density of all objects, in standard deviations of the noise."""
    density = np.zeros(box.shape)
    for number, kind in enumerate(_KINDS, start=1):
        for centre, radius in _drawn(kind, box, seed=seed + number * 1_000_003):
            _add(density, box, kind, centre, radius)
    return density


def _drawn(kind: _Kind, box: Box, *, seed: int) -> Iterator[tuple[tuple[float, ...], float]]:
    """Draw centre and radius of each object of the cells in and around a box."""
    around = [range(a // kind.cell - 1, (b - 1) // kind.cell + 2) for a, b in zip(box.start, box.stop, strict=True)]
    for cell in product(*around):
        key = [np.asarray(number % 2**64, np.uint64) for number in cell]
        draws = [int(_scatter(*key, seed=seed * 8 + draw)) / 2**64 for draw in range(5)]
        if draws[0] < kind.share:
            centre = tuple((number + draw) * kind.cell for number, draw in zip(cell, draws[1:4], strict=True))
            yield centre, kind.low + draws[4] * (kind.high - kind.low)


def _add(density: npt.NDArray[np.float64], box: Box, kind: _Kind, centre: tuple[float, ...], radius: float) -> None:
    reach = (radius + kind.wall) * _STRETCH + 1
    low = [max(a, int(c - reach)) for a, c in zip(box.start, centre, strict=True)]
    high = [min(b, int(c + reach) + 1) for b, c in zip(box.stop, centre, strict=True)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return
    z, y, x = (np.arange(a, b) - c for a, b, c in zip(low, high, centre, strict=True))
    distance = np.sqrt((z / _STRETCH)[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    # 1 in the middle of the matter, falling to 0 with a slope of 0.
    inside = (distance - radius) / kind.wall if kind.wall else distance / radius
    profile = np.maximum(1 - inside**2, 0) ** 2
    window = tuple(slice(a - first, b - first) for a, b, first in zip(low, high, box.start, strict=True))
    density[window] += kind.contrast * profile
