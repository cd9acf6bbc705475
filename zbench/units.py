"""Quantities as text and back: shapes, bytes, durations, throughput."""

from __future__ import annotations

import re
from typing import TypeAlias

from zbench.errors import LayoutError, PresetError

__all__ = [
    "GIB",
    "MIB",
    "Shape",
    "format_bytes",
    "format_duration",
    "format_shape",
    "gib_per_second",
    "parse_duration",
    "parse_shape",
    "parse_share",
]

Shape: TypeAlias = tuple[int, ...]

MIB = 1024**2
GIB = 1024**3

_DURATION = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h)?")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def format_shape(shape: Shape) -> str:
    """Write a shape: a three-dimensional cube by its edge alone, a one-dimensional shape with an ``x`` behind it.

    Parameters
    ----------
    shape
        Extent in voxels, ``(z, y, x)`` for a volume.

    Returns
    -------
    str
        ``"64"`` for ``(64, 64, 64)``, ``"16x128x128"`` otherwise.
    """
    if len(shape) == 3 and len(set(shape)) == 1:
        return str(shape[0])
    return f"{shape[0]}x" if len(shape) == 1 else "x".join(map(str, shape))


def parse_shape(text: str) -> Shape:
    """Read what `format_shape` writes.

    Parameters
    ----------
    text
        Positive whole numbers joined by ``x``; one number alone is a three-dimensional cube.

    Returns
    -------
    Shape
        Extent in voxels.

    Raises
    ------
    LayoutError
        If the text is anything else.
    """
    parts = text.strip().lower().removesuffix("x").split("x")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        msg = f"A shape is positive whole numbers joined by 'x', such as 64 or 16x128x128: got {text!r}."
        raise LayoutError(msg)
    shape = tuple(int(part) for part in parts)
    return shape * 3 if text.strip().isdigit() else shape


def format_bytes(size_bytes: float) -> str:
    """Write a number of bytes in binary units.

    Parameters
    ----------
    size_bytes
        Number of bytes.

    Returns
    -------
    str
        For example ``"8.0 MiB"``.
    """
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def format_duration(duration_ns: float) -> str:
    """Write a time in the unit that keeps it readable.

    Parameters
    ----------
    duration_ns
        Time in nanoseconds.

    Returns
    -------
    str
        For example ``"12.3 ms"``.
    """
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(duration_ns) >= size:
            return f"{duration_ns / size:.3g} {unit}"
    return f"{duration_ns:.3g} ns"


def parse_duration(text: str) -> float:
    """Read a time budget.

    Parameters
    ----------
    text
        A number with ``ms``, ``s``, ``m`` or ``h``; seconds without a unit.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    PresetError
        If the text is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        msg = f"A duration is a number with ms, s, m or h, such as 90s or 10m: got {text!r}."
        raise PresetError(msg)
    return float(match["value"]) * _SECONDS[match["unit"] or "s"]


def parse_share(text: str) -> float:
    """Read a share.

    Parameters
    ----------
    text
        ``3%`` or ``0.03``. A number of 1 or more needs its sign: 3 could mean 3 % or 300 %.

    Returns
    -------
    float
        At least 0 and below 1.

    Raises
    ------
    PresetError
        If the text is no share.
    """
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        msg = f"A share is below 1, such as 3% or 0.03: got {text!r}."
        raise PresetError(msg)
    return share


def gib_per_second(size_bytes: float, duration_ns: float) -> float:
    """Turn logical bytes and a time into throughput.

    Parameters
    ----------
    size_bytes
        Logical (decoded) bytes that were moved.
    duration_ns
        Time in nanoseconds, more than zero.

    Returns
    -------
    float
        Logical GiB/s, the project's one meaning of throughput.
    """
    return size_bytes / GIB / (duration_ns / 1e9)
