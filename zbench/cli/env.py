"""``zbench env``: the machine and the packages."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from zbench.environment import environment
from zbench.units import format_bytes

__all__ = ["env"]


@click.command(short_help="Tell the machine, packages, threads and filesystem.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--store-folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder in which stores would be made: its filesystem is told.",
)
def env(*, as_json: bool, store_folder: Path) -> None:
    """Tell what times measured here would hold for: machine, packages, threads, filesystem."""
    found = environment(store_folder)
    if as_json:
        fields = asdict(found)
        fields["packages"], fields["threads"] = dict(found.packages), dict(found.threads)
        click.echo(json.dumps(fields, indent=2))
        return
    table = Table(show_header=False, box=None)
    for name in ("machine", "os", "cpu", "cores", "python", "filesystem"):
        table.add_row(name, str(getattr(found, name)))
    table.add_row("memory", format_bytes(found.memory_bytes))
    for name, version in found.packages:
        table.add_row(name, version)
    for name, value in found.threads or (("threads", "no limit is set: every library takes its own default"),):
        table.add_row(name, value)
    Console(markup=False, highlight=False).print(table)
