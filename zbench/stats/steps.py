"""Steps in a history: where a number changed its level, by how much, and how sure that is.

Three kinds of history are told apart. Exact numbers step where they change. A series with one noisy value a point, as
asv keeps it for commits, is searched by seeded binary segmentation (Kovács, Bühlmann, Li and Munk, Biometrika 110,
2023, https://doi.org/10.1093/biomet/asac052): CUSUM statistics over a fixed set of intervals of all lengths, of which
the narrowest that is beyond the threshold is taken first (Baranowski, Chen and Fryzlewicz, J. R. Stat. Soc. B 81, 2019,
https://doi.org/10.1111/rssb.12322), so that neither a slow drift nor a second step disturbs the place. Values are drawn
towards a running median first, for times have outliers. A series with several values a point, taken in interleaved
rounds as a sweep takes them, is searched in the same way with the noise that the rounds themselves show, and may then
step at every single point.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from zbench.stats.intervals import Interval
from zbench.stats.step_limits import EFFICIENCY, SeriesLimits, limits_of
from zbench.stats.step_search import Levels, Step, is_large, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["exact_steps", "repeated_steps", "series_steps"]

# Fewer points at one level than this are outliers; the running median takes them away.
_FEWEST = 5
_REACH = 4
# Noise beyond so many standard deviations is drawn in, so that heavier tails become as light as normal ones.
_CLIP = 2.0
_NORMAL = 1.4826
_TURNS = 5
_FITS = 20
# Less noise than this is rounding.
_DIGITS = 12
_NOTHING = 1e-12


def exact_steps(values: Sequence[float | None]) -> tuple[Step, ...]:
    """Find every change of a number that repeats to the digit.

    Parameters
    ----------
    values
        One a point; ``None`` or NaN where there is none.

    Returns
    -------
    tuple of Step
        In order. The ratio of a step from 0 is infinite.
    """
    known = _known(values)
    steps = []
    for (earlier, before), (place, after) in pairwise(known):
        if before != after:
            ratio = after / before if before else math.inf
            steps.append(
                Step(
                    place=place,
                    first=earlier + 1,
                    last=place,
                    before=before,
                    after=after,
                    ratio=Interval(ratio, ratio, ratio, 1),
                    statistic=math.inf,
                    size=len(known),
                    freedom=math.inf,
                )
            )
    return tuple(steps)


def series_steps(
    values: Sequence[float | None] | npt.NDArray[np.float64],
    *,
    error: float = 0.01,
    family: int = 1,
    min_effect: float = 0.0,
    limits: SeriesLimits | None = None,
) -> tuple[Step, ...]:
    """Find the steps of a series with one noisy value a point.

    Parameters
    ----------
    values
        Positive numbers; ``None`` or NaN where there is none.
    error
        Chance of any false step in all series together.
    family
        Number of series that are searched together.
    min_effect
        Smallest change of level that counts: 0.03 is 3 %.
    limits
        Of many series, in place of `error` and `family`.

    Returns
    -------
    tuple of Step
        In order; none in a series of fewer than ten values.
    """
    numbers = np.asarray(values, dtype=float)
    places = np.flatnonzero(np.isfinite(numbers) & (numbers > 0))
    if len(places) < 2 * _FEWEST:
        return ()
    logs = np.log(numbers[places])
    spread = _spread(logs)
    if not spread:
        # Nothing moves but at steps.
        return tuple(step for step in exact_steps(numbers.tolist()) if is_large(step.ratio.estimate, min_effect))
    drawn = _drawn_in(logs, spread)
    series = Levels(
        values=drawn,
        weights=np.ones(drawn.size),
        spread=_spread(drawn, tails=True) or spread,
        freedom=EFFICIENCY * drawn.size,
        fewest=_FEWEST,
        original=logs,
        times=places.astype(float),
    )
    kept = limits_of(error / family, series.size, series.freedom) if limits is None else limits.of(series.size)
    return search(series, places.tolist(), limits=kept, min_effect=min_effect)


def repeated_steps(
    rounds: Sequence[Sequence[float | None]], *, error: float = 0.01, family: int = 1, min_effect: float = 0.0
) -> tuple[Step, ...]:
    """Find the steps of a series whose points were measured in several interleaved rounds.

    A round that was slow as a whole, because the machine was, is slow at all points alike, and that is taken out.

    Parameters
    ----------
    rounds
        For each round one positive number a point; ``None`` or NaN where there is none.
    error, family, min_effect
        As for `series_steps`.

    Returns
    -------
    tuple of Step
        In order; none with fewer than two rounds or two points.
    """
    table = np.array([[math.nan if value is None else value for value in row] for row in rounds], dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        return ()
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(table > 0, np.log(table), math.nan)
    counts = np.isfinite(logs).sum(axis=0)
    places = np.flatnonzero(counts)
    logs = logs[np.isfinite(logs).any(axis=1)][:, places]
    freedom = int(np.isfinite(logs).sum()) - len(places) - (logs.shape[0] - 1)
    if len(places) < 2 or freedom < 1:
        return ()
    levels, spread = _two_way(logs, freedom)
    if spread < _NOTHING:
        plain = _spaced(np.exp(levels.round(_DIGITS)), places, table.shape[1])
        return tuple(step for step in exact_steps(plain) if is_large(step.ratio.estimate, min_effect))
    series = Levels(
        values=levels,
        weights=counts[places].astype(float),
        spread=spread,
        freedom=freedom,
        fewest=1,
        original=levels,
    )
    limits = limits_of(error / family, series.size, series.freedom)
    return search(series, places.tolist(), limits=limits, min_effect=min_effect)


def _known(values: Sequence[float | None]) -> list[tuple[int, float]]:
    return [
        (place, float(value)) for place, value in enumerate(values) if value is not None and math.isfinite(float(value))
    ]


def _spaced(levels: npt.NDArray[np.float64], places: npt.NDArray[np.intp], count: int) -> list[float | None]:
    spaced: list[float | None] = [None] * count
    for place, level in zip(places.tolist(), levels.tolist(), strict=True):
        spaced[place] = level
    return spaced


def _spread(values: npt.NDArray[np.float64], *, tails: bool = False) -> float:
    """Estimate the noise of single values from the differences of neighbours, which steps and drifts hardly touch."""
    changes = np.diff(values)
    robust = _NORMAL * float(np.median(np.abs(changes))) / math.sqrt(2)
    if not tails:
        return robust
    # Two values that were drawn in differ by no more, unless there is a step between them.
    limit = 2 * _CLIP * robust
    plain = math.sqrt(float(np.mean(np.clip(changes, -limit, limit) ** 2)) / 2)
    return max(robust, plain)


def _drawn_in(values: npt.NDArray[np.float64], spread: float) -> npt.NDArray[np.float64]:
    """Draw what is far from the running median towards it: a median of nine follows a step and no outlier."""
    # numpy.median would sort, too, and take longer.
    running = np.sort(np.lib.stride_tricks.sliding_window_view(values, 2 * _REACH + 1), axis=1)[:, _REACH]
    # At the ends the last whole window decides: fewer values would follow outliers.
    running = np.pad(running, _REACH, mode="edge")
    return np.asarray(running + np.clip(values - running, -_CLIP * spread, _CLIP * spread), dtype=np.float64)


def _two_way(logs: npt.NDArray[np.float64], freedom: int) -> tuple[npt.NDArray[np.float64], float]:
    """Take the effects of points and of rounds apart, outliers drawn in; returns the levels and the noise."""
    share = np.isfinite(logs).sum() / freedom
    drawn = logs
    for _ in range(_TURNS):
        fitted = _fit_two_way(drawn)
        residuals = logs - fitted
        spread = _NORMAL * float(np.nanmedian(np.abs(residuals))) * math.sqrt(share)
        if not spread:
            # Most values agree to the digit: nothing is an outlier, or all that differs is.
            break
        drawn = fitted + np.clip(residuals, -_CLIP * spread, _CLIP * spread)
    left = drawn - _fit_two_way(drawn)
    plain = math.sqrt(float(np.nanmean(left**2) * share))
    return np.asarray(np.nanmean(_without_rounds(drawn), axis=0), dtype=np.float64), plain


def _fit_two_way(logs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    effects = np.zeros(logs.shape[0])
    for _ in range(_FITS):
        levels = np.nanmean(logs - effects[:, None], axis=0)
        before, effects = effects, np.nanmean(logs - levels[None, :], axis=1)
        effects -= effects.mean()
        if np.abs(effects - before).max() < _NOTHING:
            # A table without gaps is done at once.
            break
    return np.asarray(levels[None, :] + effects[:, None], dtype=np.float64)


def _without_rounds(logs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    fitted = _fit_two_way(logs)
    effects = np.nanmean(fitted, axis=1)
    return np.asarray(logs - (effects - effects.mean())[:, None], dtype=np.float64)
