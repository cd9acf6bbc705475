"""The page on read amplification: what the formula says, and what real reads of each engine asked for."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from zbench.model import AccessPattern, ArrayLayout
from zbench.patterns import access_pattern, mean_touched, one_by_one, plan
from zbench.report.text import number, table
from zbench.units import format_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zbench.units import Shape

__all__ = ["AMPLIFICATION_PATTERNS", "Reading", "amplification_page", "formula"]

AMPLIFICATION_PATTERNS = (
    "xy_plane",
    "xz_plane",
    "yz_plane",
    "ortho3_jump",
    "train_patch-48",
    "train_patch-96",
    "train_patch-128",
    "full_read",
)


_MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one engine asked for when it executed one access pattern.

    Attributes
    ----------
    engine
        Engine with its release, and the format.
    chunks
        Extent of a chunk in voxels.
    pattern
        Name of the access pattern.
    operations
        For each operation: requests, objects, bytes decoded, bytes needed.
    """

    engine: str
    chunks: Shape
    pattern: str
    operations: tuple[tuple[int, int, int, int], ...]


def formula(pattern: str, shape: Shape, chunks: Shape) -> tuple[float, float]:
    """Average what an operation touches over every place that it can have.

    Parameters
    ----------
    pattern
        One of `AMPLIFICATION_PATTERNS`.
    shape, chunks
        Extents in voxels.

    Returns
    -------
    chunks : float
        Chunks that hold some voxel of it.
    amplification : float
        Voxels of these chunks ÷ voxels that are asked for.
    """
    grid = [-(-extent // edge) for extent, edge in zip(shape, chunks, strict=True)]
    faces = [math.prod(shape) // extent for extent in shape]
    if pattern == "ortho3_jump":
        # Three planes through a point share three lines of chunks and those one chunk, wherever the point is.
        touched = float(sum(math.prod(grid) // edge for edge in grid) - sum(grid) + 1)
        needed = sum(faces)
    else:
        box = access_pattern(pattern, shape).boxes[0].shape
        touched = mean_touched(shape, box, chunks)
        needed = math.prod(box)
    return touched, touched * math.prod(chunks) / needed


def amplification_page(
    readings: Iterable[Reading], *, shape: Shape, itemsize: int, dataset: str, command: str, date: str
) -> str:
    """Write the page.

    Parameters
    ----------
    readings
        What was counted.
    shape, itemsize
        Extent of the volume in voxels, and bytes of a voxel.
    dataset
        Name of the volume.
    command
        What makes the page again.
    date
        Day of the counting.

    Returns
    -------
    str
        Markdown.
    """
    found = list(readings)
    grids = list(dict.fromkeys(reading.chunks for reading in found))
    engines = list(dict.fromkeys(reading.engine for reading in found))
    parts = (
        "# Read amplification, by formula and by counted requests",
        "This page is generated; edit neither numbers nor sentences.",
        (
            f"Volume `{dataset}`, {format_shape(shape)} voxels of {itemsize} bytes, the extent of tomograms in the "
            f"CryoET Data Portal; counted on {date}. Counts are exact: they repeat to the digit."
        ),
        _verdict(found, shape),
        "## By formula",
        (
            "Chunks touched by one operation, averaged over every place, and in brackets bytes decoded ÷ bytes needed. "
            "`MB` is a decoded chunk in 10⁶ bytes, `pad` stored ÷ logical voxels. For `ortho3` chunks that two planes "
            "share count once."
        ),
        _formula_table(grids, shape, itemsize),
        "## Counted",
        (
            "Reads of which the requests equal the formula, chunk for chunk, of all that were made. An engine keeps "
            "nothing between reads, so of the three planes of `ortho3` it fetches a shared chunk again: there the "
            "objects are held against the formula, and the requests against the planes one by one."
        ),
        _counted_table(found, engines, shape),
        _differences(found, shape),
        "## Averages over places",
        (
            "Chunks touched by the patches that were really read, mean ± standard error over the places, beside the "
            "formula's average over all places."
        ),
        _sampled_table(found, shape),
        f"## Make this page again\n\n```\n{command}\n```",
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _formula_table(grids: Sequence[Shape], shape: Shape, itemsize: int) -> str:
    rows = []
    for chunks in grids:
        count = math.prod(-(-extent // edge) for extent, edge in zip(shape, chunks, strict=True))
        size = math.prod(chunks) * itemsize
        pad = count * math.prod(chunks) / math.prod(shape)
        cells = [
            f"{_touched(touched)} ({number(grown)})"
            for touched, grown in (
                formula(name, shape, chunks) for name in AMPLIFICATION_PATTERNS if name != "yz_plane"
            )
        ]
        rows.append([format_shape(chunks), f"{count:,}", number(size / _MEGABYTE), f"{pad:.2f}", *cells])
    heads = ["chunk", "chunks", "MB", "pad", *(_short(name) for name in AMPLIFICATION_PATTERNS if name != "yz_plane")]
    heads[heads.index("xz")] = "xz = yz" if shape[1] == shape[2] else "xz"
    return table(heads, rows, texts=1)


def _short(pattern: str) -> str:
    return pattern.removesuffix("_plane").removesuffix("_jump").removesuffix("_read").replace("train_patch-", "patch ")


def _touched(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else number(value)


@cache
def _expected(reading: Reading, shape: Shape) -> list[tuple[int, int]]:
    """Work out requests and objects of each operation, for the very places that were read."""
    layout = ArrayLayout(chunks=reading.chunks)
    pattern = one_by_one(reading.pattern, shape)
    expected = []
    for operation in pattern.operations:
        together = plan(AccessPattern(name="", operations=(operation,)), layout, itemsize=1)
        apart = plan(AccessPattern(name="", operations=tuple((box,) for box in operation)), layout, itemsize=1)
        expected.append((apart.chunks, together.chunks))
    return expected


def _agreeing(reading: Reading, shape: Shape) -> int:
    return sum(
        counted[:2] == wanted for counted, wanted in zip(reading.operations, _expected(reading, shape), strict=True)
    )


def _verdict(readings: Sequence[Reading], shape: Shape) -> str:
    total = sum(len(reading.operations) for reading in readings)
    agreeing = sum(_agreeing(reading, shape) for reading in readings)
    if total == agreeing:
        return f"**All {total:,} reads asked for exactly the chunks that the formula says.**"
    return f"**{agreeing:,} of {total:,} reads asked for exactly the chunks that the formula says.**"


def _counted_table(readings: Sequence[Reading], engines: Sequence[str], shape: Shape) -> str:
    rows = []
    for engine in engines:
        cells = []
        for pattern in AMPLIFICATION_PATTERNS:
            of = [reading for reading in readings if reading.engine == engine and reading.pattern == pattern]
            made = sum(len(reading.operations) for reading in of)
            cells.append(f"{sum(_agreeing(reading, shape) for reading in of)} of {made}")
        rows.append([engine, *cells])
    return table(["engine", *(_short(name) for name in AMPLIFICATION_PATTERNS)], rows, texts=1)


def _differences(readings: Sequence[Reading], shape: Shape) -> str:
    rows = []
    for reading in readings:
        expected = _expected(reading, shape)
        wrong = [
            (counted, wanted)
            for counted, wanted in zip(reading.operations, expected, strict=True)
            if counted[:2] != wanted
        ]
        if wrong:
            (requests, objects, *_), (wanted_requests, wanted_objects) = wrong[0]
            rows.append(
                [
                    reading.engine,
                    format_shape(reading.chunks),
                    reading.pattern,
                    str(len(wrong)),
                    f"{requests} requests to {objects} objects",
                    f"{wanted_requests} requests to {wanted_objects} objects",
                ]
            )
    heads = ["engine", "chunk", "pattern", "reads that differ", "the first asked for", "by formula"]
    return table(heads, rows, texts=3) if rows else ""


def _sampled_table(readings: Sequence[Reading], shape: Shape) -> str:
    # Where engines agree with the formula the places decide alone, so one engine speaks for all.
    places: dict[tuple[Shape, str], list[int]] = {}
    for reading in readings:
        if reading.pattern.startswith("train_patch"):
            places.setdefault((reading.chunks, reading.pattern), [touched for _, touched, _, _ in reading.operations])
    rows = []
    for (chunks, pattern), counted in places.items():
        mean = statistics.fmean(counted)
        error = statistics.stdev(counted) / math.sqrt(len(counted))
        wanted, _ = formula(pattern, shape, chunks)
        apart = abs(mean - wanted) / error if error else 0.0
        rows.append(
            [
                format_shape(chunks),
                _short(pattern),
                str(len(counted)),
                f"{number(mean)} ± {number(error)}",
                number(wanted),
                f"{apart:.1f}",
            ]
        )
    return table(["chunk", "pattern", "places", "counted", "by formula", "standard errors apart"], rows, texts=2)
