"""``zbench study``: long measurements that end in a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from zbench.cli.kinds import Duration
from zbench.cli.progress import Display, Seldom
from zbench.harness import study as use_case
from zbench.harness.amplification import AmplificationPlan
from zbench.harness.amplification import amplification as count_amplification
from zbench.harness.gate_study import GateStudyPlan, study_gate
from zbench.harness.overhead import OverheadPlan
from zbench.harness.overhead import overhead as measure_overhead
from zbench.harness.phantom import calibrate
from zbench.harness.publish.study import PublishPlan, study_publish
from zbench.harness.step_study import StepsPlan, study_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.progress import TaskID

    from zbench.harness.status import Status

__all__ = ["study"]

Command = TypeVar("Command", bound="Callable[..., object] | click.Command")

_SECONDS_A_LINE = 30.0


@click.group()
def study() -> None:
    """Long measurements that end in a page of docs/results; each goes on where it was ended."""


def _output(what: str) -> Callable[[Command], Command]:
    return click.option(
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("docs/results"),
        show_default=True,
        help=f"Folder for {what}.",
    )


def _work(name: str) -> Callable[[Command], Command]:
    return click.option(
        "--work",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results") / name,
        show_default=True,
        help="Folder for the record, the environments and the stores.",
    )


_REPOSITORY = click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with asv.conf.json.",
)


@study.command()
@_output("the page, its figures and its table")
@_work("lossless")
@click.option("--preset", default="full", show_default=True, help="Name of a preset, or the path of a TOML file.")
@click.option("--rounds", type=click.IntRange(3), default=4, show_default=True, help="Rounds of fresh processes.")
@click.option(
    "--volume-size",
    type=click.IntRange(0),
    default=128,
    show_default=True,
    help="Keep at most so many voxels an axis of each volume, from the middle; 0 keeps all.",
)
@_REPOSITORY
@click.option("--report-only", is_flag=True, help="Write the page from what is there; measure nothing.")
def lossless(
    *, output: Path, work: Path, preset: str, rounds: int, volume_size: int, repository: Path, report_only: bool
) -> None:
    """Measure codec chains, chunks, shards, formats and libraries on real volumes; write lossless.md.

    A run that was ended goes on when the command is given again; it measures the commit that it began with.
    """
    if report_only:
        _tell(use_case.report_lossless(output, work))
        return
    plan = use_case.Plan(preset=preset, rounds=rounds, volume_size=volume_size or None)
    with _shown() as report:
        paths = use_case.lossless(output, work, repository=repository, plan=plan, report=report.step)
    _tell(paths)


@study.command()
@_output("the page")
@_work("amplification")
@click.option("--dataset", default="cryoet-phantom-portal", show_default=True, help="Name of the volume.")
@click.option("--chunks", multiple=True, help="Chunk shape, as a layout writes it; may be given several times.")
@_REPOSITORY
def amplification(*, output: Path, work: Path, dataset: str, chunks: tuple[str, ...], repository: Path) -> None:
    """Count the requests of real reads in every environment and hold them against the formula; write amplification.md.

    A run that was ended goes on when the command is given again.
    """
    plan = AmplificationPlan(dataset=dataset, chunks=chunks or AmplificationPlan().chunks)
    with _shown() as report:
        paths = count_amplification(output, work, repository=repository, plan=plan, report=report.step)
    _tell(paths)


@study.command()
@_output("the page")
@click.option("--dataset", default="cryoet-phantom-128", show_default=True, help="Name of the volume.")
def overhead(*, output: Path, dataset: str) -> None:
    """Measure what zbench does around timed calls beside a bare loop on the same arrays; write overhead.md."""
    with _shown() as report:
        paths = measure_overhead(output, plan=OverheadPlan(dataset=dataset), report=report.step)
    _tell(paths)


@study.command()
@_output("the page and its figure")
def phantom(*, output: Path) -> None:
    """Hold the generated tomogram against published ratios and real tomograms; write phantom.md."""
    with _shown() as report:
        paths = calibrate(output, report=report.step)
    _tell(paths)


@study.command()
@_output("the page and its figure")
@click.option(
    "--sweep",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results/sweep"),
    show_default=True,
    help="Folder of stored sweeps to look at too.",
)
def steps(*, output: Path, sweep: Path) -> None:
    """Find known steps in generated histories, beside asv's own detection; write steps.md."""
    with _shown() as report:
        paths = study_steps(output, plan=StepsPlan(sweep=sweep if sweep.is_dir() else None), report=report.step)
    _tell(paths)


