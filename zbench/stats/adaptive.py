"""When to stop taking samples: when the median is known well enough, or the budget is over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats.bootstrap import median_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.stats.bootstrap import MedianEstimate

__all__ = ["Decision", "StopReason", "StoppingRule", "steady"]

# A rule that stops as soon as the interval looks narrow stops too often at intervals that are narrow by chance, and BCa
# of ten samples covers 93 % instead of 95 %. Spending 0.4 of the permitted error at each look brings what holds at the
# stop back to what was promised: tests/statistical/test_stopping.py.
_SPENT_PER_LOOK = 0.4
# Ten samples are the fewest from which the promise was kept in simulation; half as many again keeps looks rare.
_FEWEST = 10
_GROWTH = 1.5
_UNSTEADY = 0.001
# A correlation of 1 has no finite transform.
_ALL = 1 - 1e-12


class StopReason(StrEnum):
    """Why no more samples were taken."""

    PRECISE = "precise"
    BUDGET = "budget"
    MOST_SAMPLES = "most samples"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The end of sampling.

    Attributes
    ----------
    reason
        Why.
    estimate
        The median with the interval that holds it at the confidence of the rule, the rule's own looks included.
    steady
        Whether the samples look independent of their order; the interval of those that do not is too narrow.
    """

    reason: StopReason
    estimate: MedianEstimate
    steady: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppingRule:
    """Go on until the median is known well enough, the budget is over or there are samples enough.

    Attributes
    ----------
    budget_s
        Seconds; no sample after the first begins later than this.
    precision
        Half the width of the interval ÷ median that is well enough.
    confidence
        Share of runs whose interval at the stop holds the true median.
    fewest
        Samples without which nothing is known well enough.
    most
        Samples that are enough whatever is known.

    Raises
    ------
    InsufficientSamplesError
        If no samples could ever satisfy the rule.
    """

    budget_s: float
    precision: float = 0.05
    confidence: float = 0.95
    fewest: int = _FEWEST
    most: int = 300

    def __post_init__(self) -> None:
        if not (self.precision > 0 and 0 < self.confidence < 1 and 1 <= self.fewest <= self.most):
            msg = (
                "A stopping rule needs a precision above 0, a confidence between 0 and 1 and at least one sample, "
                f"fewest <= most: got {self}."
            )
            raise InsufficientSamplesError(msg)

    @property
    def looks(self) -> tuple[int, ...]:
        """At how many samples the interval is looked at: ever more, so that looking costs little."""
        sizes = [self.fewest]
        while sizes[-1] < self.most:
            sizes.append(min(self.most, math.ceil(sizes[-1] * _GROWTH)))
        return tuple(sizes)

    def decide(self, values: Sequence[float], *, elapsed_s: float) -> Decision | None:
        """Decide whether to stop.

        Parameters
        ----------
        values
            Samples so far, in their order.
        elapsed_s
            Seconds since the first sample began.

        Returns
        -------
        Decision or None
            ``None`` takes another sample.
        """
        count = len(values)
        ends = StopReason.BUDGET if elapsed_s >= self.budget_s else None
        if count >= self.most:
            ends = StopReason.MOST_SAMPLES
        if not count or (ends is None and count not in self.looks):
            return None
        estimate = median_estimate(values, confidence=1 - _SPENT_PER_LOOK * (1 - self.confidence))
        is_steady = steady(values)
        if self._precise(estimate, count) and is_steady:
            return Decision(reason=StopReason.PRECISE, estimate=estimate, steady=True)
        return None if ends is None else Decision(reason=ends, estimate=estimate, steady=is_steady)

    def _precise(self, estimate: MedianEstimate, count: int) -> bool:
        precision = estimate.precision
        return count >= self.fewest and precision is not None and precision <= self.precision


def steady(values: Sequence[float]) -> bool:
    """Tell whether samples look independent of their order.

    Two tests on ranks share the error. Spearman's correlation with the order finds a drift; Bartels' version of von
    Neumann's ratio finds neighbours that are too much alike, as steps and bursts make them.

    Parameters
    ----------
    values
        Samples in their order.

    Returns
    -------
    bool
        False where independent samples look like this in about one of a thousand cases. Fewer than ten cannot tell,
        and count as steady.
    """
    count = len(values)
    if count < _FEWEST:
        return True
    ranks = _ranks(np.asarray(values, dtype=float))
    spread = float((ranks**2).sum())
    if not spread:
        return True
    order = np.arange(count) - (count - 1) / 2
    correlation = float(ranks @ order) / math.sqrt(spread * float(order @ order))
    # Fisher's transformation, with the variance that Fieller, Hartley and Pearson found for ranks.
    trend = math.atanh(max(-_ALL, min(_ALL, correlation))) * math.sqrt((count - 3) / 1.06)
    ratio = float((np.diff(ranks) ** 2).sum()) / spread
    variance = 4 * (count - 2) * (5 * count**2 - 2 * count - 9) / (5 * count * (count + 1) * (count - 1) ** 2)
    likeness = (ratio - 2) / math.sqrt(variance)
    return abs(trend) < -_normal(_UNSTEADY / 4) and likeness > _normal(_UNSTEADY / 2)


def _ranks(array: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Rank around zero; what is equal, as coarse clocks make it, gets the mean of its ranks."""
    _, places, repeats = np.unique(array, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(repeats) - repeats / 2)[places]
    return np.asarray(ranks - ranks.mean(), dtype=np.float64)


def _normal(share: float) -> float:
    return NormalDist().inv_cdf(share)
