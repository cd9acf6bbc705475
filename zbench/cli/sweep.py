"""``zbench sweep``: a library measured release by release."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbench.errors import PresetError, ZbenchError
from zbench.harness.sweep.axes import AXIS_NAMES
from zbench.harness.sweep.releases import LATEST
from zbench.harness.sweep.report import sweep_report
from zbench.harness.sweep.run import SweepPlan
from zbench.harness.sweep.run import sweep as use_case
from zbench.harness.sweep.timing import TimePlan
from zbench.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.harness.status import Status

__all__ = ["sweep"]

_SECONDS_A_LINE = 15.0


@click.command()
@click.argument("axes", nargs=-1, required=True, type=click.Choice(AXIS_NAMES), metavar="PACKAGE...")
@click.option("--since", help="First release, such as 2.16; of several packages each begins with its own.")
@click.option("--until", default=LATEST, show_default=True, help="Last release; 3.1 takes all of 3.1.")
@click.option(
    "--each",
    type=click.Choice(["release", "minor"]),
    default="release",
    show_default=True,
    help="Every release, or the last of each minor release.",
)
@click.option("--also", multiple=True, metavar="RELEASE", help="One more release, such as one that was withdrawn.")
@click.option("--counts-only", is_flag=True, help="Count requests and bytes; take no times.")
@click.option("--budget", default="15m", show_default=True, help="Time after which no further time is taken.")
@click.option("--rounds", type=click.IntRange(2), default=6, show_default=True, help="Rounds of fresh processes.")
@click.option(
    "--memory-rounds", type=click.IntRange(0), default=3, show_default=True, help="How often peak memory is found."
)
@click.option(
    "--time", "timed", multiple=True, metavar="RELEASE", help="Time this release; else the ends of each minor."
)
@click.option("--preset", default="sweep", show_default=True, help="What is timed: sweep, or the path of a TOML file.")
@click.option(
    "--volume-size",
    type=click.IntRange(0),
    default=128,
    show_default=True,
    help="Keep at most so many voxels an axis of the timed volume, from the middle; 0 keeps all.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results/sweep"),
    show_default=True,
    help="Folder for environments, records, stores and the history.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="Write the pages of the sweep into this folder."
)
@click.option("--report-only", is_flag=True, help="Write history and pages from what is there; measure nothing.")
def sweep(  # noqa: PLR0913 - one for each option
    *,
    axes: tuple[str, ...],
    since: str | None,
    until: str,
    each: str,
    also: tuple[str, ...],
    counts_only: bool,
    budget: str,
    rounds: int,
    memory_rounds: int,
    timed: tuple[str, ...],
    preset: str,
    volume_size: int,
    work: Path,
    output: Path | None,
    report_only: bool,
) -> None:
    """Measure releases of PACKAGE, each in an environment of its own, and store the history over them.

    Requests and bytes are counted first, of every release; then chosen releases are timed, in rounds of one fresh
    process of each, all tasks in one random order. What is measured stays: the same command goes on where it was ended.
    A release that cannot be installed or lacks a feature is a gap with its reason. Of several packages one after the
    other is swept, the others held still.
    """
    if len(axes) > 1 and (since or also or timed or until != LATEST):
        msg = f"A span of releases is of one package: {', '.join(axes)} were given. Sweep them one by one."
        raise PresetError(msg)
    times = TimePlan(
        preset=preset,
        volume_size=volume_size or None,
        rounds=rounds,
        memory_rounds=memory_rounds,
        budget_s=parse_duration(budget),
        versions=timed,
    )
    failures: list[ZbenchError] = []
    for axis in axes:
        plan = SweepPlan(
            axis=axis, since=since, until=until, each=each, also=also, times=None if counts_only else times
        )
        try:
            if not report_only:
                _tell(use_case(plan, work, report=_Lines().step))
            if report_only or output is not None:
                _tell(sweep_report(axis, work, output, dataset=plan.dataset))
        except ZbenchError as error:
            # One package that cannot be had does not keep the others from their history.
            failures.append(error)
            click.echo(f"zbench: {axis}: {error}", err=True)
    if failures:
        click.get_current_context().exit(2)


def _tell(paths: Iterable[Path]) -> None:
    for path in paths:
        click.echo(path)


class _Lines:
    """One line when something new begins, and one now and then."""

    def __init__(self) -> None:
        self._begun, self._last = ("", ""), 0.0

    def step(self, status: Status) -> None:
        begun, now = (status.stage, status.note if status.stage == "sample" else ""), time.monotonic()
        if begun == self._begun and now < self._last + _SECONDS_A_LINE and status.done < status.total:
            return
        self._begun, self._last = begun, now
        click.echo(f"{status.stage} {status.what}: {status.done} of {status.total}; {status.note}")
