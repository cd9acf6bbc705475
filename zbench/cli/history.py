"""``zbench history``: what changed over releases and commits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table

from zbench.errors import PresetError
from zbench.harness import history as use_case
from zbench.report.compare import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zbench.harness.history import FoundStep, Regressions, Series

__all__ = ["history"]

Command = TypeVar("Command", bound="Callable[..., object] | click.Command")

_WIDE = 1000
_DEFAULTS = (Path("results/sweep"), Path(".asv/results"))


@click.group()
def history() -> None:
    """Ask stored sweeps and asv results what changed over releases and commits, and where."""


def _paths(command: Command) -> Command:
    return click.argument(
        "paths", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="[FOLDER]..."
    )(command)


def _search(command: Command) -> Command:
    effect = click.option(
        "--min-effect", default="3%", show_default=True, help="Smallest change of a time that counts."
    )
    error = click.option(
        "--error",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.01,
        show_default=True,
        help="Chance of any false step in all series together.",
    )
    return effect(error(command))


@history.command()
@_paths
@_search
@click.option("--all", "show_all", is_flag=True, help="Show those that were undone since, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def regressions(*, paths: tuple[Path, ...], min_effect: str, error: float, show_all: bool, as_json: bool) -> None:
    """List what got slower, bigger or chattier, since which release or commit, and how sure that is.

    FOLDERs hold stored sweeps or asv results; without one results/sweep and .asv/results are read. Exact numbers step
    where they change; a step of a time comes with the 95 % interval of its size.

    Exit status: 0 nothing got worse and stayed so, 1 something did, 2 the question could not be answered.
    """
    known = use_case.read_series(paths or _there())
    found = use_case.regressions(known, error=error, min_effect=_share(min_effect))
    if as_json:
        click.echo(json.dumps(_plain(found), indent=2, allow_nan=False))
    else:
        _show(found, show_all=show_all)
    click.get_current_context().exit(found.status)


@history.command()
@click.argument("words")
@_paths
@_search
def show(*, words: str, paths: tuple[Path, ...], min_effect: str, error: float) -> None:
    """Show every number of the series whose name holds all WORDS, such as "full_read v3-c32 wall_time"."""
    known = use_case.read_series(paths or _there())
    chosen = [series for series in known.series if all(word in _named(series) for word in words.split())]
    if not chosen:
        msg = f"A series is shown by words of its name: none of {len(known.series)} has all of {words!r}. Give fewer."
        raise PresetError(msg)
    steps, _ = use_case.find_steps(known, error=error, min_effect=_share(min_effect))
    for series in chosen:
        _show_series(series, [step for step in steps if step.series is series])


@history.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@_paths
@_search
def export(*, output: Path, paths: tuple[Path, ...], min_effect: str, error: float) -> None:
    """Write every number with its release or commit, and the steps, to OUTPUT (.csv or .json)."""
    known = use_case.read_series(paths or _there())
    count = use_case.export_history(known, output, error=error, min_effect=_share(min_effect))
    click.echo(f"{output}: {count} numbers of {len(known.series)} series")


def _there() -> list[Path]:
    return [path for path in _DEFAULTS if path.is_dir()]


def _share(text: str) -> float:
    try:
        share = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        msg = f"The smallest effect is a share below 1, such as 3% or 0.03: got {text!r}."
        raise PresetError(msg)
    return share


def _named(series: Series) -> str:
    return f"{series.axis} {series.machine} {series.place} {series.name}"


def _show(found: Regressions, *, show_all: bool) -> None:
    console = Console(highlight=False, width=_WIDE)
    shown = [one for one in found.found if show_all or one.standing]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("what", "workload", "metric", "between", "packages that differ", "asv too"):
        table.add_column(column)
    for column in ("before", "after", "ratio"):
        table.add_column(column, justify="right")
    for one in shown:
        table.add_row(*(text.replace("[", "\\[") for text in _cells(one)), style="" if one.standing else "dim")
    if shown:
        console.print(table)
    for problem in found.problems:
        console.print(problem, markup=False)
    undone = sum(not one.standing for one in found.found)
    console.print(
        f"{len(found.found) - undone} regressions stand and {undone} were undone, in {found.judged} series; "
        f"{found.too_short} series have too few numbers. Chance of any false step among the times: {found.error:g}; "
        f"smallest effect {found.min_effect:g}."
    )


def _cells(one: FoundStep) -> tuple[str, ...]:
    series, step = one.series, one.step
    first, last = one.since
    within = "" if first == last else f" (from {first} to {last})"
    # What was swept is the likeliest reason, so it comes first.
    moved = sorted(one.packages, key=lambda change: change.what != series.axis)
    packages = ", ".join(f"{change.what} {change.baseline} -> {change.candidate}" for change in moved)
    return (
        one.word if one.standing else f"{one.word}, undone",
        series.workload,
        series.metric,
        f"{series.axis} {one.earlier} -> {one.later}{within}",
        packages or "none",
        "exact" if series.exact else "yes" if one.asv else "no",
        quantity(step.before, series.unit),
        quantity(step.after, series.unit),
        _ratio(one),
    )


def _ratio(one: FoundStep) -> str:
    ratio = one.step.ratio
    if not math.isfinite(ratio.estimate):
        return "from 0"
    if one.series.exact:
        return f"{ratio.estimate:.3g}"
    return f"{ratio.estimate:.3g} [{ratio.low:.3g}, {ratio.high:.3g}]"


def _show_series(series: Series, steps: Sequence[FoundStep]) -> None:
    console = Console(highlight=False, width=_WIDE)
    place = f", {series.place}" if series.place else ""
    console.print(f"\n{series.name} ({series.unit}) on {series.machine}{place}, by {series.axis}", markup=False)
    at = {one.step.place: one for one in steps}
    for number, (label, row) in enumerate(zip(series.labels, series.rows, strict=True)):
        if row is None or row.value is None:
            console.print(f"  {label.name:12} gap", markup=False)
            continue
        around = "" if row.low is None or row.high is None else _bounds(row.low, row.high, series.unit)
        step = at.get(number)
        mark = f"  <- {step.word}: {_ratio(step)} since {step.earlier}" if step else ""
        console.print(f"  {label.name:12} {quantity(row.value, series.unit)}{around}{mark}", markup=False)


def _bounds(low: float, high: float, unit: str) -> str:
    return f" [{quantity(low, unit)}, {quantity(high, unit)}]"


def _plain(found: Regressions) -> dict[str, Any]:
    return {
        "status": found.status,
        "judged": found.judged,
        "too_short": found.too_short,
        "error": found.error,
        "min_effect": found.min_effect,
        "problems": list(found.problems),
        "regressions": [use_case.step_fields(one) for one in found.found],
    }
