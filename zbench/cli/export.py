"""``zbench export``: results for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from zbench.errors import ResultsError
from zbench.harness.export import export as use_case
from zbench.results import FORMATS, results_schema

__all__ = ["export"]


def _print_schema(ctx: click.Context, _: click.Parameter, value: Any) -> None:
    if value:
        click.echo(json.dumps(results_schema(), indent=2))
        ctx.exit()


@click.command()
@click.argument("paths", metavar="FOLDER_OR_FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Format of the file; its ending tells unless it is given."
)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.",
)
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema, help="Print the JSON Schema."
)
def export(*, paths: tuple[Path, ...], form: str | None, output: Path) -> None:
    """Write results as one tidy table: a row for each workload, metric, commit and environment, samples kept.

    Folders and files are those of zbench, of an asv suite, of pytest-benchmark and of HEFTIE. A file that cannot be
    read is named and skipped. The file is written whole or not at all.
    """
    if form is None and output.suffix.removeprefix(".") not in FORMATS:
        msg = (
            f"The ending of the file tells its format, one of {', '.join(FORMATS)}: {output.name!r} has another. "
            "Give --format."
        )
        raise ResultsError(msg)
    found = use_case(paths, output, form=form)
    for problem in found.problems:
        click.echo(problem, err=True)
    click.echo(f"{output}: {len(found.table.rows)} rows, {len(found.table.environments)} environments")
