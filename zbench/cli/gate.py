"""``zbench gate``: fail a pull request that makes something slower, bigger or chattier."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from zbench.cli.gate_display import GateLines
from zbench.cli.kinds import Duration
from zbench.errors import PresetError, ResultsError, ZbenchError
from zbench.harness.gate import GateQuestion, SideWanted, read_settings, requirements_of
from zbench.harness.gate import gate as use_case
from zbench.harness.gate.commits import left_main
from zbench.model import Verdict
from zbench.report.gate.words import headline, numbers, ordered, ratio, verdict
from zbench.report.gate.written import clear_reports, write_no_answer, write_reports
from zbench.units import parse_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zbench.report.gate import GateCell, GateContrast, GateReport

__all__ = ["gate"]

_WIDE = 1000
_MOST_ROWS = 40
_STYLES = {Verdict.SLOWER: "red", Verdict.FASTER: "green", Verdict.INCONCLUSIVE: "yellow", Verdict.SAME: ""}
_METRICS = ("value", "time", "peakmemory", "instructions")


@click.command()
@click.argument("baseline", required=False)
@click.argument("candidate", required=False)
@click.option(
    "--against",
    nargs=2,
    metavar="PACKAGES PACKAGES",
    help="Compare two sets of packages at one commit, such as 'zarr==3.0.10' 'zarr==3.1.6'.",
)
@click.option("--bench", "benchmarks", multiple=True, help="Benchmarks that match a regular expression; repeatable.")
@click.option("--env", "environments", multiple=True, help="Environments that match a regular expression; repeatable.")
@click.option(
    "--budget", type=Duration(), default="10m", show_default=True, help="Time for measuring, building not counted."
)
@click.option(
    "--min-effect",
    "min_effects",
    multiple=True,
    metavar="[METRIC=]SHARE",
    help="Smallest change that counts: 3%, or for one metric, such as instructions=0.5%; repeatable.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    type=click.Choice(_METRICS),
    help="Measure these metrics alone; repeatable. All but instructions unless given.",
)
@click.option("--preset", help="Preset of zbench's own suite.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all orders.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with asv.conf.json, of any project.",
)
@click.option(
    "--output-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder for gate.json and the reports."
)
@click.option("--fresh", is_flag=True, help="Forget what an earlier run of the same question measured.")
@click.option("--all", "show_all", is_flag=True, help="Show what is the same, too.")
def gate(*, baseline: str | None, candidate: str | None, **options: Any) -> None:
    """Measure CANDIDATE against BASELINE, commits of an asv project, and fail if it is worse.

    Unless given, CANDIDATE is HEAD and BASELINE where it left the main branch. Both are built by asv, and their
    benchmarks take turns in pairs of fresh processes until every verdict is decided or the budget is spent. Exact
    numbers (requests, bytes, objects, ratios) decide without tolerance. Ended half-way, it goes on when run again.

    Exit status: 0 passed, 1 something is slower, bigger or chattier, 2 the question could not be answered.
    """
    folder = options["output_dir"]
    if folder is not None:
        clear_reports(folder)
    try:
        found = _answer(baseline, candidate, options)
    except ZbenchError as error:
        if folder is not None:
            write_no_answer(options["repository"].resolve().name, str(error), folder)
        raise
    console = Console(highlight=False, width=_WIDE)
    _show(console, found, show_all=options["show_all"])
    if folder is not None:
        for path in write_reports(found, folder):
            console.print(f"wrote {path}", markup=False)
    click.get_current_context().exit(found.status)


def _answer(baseline: str | None, candidate: str | None, options: Mapping[str, Any]) -> GateReport:
    repository = options["repository"]
    question = GateQuestion(
        repository=repository,
        baseline=_baseline(repository, baseline, candidate, options["against"]),
        candidate=_candidate(baseline, candidate, options["against"]),
        benchmarks=options["benchmarks"],
        environments=options["environments"],
        budget_s=options["budget"],
        metrics=options["metrics"] or _METRICS[:3],
        seed=options["seed"],
        preset=options["preset"],
    )
    settings = read_settings(repository, min_effects=_effects(options["min_effects"]))
    found = use_case(
        question, settings, work=repository / ".zbench" / "gate", fresh=options["fresh"], report=GateLines().step
    )
    return replace(found, command=_again(found, options))


def _again(found: GateReport, options: Mapping[str, Any]) -> str:
    """Write the command that asks the same, of whatever branches and tags are called later."""
    against = options["against"]
    words = ["zbench", "gate", *(found.commits[:1] if against else found.commits)]
    words += ["--against", *against] if against else []
    for flag, name in (
        ("--bench", "benchmarks"), ("--env", "environments"), ("--min-effect", "min_effects"), ("--metric", "metrics"),
    ):  # fmt: skip
        for value in options[name]:
            words += [flag, value]
    words += ["--preset", options["preset"]] if options["preset"] else []
    return shlex.join([*words, "--budget", f"{options['budget']:g}s", "--seed", str(options["seed"])])


def _baseline(
    repository: Path, baseline: str | None, candidate: str | None, against: tuple[str, str] | None
) -> SideWanted:
    if against is not None:
        if candidate is not None:
            msg = f"--against compares packages at one commit: got two, {baseline!r} and {candidate!r}. Give one."
            raise ResultsError(msg)
        return SideWanted(commit=baseline or "HEAD", requirements=requirements_of(against[0]))
    return SideWanted(commit=baseline or left_main(repository))


def _candidate(baseline: str | None, candidate: str | None, against: tuple[str, str] | None) -> SideWanted:
    if against is not None:
        return SideWanted(commit=baseline or "HEAD", requirements=requirements_of(against[1]))
    return SideWanted(commit=candidate or "HEAD")


def _effects(texts: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        metric, _, share = text.rpartition("=")
        try:
            value = parse_share(share)
        except PresetError as error:
            raise click.BadParameter(str(error), param_hint="--min-effect") from error
        if metric not in ("", "time", "cpu", "peakmemory", "instructions", "contrast"):
            msg = f"there is no metric {metric!r}."
            raise click.BadParameter(msg, param_hint="--min-effect")
        found |= {metric: value} if metric else {"time": value, "cpu": value}
    return found


def _show(console: Console, found: GateReport, *, show_all: bool) -> None:
    console.print(headline(found), style="bold red" if found.status else "bold green", markup=False)
    commits = " and ".join(commit[:8] for commit in dict.fromkeys(found.commits))
    console.print(
        f"baseline {found.baseline}, candidate {found.candidate} (commit {commits}) of {found.project}; "
        f"{found.rounds} rounds in {found.spent_s:.0f} s",
        markup=False,
    )
    for environment, packages in found.packages.items():
        if packages:
            told = ", ".join(f"{name} {before} -> {after}" for name, before, after in packages)
            console.print(f"packages in {environment}: {told}", markup=False)
    contrasts = [one for one in found.contrasts if show_all or one.comparison.verdict in _CHANGED]
    if contrasts:
        console.print(_contrasts(contrasts))
    cells = [cell for cell in ordered(found.cells) if show_all or _is_news(cell)]
    if cells:
        console.print(_cells(cells if show_all else cells[:_MOST_ROWS]))
        if len(cells) > _MOST_ROWS and not show_all:
            console.print(f"and {len(cells) - _MOST_ROWS} more; --all shows them")
    _notes(console, found)


_CHANGED = (Verdict.SLOWER, Verdict.FASTER)


def _is_news(cell: GateCell) -> bool:
    return cell.decides and cell.comparison.verdict is not Verdict.SAME


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left")
    return table


_NUMBERS = ("baseline", "candidate", "ratio", "pairs", "cells", "p", "detectable")


def _contrasts(contrasts: list[GateContrast]) -> Table:
    table = _table("Factor levels", "verdict", "what", "cells", "ratio", "p", "pairs")
    for one in contrasts:
        row = (verdict(one), one.name, str(one.cells), ratio(one), _p_value(one), str(one.blocks))
        table.add_row(*(text.replace("[", "\\[") for text in row), style=_STYLES[one.comparison.verdict])
    return table


def _cells(cells: list[GateCell]) -> Table:
    table = _table(
        "Benchmarks", "verdict", "benchmark", "environment", "metric", "baseline", "candidate", "ratio", "p", "pairs",
        "detectable",
    )  # fmt: skip
    for one in cells:
        detectable = "" if one.detectable is None else f"{one.detectable:.1%}"
        pairs = "exact" if one.exact else str(one.blocks)
        row = (verdict(one), one.cell, one.environment, one.metric, *numbers(one), ratio(one), _p_value(one), pairs,
               detectable)  # fmt: skip
        table.add_row(*(text.replace("[", "\\[") for text in row), style=_STYLES[one.comparison.verdict])
    return table


def _p_value(one: GateCell | GateContrast) -> str:
    return "" if one.comparison.p_value is None else f"{one.comparison.p_value:.2g}"


def _notes(console: Console, found: GateReport) -> None:
    for what, entries in (("failed", found.failed), ("skipped", found.skipped)):
        reasons: dict[str, list[str]] = {}
        for one in entries:
            reasons.setdefault(one.reason, []).append(f"{one.cell} in {one.environment}")
        for reason, names in reasons.items():
            told = names[0] if len(names) == 1 else f"{len(names)} benchmarks, the first {names[0]}"
            console.print(f"{what}: {told}: {reason}", markup=False)
    for warning in found.warnings:
        console.print(f"warning: {warning}", markup=False)
