"""``zbench import``: results of other programs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from zbench.harness.imports import KINDS, import_results

__all__ = ["import_"]


@click.command("import")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for results.json, results.csv and, with pyarrow, results.parquet.",
)
@click.option("--kind", type=click.Choice(KINDS), help="What the files are; found out unless it is given.")
@click.option("--replace", is_flag=True, help="Overwrite the table that lies in the folder.")
def import_(*, paths: tuple[Path, ...], output: Path, kind: str | None, replace: bool) -> None:
    """Read result files and folders of pytest-benchmark, HEFTIE, an asv suite or zbench into one table.

    A file that cannot be read is named, kept and skipped. 'zbench compare' takes the folder.
    """
    found = import_results(paths, output, kind=kind, replace=replace)
    for problem in found.problems:
        click.echo(problem, err=True)
    for source, rows in Counter(row.source for row in found.table.rows).items():
        click.echo(f"{source}: {rows} rows")
    for path in found.paths:
        click.echo(path)
