"""The steps of all series together, and those of them that are regressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.harness.history.asv_steps import asv_steps
from zbench.harness.places import Difference, package_changes
from zbench.stats.steps import exact_steps, repeated_steps, series_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.harness.history.series import Series, SeriesSet
    from zbench.stats.step_search import Step

__all__ = ["FoundStep", "Regressions", "find_steps", "regressions"]

ERROR = 0.01
MIN_EFFECT = 0.03
# With fewer values than this no step of a series with one value a point can be told.
_FEWEST = 8
_LESS_IS_WORSE = ("compression_ratio", "throughput")
_WORDS = {
    "requests": ("chattier", "quieter"),
    "reads": ("chattier", "quieter"),
    "writes": ("chattier", "quieter"),
    "wall_time": ("slower", "faster"),
    "cpu_time": ("slower", "faster"),
}
_NO_JUDGEMENT = ("bytes_needed",)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundStep:
    """A step with what is known around it.

    Attributes
    ----------
    series
        In which it is.
    step
        Where and how large.
    earlier, later
        The two releases or commits around it.
    since
        All releases or commits at which it may have come, the first to the last.
    worse
        Whether it is a change for the worse.
    word
        ``slower``, ``bigger``, ``chattier`` and their opposites.
    standing
        Whether the last level is still on the far side of the level before, by the smallest effect.
    packages
        Packages that are others after it.
    asv
        Whether asv's own detector finds a step at the same place.
    """

    series: Series
    step: Step
    earlier: str
    later: str
    since: tuple[str, str]
    worse: bool
    word: str
    standing: bool
    packages: tuple[Difference, ...]
    asv: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Regressions:
    """What got worse.

    Attributes
    ----------
    found
        Regressions: exact numbers, then times by size.
    judged, too_short
        Number of series that could be searched, and that have too few numbers.
    error, min_effect
        Chance of any false step in all series together, and smallest change of a time that counts.
    problems
        Files that could not be read.
    """

    found: tuple[FoundStep, ...]
    judged: int
    too_short: int
    error: float
    min_effect: float
    problems: tuple[str, ...]

    @property
    def status(self) -> int:
        """Exit status: 0 no regression stands, 1 one does, 2 nothing could be judged."""
        if any(one.standing for one in self.found):
            return 1
        return 0 if self.judged else 2


def find_steps(
    known: SeriesSet, *, error: float = ERROR, min_effect: float = MIN_EFFECT
) -> tuple[tuple[FoundStep, ...], int]:
    """Search all series.

    Parameters
    ----------
    known
        The series.
    error
        Chance of any false step in all of them together.
    min_effect
        Smallest change of a time that counts; exact numbers count at every change.

    Returns
    -------
    steps : tuple of FoundStep
        In the order of the series.
    judged : int
        Number of series that could be searched.
    """
    judged = [series for series in known.series if _is_long_enough(series)]
    family = max(1, sum(not series.exact for series in judged))
    found = []
    for series in judged:
        steps = _steps(series, error=error, family=family, min_effect=min_effect)
        marked = asv_steps(series.values) if steps and not series.exact else ()
        last = steps[-1].after if steps else 0.0
        found += [_placed(series, step, known, marked, min_effect=min_effect, last=last) for step in steps]
    return tuple(found), len(judged)


def regressions(known: SeriesSet, *, error: float = ERROR, min_effect: float = MIN_EFFECT) -> Regressions:
    """List what got slower, bigger or chattier.

    Parameters
    ----------
    known
        The series.
    error, min_effect
        As for `find_steps`.

    Returns
    -------
    Regressions
        With those that were undone since.
    """
    found, judged = find_steps(known, error=error, min_effect=min_effect)
    worse = [one for one in found if one.worse]
    worse.sort(key=lambda one: (not one.standing, not one.series.exact, -abs(one.step.ratio.estimate - 1)))
    return Regressions(
        found=tuple(worse),
        judged=judged,
        too_short=len(known.series) - judged,
        error=error,
        min_effect=min_effect,
        problems=known.problems,
    )


def _is_long_enough(series: Series) -> bool:
    count = sum(value is not None for value in series.values)
    if series.exact or len(series.rounds) >= 2:
        return count >= 2
    return count >= _FEWEST


def _steps(series: Series, *, error: float, family: int, min_effect: float) -> tuple[Step, ...]:
    if series.exact:
        return () if series.metric in _NO_JUDGEMENT else exact_steps(series.values)
    if len(series.rounds) >= 2:
        return repeated_steps(series.rounds, error=error, family=family, min_effect=min_effect)
    return series_steps(series.values, error=error, family=family, min_effect=min_effect)


def _placed(
    series: Series, step: Step, known: SeriesSet, marked: Sequence[int], *, min_effect: float, last: float
) -> FoundStep:
    # A gap belongs to neither side: the release before is the last one that has a number.
    earlier = max(place for place in range(step.place) if series.values[place] is not None)
    larger = step.after > step.before
    worse = larger != (series.metric in _LESS_IS_WORSE)
    names = [label.name for label in series.labels]
    environments = [
        known.environments[series.labels[place].environment]
        for place in (earlier, step.place)
        if series.labels[place].environment in known.environments
    ]
    return FoundStep(
        series=series,
        step=step,
        earlier=names[earlier],
        later=names[step.place],
        since=(names[step.first], names[step.last]),
        worse=worse,
        word=_word(series.metric, larger=larger),
        standing=_stands(step, last, 0.0 if series.exact else min_effect),
        packages=package_changes([(environments[0], environments[1])]) if len(environments) == 2 else (),
        asv=any(step.first <= place <= step.last for place in marked),
    )


def _word(metric: str, *, larger: bool) -> str:
    bigger = ("bigger", "smaller")
    return _WORDS.get(metric, bigger)[0 if larger else 1]


def _stands(step: Step, last: float, min_effect: float) -> bool:
    if not step.before:
        return last != step.before
    ratio = last / step.before
    return ratio > 1 + min_effect if step.after > step.before else ratio < 1 / (1 + min_effect)
