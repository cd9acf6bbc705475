"""Candidate against baseline from blocks: a fresh pair of processes gives one value, and blocks are the sample."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats.compare import RatioTest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["block_ratio", "fewest_blocks", "p_values", "paired_test", "spread"]

_FEWEST = 3
# Wilcoxon's p values come in steps; the smallest 32 or so are too coarse to be told apart by.
_GRAINS = 32
# Error of the interval whose width tells the noise.
_USUAL = 0.1


def block_ratio(baseline_ns: Sequence[float], candidate_ns: Sequence[float]) -> float:
    """Sum up one visit to a benchmark, or all visits of one block.

    Parameters
    ----------
    baseline_ns, candidate_ns
        Times of the pairs, in their order, in one unit.

    Returns
    -------
    float
        Natural logarithm of candidate ÷ baseline: the mean of the logarithms of the pairs without the quarter that is
        smallest and the quarter that is largest; of three or four pairs, their median.

    Raises
    ------
    InsufficientSamplesError
        If there is no pair, a time without its other, or one that is not positive.
    """
    base, other = np.asarray(baseline_ns, dtype=float), np.asarray(candidate_ns, dtype=float)
    sound = (
        base.size and base.shape == other.shape and all((a > 0).all() and np.isfinite(a).all() for a in (base, other))
    )
    if not sound:
        msg = (
            f"A block needs pairs of positive times: got {base.size} of the baseline and {other.size} of the "
            f"candidate, {[*base.tolist(), *other.tolist()][:8]!r}. Keep the pairs that have both."
        )
        raise InsufficientSamplesError(msg)
    logs = np.sort(np.log(other / base))
    cut = (logs.size + 1) // 4
    return float(logs[cut : logs.size - cut].mean())


def fewest_blocks(error_rate: float) -> int:
    """Tell how many blocks are needed at least for a p value that small.

    Parameters
    ----------
    error_rate
        Two-sided.

    Returns
    -------
    int
        With fewer, even values that all agree could be chance.
    """
    return max(_FEWEST, math.ceil(math.log(2 / error_rate, 4)))


def spread(logs: Sequence[float]) -> float:
    """Estimate how far one block lies from the others.

    Parameters
    ----------
    logs
        One value a block; NaN where there is none.

    Returns
    -------
    float
        Standard deviation that normal values would need for an interval as wide as that of `paired_test`: a burst now
        and then counts no more than it does there.

    Raises
    ------
    InsufficientSamplesError
        If there are fewer than three values.
    """
    from scipy import special  # noqa: PLC0415 - most commands need no statistics

    values = _finite(logs)
    low, high = _interval(values, _USUAL)
    return (high - low) / 2 / float(special.stdtrit(values.size - 1, 1 - _USUAL / 2)) * math.sqrt(values.size)


def paired_test(logs: Sequence[float], *, confidence: float = 0.95, null: float = 0.0) -> RatioTest:
    """Estimate the ratio from one value a block.

    Two processes of the same code may be exchanged, so without a change the values are symmetric around 0, whatever
    else they are. Wilcoxon's signed rank test asks for no more, and the ratio is the one that belongs to it (Hodges and
    Lehmann). But of n blocks it gives no p value below 2 to the power of 1 - n. Among samples to which it gives one of
    its 32 or so smallest, Student's test of the mean therefore says how much smaller. How this was chosen, with
    figures: docs/results/gate-rules.md.

    Parameters
    ----------
    logs
        One logarithm of candidate ÷ baseline for each block, as `block_ratio` gives it; NaN where there is none.
    confidence
        Share of such intervals that hold the truth.
    null
        Logarithm of the ratio that the p value is of.

    Returns
    -------
    RatioTest
        More than 1 means that the candidate is slower. The interval goes from 0 to infinity where there are fewer
        blocks than its confidence needs.

    Raises
    ------
    InsufficientSamplesError
        If there are fewer than three values.
    """
    values = _finite(logs)
    low, high = _interval(values, 1 - confidence)
    return RatioTest(
        ratio=math.exp(float(np.median(_averages(values[None])))),
        low=_ratio(low),
        high=_ratio(high),
        p_value=float(p_values(values[None] - null)[0]),
    )


def p_values(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Test many samples at once.

    Parameters
    ----------
    rows
        One sample a row, one logarithm for each block, all there.

    Returns
    -------
    numpy.ndarray
        The two-sided p value of no change, one a row, as `paired_test` gives it.
    """
    count = rows.shape[1]
    averages = _averages(rows)
    # Ties count half, and half of one is rounded up: the value may be too large, never too small.
    above = (averages > 0).sum(axis=1) + (averages == 0).sum(axis=1) / 2
    sums = np.ceil(np.minimum(above, averages.shape[1] - above)).astype(int)
    ranks = np.minimum(1.0, 2 * _distribution(count)[sums])
    finest = _finest(count)
    if (ranks > finest).all():
        return np.asarray(ranks)
    closer = np.minimum(finest, np.maximum(_student(rows), _smallest(count)))
    return np.asarray(np.where(ranks > finest, ranks, closer))


