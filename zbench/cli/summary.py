"""``zbench summary``: what the asv suite found."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from zbench.harness.summary import summary as use_case

if TYPE_CHECKING:
    from zbench.report.summary import CellSummary, Range

__all__ = ["summary"]

_AXES = ("xy_plane", "xz_plane", "yz_plane")


@click.command()
@click.argument("commit", default="HEAD")
@click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with asv.conf.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def summary(*, commit: str, repository: Path, as_json: bool) -> None:
    """Show what the asv suite found at COMMIT (HEAD unless given): one line a cell, and where the dashboard is.

    Times are asv's medians with its 99 % interval, turned into logical GiB/s. Run 'make bench' first.
    """
    found = use_case(repository, commit=commit)
    if as_json:
        fields = asdict(found) | {"dashboard": str(found.dashboard) if found.dashboard else None}
        click.echo(json.dumps(fields, indent=2))
        return
    # A table that is cut is no table: without a terminal it takes the room it needs.
    console = Console(highlight=False, width=None if Console().is_terminal else 150)
    cells = [cell for cell in found.cells if not cell.problem]
    for dataset in sorted({cell.dataset for cell in cells}):
        of_dataset = [cell for cell in cells if cell.dataset == dataset]
        console.print(_chains(dataset, of_dataset))
        console.print(_layouts(dataset, of_dataset))
    _print_problems(console, found.cells, found.problems)
    console.print(f"commit {found.commit[:8]}")
    console.print(f"dashboard: {found.dashboard or 'none yet; run asv publish'} (see it with 'make preview')")


def _chains(dataset: str, cells: list[CellSummary]) -> Table:
    table = Table(title=f"{dataset}: codec chains", title_justify="left")
    for column in ("layout", "chain", "engine", "environment"):
        table.add_column(column)
    for column in ("ratio", "write GiB/s", "read GiB/s"):
        table.add_column(column, justify="right")
    for cell in cells:
        if cell.write_gib_s or cell.read_gib_s:
            ratio = "" if cell.compression_ratio is None else f"{cell.compression_ratio:.3f}"
            names = cell.layout, cell.chain, cell.engine, cell.environment
            table.add_row(*names, ratio, _text(cell.write_gib_s), _text(cell.read_gib_s))
    return table


def _layouts(dataset: str, cells: list[CellSummary]) -> Table:
    table = Table(title=f"{dataset}: planes, by layout (milliseconds, amplification)", title_justify="left")
    for column in ("layout", "engine", "environment"):
        table.add_column(column)
    for column in ("objects", *(f"{axis[:2]} ms" for axis in _AXES), "amplification xy, xz, yz"):
        table.add_column(column, justify="right")
    for cell in cells:
        if cell.plane_s:
            planes = [_text(cell.plane_s.get(axis), scale=1e3) for axis in _AXES]
            grown = ", ".join(f"{cell.amplification[axis]:.3g}" for axis in _AXES if axis in cell.amplification)
            objects = "" if cell.objects is None else str(cell.objects)
            table.add_row(cell.layout, cell.engine, cell.environment, objects, *planes, grown)
    return table


def _text(value: Range | None, *, scale: float = 1.0) -> str:
    if value is None:
        return ""
    if value.low is None or value.high is None:
        return f"{value.value * scale:.3g} (too few samples)"
    return f"{value.value * scale:.3g} [{value.low * scale:.3g}, {value.high * scale:.3g}]"


def _print_problems(console: Console, cells: tuple[CellSummary, ...], problems: tuple[str, ...]) -> None:
    failed = [cell for cell in cells if cell.problem == "failed"]
    refused = [cell for cell in cells if cell.problem == "refused"]
    if refused:
        told = sorted({f"{cell.engine} in {cell.environment}" for cell in refused})
        console.print(f"{len(refused)} cells were refused, such as those of {', '.join(told)}.")
        console.print("'zbench configs explain LAYOUT:CHAIN' tells why.")
    for cell in failed:
        console.print(f"failed: {cell.dataset} {cell.layout}:{cell.chain} {cell.engine} in {cell.environment}")
    for problem in problems:
        console.print(problem, markup=False)
