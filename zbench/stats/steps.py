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
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from zbench.stats.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Step", "exact_steps", "repeated_steps", "series_steps"]

# Fewer points at one level than this are outliers; the running median takes them away.
_FEWEST = 4
_REACH = 3
# Normal noise beyond so many standard deviations is drawn in, and heavier tails become as light as that.
_CLIP = 3.0
_NORMAL = 1.4826
# A robust estimate of the spread tells as much as a plain one of four tenths as many values.
_EFFICIENCY = 0.4
# Intervals of a layer are shorter than those of the layer before by this factor, and overlap by half.
_DECAY = math.sqrt(2)
# Tests that the intervals of a series amount to, for each of its points; they overlap, so there are fewer than it looks.
# With it noise alone steps as seldom as was asked for: tests/statistical/test_steps.py.
_TESTS_A_POINT = 1.0
# Both sides of a change that has no noise drift apart with probability 1 - (1 - e^-x)^2 (Siegmund, Ann. Stat. 16, 1988);
# this is twice the x of 95 %.
_PLACE = 7.35
_CONFIDENCE = 0.95

_Floats = "npt.NDArray[np.float64]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A change of level.

    Attributes
    ----------
    place
        Index of the first point after it.
    first, last
        Ends of the interval of the place, both included. Points without a value are in it where the step may lie at
        them.
    before, after
        The two levels.
    ratio
        After ÷ before, with its 95 % interval.
    p_value
        Chance that noise alone makes such a step anywhere in the series; 0 for exact numbers.
    """

    place: int
    first: int
    last: int
    before: float
    after: float
    ratio: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class _Series:
    """Levels without gaps, with what is known of their noise."""

    values: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    spread: float
    freedom: float
    fewest: int

    @property
    def size(self) -> int:
        return int(self.values.size)


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
    for (earlier, before), (place, after) in zip(known, known[1:], strict=False):
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
                    p_value=0.0,
                )
            )
    return tuple(steps)


def series_steps(
    values: Sequence[float | None], *, error: float = 0.01, family: int = 1, min_effect: float = 0.0
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

    Returns
    -------
    tuple of Step
        In order; none in a series of fewer than eight values.
    """
    known = [(place, value) for place, value in _known(values) if value > 0]
    if len(known) < 2 * _FEWEST:
        return ()
    logs = np.log([value for _, value in known])
    spread = _spread(logs)
    if not spread:
        # Nothing moves but at steps.
        return tuple(step for step in exact_steps(values) if _is_large(step.ratio.estimate, min_effect))
    drawn = _drawn_in(logs, spread)
    series = _Series(drawn, np.ones(drawn.size), _spread(drawn, tails=True), _EFFICIENCY * drawn.size, _FEWEST)
    return _told(series, [place for place, _ in known], level=error / family, min_effect=min_effect)


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
    levels, residuals = _two_way(logs)
    spread = _tail_spread(residuals, freedom)
    if not spread:
        return tuple(step for step in exact_steps(_spaced(np.exp(levels), places, table.shape[1])) if step.ratio)
    series = _Series(levels, counts[places].astype(float), spread, freedom, 1)
    return _told(series, places.tolist(), level=error / family, min_effect=min_effect)


def _known(values: Sequence[float | None]) -> list[tuple[int, float]]:
    return [
        (place, float(value)) for place, value in enumerate(values) if value is not None and math.isfinite(float(value))
    ]


def _spaced(levels: npt.NDArray[np.float64], places: npt.NDArray[np.intp], count: int) -> list[float | None]:
    spaced: list[float | None] = [None] * count
    for place, level in zip(places.tolist(), levels.tolist(), strict=True):
        spaced[place] = level
    return spaced


def _is_large(ratio: float, min_effect: float) -> bool:
    return abs(math.log(ratio)) >= math.log1p(min_effect) if 0 < ratio < math.inf else True


def _spread(values: npt.NDArray[np.float64], *, tails: bool = False) -> float:
    """Estimate the noise of single values from the differences of neighbours, which steps and drifts hardly touch."""
    changes = np.diff(values)
    robust = _NORMAL * float(np.median(np.abs(changes))) / math.sqrt(2)
    if not tails:
        return robust
    limit = _CLIP * math.sqrt(2) * robust
    plain = math.sqrt(float(np.mean(np.clip(changes, -limit, limit) ** 2)) / 2)
    return max(robust, plain)


