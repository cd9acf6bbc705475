"""Candidate against baseline: the ratio of two sets of samples with its interval, and what it says of the candidate.

Times are skewed and have outliers, and samples are few; so the test is that of Mann and Whitney, and the ratio is the
one that belongs to it: the median of all ratios of a candidate's sample to a baseline's (Hodges and Lehmann). Its
interval holds the ratios that the test does not reject, exact for few samples, and needs no random numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.model import Comparison, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zbench.stats.intervals import Interval

__all__ = ["RatioTest", "compare_exact", "judge", "ratio_of_intervals", "ratio_test", "samples_needed"]

# All pairs are looked at: beyond so many samples a side, as many of their quantiles stand for them.
_MOST = 500
# The largest number of orders of both sides that whole numbers count exactly.
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class RatioTest:
    """A ratio, how far it may be off, and how surprising it would be if both sides were alike.

    Attributes
    ----------
    ratio
        Candidate ÷ baseline.
    low, high
        Ends of its interval.
    p_value
        Two-sided, of this test alone.
    """

    ratio: float
    low: float
    high: float
    p_value: float


def samples_needed(*, confidence: float = 0.95) -> int:
    """Tell how many samples each side needs at least, if both have as many.

    Parameters
    ----------
    confidence
        Of the interval.

    Returns
    -------
    int
        With fewer even the most extreme order could be chance.
    """
    count = 1
    while 1 / math.comb(2 * count, count) > (1 - confidence) / 2:
        count += 1
    return count


def ratio_test(baseline: Sequence[float], candidate: Sequence[float], *, confidence: float = 0.95) -> RatioTest:
    """Compare two sets of samples.

    The samples of a side must be independent of each other for the interval to hold; those of one process are not, and
    the interval is then that of these two processes alone.

    Parameters
    ----------
    baseline, candidate
        Positive samples, in one unit.
    confidence
        Share of such intervals that hold the truth.

    Returns
    -------
    RatioTest
        More than 1 means that the candidate is larger.

    Raises
    ------
    InsufficientSamplesError
        If there are too few samples for such an interval, or one is not positive.
    """
    base, other = _samples(baseline), _samples(candidate)
    ratios = np.sort((other[:, None] / base[None, :]).ravel())
    place = _place(base.size, other.size, 1 - confidence)
    if place < 1:
        msg = (
            f"An interval of {100 * confidence:g} % needs at least {samples_needed(confidence=confidence)} samples a "
            f"side: the baseline has {len(baseline)}, the candidate {len(candidate)}. Measure more."
        )
        raise InsufficientSamplesError(msg)
    # Ties count half.
    above = float((ratios > 1).sum() + (ratios == 1).sum() / 2)
    # The median by the geometric mean of the two in the middle: turned round, the ratio is its inverse.
    middle = ratios[(ratios.size - 1) // 2], ratios[ratios.size // 2]
    return RatioTest(
        ratio=math.sqrt(middle[0] * middle[1]),
        low=float(ratios[place - 1]),
        high=float(ratios[ratios.size - place]),
        p_value=_p_value(base.size, other.size, min(above, ratios.size - above)),
    )


def ratio_of_intervals(
    baseline: Interval, candidate: Interval, *, confidences: tuple[float, float], confidence: float = 0.95
) -> RatioTest:
    """Compare two medians of which only the intervals were kept.

    The logarithm of each median is taken to be normal, as wide as its interval says.

    Parameters
    ----------
    baseline, candidate
        Positive estimates with their intervals.
    confidences
        Of the two intervals.
    confidence
        Of the interval of the ratio.

    Returns
    -------
    RatioTest
        More than 1 means that the candidate is larger.

    Raises
    ------
    InsufficientSamplesError
        If an interval is not positive or has no width, which means that it was made of too few samples.
    """
    sides = tuple(zip((baseline, candidate), confidences, strict=True))
    if any(not 0 < one.low < one.high for one, _ in sides) or min(baseline.estimate, candidate.estimate) <= 0:
        told = " and ".join(f"{one.estimate:.4g} in {one.low:.4g}..{one.high:.4g}" for one, _ in sides)
        msg = f"Two medians are compared by intervals with a width: got {told}. Measure again and keep the samples."
        raise InsufficientSamplesError(msg)
    widths = [math.log(one.high / one.low) / (2 * NormalDist().inv_cdf((1 + known) / 2)) for one, known in sides]
    distance, error = math.log(candidate.estimate / baseline.estimate), math.hypot(*widths)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return RatioTest(
        ratio=math.exp(distance),
        low=math.exp(distance - reach),
        high=math.exp(distance + reach),
        p_value=_two_sided(abs(distance) / error),
    )


def _samples(values: Sequence[float]) -> npt.NDArray[np.float64]:
    array = np.asarray(values, dtype=float)
    if not (np.isfinite(array).all() and (array > 0).all()):
        msg = f"A ratio needs positive samples: got {list(values)!r}. Leave out what is none."
        raise InsufficientSamplesError(msg)
    if array.size > _MOST:
        array = np.quantile(array, (np.arange(_MOST) + 0.5) / _MOST)
    return array


def _place(first: int, second: int, error: float) -> int:
    """Count the smallest ratios that the interval leaves out, and the one that it begins with."""
    if first < 1 or second < 1:
        return 0
    if math.comb(first + second, first) < _EXACT:
        return int(np.searchsorted(_distribution(first, second), error / 2, side="right"))
    spread = math.sqrt(first * second * (first + second + 1) / 12)
    return max(0, math.floor(first * second / 2 + NormalDist().inv_cdf(error / 2) * spread))


def _p_value(first: int, second: int, smaller: float) -> float:
    if math.comb(first + second, first) < _EXACT:
        # Half a tie is rounded up: the value may be too large, never too small.
        return min(1.0, 2 * float(_distribution(first, second)[math.ceil(smaller)]))
    spread = math.sqrt(first * second * (first + second + 1) / 12)
    return _two_sided(max(0.0, first * second / 2 - smaller - 0.5) / spread)


def _two_sided(distance: float) -> float:
    """Tell how likely a normal value is so many deviations or more from its mean; exact in the far tail, too."""
    return math.erfc(distance / math.sqrt(2))


@lru_cache(maxsize=64)
def _distribution(first: int, second: int) -> npt.NDArray[np.float64]:
    """Tell how likely it is that at most so many of all pairs stand one way, if both sides are alike."""
    short, long = sorted((first, second))
    # The numbers of orders are the coefficients of a Gaussian binomial; each step is one of its factors.
    orders = np.zeros(first * second + long + short + 1, dtype=np.int64)
    orders[0] = 1
    for step in range(1, short + 1):
        raised: npt.NDArray[Any] = orders.copy()
        raised[long + step :] -= orders[: -(long + step)]
        for begin in range(step):
            raised[begin::step] = np.cumsum(raised[begin::step])
        orders = raised
    return np.cumsum(orders[: first * second + 1]) / math.comb(first + second, first)


def judge(
    tests: Sequence[RatioTest | None], *, min_effect: float, error_rate: float = 0.05, larger_is_worse: Sequence[bool]
) -> list[Comparison]:
    """Turn tests into verdicts, as one list.

    The p values are corrected together (Benjamini and Hochberg), so that at most that share of all differences that
    are told are none. Slower or faster is what is told apart from alike and at least the smallest effect away; same is
    what lies, with its whole interval, within the smallest effect; all else is inconclusive.

    Parameters
    ----------
    tests
        One for each pair; ``None`` where it could not be made.
    min_effect
        Smallest change worth telling: 0.03 is 3 %.
    error_rate
        Share of wrong ones among the differences that are told.
    larger_is_worse
        For each pair; false for a rate, of which more is better.

    Returns
    -------
    list of Comparison
        In the same order; without a test, inconclusive and of ratio NaN.
    """
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and most commands need no statistics

    made = [test.p_value for test in tests if test is not None]
    corrected = iter(stats.false_discovery_control(made).tolist() if made else ())
    nothing = Comparison(ratio=math.nan, low=math.nan, high=math.nan, p_value=None, verdict=Verdict.INCONCLUSIVE)
    found = []
    for test, worse in zip(tests, larger_is_worse, strict=True):
        if test is None:
            found.append(nothing)
            continue
        p_value = next(corrected)
        verdict = _verdict(test, told=p_value <= error_rate, limit=1 + min_effect, larger_is_worse=worse)
        found.append(Comparison(ratio=test.ratio, low=test.low, high=test.high, p_value=p_value, verdict=verdict))
    return found


def _verdict(test: RatioTest, *, told: bool, limit: float, larger_is_worse: bool) -> Verdict:
    if told and test.ratio >= limit:
        return _direction(larger=True, larger_is_worse=larger_is_worse)
    if told and test.ratio <= 1 / limit:
        return _direction(larger=False, larger_is_worse=larger_is_worse)
    return Verdict.SAME if 1 / limit <= test.low and test.high <= limit else Verdict.INCONCLUSIVE


def _direction(*, larger: bool, larger_is_worse: bool) -> Verdict:
    return Verdict.SLOWER if larger == larger_is_worse else Verdict.FASTER


def compare_exact(baseline: float, candidate: float, *, larger_is_worse: bool = True) -> Comparison:
    """Compare two numbers that repeat to the digit.

    Parameters
    ----------
    baseline, candidate
        The numbers.
    larger_is_worse
        False for a compression ratio, of which more is better.

    Returns
    -------
    Comparison
        Without tolerance: any difference counts. Slower stands for bigger or chattier.
    """
    if baseline == candidate:
        return Comparison(ratio=1.0, low=1.0, high=1.0, p_value=None, verdict=Verdict.SAME)
    ratio = candidate / baseline if baseline else math.inf
    verdict = _direction(larger=candidate > baseline, larger_is_worse=larger_is_worse)
    return Comparison(ratio=ratio, low=ratio, high=ratio, p_value=None, verdict=verdict)
