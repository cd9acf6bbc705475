"""The search for steps in a series whose noise is known: seeded binary segmentation, the narrowest change first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from zbench.stats.intervals import Interval
from zbench.stats.step_limits import chance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zbench.stats.step_limits import Limits

__all__ = ["Levels", "Step", "is_large", "search"]

# A change by so many standard deviations needs no second test.
_PLAIN = 4.0
# What is further from both levels than this says little of which of them it belongs to.
_FAR = 3.5
# A slope this many standard errors from none is taken for a drift, and taken out before steps are looked for.
_DRIFT = 3.0
_TURNS = 5
# Intervals of a layer are shorter than those of the one before by this factor, and overlap by half.
_DECAY = math.sqrt(2)
# Beside a step both ways the likelihood is a random walk that exceeds x with probability 1 - (1 - e^-x)^2 (Siegmund,
# Ann. Stat. 16, 1988); this is twice the x of 5 %.
_PLACE = 7.35


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
    statistic, size, freedom
        Student's t of the step, the number of points it was looked for at, and the degrees of freedom; infinite for
        exact numbers.
    """

    place: int
    first: int
    last: int
    before: float
    after: float
    ratio: Interval
    statistic: float
    size: int
    freedom: float

    @property
    def p_value(self) -> float:
        """Chance that noise alone makes such a step anywhere in the series; 0 for exact numbers."""
        return 0.0 if math.isinf(self.statistic) else chance(self.statistic, self.size, self.freedom)


@dataclass(frozen=True, slots=True)
class Levels:
    """A series without gaps, with what is known of its noise.

    Attributes
    ----------
    values
        Logarithms, outliers drawn in.
    weights
        Number of measurements that each rests on.
    spread
        Standard deviation of one measurement.
    freedom
        Degrees of freedom that it is known with.
    fewest
        Points that make a level.
    original
        Logarithms as measured, outliers and all.
    times
        Place of each point on the axis, if there can be a drift along it.
    """

    values: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    spread: float
    freedom: float
    fewest: int
    original: npt.NDArray[np.float64]
    times: npt.NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        """Number of points."""
        return int(self.values.size)


def is_large(ratio: float, min_effect: float) -> bool:
    """Ask whether a change of level counts.

    Parameters
    ----------
    ratio
        After ÷ before.
    min_effect
        Smallest change that counts.

    Returns
    -------
    bool
        Up and down alike; from or to nothing always.
    """
    return abs(math.log(ratio)) >= math.log1p(min_effect) if 0 < ratio < math.inf else True


class _Sums:
    """Sums over any stretch of a series."""

    def __init__(self, series: Levels) -> None:
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


def search(series: Levels, places: Sequence[int], *, limits: Limits, min_effect: float) -> tuple[Step, ...]:
    """Find the steps of a series.

    Parameters
    ----------
    series
        The series.
    places
        Index of each of its points on the axis.
    limits
        What a series of its size is held against.
    min_effect
        Smallest change of level that counts: 0.03 is 3 %.

    Returns
    -------
    tuple of Step
        In order.
    """
    # Steps can pass for a drift and a drift for steps: both are begun with, and what needs least is told.
    begun = {0.0, _slope(series, [])}
    _, slope, cuts = min(_fitted(series, slope, limits, min_effect) for slope in sorted(begun))
    sums = _Sums(_flattened(series, slope))
    cuts = _placed(sums, cuts)
    bounds = [0, *cuts, series.size]
    return tuple(
        _step(sums, (begin, cut, end), places, slope * places[cut], limits)
        for begin, cut, end in zip(bounds, bounds[1:], bounds[2:], strict=False)
    )


def _fitted(series: Levels, slope: float, limits: Limits, min_effect: float) -> tuple[float, float, list[int]]:
    """Fit a drift and steps in turn; returns what is left with a charge for each, the drift and the steps."""
    for _ in range(_TURNS):
        sums = _Sums(_flattened(series, slope))
        cuts = _settled(sums, _narrowest(sums, limits.threshold), limits, min_effect)
        found = _slope(series, cuts)
        if found == slope:
            break
        slope = found
    flat = sums.series.values
    left = sum(
        float(((flat[begin:end] - sums.mean(begin, end)) ** 2 * series.weights[begin:end]).sum())
        for begin, end in pairwise([0, *cuts, series.size])
    )
    return left / series.spread**2 + limits.threshold**2 * (len(cuts) + bool(slope)), slope, cuts


def _flattened(series: Levels, slope: float) -> Levels:
    if series.times is None or not slope:
        return series
    drift = slope * series.times
    return replace(series, values=series.values - drift, original=series.original - drift)


