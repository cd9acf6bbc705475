"""``zbench configs``: the grid, and what one configuration means."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import zip_longest

import click
from rich import box
from rich.console import Console
from rich.table import Table

from zbench.codecs import CODEC_NAMES, codec_kind
from zbench.grid import PRESET_NAMES
from zbench.harness import configs as use_case
from zbench.layouts import LAYOUT_FORMS
from zbench.units import format_bytes, format_shape, parse_shape

__all__ = ["configs"]


@click.group()
def configs() -> None:
    """List a preset's grid, explain one storage configuration."""


@configs.command("list")
@click.option(
    "--preset", default="quick", show_default=True, help=f"{', '.join(PRESET_NAMES)}, or the path of a TOML file."
)
@click.option("--codecs", "show_codecs", is_flag=True, help="List the codecs and layouts that a grid can be built of.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def list_(*, preset: str, show_codecs: bool, as_json: bool) -> None:
    """List what a preset measures: datasets, engines, and each question with its layouts, chains and patterns."""
    if show_codecs:
        _show_codecs(as_json=as_json)
        return
    found = use_case.preset(preset)
    if as_json:
        fields = asdict(found) | {"cells": [asdict(cell) for cell in found.cells()]}
        click.echo(json.dumps(fields, indent=2))
        return
    click.echo(f"{found.title}\npreset {found.name}: {len(found.cells())} cells")
    click.echo(f"datasets: {', '.join(found.datasets)}\nengines: {', '.join(found.engines)}")
    for sweep in found.sweeps:
        click.echo(f"\n{sweep.name}: {sweep.question}")
        table = _table("layouts", "chains", "patterns")
        for row in zip_longest(sweep.layouts, sweep.chains, sweep.patterns, fillvalue=""):
            table.add_row(*row)
        _print(table)


def _show_codecs(*, as_json: bool) -> None:
    kinds = [codec_kind(name) for name in CODEC_NAMES]
    if as_json:
        listed = [{"form": kind.form, "role": str(kind.role), "summary": kind.summary} for kind in kinds]
        click.echo(json.dumps({"codecs": listed, "layouts": list(LAYOUT_FORMS)}, indent=2))
        return
    click.echo("A codec chain is filters, at most one serializer, compressors, joined by +:")
    table = _table("written", "role", "meaning")
    for kind in kinds:
        table.add_row(kind.form, str(kind.role), kind.summary)
    _print(table)
    click.echo("\nLayouts:\n  " + "\n  ".join(LAYOUT_FORMS))


@configs.command()
@click.argument("config")
@click.option("--shape", default="128", show_default=True, help="Extent of the volume, z first: 184x630x630.")
@click.option("--dtype", default="float32", show_default=True, help="Type of a voxel, in numpy's words.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def explain(*, config: str, shape: str, dtype: str, as_json: bool) -> None:
    """Spell CONFIG out: what is stored, which engines can, and what each access pattern costs by arithmetic.

    CONFIG is LAYOUT:CHAIN, such as v3-c32-s256:blosc-zstd-5-shuffle or v2-cdiv64:none.
    """
    found = use_case.explain(config, shape=parse_shape(shape), dtype=dtype)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
        return
    click.echo(f"{found.config} for a volume of {format_shape(found.shape)} voxels, {found.dtype}")
    click.echo(
        f"chunks: {found.chunks} of {format_bytes(found.chunk_bytes)}, in {found.objects} objects beside the metadata"
    )
    click.echo(f"padding: {found.padding:.2f} times the voxels are stored" if found.padding > 1 else "padding: none")
    for text, meaning in found.steps or (("none", "the bytes as they are"),):
        click.echo(f"codec: {text}, {meaning}")
    click.echo(f"loss: {found.loss}")
    click.echo(f"metadata: {json.dumps(found.metadata)}")
    click.echo("\nWhat reading costs at least, by arithmetic:")
    table = _table("pattern", "requests", "decoded", "needed", "amplification")
    for column in table.columns[1:]:
        column.justify = "right"
    for cost in found.costs:
        sizes = format_bytes(cost.bytes_decoded), format_bytes(cost.bytes_needed)
        table.add_row(cost.pattern, str(cost.requests), *sizes, f"{cost.amplification:.3g}")
    _print(table)
    click.echo()
    for name, refusal in found.engines:
        click.echo(f"{name}: {refusal or 'can store and read it here'}")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(table: Table) -> None:
    Console(markup=False, highlight=False).print(table)
