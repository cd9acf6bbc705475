"""Everything that a run found as one tidy table: a row for each number."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

from zbench.errors import InsufficientSamplesError
from zbench.stats import Interval, mean_interval
from zbench.units import gib_per_second

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbench.report.lossless.record import Cell, Record, Stored

__all__ = ["Row", "rows_of", "throughput", "written"]

_COUNTS = {"requests": "requests", "bytes_fetched": "bytes", "bytes_decoded": "bytes"}
_WHOLE = ("write", "full_read")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One number.

    Attributes
    ----------
    dataset, environment, engine, layout, chain
        The cell.
    operation
        ``write``, an access pattern, or ``stored`` for what holds of the stored array.
    metric
        What the number is.
    estimate
        The number; ``None`` where there is none.
    low, high
        Ends of the 95 % interval; ``None`` for exact numbers and where there are too few rounds.
    rounds
        Number of rounds; 0 for exact numbers.
    unit
        Of the number.
    note
        Why there is no number.
    """

    dataset: str
    environment: str
    engine: str
    layout: str
    chain: str
    operation: str
    metric: str
    estimate: float | None
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    unit: str = ""
    note: str = ""


def throughput(logical_bytes: int, time_ns: Interval) -> Interval:
    """Turn the time of a whole read or write into throughput.

    Parameters
    ----------
    logical_bytes
        Bytes of the voxels.
    time_ns
        The time in nanoseconds.

    Returns
    -------
    Interval
        Logical GiB/s; the slow end of the time is the low end here.
    """
    estimate, low, high = (
        gib_per_second(logical_bytes, time) for time in (time_ns.estimate, time_ns.high, time_ns.low)
    )
    return Interval(estimate, low, high, time_ns.count)


def rows_of(record: Record) -> Iterator[Row]:
    """Go through everything that a run found.

    Parameters
    ----------
    record
        The run.

    Yields
    ------
    Row
        Exact numbers, times and refusals, cell by cell.
    """
    for cell, stored in record.stored.items():
        yield from _exact(cell, stored)
    for (cell, operation), times in record.times.items():
        yield from _timed(record.stored.get(cell), cell, operation, "wall_time", times.wall_ns)
        yield from _timed(None, cell, operation, "cpu_time", times.cpu_ns)
    for cell, refusal in record.refused.items():
        note = f"{refusal.error}: {refusal.message}"
        yield _row(cell, "stored", "refused" if refusal.deliberate else "failed", None, note=note)
    for (cell, operation), refusal in record.failures.items():
        note = f"{refusal.error}: {refusal.message}"
        yield _row(cell, operation, "refused" if refusal.deliberate else "failed", None, note=note)


def _row(
    cell: Cell,
    operation: str,
    metric: str,
    estimate: float | None,
    *,
    found: Interval | None = None,
    unit: str = "",
    note: str = "",
) -> Row:
    return Row(
        dataset=cell.dataset,
        environment=cell.environment,
        engine=cell.engine,
        layout=cell.layout,
        chain=cell.chain,
        operation=operation,
        metric=metric,
        estimate=estimate,
        low=found.low if found else None,
        high=found.high if found else None,
        rounds=found.count if found else 0,
        unit=unit,
        note=note,
    )


def _exact(cell: Cell, stored: Stored) -> Iterator[Row]:
    yield _row(cell, "stored", "compression_ratio", stored.compression_ratio, unit="1")
    yield _row(cell, "stored", "stored_bytes", stored.stored_bytes, unit="bytes")
    yield _row(cell, "stored", "objects", stored.objects, unit="objects")
    for pattern, counts in stored.counts.items():
        yield _row(cell, pattern, "amplification", stored.amplification(pattern), unit="1")
        for metric, unit in _COUNTS.items():
            yield _row(cell, pattern, metric, counts[metric], unit=unit)


def _timed(
    stored: Stored | None, cell: Cell, operation: str, metric: str, values_ns: dict[int, float]
) -> Iterator[Row]:
    try:
        found = mean_interval(list(values_ns.values()))
    except InsufficientSamplesError:
        note = f"{len(values_ns)} rounds with a positive time are too few for an interval"
        yield _row(cell, operation, metric, None, unit="ms", note=note)
        return
    scaled = Interval(found.estimate / 1e6, found.low / 1e6, found.high / 1e6, found.count)
    yield _row(cell, operation, metric, scaled.estimate, found=scaled, unit="ms")
    if stored is not None and operation in _WHOLE:
        speed = throughput(stored.logical_bytes, found)
        yield _row(cell, operation, "throughput", speed.estimate, found=speed, unit="GiB/s")


def written(record: Record) -> str:
    """Write the table.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    str
        CSV, the names of the columns first.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    for row in rows_of(record):
        writer.writerow(f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row))
    return out.getvalue()
