"""What commands that measure one volume share: how options are read, what is asked, and Ctrl-C."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbench.errors import DataError, PresetError
from zbench.units import MIB, format_bytes, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbench.harness.cryoet.crop import Download

__all__ = [
    "approved",
    "byte_size",
    "engines_option",
    "interruptible",
    "max_disk_option",
    "member_option",
    "minutes",
    "place",
    "preset",
    "run_option",
    "sizes",
    "spacing_option",
    "time_budget",
    "tomogram_option",
    "volume_size",
    "words",
    "workloads_option",
    "yes_option",
    "zarr_formats",
]

_COULD_NOT_ANSWER = 2
# Fetched without asking.
_SMALL_DOWNLOAD = 100 * MIB
_SIZE = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]i?B?|B)?", re.IGNORECASE)
_POWERS = {"": 0, "B": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def byte_size(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    """Read a number of bytes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        msg = f"A size is a number with KiB, MiB, GiB or TiB, such as 20GiB: got {text!r}."
        raise PresetError(msg)
    return int(float(match["value"]) * 1024 ** _POWERS[(match["unit"] or "")[:1].upper()])


def volume_size(_ctx: click.Context, _param: click.Parameter, text: str) -> int | None:
    """Read an edge in voxels, or full."""
    if text == "full":
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        msg = f"A volume size is a whole number of voxels an axis, at least 1, or full: got {text!r}."
        raise PresetError(msg)
    return int(text)


def sizes(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[int, ...]:
    """Read edges in voxels with commas between."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        msg = f"Sizes are whole numbers of voxels an axis, at least 1, with commas between: got {text!r}."
        raise PresetError(msg)
    return tuple(map(int, parts))


def preset(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    """Make the path of a preset absolute, so that the same is found from another folder."""
    return str(Path(text).absolute()) if text.endswith(".toml") else text


def place(_ctx: click.Context, _param: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Read z,y,x."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        msg = f"A place is three whole numbers z,y,x from 0: got {text!r}."
        raise PresetError(msg)
    return tuple(map(int, parts))


def words(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[str, ...]:
    """Read a list with commas, each word once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def zarr_formats(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[int, ...]:
    """Read Zarr formats."""
    parts = words(_ctx, _param, text)
    if not set(parts) <= {"2", "3"}:
        msg = f"A Zarr format is 2 or 3, or both with a comma between: got {text!r}."
        raise PresetError(msg)
    return tuple(map(int, parts))


def time_budget(_ctx: click.Context, _param: click.Parameter, text: str | None) -> float | None:
    """Read a time."""
    return None if text is None else parse_duration(text)


def approved(planned: Download, *, yes: bool) -> bool:
    """Ask before a large download."""
    size = format_bytes(planned.most_bytes)
    if yes or planned.most_bytes <= _SMALL_DOWNLOAD:
        return True
    if not sys.stdin.isatty():
        msg = (
            f"A large download is asked for first, and nobody can be asked here: up to {size} of "
            f"{planned.what}. Give --yes, or take a smaller --volume-size."
        )
        raise DataError(msg)
    return click.confirm(f"Fetch up to {size} of {planned.what}?", default=True)


def minutes(seconds: float) -> str:
    """Write a time that nobody needs to the second."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 120 else f"{whole / 60:.1f} h"


@contextmanager
def interruptible(output: Path) -> Iterator[None]:
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


# What 'zbench cryoet' and 'zbench scale' both take.
member_option = click.option(
    "--member", help="Which array of a file that holds several, and place on its axes: NAME@c=1@t=5."
)
run_option = click.option("--run", help="Name or number of the run, within a dataset of the portal.")
tomogram_option = click.option(
    "--tomogram", type=click.IntRange(1), help="Number of the tomogram, within a dataset of the portal."
)
spacing_option = click.option(
    "--voxel-spacing", type=float, help="Voxel spacing in angstrom, within a dataset of the portal."
)
workloads_option = click.option(
    "--workloads",
    callback=words,
    metavar="A,B,...",
    default="",
    help="Access patterns, and write, instead of the preset's.",
)
engines_option = click.option(
    "--engines", callback=words, metavar="A,B,...", default="", help="Instead of the preset's."
)
max_disk_option = click.option(
    "--max-disk",
    callback=byte_size,
    metavar="SIZE",
    default="20GiB",
    show_default=True,
    help="Most room on the disk at one time.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask before large downloads.")