@study.command()
@_output("the page")
@click.option("--benchmarks", type=click.IntRange(10), default=100, show_default=True, help="Number of benchmarks.")
@click.option("--commits", type=click.IntRange(50), default=1000, show_default=True, help="Number of commits.")
def publish(*, output: Path, benchmarks: int, commits: int) -> None:
    """Publish generated histories beside asv and visit the site in a browser; write publish.md."""
    with _shown() as report:
        paths = study_publish(output, plan=PublishPlan(benchmarks=benchmarks, commits=commits), report=report.step)
    _tell(paths)


@study.command()
@_output("the page, its figure and its table")
@_work("gate")
@click.option("--repetitions", type=click.IntRange(1), default=30, show_default=True, help="Runs of every program.")
@click.option(
    "--budget",
    type=Duration(),
    default="28s",
    show_default=True,
    help="Time of each program for both sides; asv continuous takes what it takes.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all orders.")
@click.option("--report-only", is_flag=True, help="Write the page from what is there; measure nothing.")
def gate(*, output: Path, work: Path, repetitions: int, budget: float, seed: int, report_only: bool) -> None:
    """Find known slowdowns, and none, with zbench gate, asv, pytest-benchmark and pyperf; write gate.md.

    A study that was ended goes on when the command is given again; with more repetitions it goes on where it stopped.
    """
    plan = GateStudyPlan(repetitions=repetitions, budget_s=budget, seed=seed)
    with _shown() as report:
        paths = study_gate(output, work=work, plan=plan, report=report.step, report_only=report_only)
    _tell(paths)


def _tell(paths: Iterable[Path]) -> None:
    for path in paths:
        click.echo(path)


def _shown() -> _Bars | _Lines:
    return _Bars() if Console().is_terminal else _Lines(click.echo)


def _left(status: Status) -> str:
    if status.left_s is None:
        return ""
    minutes = round(status.left_s / 60)
    told = f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
    return f"about {told} left"


class _Lines(Display):
    """Plain lines: one when something new begins, and one now and then."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._seldom = write, Seldom(_SECONDS_A_LINE)

    def step(self, status: Status) -> None:
        # The note of a store step names the cell, which is new at every step.
        begun = status.stage, status.what, status.note if status.stage == "sample" else ""
        if not self._seldom.is_due(begun, is_last=status.done >= status.total):
            return
        whole = f", {status.values_done} of {status.values_total} values" if status.values_total else ""
        parts = f"{status.stage} {status.what}: {status.done} of {status.total}{whole}", status.note, _left(status)
        self._write("; ".join(part for part in parts if part))


class _Bars(Display):
    """Two bars on a terminal: this stage, and the whole study."""

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}")
        )
        self._stage: TaskID = self._bar.add_task("begin", total=None, note="")
        self._whole: TaskID = self._bar.add_task("all values", total=None, note="")

    def start(self) -> None:
        self._bar.start()

    def stop(self) -> None:
        self._bar.stop()

    def step(self, status: Status) -> None:
        named = f"{status.stage} {status.what}"
        self._bar.update(
            self._stage, description=named, completed=status.done, total=status.total, note=status.note[-60:]
        )
        if status.values_total:
            self._bar.update(self._whole, completed=status.values_done, total=status.values_total, note=_left(status))
