"""The study of steps: detectors on generated series whose steps are known, and on stored sweeps."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.harness.history.asv_steps import asv_steps
from zbench.harness.history.found import find_steps
from zbench.harness.history.series import read_series
from zbench.harness.status import Status
from zbench.report.steps import Detected, DetectorScore, SweepScore, draw_recall, steps_page
from zbench.results import write_atomically
from zbench.stats.step_series import generated, matched
from zbench.stats.steps import series_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["StepsPlan", "study_steps"]

_ERROR = 0.01
_PAGE = "steps"
_ALONE, _TOGETHER, _ASV = "zbench, each series alone", "zbench, all series together", "asv"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepsPlan:
    """What is generated.

    Attributes
    ----------
    counts
        Number of series of each group.
    quiet
        Number of further series without a step that are searched together.
    sweep
        Folder of stored sweeps to look at too, if there are any.
    """

    counts: Mapping[str, int] = field(
        default_factory=lambda: {
            "no step": 400,
            "one step of 5 %": 400,
            "one step": 400,
            "three steps": 400,
            "drift": 200,
            "drift and a step": 200,
        }
    )
    quiet: int = 5000
    sweep: Path | None = None


def study_steps(output: Path, *, plan: StepsPlan, report: Callable[[Status], None]) -> tuple[Path, ...]:
    """Measure how well steps are found, and write the page.

    Parameters
    ----------
    output
        Folder for ``steps.md`` and its figure.
    plan
        What is generated.
    report
        Told after every group.

    Returns
    -------
    tuple of Path
        What was written, the page first.

    Raises
    ------
    ResultsError
        If a file cannot be written.
    """
    scores: list[DetectorScore] = []
    total = sum(plan.counts.values())
    done = 0
    for group, count in plan.counts.items():
        scores += _scores(group, count, family=total)
        done += count
        report(Status(stage="search", what=group, done=done, total=total, note=f"{count} series"))
    false = sum(
        # Beyond the seeds of the groups, so that no series is counted twice.
        bool(series_steps(generated("no step", total + seed).values, error=_ERROR, family=plan.quiet))
        for seed in range(plan.quiet)
    )
    report(Status(stage="search", what="no step, together", done=1, total=1, note=f"{plan.quiet} series"))
    drawn = draw_recall(scores)
    figures = [output / f"{_PAGE}.{ending}" for ending in drawn]
    for path, content in zip(figures, drawn.values(), strict=True):
        write_atomically(path, content)
    page = steps_page(
        scores,
        quiet=(plan.quiet, false),
        error=_ERROR,
        sweep=None if plan.sweep is None else _of_sweep(plan.sweep),
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        figure=f"{_PAGE}.svg",
    )
    path = output / f"{_PAGE}.md"
    write_atomically(path, page)
    return (path, *figures)


def _scores(group: str, count: int, *, family: int) -> list[DetectorScore]:
    found: dict[str, list[Detected]] = {name: [] for name in (_ALONE, _TOGETHER, _ASV)}
    for seed in range(count):
        truth = generated(group, seed)
        for name, together in ((_ALONE, 1), (_TOGETHER, family)):
            steps = series_steps(truth.values, error=_ERROR, family=together)
            spans = {step.place: (step.first, step.last) for step in steps}
            paired = matched(truth, tuple(spans))
            found[name].append(
                Detected(
                    sizes=truth.sizes,
                    found=len(steps),
                    errors={number: abs(place - truth.steps[number]) for number, place in paired.items()},
                    held=sum(
                        spans[place][0] <= truth.steps[number] <= spans[place][1] for number, place in paired.items()
                    ),
                )
            )
        places = asv_steps(truth.values)
        paired = matched(truth, places)
        errors = {number: abs(place - truth.steps[number]) for number, place in paired.items()}
        found[_ASV].append(Detected(sizes=truth.sizes, found=len(places), errors=errors, held=None))
    return [DetectorScore(group=group, detector=name, series=tuple(series)) for name, series in found.items()]


def _of_sweep(folder: Path) -> SweepScore | None:
    """Look at the times of stored sweeps; of them nobody knows the truth."""
    try:
        known = read_series([folder])
    except ResultsError:
        return None
    noisy = [series for series in known.series if not series.exact and len(series.rounds) >= 2]
    if not noisy:
        return None
    steps, _ = find_steps(known, error=_ERROR)
    ours = [one for one in steps if not one.series.exact]
    theirs = sum(len(asv_steps(series.values)) for series in noisy)
    return SweepScore(series=len(noisy), ours=len(ours), asv=theirs, both=sum(one.asv for one in ours))
