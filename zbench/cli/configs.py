"""``zbench configs``: the grid, and what one configuration means."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
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
    """Storage configurations: list a preset's grid, explain one configuration."""


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
    console = Console()
    console.print(f"[bold]{found.name}[/]: {found.title}. {len(found.cells())} cells.")
    console.print(f"datasets: {', '.join(found.datasets)}\nengines: {', '.join(found.engines)}", highlight=False)
    for sweep in found.sweeps:
        table = Table(title=f"{sweep.name}: {sweep.question}", title_justify="left")
        for column in ("layouts", "chains", "patterns"):
            table.add_column(column)
        table.add_row("\n".join(sweep.layouts), "\n".join(sweep.chains), "\n".join(sweep.patterns))
        console.print(table)


def _show_codecs(*, as_json: bool) -> None:
    kinds = [codec_kind(name) for name in CODEC_NAMES]
    if as_json:
        listed = [{"form": kind.form, "role": str(kind.role), "summary": kind.summary} for kind in kinds]
        click.echo(json.dumps({"codecs": listed, "layouts": list(LAYOUT_FORMS)}, indent=2))
        return
    table = Table(title="Codecs; a chain is filters, at most one serializer, compressors, joined by +")
    for column in ("written", "role", "meaning"):
        table.add_column(column, overflow="fold")
    for kind in kinds:
        table.add_row(kind.form, str(kind.role), kind.summary)
    console = Console()
    console.print(table, markup=False)
    console.print("Layouts\n  " + "\n  ".join(LAYOUT_FORMS), highlight=False, markup=False)


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
    console = Console(highlight=False)
    console.print(f"[bold]{found.config}[/] for a volume of {format_shape(found.shape)} voxels, {found.dtype}")
    console.print(
        f"{found.chunks} chunks of {format_bytes(found.chunk_bytes)} in {found.objects} objects; "
        f"{found.padding:.2f} times the voxels are stored (padding at the edges)"
    )
    for text, meaning in found.steps or (("none", "no codec: the bytes as they are"),):
        console.print(f"  {text}: {meaning}")
    console.print(f"loss: {found.loss}")
    console.print(f"metadata: {json.dumps(found.metadata)}", markup=False)
    table = Table(title="What reading costs at least, by arithmetic")
    for column in ("pattern", "requests", "decoded", "needed", "amplification"):
        table.add_column(column, justify="left" if column == "pattern" else "right")
    for cost in found.costs:
        sizes = format_bytes(cost.bytes_decoded), format_bytes(cost.bytes_needed)
        table.add_row(cost.pattern, str(cost.requests), *sizes, f"{cost.amplification:.3g}")
    console.print(table)
    for name, refusal in found.engines:
        console.print(f"  {name}: {refusal or 'can store and read it here'}", markup=False)
