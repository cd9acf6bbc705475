"""``zbench cryoet``: one command for a person with a tomogram."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zbench.cli.cryoet_display import shown
from zbench.errors import DataError, PresetError
from zbench.harness import cryoet as use_case
from zbench.units import MIB, format_bytes, format_shape, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbench.datasets.portal import Planned

__all__ = ["cryoet"]

_COULD_NOT_ANSWER = 2
# Fetched without asking.
_SMALL_DOWNLOAD = 100 * MIB
_SIZE = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]i?B?|B)?", re.IGNORECASE)
_POWERS = {"": 0, "B": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def _size(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        msg = f"A size is a number with KiB, MiB, GiB or TiB, such as 20GiB: got {text!r}."
        raise PresetError(msg)
    return int(float(match["value"]) * 1024 ** _POWERS[(match["unit"] or "")[:1].upper()])


def _volume_size(_ctx: click.Context, _param: click.Parameter, text: str) -> int | None:
    if text == "full":
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        msg = f"A volume size is a whole number of voxels an axis, at least 1, or full: got {text!r}."
        raise PresetError(msg)
    return int(text)


def _place(_ctx: click.Context, _param: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        msg = f"A place is three whole numbers z,y,x from 0: got {text!r}."
        raise PresetError(msg)
    return tuple(map(int, parts))


def _words(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _formats(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[int, ...]:
    parts = _words(_ctx, _param, text)
    if not set(parts) <= {"2", "3"}:
        msg = f"A Zarr format is 2 or 3, or both with a comma between: got {text!r}."
        raise PresetError(msg)
    return tuple(map(int, parts))


def _budget(_ctx: click.Context, _param: click.Parameter, text: str | None) -> float | None:
    return None if text is None else parse_duration(text)


@click.command()
@click.argument("source", required=False)
@click.option("--dataset", help="The same as SOURCE.")
@click.option(
    "--volume-size",
    callback=_volume_size,
    metavar="128|256|512|full",
    default="256",
    show_default=True,
    help="Voxels an axis, or full.",
)
@click.option(
    "--at",
    callback=_place,
    metavar="Z,Y,X",
    help="Voxel in the middle of the crop.  [default: the middle of the volume]",
)
@click.option("--member", help="Which array of a file that holds several.")
@click.option("--run", help="Name or number of the run, within a dataset of the portal.")
@click.option("--tomogram", type=click.IntRange(1), help="Number of the tomogram, within a dataset of the portal.")
@click.option("--voxel-spacing", type=float, help="Voxel spacing in angstrom, within a dataset of the portal.")
@click.option(
    "--test-configs",
    default="quick",
    show_default=True,
    help="What to measure: quick, full, or the path of a preset in TOML.",
)
@click.option(
    "--workloads",
    callback=_words,
    metavar="A,B,...",
    default="",
    help="Access patterns, and write, instead of the preset's.",
)
@click.option("--engines", callback=_words, metavar="A,B,...", default="", help="Instead of the preset's.")
@click.option(
    "--formats",
    callback=_formats,
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
    "--output-dir",
    "output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder for the record, the table, the report.",
)
@click.option(
    "--budget",
    callback=_budget,
    metavar="TIME",
    help="Time after which no more rounds begin; three are always taken.  [default: 10m for quick, 2h for others]",
)
@click.option(
    "--max-disk",
    callback=_size,
    metavar="SIZE",
    default="20GiB",
    show_default=True,
    help="Most room on the disk at one time.",
)
@click.option("--dry-run", is_flag=True, help="Tell how many cells, how long and how much disk; measure nothing.")
@click.option("--resume", is_flag=True, help="Go on with the run of the output folder; its options are remembered.")
@click.option("--yes", is_flag=True, help="Do not ask before large downloads.")
@click.pass_context
def cryoet(ctx: click.Context, /, **options: Any) -> None:
    """Measure how SOURCE is best stored in Zarr: codec, chunks, shards, format, library.

    SOURCE is the number of a dataset of the CryoET Data Portal, a name of 'zbench data list', a file (MRC, TIFF, EM,
    HDF5, NumPy, ...), a folder of slices, or a Zarr or OME-Zarr folder. Without it the embedded phantom is measured.

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
    with _interruptible(request.output), shown() as display:
        finished = use_case.cryoet(
            prepared,
            use_case.Listener(
                approve=lambda planned: _approve(planned, yes=options["yes"]), volume=display.volume, step=display.step
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


def _approve(planned: Planned, *, yes: bool) -> bool:
    size = format_bytes(planned.size_bytes)
    if yes or planned.size_bytes <= _SMALL_DOWNLOAD:
        return True
    if not sys.stdin.isatty():
        msg = (
            f"A large download is asked for first, and nobody can be asked here: {size} of tomogram "
            f"{planned.tomogram.id}. Give --yes, or take a smaller --volume-size."
        )
        raise DataError(msg)
    return click.confirm(f"Fetch {size} of tomogram {planned.tomogram.id}?", default=True)


def _tell_what(prepared: use_case.Prepared) -> None:
    crop, told = prepared.crop, use_case.estimate(prepared)
    click.echo(f"volume: {crop.name}, {crop.title}")
    whole = "all of it" if crop.box.shape == crop.whole else f"from {crop.box.start} of {format_shape(crop.whole)}"
    click.echo(f"crop: {format_shape(crop.box.shape)} voxels (z, y, x), {format_bytes(crop.logical_bytes)}, {whole}")
    if crop.download_bytes:
        click.echo(f"to fetch: {format_bytes(crop.download_bytes)}")
    for note in prepared.notes:
        click.echo(f"note: {note}")
    click.echo(f"cells: {told.cells}, with {told.times} times, each taken in three processes at least")
    click.echo(f"time: {_minutes(told.least_s)} at least, {_minutes(told.most_s)} at most, by rule of thumb")
    if told.least_s > prepared.request.seconds:
        budget = _minutes(prepared.request.seconds)
        click.echo(
            f"note: Three processes for each time are taken, even if that is longer than the budget of {budget}."
        )
    click.echo(f"disk: {format_bytes(told.disk_bytes)} at most at one time, beside {str(prepared.request.output)!r}")


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


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


@contextmanager
def _interruptible(output: Path) -> Iterator[None]:
    """Clear up at Ctrl-C, and when the system asks to end, and say how to go on."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    # As the system ends processes, and as a terminal does that is closed.
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        click.echo(
            f"zbench: A run that was interrupted is not lost: {str(output)!r} has what was measured. Give the command "
            "again with --resume to go on.",
            err=True,
        )
        raise SystemExit(_COULD_NOT_ANSWER) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
