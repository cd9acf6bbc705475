"""``zbench scale``: how storing a volume grows with its size."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from zbench.cli.cryoet_display import shown
from zbench.cli.cryoet_options import (
    approved,
    engines_option,
    interruptible,
    max_disk_option,
    member_option,
    minutes,
    place,
    preset,
    run_option,
    sizes,
    spacing_option,
    time_budget,
    tomogram_option,
    workloads_option,
    yes_option,
)
from zbench.harness import cryoet as one_volume
from zbench.harness import scale as use_case
from zbench.report.scale import MEMORY, OBJECTS, STORED, TIME, quantity_text
from zbench.report.text import interval
from zbench.units import format_bytes

if TYPE_CHECKING:
    from zbench.report.scale import Growth, Scaled

__all__ = ["scale"]

_WIDE = 1000
_TITLES = (
    (TIME, "time"),
    (MEMORY, "memory beyond the idle process"),
    (OBJECTS, "objects, exact"),
    (STORED, "stored bytes"),
)


@click.command()
@click.argument("source", metavar="[VOLUME]", required=False)
@click.option(
    "--sizes",
    callback=sizes,
    metavar="A,B,C,...",
    default="64,128,256",
    show_default=True,
    help="Edges of the cubes in voxels, at least three.",
)
@click.option(
    "--to", type=click.IntRange(1), metavar="SIZE", help="Edge to extrapolate to.  [default: four times the largest]"
)
@click.option(
    "--at",
    callback=place,
    metavar="Z,Y,X",
    help="Voxel in the middle of all cubes.  [default: the middle of the volume]",
)
@member_option
@run_option
@tomogram_option
@spacing_option
@click.option(
    "--test-configs",
    callback=preset,
    default="scale",
    show_default=True,
    help="What to measure: scale, quick, full, or the path of a preset in TOML.",
)
@workloads_option
@engines_option
@click.option(
    "--cache-state",
    type=click.Choice(["warm", "cold"]),
    default="warm",
    show_default=True,
    help="What is in the page cache when a read begins.",
)
@click.option(
    "--output-dir",
    "output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder for the record, the numbers, the page and its figures.",
)
@click.option(
    "--budget",
    callback=time_budget,
    metavar="TIME",
    default="10m",
    show_default=True,
    help="Time after which no more rounds begin; three are always taken.",
)
@max_disk_option
@click.option("--dry-run", is_flag=True, help="Tell how many cells and how long; measure nothing.")
@click.option("--resume", is_flag=True, help="Go on with the run of the output folder; give its other options again.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def scale(**options: Any) -> None:
    """Measure how time, memory and objects grow with the size of VOLUME, and extrapolate.

    VOLUME is what 'zbench cryoet' takes. Cubes of all sizes are cut from its middle, stored in a few configurations,
    read back and compared, and timed in one campaign, so that a drift of the machine falls on all alike.

    To each quantity a power of the edge is fitted, by least squares on logarithms: about 3 for what follows the voxels,
    2 for what follows a plane. What the sizes leave over gives the intervals, which are wide for three sizes. Objects
    are exact at any size.

    Exit status: 0 done, 1 a configuration gave back other voxels than were stored, 2 could not answer.
    """
    request = _request(options)
    prepared = use_case.prepare_scale(request)
    # Alone on standard output, JSON can be read by a program.
    _tell_what(prepared, err=options["as_json"])
    if options["dry_run"]:
        return
    with interruptible(request.output), shown(err=options["as_json"]) as display:
        finished = use_case.scale(
            prepared,
            one_volume.Listener(
                approve=lambda planned: approved(planned, yes=options["yes"]), volume=display.volume, step=display.step
            ),
        )
    if options["as_json"]:
        click.echo(json.dumps(finished.told, indent=2, allow_nan=False))
    else:
        _show(finished.found)
        for path in finished.paths:
            click.echo(path)
    for wrong in finished.wrong:
        click.echo(f"failed: {wrong}", err=True)
    if finished.wrong:
        raise SystemExit(1)


def _request(options: dict[str, Any]) -> use_case.ScaleRequest:
    values = options | {"source": one_volume.located(options["source"]), "volume_size": None}
    selection = {one.name: values[one.name] for one in fields(one_volume.Selection) if one.name in values}
    return use_case.ScaleRequest(
        volume=one_volume.VolumeRequest(
            **{one.name: values[one.name] for one in fields(one_volume.VolumeRequest)}
        ),
        sizes=options["sizes"],
        to=options["to"],
        selection=one_volume.Selection(**selection),
        output=options["output"],
        budget_s=options["budget"],
        max_disk_bytes=options["max_disk"],
        resume=options["resume"],
    )  # fmt: skip


def _tell_what(prepared: use_case.PreparedScale, *, err: bool) -> None:
    told, output = prepared.estimate(), prepared.request.output
    lines = [
        f"volume: {prepared.crop.name}, {prepared.crop.title}",
        f"cubes: {', '.join(map(str, prepared.parts))} voxels an axis, the largest {_bytes(prepared)}",
        *([f"to fetch: {format_bytes(prepared.crop.download_bytes)} at most"] if prepared.crop.download_bytes else []),
        *(f"note: {note}" for note in prepared.notes),
        f"cells: {told.cells}, with {told.times} times, each taken in three processes at least",
        f"time: {minutes(told.least_s)} at least, {minutes(told.most_s)} at most, by rule of thumb",
        f"disk: {format_bytes(told.disk_bytes)} at most at one time, beside {str(output)!r}",
    ]
    for line in lines:
        click.echo(line, err=err)


def _bytes(prepared: use_case.PreparedScale) -> str:
    return format_bytes(prepared.crop.logical_bytes)


def _show(found: Scaled) -> None:
    console = Console(highlight=False, width=_WIDE)
    for quantity, title in _TITLES:
        for operation in found.operations if quantity in (TIME, MEMORY) else ("",):
            growths = found.of(quantity, operation)
            if growths:
                console.print(_table(found, growths, " ".join(part for part in (operation, title) if part)))
                console.print()
    for remark in found.remarks:
        click.echo(f"note: {remark}")


def _table(found: Scaled, growths: tuple[Growth, ...], title: str) -> Table:
    is_exact = growths[0].quantity == OBJECTS
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("configuration", "engine"):
        table.add_column(column)
    fitted = () if is_exact else ("power of the edge", "measured / law")
    for column in (*(str(size) for size in found.sizes), *fitted, f"at {found.to}"):
        table.add_column(column, justify="right")
    for growth in growths:
        points = {point.size: point for point in growth.points}
        numbers = [quantity_text(growth.quantity, points.get(size)) for size in found.sizes]
        law = () if is_exact else _law(growth)
        cell = growth.configuration
        texts = (cell.stored, cell.engine, *numbers, *law, quantity_text(growth.quantity, growth.ahead))
        table.add_row(*(text.replace("[", "\\[") for text in texts))
    return table


def _law(growth: Growth) -> tuple[str, str]:
    law = growth.law
    if law is None:
        return growth.note or "n/a", "n/a"
    rough = ", no power law" if law.is_rough else ""
    return f"{interval(law.exponent)}", f"{min(law.residuals):.2f} to {max(law.residuals):.2f}{rough}"
