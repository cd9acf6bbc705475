"""Estimates with their intervals; the unit is the process, whose median counts as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Interval", "mean_interval", "ratio_interval"]

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and how far it may be off.

    Attributes
    ----------
    estimate
        The value.
    low, high
        Ends of the interval.
    count
        Number of values that it rests on.
    """

    estimate: float
    low: float
    high: float
    count: int

    @property
    def excludes_one(self) -> bool:
        """Whether a ratio is told apart from 1."""
        return self.low > 1 or self.high < 1


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Estimate a positive quantity from one value a process.

    Times vary by factors, so their logarithms are averaged: the estimate is the geometric mean, and the interval is
    Student's for the mean of the logarithms.

    Parameters
    ----------
    values
        One value a process, all positive.
    confidence
        Share of such intervals that hold the truth.

    Returns
    -------
    Interval
        In the unit of the values.

    Raises
    ------
    InsufficientSamplesError
        If there are fewer than three values, or one that is not positive.
    """
    array = np.asarray(values, dtype=float)
    if array.size < _FEWEST or not (np.isfinite(array).all() and (array > 0).all()):
        msg = f"An interval needs at least {_FEWEST} positive values: got {list(values)!r}. Measure more rounds."
        raise InsufficientSamplesError(msg)
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and most commands need no statistics

    logs = np.log(array)
    if not np.ptp(logs):
        return Interval(float(array[0]), float(array[0]), float(array[0]), array.size)
    interval = stats.ttest_1samp(logs, 0.0).confidence_interval(confidence)
    estimate, low, high = (float(np.exp(value)) for value in (logs.mean(), interval.low, interval.high))
    return Interval(estimate, low, high, array.size)


def ratio_interval(baseline: Sequence[float], candidate: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Estimate candidate ÷ baseline from values that were taken in the same rounds.

    Parameters
    ----------
    baseline, candidate
        One value a round, in the order of the rounds.
    confidence
        Share of such intervals that hold the truth.

    Returns
    -------
    Interval
        Of the ratio; more than 1 means that the candidate is larger.

    Raises
    ------
    InsufficientSamplesError
        If there are fewer than three rounds, a value that is not positive, or rounds that one side lacks.
    """
    if len(baseline) != len(candidate):
        msg = (
            f"A ratio needs both sides of every round: the baseline has {len(baseline)}, the candidate "
            f"{len(candidate)}. Keep the rounds that both have."
        )
        raise InsufficientSamplesError(msg)
    ratios = np.asarray(candidate, dtype=float) / np.asarray(baseline, dtype=float)
    return mean_interval(ratios.tolist(), confidence=confidence)
