"""Numbers, names and configurations in words; what lies between backticks is code in both forms of the report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbench.errors import ZbenchError
from zbench.layouts import resolve_layout
from zbench.report.text import NOTHING, listed, number
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.model import ArrayLayout
    from zbench.report.volume.contrast import Measured
    from zbench.report.volume.evidence import Configuration
    from zbench.units import Shape

__all__ = [
    "amount",
    "asked",
    "code",
    "counted",
    "duration",
    "extent",
    "layout_of",
    "named",
    "names",
    "plain",
    "ratio",
    "spoken",
    "tick",
]

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_ASKED = (
    (r"full_read", "the whole volume"),
    (r"(xy|xz|yz)_plane", "one {0} slice"),
    (r"(xy|xz|yz)_scroll", "{0} slices one after another"),
    (r"ortho3_jump", "three slices through a point, from point to point"),
    (r"train_patch-(\d+)", "training patches of {0}³ voxels"),
    (r"train_patch-(\d+)-biased", "training patches of {0}³ voxels near labels"),
    (r"particles-(\d+)-(\d+)", "{1} particle boxes of {0}³ voxels"),
    (r"particles-(\d+)-(\d+)-sorted", "{1} particle boxes of {0}³ voxels, sorted by place"),
    (r"write", "writing the whole volume"),
    (r"open", "opening the array"),
)


def plain(text: str) -> str:
    """Take the meaning out of backticks in words that others wrote.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        On one line.
    """
    return " ".join(text.replace("`", "'").split())


def code(text: str) -> str:
    """Mark a text as code.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        Between backticks.
    """
    return f"`{plain(text)}`" if text.strip() else NOTHING


def scale_of(seconds: float) -> tuple[float, str]:
    """Find the unit that keeps a time readable.

    Parameters
    ----------
    seconds
        A time.

    Returns
    -------
    tuple
        Seconds of the unit, and its name.
    """
    return next((entry for entry in _UNITS if seconds >= entry[0]), _UNITS[-1])


def tick(seconds: float) -> str:
    """Write a time without its interval, for an axis.

    Parameters
    ----------
    seconds
        A time.

    Returns
    -------
    str
        For example ``"20 ms"``.
    """
    scale, unit = scale_of(seconds * 1.0005)
    return f"{seconds / scale:.3g} {unit}" if seconds < 999.5 else f"{seconds:,.0f} s"


def duration(time: Measured | None, *, separator: str = " ") -> str:
    """Write a time with its interval.

    Parameters
    ----------
    time
        Seconds.
    separator
        Between the estimate and the interval.

    Returns
    -------
    str
        For example ``"1.23 ms [1.20, 1.26]"``.
    """
    if time is None:
        return NOTHING
    scale, unit = scale_of(time.value)
    text = f"{number(time.value / scale)} {unit}"
    if time.low is None or time.high is None:
        return f"{text}{separator}[no interval]"
    return f"{text}{separator}[{number(time.low / scale)}, {number(time.high / scale)}]"


def ratio(found: Measured | None) -> str:
    """Write a ratio with its interval.

    Parameters
    ----------
    found
        The ratio.

    Returns
    -------
    str
        For example ``"1.50 [1.42, 1.58]"``.
    """
    if found is None:
        return NOTHING
    if found.low is None or found.high is None:
        return f"{number(found.value)} [no interval]"
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def amount(value: float | None, unit: str) -> str:
    """Write a number of a table with its unit.

    Parameters
    ----------
    value
        The number.
    unit
        As in the table of results.

    Returns
    -------
    str
        For example ``"8.0 MiB"``.
    """
    if value is None:
        return NOTHING
    if unit == "s":
        scale, name = scale_of(value)
        return f"{number(value / scale)} {name}"
    if unit == "bytes":
        return format_bytes(value)
    text = f"{value:,.0f}" if value == int(value) and abs(value) >= 10 else number(value)
    return text if unit == "1" else f"{text} {unit}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun.

    Parameters
    ----------
    count
        How many.
    noun
        For one.
    plural
        For any other number; the noun with an s if it is empty.

    Returns
    -------
    str
        For example ``"2 cells"``.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def extent(shape: Shape) -> str:
    """Write the extent of a box.

    Parameters
    ----------
    shape
        Voxels on each axis.

    Returns
    -------
    str
        For example ``"64³"``; ``"16 x 128 x 128"`` with the sign of multiplication.
    """
    return (
        f"{shape[0]}³"
        if len(shape) == 3 and len(set(shape)) == 1
        else " \N{MULTIPLICATION SIGN} ".join(map(str, shape))
    )


def layout_of(text: str, shape: Shape) -> ArrayLayout | None:
    """Read the text of a layout.

    Parameters
    ----------
    text
        As in the table of results.
    shape
        Extent of the volume in voxels.

    Returns
    -------
    ArrayLayout or None
        ``None`` for a text that means none, as results from elsewhere may have.
    """
    try:
        return resolve_layout(text, shape)
    except ZbenchError:
        return None


def named(configuration: Configuration, *, engines: int = 2) -> str:
    """Name a configuration shortly.

    Parameters
    ----------
    configuration
        How the volume is stored, and by whom.
    engines
        Number of engines in the report; with one alone its name is left out.

    Returns
    -------
    str
        With backticks.
    """
    stored = code(configuration.stored)
    return stored if engines < 2 else f"{stored} with {plain(configuration.engine)}"


def names(configurations: Sequence[Configuration], *, engines: int = 2, most: int = 3) -> str:
    """Name some configurations, and count the rest.

    Parameters
    ----------
    configurations
        Any number of them.
    engines
        Number of engines in the report.
    most
        Number of ways to store the volume that are named, each with all its engines.

    Returns
    -------
    str
        With backticks.
    """
    groups: dict[str, list[str]] = {}
    for configuration in configurations:
        groups.setdefault(configuration.stored, []).append(plain(configuration.engine))
    told = [
        code(stored) if engines < 2 else f"{code(stored)} with {' / '.join(by)}"
        for stored, by in list(groups.items())[:most]
    ]
    rest = sum(len(by) for by in list(groups.values())[most:])
    return listed([*told, f"{rest} more"] if rest > 0 else told)


def spoken(configuration: Configuration, shape: Shape) -> str:
    """Tell a configuration at length, for those who have not learnt to read its text.

    Parameters
    ----------
    configuration
        How the volume is stored, and by whom.
    shape
        Extent of the volume in voxels.

    Returns
    -------
    str
        With backticks.
    """
    layout = layout_of(configuration.layout, shape)
    chain = "no compression" if configuration.chain == "none" else code(configuration.chain)
    if layout is None:
        return f"layout {code(configuration.layout)} with {chain} ({plain(configuration.engine)})"
    shards = "" if layout.shards is None else f" in shards of {extent(layout.shards)}"
    return (
        f"Zarr format {layout.zarr_format} in chunks of {extent(layout.chunks)} voxels{shards}, {chain}, "
        f"with {plain(configuration.engine)}"
    )


def asked(pattern: str) -> str:
    """Tell what an access pattern asks for.

    Parameters
    ----------
    pattern
        Its name.

    Returns
    -------
    str
        In words, or the name itself.
    """
    for form, told in _ASKED:
        match = re.fullmatch(form, pattern)
        if match:
            return told.format(*match.groups())
    return plain(pattern)
