"""Lasting changes of many cells at once: all are looked at in one go, those that may have a step are searched."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from zbench.report.site.nouns import Step
from zbench.stats.step_limits import SeriesLimits
from zbench.stats.steps import exact_steps, repeated_steps, series_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbench.stats.step_search import Step as Found

__all__ = ["RECENT", "family_of", "find_steps", "limits_for", "may_have_changed", "may_have_changed_at_the_end"]

# Columns within which a step may still move when a number is added.
RECENT = 12
# Chance of any false step on the whole site, and the smallest one that is told.
_ERROR = 0.01
_SMALLEST = 0.01
# Windows of one length on both sides of a place see at least so much of what the search sees in the best stretch.
_SEEN = 0.8
_SHORTEST = 4
# A line is searched anew each time that the evidence grows by so many standard errors.
_GAIN = 0.5
# Of a normal distribution's standard deviation to the median of its absolute differences.
_MAD = 1.4826 / math.sqrt(2)


def family_of(cells: int) -> int:
    """Tell how many lines are taken to be searched together.

    Parameters
    ----------
    cells
        Number of cells of the site.

    Returns
    -------
    int
        The next power of ten, so that steps of before stay when a benchmark is added.
    """
    return int(10 ** math.ceil(math.log10(max(cells, 1))))


def limits_for(family: int, table: np.ndarray | None = None) -> SeriesLimits:
    """Make the limits of all steps of the site.

    Parameters
    ----------
    family
        Of `family_of`.
    table
        Of those that were made for it before.

    Returns
    -------
    SeriesLimits
        For `find_steps`.
    """
    limits = SeriesLimits(error=_ERROR, family=family)
    if table is not None:
        limits.table = table
    return limits


def find_steps(
    values: np.ndarray,
    *,
    exact: bool,
    limits: SeriesLimits,
    samples: Mapping[int, Sequence[Sequence[float]]] | None = None,
    every: bool = False,
) -> list[Step]:
    """Find the steps of each row.

    Parameters
    ----------
    values
        A row for each cell, a column for each position in order; what is not finite is a gap.
    exact
        Whether every difference is a step.
    limits
        Of `limits_for`.
    samples
        By row and column, the numbers that were taken in interleaved rounds, where there are any.
    every
        Whether to search rows that can hold no step, too: for a few rows it takes less than to ask.

    Returns
    -------
    list of Step
        Row by row, in order.
    """
    rounds = samples or {}
    steps: list[Step] = []
    looked = every or may_have_changed(values, exact=exact, family=limits.family)
    for row in sorted({*np.flatnonzero(np.broadcast_to(looked, len(values))).tolist(), *rounds}):
        numbers = np.where(np.isfinite(values[row]), values[row], np.nan).astype(float)
        if exact:
            found = exact_steps(numbers.tolist())
        elif row in rounds:
            found = repeated_steps(
                _by_round(rounds[row]), error=limits.error, family=limits.family, min_effect=_SMALLEST
            )
        else:
            found = series_steps(numbers, limits=limits, min_effect=_SMALLEST)
        steps.extend(_told(row, numbers, found))
    return steps


def _by_round(points: Sequence[Sequence[float]]) -> list[list[float]]:
    count = max(map(len, points), default=0)
    return [[point[number] if number < len(point) else math.nan for point in points] for number in range(count)]


def _told(row: int, numbers: np.ndarray, found: Iterable[Found]) -> list[Step]:
    known = np.flatnonzero(np.isfinite(numbers))
    return [
        Step(
            row=row,
            column=step.place,
            before_column=int(known[known < step.place][-1]),
            before=step.before,
            after=step.after,
            low=step.ratio.low,
            high=step.ratio.high,
        )
        for step in found
    ]


def may_have_changed(values: np.ndarray, *, exact: bool, family: int) -> np.ndarray:
    """Tell for each row whether it may hold a step.

    Parameters
    ----------
    values
        As for `find_steps`.
    exact
        Whether every difference is a step.
    family
        Of `family_of`.

    Returns
    -------
    numpy.ndarray
        Booleans: true for every row with a step that the search would find, and for a few others.
    """
    if exact:
        return _moves(values)
    count = values.shape[1]
    if count < 2 * _SHORTEST or not len(values):
        return np.zeros(len(values), dtype=bool)
    levels, noise = _levels(values.astype(float))
    return np.asarray(_highest(levels) > _SEEN * _limit(count, family) * noise)


def may_have_changed_at_the_end(tail: np.ndarray, *, added: int, exact: bool, family: int) -> np.ndarray:
    """Tell for each row whether what was added may make a step where there was none.

    Parameters
    ----------
    tail
        The last columns; what lies before the last step of a row is left out of it as NaN.
    added
        Number of columns that are new.
    exact, family
        As for `may_have_changed`.

    Returns
    -------
    numpy.ndarray
        Booleans: true each time that the evidence for a step gains half a standard error.
    """
    if exact:
        return _moves(tail)
    count = tail.shape[1]
    if count - added < 2 * _SHORTEST:
        return may_have_changed(tail, exact=exact, family=family)
    levels, noise = _levels(tail.astype(float))
    noise = np.maximum(noise, np.finfo(float).tiny)
    now = _ending(levels) / noise
    likely = np.flatnonzero(now > _SEEN * _limit(count, family))
    before = _ending(levels[likely, :-added]) / noise[likely]
    moved = np.zeros(len(tail), dtype=bool)
    moved[likely] = np.floor(now[likely] / _GAIN) > np.floor(before / _GAIN)
    return moved


def _ending(levels: np.ndarray) -> np.ndarray:
    """Find the largest difference of the mean of the last columns to that of those before, as `_highest` does."""
    count = levels.shape[1]
    # Places first: what is taken at one of them lies together.
    sums = np.zeros((count + 1, len(levels)))
    np.cumsum((levels - levels[:, :1]).T, axis=0, out=sums[1:])
    places = np.arange(_SHORTEST, count - _SHORTEST + 1)
    here, right = sums[places], count - places
    after = sums[-1] - here
    highest = np.zeros(len(levels))
    for left in (places, np.minimum(places, 2 * right), np.minimum(places, np.maximum(right // 2, _SHORTEST))):
        weight = np.sqrt(left * right / (left + right))
        gap = after * (weight / right)[:, None]
        gap -= (here - sums[places - left]) * (weight / left)[:, None]
        np.maximum(highest, np.abs(gap, out=gap).max(axis=0), out=highest)
    return highest


def _limit(count: int, family: int) -> float:
    """Tell how many standard errors the search asks for, of normal noise."""
    return -NormalDist().inv_cdf(_ERROR / (2 * family * count))


def _moves(values: np.ndarray) -> np.ndarray:
    finite = np.isfinite(values)
    low = np.where(finite, values, np.inf).min(axis=1, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=1, initial=-np.inf)
    return np.asarray(low < high)


def _levels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take logarithms, let gaps last as the number before them, and take lone outliers away; with the noise."""
    known = np.isfinite(values) & (values > 0)
    logs = np.log(np.where(known, values, 1.0))
    gaps = np.flatnonzero(~known.all(axis=1))
    if len(gaps):
        at = np.maximum.accumulate(np.where(known[gaps], np.arange(values.shape[1]), 0), axis=1)
        first = known[gaps].argmax(axis=1)[:, None]
        logs[gaps] = np.take_along_axis(logs[gaps], np.maximum(at, first), axis=1)
    # numpy.median would take longer.
    moves = np.sort(np.abs(np.diff(logs, axis=1)), axis=1)
    middle = moves.shape[1] // 2
    noise = (moves[:, -middle - 1] + moves[:, middle]) / 2 * _MAD
    calm = logs.copy()
    left, middle, right = logs[:, :-2], logs[:, 1:-1], logs[:, 2:]
    calm[:, 1:-1] = np.maximum(np.minimum(left, middle), np.minimum(np.maximum(left, middle), right))
    return calm, noise


def _highest(levels: np.ndarray) -> np.ndarray:
    """Find the largest difference of means beside any place, times what makes it one of standard errors."""
    count = levels.shape[1]
    sums = np.zeros((len(levels), count + 1))
    np.cumsum(levels - levels[:, :1], axis=1, out=sums[:, 1:])
    highest = np.zeros(len(levels))
    width = float(_SHORTEST)
    while width <= count - _SHORTEST:
        near = round(width)
        # A level may be short on one side of a step and long on the other.
        for far in {near, min(4 * near, count - near)}:
            if near + far <= count:
                for left, right in {(near, far), (far, near)}:
                    places = np.arange(left, count - right + 1)
                    here = sums[:, places]
                    gap = (sums[:, places + right] - here) / right - (here - sums[:, places - left]) / left
                    score = np.abs(gap).max(axis=1) * math.sqrt(left * right / (left + right))
                    np.maximum(highest, score, out=highest)
        width *= math.sqrt(2)
    return highest