def _slope(series: Levels, cuts: Sequence[int]) -> float:
    """Estimate the drift that all levels share; 0 if it could be none."""
    if series.times is None:
        return 0.0
    moved, length = 0.0, 0.0
    for begin, end in pairwise([0, *cuts, series.size]):
        order = series.times[begin:end] - series.times[begin:end].mean()
        moved += float(order @ series.values[begin:end])
        length += float(order @ order)
    is_drift = length > 0 and abs(moved) > _DRIFT * series.spread * math.sqrt(length)
    return moved / length if is_drift else 0.0


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


def _settled(sums: _Sums, cuts: list[int], limits: Limits, min_effect: float) -> list[int]:
    """Move each cut to its best place between its neighbours, and drop those that do not hold there."""
    settled: list[int] | None = None
    while cuts != settled:
        settled = list(cuts)
        for number in range(len(cuts)):
            begin, end = ([0, *cuts][number], [*cuts, sums.series.size][number + 1])
            cuts[number], _ = sums.best(begin, end)
        worst = _weakest(sums, cuts, limits, min_effect)
        if worst is not None:
            del cuts[worst]
    return cuts


def _placed(sums: _Sums, cuts: list[int]) -> list[int]:
    """Give each step its likeliest place, from the values as they were measured."""
    bounds = [0, *cuts, sums.series.size]
    placed = []
    for begin, cut, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
        places, costs = _costs(sums, (begin, cut, end))
        placed.append(int(places[costs.argmin()]))
    # Neighbours that met would be one step.
    return placed if all(later > earlier for earlier, later in pairwise(placed)) else cuts


def _costs(sums: _Sums, bounds: tuple[int, int, int]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Tell how unlikely each place of a step is; what is far from both levels counts for neither."""
    begin, cut, end = bounds
    series = sums.series
    stretch = series.original[begin:end]
    charges = [
        np.minimum(((stretch - level) / series.spread) ** 2, _FAR**2) * series.weights[begin:end]
        for level in (sums.mean(begin, cut), sums.mean(cut, end))
    ]
    before, after = (np.concatenate(([0.0], np.cumsum(charge))) for charge in charges)
    places = np.arange(begin + series.fewest, end - series.fewest + 1)
    inner = places - begin
    return places, before[inner] + after[-1] - after[inner]


def _weakest(sums: _Sums, cuts: list[int], limits: Limits, min_effect: float) -> int | None:
    bounds = [0, *cuts, sums.series.size]
    weak: list[tuple[float, int]] = []
    for number, (begin, cut, end) in enumerate(zip(bounds, bounds[1:], bounds[2:], strict=False)):
        statistic = float(sums.contrasts(np.array([begin]), np.array([end]), np.array([cut]))[0])
        ratio = math.exp(sums.mean(cut, end) - sums.mean(begin, cut))
        holds = statistic > limits.threshold and is_large(ratio, min_effect) and not _is_drift(sums, begin, cut, end)
        if not (holds and _is_apart(sums, (begin, cut, end), limits)):
            weak.append((statistic, number))
    return min(weak)[1] if weak else None


def _is_apart(sums: _Sums, bounds: tuple[int, int, int], limits: Limits) -> bool:
    """Ask the ranks too (Mann and Whitney): some values in a row that are skewed as times are can look like a level."""
    begin, cut, end = bounds
    series = sums.series
    if series.fewest == 1 or abs(sums.mean(cut, end) - sums.mean(begin, cut)) > _PLAIN * series.spread:
        return True
    ranks = series.original[begin:end].argsort().argsort()
    before, after = cut - begin, end - cut
    surplus = float(ranks[before:].sum()) - after * (end - begin - 1) / 2
    statistic = abs(surplus) / math.sqrt(before * after * (end - begin + 1) / 12)
    return statistic > limits.normal


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


def _step(sums: _Sums, bounds: tuple[int, int, int], places: Sequence[int], drifted: float, limits: Limits) -> Step:
    begin, cut, end = bounds
    series = sums.series
    statistic = float(sums.contrasts(np.array([begin]), np.array([end]), np.array([cut]))[0])
    cuts, costs = _costs(sums, bounds)
    likely = cuts[costs <= costs.min() + _PLACE]
    left, right = sums.weights[cut] - sums.weights[begin], sums.weights[end] - sums.weights[cut]
    before, after = sums.mean(begin, cut), sums.mean(cut, end)
    reach = limits.quantile * series.spread * math.sqrt(1 / left + 1 / right)
    change = after - before
    ratio = Interval(math.exp(change), math.exp(change - reach), math.exp(change + reach), end - begin)
    return Step(
        place=places[cut],
        # A point without a value before the first point after the step may be either side's.
        first=places[int(likely.min()) - 1] + 1,
        last=places[int(likely.max())],
        before=math.exp(before + drifted),
        after=math.exp(after + drifted),
        ratio=ratio,
        statistic=statistic,
        size=series.size,
        freedom=series.freedom,
    )
