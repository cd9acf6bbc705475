"""The suite's results as two tables: what each codec chain and what each layout costs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.units import gib_per_second

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.results import AsvRow

__all__ = ["CellSummary", "Range", "summarise"]

_AXES = ("xy_plane", "xz_plane", "yz_plane")


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
        ``""``, ``"refused"`` or ``"failed"``.
    compression_ratio
        Logical ÷ stored bytes.
    objects
        Objects that the array consists of.
    write_gib_s, read_gib_s
        Throughput of the whole volume.
    plane_s
        Seconds to read one plane, by access pattern.
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
    compression_ratio: float | None
    objects: int | None
    write_gib_s: Range | None
    read_gib_s: Range | None
    plane_s: dict[str, Range]
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
        One for each cell in each environment, sorted by dataset, layout, chain, engine, environment.
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
    return [_cell(key, cells[key]) for key in sorted(cells)]


def _cell(key: tuple[str, ...], metrics: dict[str, AsvRow]) -> CellSummary:
    dataset, layout, chain, engine, environment, machine = key
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
        compression_ratio=ratio,
        objects=None if objects is None else int(objects),
        write_gib_s=_throughput(metrics.get("time_write"), logical),
        read_gib_s=_throughput(metrics.get("time_full_read"), logical),
        plane_s={axis: found for axis in _AXES if (found := _range(metrics.get(f"time_plane/{axis}")))},
        amplification=_by_pattern(metrics, "track_amplification"),
        requests={name: int(value) for name, value in _by_pattern(metrics, "track_requests").items()},
    )


def _problem(metrics: dict[str, AsvRow]) -> str:
    if any(row.failed for row in metrics.values()):
        return "failed"
    return "refused" if all(row.skipped for row in metrics.values()) else ""


def _number(row: AsvRow | None) -> float | None:
    return None if row is None or row.skipped else row.value


def _range(row: AsvRow | None) -> Range | None:
    value = _number(row)
    return None if row is None or value is None else Range(value, row.low, row.high)


def _throughput(row: AsvRow | None, size_bytes: float | None) -> Range | None:
    found = _range(row)
    return None if found is None or size_bytes is None else found.throughput(size_bytes)


def _by_pattern(metrics: dict[str, AsvRow], name: str) -> dict[str, float]:
    return {
        metric.split("/", 1)[1]: value
        for metric, row in metrics.items()
        if metric.startswith(f"{name}/") and (value := _number(row)) is not None
    }
