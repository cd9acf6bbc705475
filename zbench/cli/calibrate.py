"""``zbench calibrate``: what a gate can see on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from zbench.cli.gate_display import GateLines
from zbench.cli.json_text import json_text
from zbench.cli.kinds import Duration
from zbench.harness.gate import GateQuestion, SideWanted, read_settings
from zbench.harness.gate.calibrate import CALIBRATION
from zbench.harness.gate.calibrate import calibrate as use_case

if TYPE_CHECKING:
    from zbench.harness.gate.calibrate import Calibration

__all__ = ["calibrate"]

_MOST_ROWS = 25
_WIDE = 1000


@click.command(short_help="Measure what a gate can see on this machine.")
@click.argument("commit", default="HEAD")
@click.option("--bench", "benchmarks", multiple=True, help="Benchmarks that match a regular expression; repeatable.")
@click.option("--env", "environments", multiple=True, help="Environments that match a regular expression; repeatable.")
@click.option("--budget", type=Duration(), default="10m", show_default=True, help="Time for measuring.")
@click.option("--preset", help="Preset of zbench's own suite.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all orders.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with asv.conf.json, of any project.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def calibrate(*, commit: str, **options: Any) -> None:
    """Measure COMMIT against itself, and tell how often a gate is wrong here and how small a change it finds.

    What is found is kept, and gates of this repository warn when the machine is noisier than it was. Run it where the
    gate runs, for as long as a gate may take.
    """
    repository = options["repository"]
    side = SideWanted(commit=commit)
    work = repository / ".zbench" / "gate"
    found = use_case(
        GateQuestion(
            repository=repository,
            baseline=side,
            candidate=side,
            benchmarks=options["benchmarks"],
            environments=options["environments"],
            budget_s=options["budget"],
            seed=options["seed"],
            preset=options["preset"],
        ),
        read_settings(repository),
        work=work,
        report=GateLines().step,
    )
    if options["as_json"]:
        click.echo(json_text(asdict(found)))
        return
    _show(Console(highlight=False, width=_WIDE), found)
    click.echo(f"kept in {work / CALIBRATION}")


def _show(console: Console, found: Calibration) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("benchmark", "environment", "metric"):
        table.add_column(column)
    for column in ("spread of a pair", "finds"):
        table.add_column(column, justify="right")
    for one in found.noise[:_MOST_ROWS]:
        texts = (one.cell, one.environment, one.metric, f"{one.block_sd:.2%}", f"{one.detectable:.2%}")
        table.add_row(*(text.replace("[", "\\[") for text in texts))
    console.print(table)
    if len(found.noise) > _MOST_ROWS:
        console.print(f"and {len(found.noise) - _MOST_ROWS} steadier ones")
    console.print(f"{found.rounds} rounds in {found.seconds:.0f} s; the middle pair spreads by {found.middle_sd:.2%}")
    console.print(
        f"false alarms: {found.false_alarms} of {found.gates} gates made from these rounds with sides swapped at "
        f"random [{found.rate_low:.2%}, {found.rate_high:.2%}]"
    )
    told = ", ".join(f"{minutes} min {effect:.1%}" for minutes, effect in found.detectable_by_minutes.items())
    console.print(f"the middle benchmark shows, by budget: {told}")
    console.print(", ".join(f"{name} {value:.3g}" for name, value in found.causes.items()), markup=False)