def _interval(values: npt.NDArray[np.float64], error: float) -> tuple[float, float]:
    """Give the ends of the logarithms that the test does not reject at a two-sided error."""
    count = values.size
    finest = _finest(count)
    if error < _smallest(count):
        return -math.inf, math.inf
    ends = []
    if finest < 1:
        averages = np.sort(_averages(values[None])[0])
        place = int(np.searchsorted(_distribution(count), max(error, finest) / 2, side="right"))
        ends.append((float(averages[place - 1]), float(averages[averages.size - place])))
    if error < finest:
        from scipy import special  # noqa: PLC0415 - most commands need no statistics

        half = float(special.stdtrit(count - 1, 1 - error / 2)) * float(values.std(ddof=1)) / math.sqrt(count)
        ends.append((float(values.mean()) - half, float(values.mean()) + half))
    return min(low for low, _ in ends), max(high for _, high in ends)


def _student(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from scipy import special  # noqa: PLC0415 - most commands need no statistics

    means, errors = rows.mean(axis=1), rows.std(axis=1, ddof=1) / math.sqrt(rows.shape[1])
    # Values that are all alike are as far from 0 as can be, unless they are 0.
    distances = np.where(errors > 0, np.abs(means) / np.where(errors > 0, errors, 1.0), np.where(means, np.inf, 0.0))
    return np.asarray(2 * special.stdtr(rows.shape[1] - 1, -distances))


def _averages(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Average each value with itself and each later one (Walsh): as many are above 0 as Wilcoxon's ranks sum to."""
    first, second = _couples(rows.shape[1])
    return np.asarray((rows[:, first] + rows[:, second]) / 2)


@lru_cache(maxsize=32)
def _couples(count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    first, second = np.triu_indices(count)
    return first, second


@lru_cache(maxsize=32)
def _distribution(count: int) -> npt.NDArray[np.float64]:
    """Tell how likely a sum of ranks is at most so large, if each value is as often above 0 as below."""
    chances = np.zeros(count * (count + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, count + 1):
        raised = chances.copy()
        raised[rank:] += chances[:-rank]
        chances = raised / 2
    return np.asarray(np.cumsum(chances))


def _finest(count: int) -> float:
    """Tell how small a p value of the ranks is still taken."""
    return min(1.0, _GRAINS * 2.0 ** (1 - count))


def _smallest(count: int) -> float:
    """Tell how small any p value may be.

    Where a process falls into one of a few layouts, the difference of two is any one number other than 0 at most one
    time in four (Motzkin and Straus, for graphs without triangles). So n blocks that agree may be chance with
    4⁻ⁿ on each side, however little they scatter.
    """
    return min(1.0, 2 * 4.0**-count)


def _ratio(log: float) -> float:
    return math.exp(log) if log < math.inf else math.inf


def _finite(logs: Sequence[float]) -> npt.NDArray[np.float64]:
    """Keep the blocks that have a value; enough of them, or an error."""
    values = np.array([log for log in logs if math.isfinite(log)], dtype=float)
    if values.size < _FEWEST:
        msg = f"A ratio of processes needs at least {_FEWEST} blocks: got {values.size}. Measure more blocks."
        raise InsufficientSamplesError(msg)
    return values
