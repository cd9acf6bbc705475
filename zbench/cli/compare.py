"""``zbench compare``: two results held against each other."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table

from zbench.cli.json_text import json_text
from zbench.cli.kinds import Percentage
from zbench.harness.compare import compare as use_case
from zbench.model import Verdict
from zbench.report.compare import INTERVALS, SAMPLES, quantity, ratio_text, verdict_text
from zbench.report.text import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.harness.compare import Compared, Side
    from zbench.harness.places import Difference
    from zbench.report.compare import ComparedMetric

__all__ = ["compare"]

_WIDE = 1000
_STYLES = {Verdict.SLOWER: "red", Verdict.FASTER: "green", Verdict.INCONCLUSIVE: "yellow", Verdict.SAME: ""}


@click.command()
@click.argument("baseline", type=click.Path(path_type=Path, exists=True))
@click.argument("candidate", type=click.Path(path_type=Path, exists=True))
@click.option("--baseline-commit", help="Commit of the baseline, where its results hold several.")
@click.option("--candidate-commit", help="Commit of the candidate, where its results hold several.")
@click.option(
    "--min-effect", type=Percentage(), default="3%", show_default=True, help="Smallest change of a time that counts."
)
@click.option(
    "--across-environments",
    is_flag=True,
    help="Compare although machine, cpu, cores, threads, filesystem or Python differ; the output says so.",
)
@click.option("--all", "show_all", is_flag=True, help="Show what is the same, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def compare(
    *,
    baseline: Path,
    candidate: Path,
    baseline_commit: str | None,
    candidate_commit: str | None,
    min_effect: float,
    across_environments: bool,
    show_all: bool,
    as_json: bool,
) -> None:
    """Compare CANDIDATE with BASELINE: result folders or files of zbench, asv, pytest-benchmark.

    Exact numbers (requests, bytes, objects, ratios) come first and decide without tolerance. Of times the ratio
    candidate / baseline is shown with its 95 % interval; they are slower or faster if they are told apart, corrected
    for the length of the list, and by at least the smallest effect.

    Exit status: 0 nothing is slower or bigger, 1 something is, 2 the question could not be answered.
    """
    found = use_case(
        baseline,
        candidate,
        baseline_commit=baseline_commit,
        candidate_commit=candidate_commit,
        min_effect=min_effect,
        across_environments=across_environments,
    )
    if as_json:
        click.echo(json_text(asdict(found) | {"status": found.status}))
    else:
        _show(Console(highlight=False, width=_WIDE), found, show_all=show_all)
    click.get_current_context().exit(found.status)


def _show(console: Console, found: Compared, *, show_all: bool) -> None:
    console.print(f"baseline:  {_side(found.baseline)}", markup=False)
    console.print(f"candidate: {_side(found.candidate)}", markup=False)
    if found.differences:
        console.print(f"[bold red]ACROSS ENVIRONMENTS[/]: {_changes(found.differences)}")
    if found.unknown:
        console.print(f"not said by both sides: {', '.join(found.unknown)}")
    if found.packages:
        console.print(f"packages: {_changes(found.packages)}", markup=False)
    for title, metrics in (
        ("Exact numbers", [one for one in found.metrics if one.exact]),
        (f"Times, smallest effect {found.min_effect:.3g}", [one for one in found.metrics if not one.exact]),
    ):
        shown = [one for one in metrics if show_all or one.comparison.verdict is not Verdict.SAME]
        if shown:
            console.print(_table(title, shown))
    _print_notes(console, found, show_all=show_all)


def _side(side: Side) -> str:
    commit = f", commit {side.commits[0][:8]}" if side.commits else ""
    return f"{side.path}{commit}, {side.rows} numbers"


def _changes(found: Sequence[Difference]) -> str:
    return ", ".join(f"{one.what} {one.baseline} -> {one.candidate}" for one in found)


def _table(title: str, metrics: list[ComparedMetric]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("verdict", "dataset", "layout", "chain", "engine", "environment", "pattern", "metric"):
        table.add_column(column)
    for column in ("baseline", "candidate", "ratio"):
        table.add_column(column, justify="right")
    for one in metrics:
        cell = one.dataset or one.benchmark, one.layout, one.chain, one.engine, one.place, one.pattern
        numbers = quantity(one.baseline, one.unit), quantity(one.candidate, one.unit), ratio_text(one)
        # Names may hold brackets, which rich would take for markup.
        texts = (text.replace("[", "\\[") for text in (verdict_text(one), *cell, one.metric, *numbers))
        table.add_row(*texts, style=_STYLES[one.comparison.verdict])
    return table


def _print_notes(console: Console, found: Compared, *, show_all: bool) -> None:
    for line in found.broken:
        console.print(f"broken: {line}", markup=False)
    if any(one.basis in (SAMPLES, INTERVALS) and not one.note for one in found.metrics):
        console.print(
            "* rests on samples of which several share a process: they are not independent, and the interval leaves "
            "out what differs between processes. Measure several runs of each side."
        )
    if any(one.basis == INTERVALS for one in found.metrics):
        console.print("Some results keep no samples, and are compared by their intervals: 'asv run --record-samples'.")
    for note in dict.fromkeys(one.note for one in found.metrics if one.note):
        console.print(f"inconclusive: {note}", markup=False)
    for (side, reason), names in _left_out(found).items():
        shown = names if show_all else names[:3]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        console.print(f"not compared ({side}, {reason}): {', '.join(shown)}{more}", markup=False)
    for problem in found.problems:
        console.print(problem, markup=False)
    counted = [verdict_text(one) for one in found.metrics]
    told = [f"{counted.count(word)} {word}" for word in dict.fromkeys(counted)]
    console.print(f"{len(counted)} compared: {listed(told)}")
    if not show_all and "same" in counted:
        console.print("What is the same is not shown; --all shows it.")


def _left_out(found: Compared) -> dict[tuple[str, str], list[str]]:
    names: dict[tuple[str, str], list[str]] = {}
    for one in found.unpaired:
        names.setdefault((one.side, one.reason), []).append(f"{one.workload} {one.metric}")
    return names
