"""``zbench bisect``: which commit, or which release, made a benchmark worse."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zbench.cli.gate_display import GateLines
from zbench.cli.json_text import json_text
from zbench.cli.kinds import Duration, Percentage
from zbench.harness.gate import GateQuestion, SideWanted, read_settings
from zbench.harness.gate.bisect import bisect as use_case
from zbench.harness.gate.commits import commits_between
from zbench.harness.sweep.releases import chosen_releases, released

if TYPE_CHECKING:
    from zbench.harness.gate.bisect import Bisected, Step

__all__ = ["bisect"]


@click.command(short_help="Find the commit or release that made a benchmark worse.")
@click.argument("good")
@click.argument("bad")
@click.option("--bench", "benchmarks", multiple=True, required=True, help="The benchmark, by a regular expression.")
@click.option("--package", help="Search the releases of a package: GOOD and BAD are versions of it.")
@click.option("--python", default="3.11", show_default=True, help="Interpreter that the releases of a package are for.")
@click.option("--env", "environments", multiple=True, help="Environments that match a regular expression; repeatable.")
@click.option(
    "--budget", type=Duration(), default="2m", show_default=True, help="Time for measuring one commit, building apart."
)
@click.option(
    "--error-rate",
    type=Percentage(),
    default="1%",
    show_default=True,
    help="Chance that the search goes wrong somewhere; smaller takes longer.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    type=click.Choice(("value", "time", "peakmemory")),
    help="Search by these metrics alone; repeatable. All unless given.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all orders.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with asv.conf.json, of any project.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def bisect(*, good: str, bad: str, **options: Any) -> None:
    """Search between GOOD and BAD, commits of an asv project, for the first that has the change of a benchmark.

    Every commit that is looked at is measured against GOOD in pairs of fresh processes, until it is known, at its share
    of the error, on which side of half the change it lies. Where that stays unknown the search says so and goes on
    around it.

    Exit status: 1 the change was found, 2 it could not be found, or only be narrowed down.
    """
    repository = options["repository"]
    if options["package"]:
        versions = chosen_releases(released(options["package"], options["python"]), since=good, until=bad)
        requirement = options["package"].lower()
        candidates = [
            SideWanted(
                commit="HEAD", requirements=((requirement, f"=={version}"), ("python", f"=={options['python']}"))
            )
            for version in versions
        ]
    else:
        candidates = [SideWanted(commit=commit) for commit in commits_between(repository, good, bad)]
    question = GateQuestion(
        repository=repository,
        baseline=candidates[0],
        candidate=candidates[-1],
        benchmarks=options["benchmarks"],
        environments=options["environments"],
        budget_s=options["budget"],
        metrics=options["metrics"] or ("value", "time", "peakmemory"),
        seed=options["seed"],
    )
    found = use_case(
        question,
        read_settings(repository),
        candidates,
        work=repository / ".zbench" / "gate",
        error_rate=options["error_rate"],
        report=GateLines().step,
        told=_tell,
    )
    if options["as_json"]:
        click.echo(json_text(asdict(found) | {"status": found.status}))
    else:
        _show(found)
    click.get_current_context().exit(found.status)


def _tell(step: Step) -> None:
    ratio = "" if math.isnan(step.ratio) else f": {step.ratio:.3f} [{step.low:.3f}, {step.high:.3f}] to good"
    note = f" ({step.note})" if step.note else ""
    click.echo(f"{step.side[:40]} is {step.standing}{ratio}{note}", err=True)


def _show(found: Bisected) -> None:
    change = f"{found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]"
    click.echo(f"{', '.join(found.benchmarks[:3])}: bad to good is {change}")
    if found.between:
        click.echo(f"the change came after {found.last_good} and at the latest with {found.first_bad}; not told apart:")
        for side in (*found.between, found.first_bad):
            click.echo(f"  {side}")
    else:
        click.echo(f"first with the change: {found.first_bad}")
        click.echo(f"last without it: {found.last_good}")
    click.echo(f"{len(found.steps)} steps; the chance of a wrong turn is at most {found.error_rate:.2g}")
