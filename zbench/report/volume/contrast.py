"""Ratios and means of measured values, with intervals that follow from theirs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Measured", "combined"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A positive number, and how far it may be off.

    Attributes
    ----------
    value
        The estimate.
    low, high
        Ends of the interval; ``None`` where there were too few samples for one.
    confidence
        Of the interval.
    """

    value: float
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95

    @property
    def is_known(self) -> bool:
        """Whether there is an interval, and one that a logarithm can be taken of."""
        return self.low is not None and self.high is not None and 0 < self.low <= self.value <= self.high

    @property
    def excludes_one(self) -> bool:
        """Whether a ratio is told apart from 1."""
        return self.is_known and (self._low > 1 or self._high < 1)

    @property
    def _low(self) -> float:
        return self.value if self.low is None else self.low

    @property
    def _high(self) -> float:
        return self.value if self.high is None else self.high

    @property
    def below(self) -> float:
        """How far the lower end lies from the estimate, as a logarithm."""
        return math.log(self.value / self._low)

    @property
    def above(self) -> float:
        """How far the upper end lies from the estimate, as a logarithm."""
        return math.log(self._high / self.value)


def combined(terms: Iterable[tuple[float, Measured]], *, comparisons: int = 1) -> Measured:
    """Multiply powers of independent values: a ratio has the powers 1 and -1, a geometric mean has 1/n for each.

    The interval is put together from those of the values on the scale of logarithms by the method of variance
    estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008), which keeps their skew. For several
    comparisons it is widened after Bonferroni, so that all hold at once with the stated confidence.

    Parameters
    ----------
    terms
        Power and value; each value once.
    comparisons
        Number of intervals that shall hold at once.

    Returns
    -------
    Measured
        Without an interval if one of the values has none.
    """
    given = [(power, value) for power, value in terms if power]
    middle = math.exp(sum(power * math.log(value.value) for power, value in given))
    if not all(value.is_known for _, value in given):
        return Measured(middle)
    # An end that a power below zero turns round.
    downs = (power * (value.below if power > 0 else value.above) for power, value in given)
    ups = (power * (value.above if power > 0 else value.below) for power, value in given)
    confidence = min((value.confidence for _, value in given), default=0.95)
    wider = _wider(confidence, comparisons)
    low, high = (wider * math.hypot(*ends) for ends in (downs, ups))
    return Measured(middle, middle * math.exp(-low), middle * math.exp(high), confidence)


def _wider(confidence: float, comparisons: int) -> float:
    if comparisons < 2 or not 0 < confidence < 1:
        return 1.0
    miss = 1 - confidence
    return NormalDist().inv_cdf(1 - miss / comparisons / 2) / NormalDist().inv_cdf(1 - miss / 2)
