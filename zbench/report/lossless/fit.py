"""What a chunk costs beyond its bytes: read time against the number of chunks."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.model import ArrayLayout
from zbench.stats import Interval, ratio_interval

if TYPE_CHECKING:
    from zbench.report.lossless.record import Cell, Column, Record

__all__ = ["ChunkCost", "chunk_cost", "cost_ratio"]

_FEWEST_ROUNDS = 3
_FEWEST_POINTS = 2
# A chunk costs as much as it decodes; only layouts with nearly the same padding differ in nothing but the number.
_SAME_PADDING = 1.05
_CUBE = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkCost:
    """Slope of the time of a whole read over the number of chunks.

    Attributes
    ----------
    slope_ms
        Milliseconds a chunk, mean over volumes, one value a round.
    interval
        Their mean with Student's interval; may reach below zero.
    departure
        Largest departure of a time from the line, as a share of the time; 0 where every volume has two points.
    volumes
        Number of volumes.
    """

    slope_ms: tuple[float, ...]
    interval: Interval
    departure: float
    volumes: int


def chunk_cost(record: Record, column: Column, *, zarr_format: int, chain: str) -> ChunkCost | None:
    """Fit a line to the times of whole reads, volume by volume and round by round.

    Times vary by factors, so every time weighs by its own size. Only cubes, and of these only the ones with the least
    padding, are used.

    Parameters
    ----------
    record
        The run.
    column
        Engine and environment.
    zarr_format
        2 or 3.
    chain
        Codec chain of the chunk sweep.

    Returns
    -------
    ChunkCost or None
        ``None`` with fewer than three rounds or no volume with two chunk shapes.
    """
    slopes: dict[int, list[float]] = defaultdict(list)
    departures = []
    for dataset in record.datasets:
        points = _points(record, dataset, column, zarr_format, chain)
        for place in _rounds(points):
            counts, times = zip(*((count, walls[place]) for count, walls in points), strict=True)
            slope, departure = _line(np.array(counts, float), np.array(times) / 1e6)
            slopes[place].append(slope)
            departures.append(departure)
    most = max((len(values) for values in slopes.values()), default=0)
    means = tuple(float(np.mean(values)) for _, values in sorted(slopes.items()) if len(values) == most)
    if len(means) < _FEWEST_ROUNDS:
        return None
    return ChunkCost(slope_ms=means, interval=_student(means), departure=max(departures), volumes=most)


def cost_ratio(baseline: ChunkCost | None, candidate: ChunkCost | None) -> Interval | None:
    """Compare what a chunk costs in two engines.

    Parameters
    ----------
    baseline, candidate
        Fits of the same rounds.

    Returns
    -------
    Interval or None
        ``None`` if a slope is not positive or the rounds differ.
    """
    if baseline is None or candidate is None:
        return None
    try:
        return ratio_interval(baseline.slope_ms, candidate.slope_ms)
    except InsufficientSamplesError:
        return None


def _points(
    record: Record, dataset: str, column: Column, zarr_format: int, chain: str
) -> list[tuple[int, dict[int, float]]]:
    found = []
    for cell in record.cells(dataset, column):
        layout = ArrayLayout.parse(record.stored[cell].config.partition(":")[0])
        times = record.times.get((cell, "full_read"))
        cube = max(layout.chunks) <= _CUBE * min(layout.chunks)
        if cell.chain == chain and layout.zarr_format == zarr_format and layout.shards is None and cube and times:
            count, padding = _grid(record, cell, layout)
            found.append((padding, count, times.wall_ns))
    least = min((padding for padding, _, _ in found), default=0.0)
    kept = {count: walls for padding, count, walls in found if padding <= _SAME_PADDING * least}
    return sorted(kept.items()) if len(kept) >= _FEWEST_POINTS else []


def _grid(record: Record, cell: Cell, layout: ArrayLayout) -> tuple[int, float]:
    shape = record.stored[cell].shape
    count = math.prod(-(-extent // chunk) for extent, chunk in zip(shape, layout.chunks, strict=True))
    return count, count * math.prod(layout.chunks) / math.prod(shape)


def _rounds(points: list[tuple[int, dict[int, float]]]) -> list[int]:
    return sorted(set.intersection(*(set(walls) for _, walls in points))) if points else []


def _line(counts: np.ndarray, times: np.ndarray) -> tuple[float, float]:
    design = np.column_stack([np.ones_like(counts), counts]) / times[:, None]
    (base, slope), *_ = np.linalg.lstsq(design, np.ones_like(times), rcond=None)
    return float(slope), float(np.max(np.abs((base + slope * counts) / times - 1)))


def _student(values: tuple[float, ...]) -> Interval:
    mean = float(np.mean(values))
    if not np.ptp(values):
        return Interval(mean, mean, mean, len(values))
    found = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    return Interval(mean, float(found.low), float(found.high), len(values))
