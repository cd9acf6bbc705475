"""Places in a volume: the same on every machine and numpy release."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.units import Shape

__all__ = ["SplitMix64", "hilbert_order"]

_MASK = (1 << 64) - 1


class SplitMix64:
    """Source of random numbers after Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195.

    Parameters
    ----------
    seed
        Any whole number; its low 64 bits count.
    """

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """Draw 64 bits.

        Returns
        -------
        int
            From 0 to 2**64 - 1.
        """
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, limit: int) -> int:
        """Draw a whole number.

        Parameters
        ----------
        limit
            One more than the largest number that may come, less than 2**32.

        Returns
        -------
        int
            From 0 to ``limit - 1``, uniform up to one part in 2**32.
        """
        return (self.next() * limit) >> 64

    def uniform(self) -> float:
        """Draw a real number.

        Returns
        -------
        float
            More than 0, at most 1.
        """
        return ((self.next() >> 11) + 1) * 2.0**-53

    def normal(self) -> float:
        """Draw from the standard normal distribution (Box and Muller 1958).

        Returns
        -------
        float
            Mean 0, standard deviation 1.
        """
        radius = math.sqrt(-2.0 * math.log(self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())

    def poisson(self, mean: float) -> int:
        """Draw from a Poisson distribution, by multiplying uniform numbers (Knuth, TAOCP vol. 2, 3.4.1).

        Parameters
        ----------
        mean
            Expected number, below some hundreds.

        Returns
        -------
        int
            Zero or more.
        """
        limit, product, count = math.exp(-mean), self.uniform(), 0
        while product > limit:
            product *= self.uniform()
            count += 1
        return count


def hilbert_order(points: Sequence[Shape]) -> list[int]:
    """Sort places along a Hilbert curve, so that neighbours in the list are neighbours in space.

    Parameters
    ----------
    points
        Places in voxels, none negative, all with the same number of axes.

    Returns
    -------
    list of int
        Indices of the points in the order of the curve.
    """
    bits = max((max(point).bit_length() for point in points), default=1) or 1
    return sorted(range(len(points)), key=lambda index: _hilbert_index(points[index], bits))


def _hilbert_index(point: Shape, bits: int) -> int:
    """Distance along the curve: the transpose of Skilling 2004, doi:10.1063/1.1751381, bits interleaved."""
    x = list(point)
    top = 1 << (bits - 1)
    q = top
    while q > 1:
        low = q - 1
        for axis in range(len(x)):
            if x[axis] & q:
                x[0] ^= low
            else:
                swap = (x[0] ^ x[axis]) & low
                x[0] ^= swap
                x[axis] ^= swap
        q >>= 1
    for axis in range(1, len(x)):
        x[axis] ^= x[axis - 1]
    flip, q = 0, top
    while q > 1:
        if x[-1] & q:
            flip ^= q - 1
        q >>= 1
    x = [value ^ flip for value in x]
    index = 0
    for bit in range(bits - 1, -1, -1):
        for value in x:
            index = index << 1 | (value >> bit & 1)
    return index
