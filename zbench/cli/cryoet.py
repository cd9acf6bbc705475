"""``zbench cryoet``: one command for a person with a tomogram."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

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
    spacing_option,
    time_budget,
    tomogram_option,
    volume_size,
    workloads_option,
    yes_option,
    zarr_formats,
)
from zbench.errors import PresetError
from zbench.harness import cryoet as use_case
from zbench.units import format_bytes, format_shape

__all__ = ["cryoet"]


@click.command()
@click.argument("source", required=False)
@click.option("--dataset", help="The same as SOURCE.")
@click.option(
    "--volume-size",
    callback=volume_size,
    metavar="128|256|512|full",
    default="256",
    show_default=True,
    help="Voxels an axis, or full.",
)
@click.option(
    "--at",
    callback=place,
    metavar="Z,Y,X",
    help="Voxel in the middle of the crop.  [default: the middle of the volume]",
)
@member_option
@run_option
@tomogram_option
@spacing_option
@click.option(
    "--test-configs",
    callback=preset,
    default="quick",
    show_default=True,
    help="What to measure: quick, full, or the path of a preset in TOML.",
)
@workloads_option
@engines_option
@click.option(
    "--formats",
    callback=zarr_formats,
    metavar="2,3",
    default="",
    help="Zarr formats to keep: 2, 3 or both.  [default: both]",
)
@click.option(
    "--cache-state",
    type=click.Choice(list(use_case.CACHE_STATES)),
    default="warm",
    show_default=True,
    help="What is in the page cache when a read begins.",
)
@click.option(
    "--instructions",
    is_flag=True,
    help="Count the instructions of every operation, too: valgrind takes about fifty times as long as the operation.",
)
@click.option(
    "--output-dir",
    "output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder for the record, the table, the report.",
)
@click.option(
    "--budget",
    callback=time_budget,
    metavar="TIME",
    help="Time for everything; near its end no more rounds begin, three are always taken.  [default: 10m for quick, "
    "2h for others]",
)
@max_disk_option
@click.option("--dry-run", is_flag=True, help="Tell how many cells, how long and how much disk; measure nothing.")
@click.option("--resume", is_flag=True, help="Go on with the run of the output folder; its options are remembered.")
@yes_option
@click.pass_context
def cryoet(ctx: click.Context, /, **options: Any) -> None:
    """Measure how SOURCE is best stored in Zarr: codec, chunks, shards, format, library.

    SOURCE is the number of a dataset of the CryoET Data Portal, a name of 'zbench data list', a file (MRC, TIFF, EM,
    HDF5, NumPy, ...), a folder of slices, or a Zarr or OME-Zarr: a folder, or an address (s3://, gs://, az://,
    https://), of which only the crop is read. Without it the embedded phantom is measured.

    A crop of the volume is stored in every configuration, read back and compared, and timed in rounds of fresh
    processes until each time is known to within 5 %, or the budget ends. The output folder then holds report.html,
    report.md with its figures, results.json, .csv and .parquet, environment.json, and rerun.sh, which does it again.

    What is measured is recorded at once: after Ctrl-C, a crash or a full disk --resume goes on.

    Exit status: 0 done, 1 a configuration gave back other voxels than were stored, 2 could not answer.
    """
    request = _request(ctx, options)
    prepared = use_case.prepare(request)
    _tell_what(prepared)
    if options["dry_run"]:
        return
    with interruptible(request.output), shown() as display:
        finished = use_case.cryoet(
            prepared,
            use_case.Listener(
                approve=lambda planned: approved(planned, yes=options["yes"]), volume=display.volume, step=display.step
            ),
        )
    _tell_end(finished)
    if finished.wrong:
        raise SystemExit(1)


def _request(ctx: click.Context, options: dict[str, Any]) -> use_case.CryoetRequest:
    if options["source"] is not None and options["dataset"] is not None:
        msg = (
            f"One volume is measured: got SOURCE {options['source']!r} and --dataset {options['dataset']!r}. Give one."
        )
        raise PresetError(msg)
    source = options["source"] if options["source"] is not None else options["dataset"]
    values = options | {"source": use_case.located(source)}
    request = use_case.CryoetRequest(
        volume=use_case.VolumeRequest(**{one.name: values[one.name] for one in fields(use_case.VolumeRequest)}),
        selection=use_case.Selection(**{one.name: values[one.name] for one in fields(use_case.Selection)}),
        output=options["output"],
        budget_s=options["budget"],
        max_disk_bytes=options["max_disk"],
        resume=options["resume"],
    )
    told = {name for name in options if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    return use_case.resumed(request, told | ({"source"} if "dataset" in told else set()))


def _tell_what(prepared: use_case.Prepared) -> None:
    crop, told = prepared.crop, use_case.estimate(prepared)
    click.echo(f"volume: {crop.name}, {crop.title}")
    whole = "all of it" if crop.box.shape == crop.whole else f"from {crop.box.start} of {format_shape(crop.whole)}"
    click.echo(f"crop: {format_shape(crop.box.shape)} voxels (z, y, x), {format_bytes(crop.logical_bytes)}, {whole}")
    if crop.download_bytes:
        click.echo(f"to fetch: {format_bytes(crop.download_bytes)} at most")
    for note in prepared.notes:
        click.echo(f"note: {note}")
    click.echo(f"cells: {told.cells}, with {told.times} times, each taken in three processes at least")
    click.echo(f"time: {minutes(told.least_s)} at least, {minutes(told.most_s)} at most, by rule of thumb")
    if told.least_s > prepared.request.seconds:
        budget = minutes(prepared.request.seconds)
        click.echo(
            f"note: Three processes for each time are taken, even if that is longer than the budget of {budget}."
        )
    click.echo(f"disk: {format_bytes(told.disk_bytes)} at most at one time, beside {str(prepared.request.output)!r}")


def _tell_end(finished: use_case.Finished) -> None:
    click.echo(f"smallest: {finished.smallest or 'nothing was stored'}")
    click.echo(f"fastest whole read: {finished.fastest or 'none was timed'}")
    click.echo(f"times: {finished.times - finished.undecided} of {finished.times} known to within 5 %")
    if finished.refused:
        click.echo(f"refused: {finished.refused} cells; the report says why")
    for remark in finished.remarks:
        click.echo(f"note: {remark}")
    for wrong in finished.wrong:
        click.echo(f"failed: {wrong}", err=True)
    for path in finished.paths:
        click.echo(path)