def _tail_spread(residuals: npt.NDArray[np.float64], freedom: int) -> float:
    """Estimate the noise of values whose mean was taken out, the tails drawn in."""
    kept = residuals[np.isfinite(residuals)]
    plain = math.sqrt(float((kept**2).sum()) / freedom)
    share = math.sqrt(kept.size / freedom)
    robust = _NORMAL * float(np.median(np.abs(kept))) * share
    limit = _CLIP * robust
    drawn = math.sqrt(float((np.clip(kept, -limit, limit) ** 2).sum()) / freedom)
    return max(robust, drawn) if robust else plain


def _drawn_in(values: npt.NDArray[np.float64], spread: float) -> npt.NDArray[np.float64]:
    """Draw what is far from the running median towards it: a median of seven follows a step and no outlier."""
    padded = np.pad(values, _REACH, mode="reflect")
    running = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1), axis=1)
    return np.asarray(running + np.clip(values - running, -_CLIP * spread, _CLIP * spread), dtype=np.float64)


def _two_way(logs: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Take the effects of points and of rounds apart; returns the levels of the points and what is left."""
    effects = np.zeros(logs.shape[0])
    for _ in range(20):
        levels = np.nanmean(logs - effects[:, None], axis=0)
        effects = np.nanmean(logs - levels[None, :], axis=1)
        effects -= effects.mean()
    return levels, logs - levels[None, :] - effects[:, None]


@lru_cache(maxsize=4096)
def _threshold(level: float, size: int, freedom: float) -> float:
    from scipy import stats  # noqa: PLC0415 - takes a second to import

    return float(stats.t.isf(level / (2 * _TESTS_A_POINT * size), freedom))


def _chance(statistic: float, size: int, freedom: float) -> float:
    from scipy import stats  # noqa: PLC0415 - takes a second to import

    return float(min(1.0, 2 * _TESTS_A_POINT * size * stats.t.sf(statistic, freedom)))


class _Sums:
    """Sums over any stretch of a series."""

    def __init__(self, series: _Series) -> None:
        self.series = series
        self.weights = np.concatenate(([0.0], np.cumsum(series.weights)))
        self.values = np.concatenate(([0.0], np.cumsum(series.weights * series.values)))

    def mean(self, begin: int, end: int) -> float:
        return float((self.values[end] - self.values[begin]) / (self.weights[end] - self.weights[begin]))

    def contrasts(
        self, begins: npt.NDArray[np.intp], ends: npt.NDArray[np.intp], cuts: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float64]:
        """CUSUM statistics of stretches, each cut in two."""
        left, right = self.weights[cuts] - self.weights[begins], self.weights[ends] - self.weights[cuts]
        means = (self.values[cuts] - self.values[begins]) / left - (self.values[ends] - self.values[cuts]) / right
        return np.asarray(np.sqrt(left * right / (left + right)) * np.abs(means) / self.series.spread)

    def best(self, begin: int, end: int) -> tuple[int, float]:
        """Find the cut of a stretch with the largest statistic."""
        cuts = np.arange(begin + self.series.fewest, end - self.series.fewest + 1)
        found = self.contrasts(np.full(cuts.size, begin), np.full(cuts.size, end), cuts)
        best = int(found.argmax())
        return int(cuts[best]), float(found[best])


def _told(series: _Series, places: Sequence[int], *, level: float, min_effect: float) -> tuple[Step, ...]:
    sums = _Sums(series)
    limit = _threshold(level, series.size, series.freedom)
    cuts = _settled(sums, _narrowest(sums, limit), limit, min_effect)
    bounds = [0, *cuts, series.size]
    return tuple(
        _step(sums, (begin, cut, end), places) for begin, cut, end in zip(bounds, bounds[1:], bounds[2:], strict=False)
    )


def _narrowest(sums: _Sums, limit: float) -> list[int]:
    """Take the narrowest stretches whose statistic is beyond the limit, none within another's change."""
    size, fewest = sums.series.size, sums.series.fewest
    cuts: list[int] = []
    for begins, ends in _layers(size, 2 * fewest):
        length = int(ends[0] - begins[0])
        offsets = np.arange(fewest, length - fewest + 1)
        inner = begins[:, None] + offsets[None, :]
        found = sums.contrasts(begins[:, None], ends[:, None], inner)
        best = found.argmax(axis=1)
        top = found[np.arange(best.size), best]
        for row in np.argsort(-top):
            if top[row] <= limit:
                break
            if not any(begins[row] < cut < ends[row] for cut in cuts):
                cuts.append(int(inner[row, best[row]]))
    return sorted(cuts)


@lru_cache(maxsize=256)
def _layers(size: int, shortest: int) -> tuple[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], ...]:
    """Seeded intervals, shortest first: each layer covers the series with stretches that overlap by half."""
    layers = []
    length = float(size)
    lengths = [size]
    while length / _DECAY >= shortest:
        length /= _DECAY
        lengths.append(round(length))
    for width in sorted({*lengths, min(shortest, size)}):
        count = max(1, math.ceil(2 * (size - width) / width) + 1)
        begins = np.unique(np.linspace(0, size - width, count).round().astype(np.intp))
        layers.append((begins, begins + width))
    return tuple(layers)


