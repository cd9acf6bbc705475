"""The median of repeated times with its bootstrap interval, or the reason why there is none."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MedianEstimate", "fewest_samples", "median_estimate"]

_FEWEST = 5
_RESAMPLES = 1999


@dataclass(frozen=True, kw_only=True, slots=True)
class MedianEstimate:
    """A median, and how far it may be off if that can be told.

    Attributes
    ----------
    median
        Of the samples.
    interval
        Bootstrap interval around it; ``None`` is inconclusive.
    reason
        Why there is no interval; empty if there is one.
    """

    median: float
    interval: Interval | None
    reason: str = ""

    @property
    def precision(self) -> float | None:
        """Half the width of the interval ÷ median; ``None`` without an interval or a positive median."""
        if self.interval is None or self.median <= 0:
            return None
        return (self.interval.high - self.interval.low) / 2 / self.median


def fewest_samples(confidence: float) -> int:
    """Tell how many samples a bootstrap interval of the median needs.

    Every bootstrap median lies between the smallest and the largest sample. These two enclose the true median in all
    but one of 2ⁿ⁻¹ cases, so with fewer samples no bootstrap interval can be as sure as was asked for.

    Parameters
    ----------
    confidence
        Share of intervals that are to hold the truth.

    Returns
    -------
    int
        Number of samples.
    """
    return max(_FEWEST, math.ceil(1 - math.log2(1 - confidence)))


def median_estimate(
    values: Sequence[float], *, confidence: float = 0.95, resamples: int = _RESAMPLES, seed: int = 0
) -> MedianEstimate:
    """Estimate a median with its bias-corrected and accelerated bootstrap interval (BCa).

    Samples count as independent; `zbench.stats.adaptive` says when they are not.

    Parameters
    ----------
    values
        Samples.
    confidence
        Share of such intervals that hold the truth.
    resamples
        Number of bootstrap resamples.
    seed
        Of the resampling: the same samples give the same interval.

    Returns
    -------
    MedianEstimate
        In the unit of the values. Without an interval if there are too few samples or BCa is degenerate.

    Raises
    ------
    InsufficientSamplesError
        If there are no values, or one is no finite number.
    """
    array = np.asarray(values, dtype=float)
    if not array.size or not np.isfinite(array).all():
        msg = f"A median needs finite values, at least one: got {list(values)!r}. Measure again."
        raise InsufficientSamplesError(msg)
    median = float(np.median(array))
    fewest = fewest_samples(confidence)
    if array.size < fewest:
        reason = f"{array.size} samples, and an interval at {100 * confidence:g} % needs {fewest}"
        return MedianEstimate(median=median, interval=None, reason=reason)
    if not np.ptp(array):
        return MedianEstimate(median=median, interval=None, reason=f"all {array.size} samples are equal")
    low, high = _bca(array, confidence, resamples, seed)
    if not (math.isfinite(low) and math.isfinite(high)):
        # The jackknife cannot tell skewness where leaving any one sample out leaves the median where it is.
        reason = f"BCa is degenerate: most of {array.size} samples are tied"
        return MedianEstimate(median=median, interval=None, reason=reason)
    return MedianEstimate(median=median, interval=Interval(median, low, high, array.size))


def _bca(
    array: np.ndarray[tuple[int], np.dtype[np.float64]], confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    # A second to import, and absent where asv measures.
    from scipy import stats  # noqa: PLC0415

    with warnings.catch_warnings():
        # A degenerate distribution is told by NaN, which the caller turns into a reason.
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            (array,),
            np.median,
            n_resamples=resamples,
            confidence_level=confidence,
            method="BCa",
            vectorized=True,
            axis=-1,
            random_state=np.random.default_rng(seed),
        ).confidence_interval
    return float(found.low), float(found.high)
