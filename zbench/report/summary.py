"""The suite's results as two tables: what each codec chain and what each layout costs."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.units import gib_per_second

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.results import AsvRow

__all__ = ["CellSummary", "Range", "summarise"]

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Range:
    """A median with asv's 99 % interval.

    Attributes
    ----------
    value
        The median.
    low, high
        Ends of the interval; ``None`` where there were too few samples for one.
    """

    value: float
    low: float | None
    high: float | None

    def throughput(self, size_bytes: float) -> Range:
        """Turn a time in seconds into throughput.

        Parameters
        ----------
        size_bytes
            Logical bytes that were moved in that time.

        Returns
        -------
        Range
            Logical GiB/s; the slow end of the time is the low end here.
        """
        slow = None if self.high is None else gib_per_second(size_bytes, self.high * 1e9)
        fast = None if self.low is None else gib_per_second(size_bytes, self.low * 1e9)
        return Range(gib_per_second(size_bytes, self.value * 1e9), slow, fast)


@dataclass(frozen=True, kw_only=True, slots=True)
class CellSummary:
    """All that the suite knows of one cell in one environment; ``None`` where it was not measured.

    Attributes
    ----------
    machine, environment, dataset, engine, layout, chain
        Names.
    problem
        ``""``, ``"refused"`` or ``"failed"``; failed is a cell of which any benchmark did.
    failures
        Benchmarks that failed, each with its access pattern.
    compression_ratio
        Logical ÷ stored bytes.
    objects
        Objects that the array consists of.
    write_gib_s, read_gib_s
        Throughput of the whole volume.
    read_s
        Seconds of one execution of an access pattern, by its name.
    amplification, requests
        Bytes decoded ÷ bytes needed, and requests to the store, by access pattern.
    """

    machine: str
    environment: str
    dataset: str
    engine: str
    layout: str
    chain: str
    problem: str
    failures: tuple[str, ...]
    compression_ratio: float | None
    objects: int | None
    write_gib_s: Range | None
    read_gib_s: Range | None
    read_s: dict[str, Range]
    amplification: dict[str, float]
    requests: dict[str, int]


def summarise(rows: Iterable[AsvRow]) -> list[CellSummary]:
    """Gather the numbers of each cell.

    Parameters
    ----------
    rows
        Results of the suite at one commit.

    Returns
    -------
    list of CellSummary
        One for each cell in each environment, sorted by dataset, layout, chain, engine, environment; numbers in names
        are sorted as numbers.
    """
    cells: dict[tuple[str, ...], dict[str, AsvRow]] = defaultdict(dict)
    for row in rows:
        named = dict(row.parameters)
        if {"dataset", "engine", "layout", "chain"} <= set(named):
            key = (named["dataset"], named["layout"], named["chain"], named["engine"], row.environment, row.machine)
            # The same metric of the same cell may come from two classes; it is the same measurement.
            metric = "/".join(part for part in (row.benchmark.rsplit(".", 1)[-1], named.get("pattern")) if part)
            if metric not in cells[key] or cells[key][metric].failed or cells[key][metric].skipped:
                cells[key][metric] = row
    return [_cell(key, cells[key]) for key in sorted(cells, key=_natural)]


def _natural(key: tuple[str, ...]) -> list[list[tuple[int, str]]]:
    return [[(int(part) if part.isdigit() else -1, part) for part in _DIGITS.split(name)] for name in key]


def _cell(key: tuple[str, ...], metrics: dict[str, AsvRow]) -> CellSummary:
    dataset, layout, chain, engine, environment, machine = key
    read_s = {name: found for name, row in _patterns(metrics, "time_read").items() if (found := _range(row))}
    ratio = _number(metrics.get("track_compression_ratio"))
    stored = _number(metrics.get("track_stored_bytes"))
    objects = _number(metrics.get("track_objects"))
    logical = None if ratio is None or stored is None else ratio * stored
    return CellSummary(
        machine=machine,
        environment=environment,
        dataset=dataset,
        engine=engine,
        layout=layout,
        chain=chain,
        problem=_problem(metrics),
        failures=tuple(sorted(metric for metric, row in metrics.items() if row.failed)),
        compression_ratio=ratio,
        objects=None if objects is None else int(objects),
        write_gib_s=_throughput(_range(metrics.get("time_write")), logical),
        read_gib_s=_throughput(read_s.get("full_read"), logical),
        read_s=read_s,
        amplification=_numbers(metrics, "track_amplification"),
        requests={name: int(value) for name, value in _numbers(metrics, "track_requests").items()},
    )


def _problem(metrics: dict[str, AsvRow]) -> str:
    if any(row.failed for row in metrics.values()):
        return "failed"
    return "refused" if all(row.skipped for row in metrics.values()) else ""


def _number(row: AsvRow | None) -> float | None:
    return None if row is None or row.skipped else row.value


def _range(row: AsvRow | None) -> Range | None:
    value = _number(row)
    if row is None or value is None:
        return None
    # Of few samples asv's interval may reach below zero, where no time is: it bounds nothing then.
    bounded = row.low is not None and row.low > 0
    return Range(value, row.low if bounded else None, row.high if bounded else None)


def _throughput(time_s: Range | None, size_bytes: float | None) -> Range | None:
    return None if time_s is None or size_bytes is None else time_s.throughput(size_bytes)


def _patterns(metrics: dict[str, AsvRow], name: str) -> dict[str, AsvRow]:
    begin = f"{name}/"
    return {metric.removeprefix(begin): row for metric, row in metrics.items() if metric.startswith(begin)}


def _numbers(metrics: dict[str, AsvRow], name: str) -> dict[str, float]:
    found = {pattern: _number(row) for pattern, row in _patterns(metrics, name).items()}
    return {pattern: value for pattern, value in found.items() if value is not None}