def _settled(sums: _Sums, cuts: list[int], limit: float, min_effect: float) -> list[int]:
    """Move each cut to its best place between its neighbours, and drop those that do not hold there."""
    settled: list[int] | None = None
    while cuts != settled:
        settled = list(cuts)
        for number in range(len(cuts)):
            begin, end = ([0, *cuts][number], [*cuts, sums.series.size][number + 1])
            cuts[number], _ = sums.best(begin, end)
        worst = _weakest(sums, cuts, limit, min_effect)
        if worst is not None:
            del cuts[worst]
    return cuts


def _weakest(sums: _Sums, cuts: list[int], limit: float, min_effect: float) -> int | None:
    bounds = [0, *cuts, sums.series.size]
    weak: list[tuple[float, int]] = []
    for number, (begin, cut, end) in enumerate(zip(bounds, bounds[1:], bounds[2:], strict=False)):
        statistic = float(sums.contrasts(np.array([begin]), np.array([end]), np.array([cut]))[0])
        ratio = math.exp(sums.mean(cut, end) - sums.mean(begin, cut))
        if statistic <= limit or not _is_large(ratio, min_effect) or _is_drift(sums, begin, cut, end):
            weak.append((statistic, number))
    return min(weak)[1] if weak else None


def _is_drift(sums: _Sums, begin: int, cut: int, end: int) -> bool:
    """Ask whether a straight line explains a stretch at least as well as a step does, with as many parameters."""
    if sums.series.fewest == 1:
        # Releases have no order in time that something could drift with.
        return False
    values = sums.series.values[begin:end]
    order = np.arange(values.size) - (values.size - 1) / 2
    centred = values - values.mean()
    slope = float(order @ centred) / float(order @ order)
    line = float(((centred - slope * order) ** 2).sum())
    flat = values - np.where(np.arange(begin, end) < cut, sums.mean(begin, cut), sums.mean(cut, end))
    return line <= float((flat**2).sum())


def _step(sums: _Sums, bounds: tuple[int, int, int], places: Sequence[int]) -> Step:
    from scipy import stats  # noqa: PLC0415 - takes a second to import

    begin, cut, end = bounds
    series = sums.series
    cuts = np.arange(begin + series.fewest, end - series.fewest + 1)
    found = sums.contrasts(np.full(cuts.size, begin), np.full(cuts.size, end), cuts)
    statistic = float(found[cuts == cut][0])
    likely = cuts[found**2 >= statistic**2 - _PLACE]
    left, right = sums.weights[cut] - sums.weights[begin], sums.weights[end] - sums.weights[cut]
    before, after = sums.mean(begin, cut), sums.mean(cut, end)
    reach = float(stats.t.isf((1 - _CONFIDENCE) / 2, series.freedom)) * series.spread * math.sqrt(1 / left + 1 / right)
    change = after - before
    ratio = Interval(*(math.exp(value) for value in (change, change - reach, change + reach)), end - begin)
    return Step(
        place=places[cut],
        # A point without a value before the first point after the step may be either side's.
        first=places[int(likely.min()) - 1] + 1,
        last=places[int(likely.max())],
        before=math.exp(before),
        after=math.exp(after),
        ratio=ratio,
        p_value=_chance(statistic, series.size, series.freedom),
    )
