"""``zbench data``: the registry of volumes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from zbench.datasets import DOMAINS
from zbench.harness import data as use_case
from zbench.units import format_bytes, format_shape

if TYPE_CHECKING:
    from zbench.datasets import Card

__all__ = ["data"]

_BARS = " ▁▂▃▄▅▆▇█"
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group()
def data() -> None:
    """Volumes: list the registry, show a card, get files, verify them.

    Set ZBENCH_DATA_MIRROR to a folder or an http address to take files from there first, and ZBENCH_CACHE_DIR to keep
    downloads in another place than the user's cache.
    """


@data.command("list")
@click.option("--domain", help=f"Keep one kind: {', '.join(DOMAINS)}.")
@_JSON
def list_(*, domain: str | None, as_json: bool) -> None:
    """List the registry: name, kind, shape, type, size, licence."""
    found = use_case.cards(domain=domain)
    if as_json:
        click.echo(json.dumps([_fields(card) for card in found], indent=2))
        return
    table = Table()
    for column in ("name", "domain", "shape z,y,x", "dtype", "voxels", "licence", "what it is"):
        table.add_column(column, overflow="fold")
    for card in found:
        size = format_bytes(card.logical_bytes)
        table.add_row(card.name, card.domain, format_shape(card.shape), card.dtype, size, card.licence[:24], card.title)
    console = Console()
    (console if console.is_terminal else Console(width=170)).print(table, markup=False)


@data.command()
@click.argument("name")
@click.option("--look", is_flag=True, help="Read the voxels too: range, mean, histogram.")
@_JSON
def show(*, name: str, look: bool, as_json: bool) -> None:
    """Show the card of dataset NAME: source, licence, citation, checksum."""
    (card,) = use_case.cards([name])
    seen = use_case.look(card.name) if look else None
    if as_json:
        click.echo(json.dumps(_fields(card) | ({"look": asdict(seen)} if seen else {}), indent=2))
        return
    rows = {key: value for key, value in _fields(card).items() if value not in (None, "", ())}
    if seen is not None:
        rows["values"] = f"{seen.low:.6g} to {seen.high:.6g}, mean {seen.mean:.6g}"
        top = max(seen.histogram)
        rows["histogram"] = "".join(_BARS[-(-count * 8 // top)] for count in seen.histogram)
    # No table: addresses and checksums are there to be copied, so they are not folded.
    for key, value in rows.items():
        click.echo(f"{key:14} {', '.join(map(str, value)) if isinstance(value, tuple) else value}")


@data.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--volume-size", type=click.IntRange(1), help="Prepare at most so many voxels an axis, from the middle.")
@_JSON
def fetch(*, names: tuple[str, ...], volume_size: int | None, as_json: bool) -> None:
    """Get the datasets NAMES, verify them, and prepare them for environments without readers."""
    told = Console(stderr=True)
    made = {}
    for name, path in use_case.fetch_all(
        names, volume_size=volume_size, report=lambda name: told.print(f"fetching {name}", highlight=False)
    ):
        made[name] = str(path)
        if not as_json:
            click.echo(path)
    if as_json:
        click.echo(json.dumps(made, indent=2))


@data.command()
@click.argument("names", nargs=-1)
@_JSON
def verify(*, names: tuple[str, ...], as_json: bool) -> None:
    """Compare every byte and voxel of the datasets NAMES (all unless given) with their cards.

    Exit status 2 if one is wrong or cannot be had; a format without a reader here is told, and counts as neither.
    """
    found = []
    for checked in use_case.verify(names):
        found.append(checked)
        if not as_json:
            click.echo(f"{checked.state:8} {checked.name}" + (f": {checked.reason}" if checked.reason else ""))
    if as_json:
        click.echo(json.dumps([asdict(checked) for checked in found], indent=2))
    if any(checked.state in ("wrong", "missing") for checked in found):
        raise SystemExit(2)


@data.command()
@click.argument("name")
@_JSON
def path(*, name: str, as_json: bool) -> None:
    """Print where the file of dataset NAME is, getting it first if needed."""
    place = str(use_case.place(name))
    click.echo(json.dumps({"path": place}) if as_json else place)


def _fields(card: Card) -> dict[str, Any]:
    return asdict(card) | {"logical_bytes": card.logical_bytes}
