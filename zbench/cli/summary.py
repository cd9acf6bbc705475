"""``zbench summary``: what the asv suite found."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table

from zbench.harness.summary import summary as use_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.report.summary import CellSummary, Range

__all__ = ["summary"]

# Stands in every name and says nothing here.
_TOOL = "zbench-uv-"
_WIDE = 1000


@click.command(short_help="Show what the asv suite found at a commit.")
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
    # A table that is cut is no table: it takes the room it needs, and a narrow terminal goes on in the next line.
    console = Console(highlight=False, markup=False, width=_WIDE)
    cells = _shortly(found.cells)
    for dataset in sorted({cell.dataset for cell in cells}):
        of_dataset = [cell for cell in cells if cell.dataset == dataset]
        for table in (_configurations(dataset, of_dataset), _patterns(dataset, of_dataset)):
            if table.row_count:
                console.print(table)
    _print_problems(console, cells, found.problems)
    machines = ", ".join(sorted({cell.machine for cell in found.cells}))
    console.print(f"commit {found.commit[:8]}, measured on {machines}")
    page = f"{found.dashboard} (see it with 'make preview')" if found.dashboard else "none yet; 'asv publish' makes it"
    console.print(f"dashboard: {page}")


def _configurations(dataset: str, cells: list[CellSummary]) -> Table:
    """Show what the whole volume costs in each configuration."""
    table = _table(f"{dataset}: the whole volume", "ratio", "objects", "write GiB/s", "read GiB/s")
    for cell in cells:
        if cell.compression_ratio or cell.write_gib_s or cell.read_gib_s:
            ratio = "" if cell.compression_ratio is None else f"{cell.compression_ratio:.3f}"
            objects = "" if cell.objects is None else str(cell.objects)
            table.add_row(*_names(cell), ratio, objects, _text(cell.write_gib_s), _text(cell.read_gib_s))
    return table


def _patterns(dataset: str, cells: list[CellSummary]) -> Table:
    """Show what reading a part costs: milliseconds, and bytes decoded for each byte that was asked for."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.read_s if name != "full_read"))
    table = _table(f"{dataset}: reading parts of it", *(f"{name} ms" for name in names), "amplification")
    for cell in cells:
        if set(names) & set(cell.read_s):
            times = [_text(cell.read_s.get(name), scale=1e3) for name in names]
            grown = [f"{cell.amplification[name]:.3g}" if name in cell.amplification else "-" for name in names]
            table.add_row(*_names(cell), *times, ", ".join(grown))
    return table


def _table(title: str, *numbers: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("layout", "chain", "engine", "environment"):
        table.add_column(column)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _names(cell: CellSummary) -> tuple[str, str, str, str]:
    return cell.layout, cell.chain, cell.engine, cell.environment


def _shortly(cells: tuple[CellSummary, ...]) -> list[CellSummary]:
    """Name environments by what they differ in."""
    machines = {cell.machine for cell in cells}
    names = [cell.environment.removeprefix(_TOOL) for cell in cells]
    if len(machines) > 1:
        names = [f"{cell.machine}:{name}" for cell, name in zip(cells, names, strict=True)]
    return [replace(cell, environment=name) for cell, name in zip(cells, names, strict=True)]


def _text(value: Range | None, *, scale: float = 1.0) -> str:
    if value is None:
        return ""
    if value.low is None or value.high is None:
        return f"{value.value * scale:.3g} (too few samples)"
    return f"{value.value * scale:.3g} [{value.low * scale:.3g}, {value.high * scale:.3g}]"


def _print_problems(console: Console, cells: list[CellSummary], problems: tuple[str, ...]) -> None:
    for (engine, environment), placed in _by_place(cells).items():
        refused = sum(cell.problem == "refused" for cell in placed)
        if refused:
            console.print(f"refused: {refused} of {len(placed)} cells of {engine} in {environment}")
    if any(cell.problem == "refused" for cell in cells):
        console.print("'zbench configs explain LAYOUT:CHAIN' says why an engine refuses.")
    for cell in cells:
        if cell.failures:
            layout, chain, engine, environment = _names(cell)
            told = ", ".join(cell.failures)
            console.print(f"failed: {cell.dataset} {layout}:{chain} {engine} in {environment}: {told}")
    for problem in problems:
        console.print(problem)


def _by_place(cells: Iterable[CellSummary]) -> dict[tuple[str, str], list[CellSummary]]:
    found: dict[tuple[str, str], list[CellSummary]] = {}
    for cell in cells:
        found.setdefault((cell.engine, cell.environment), []).append(cell)
    return found
