"""The record of a campaign as rows of the table of results."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from zbench.model import CacheState
from zbench.probes import Counters
from zbench.report.text import listed
from zbench.results import Row, Table, engine_package, environment_id
from zbench.runner.campaign import INSTRUCTIONS, MEMORY
from zbench.runner.ledger import CONFIDENCE, MOST_ROUNDS, PRECISION
from zbench.stats.outliers import Cause, mark_outliers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbench.grid import CellSpec
    from zbench.model import Environment
    from zbench.runner.campaign import Campaign, CellPlan
    from zbench.runner.ledger import Ledger, Timing

__all__ = ["RunIdentity", "campaign_table", "is_wrong"]

_NANOSECONDS = 1e9
_REQUESTS = ("requests", "reads", "writes")
_BYTES = ("bytes_fetched", "bytes_written", "bytes_decoded", "bytes_needed")
# What else is known of each process: name of the metric, unit, names of the counters that are added up, and their size
# in that unit.
_COUNTED = (
    ("cpu_time", "s", ("user_ns", "system_ns"), _NANOSECONDS),
    ("disk_read_bytes", "bytes", ("disk_read_bytes",), 1),
    ("disk_write_bytes", "bytes", ("disk_write_bytes",), 1),
)
# Name of the probe, name of the metric, unit, and which field of what was found it is.
_PROBED = (
    (INSTRUCTIONS, "instructions", "instructions", "instructions"),
    (MEMORY, "peak_memory", "bytes", "peak_bytes"),
)
_STOPPED_EARLY = f"the budget ended before half the interval was within {100 * PRECISION:g} % of the median"
_UNSETTLED = f"after {MOST_ROUNDS} processes half the interval is not within {100 * PRECISION:g} % of the median"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunIdentity:
    """What all rows of a run share.

    Attributes
    ----------
    run
        Name of the run.
    commit
        Commit of zbench that measured; empty where it is not known.
    environment
        What the times hold for.
    shape, dtype
        Of the volume.
    """

    run: str
    commit: str
    environment: Environment
    shape: tuple[int, ...]
    dtype: str


def is_wrong(entry: dict[str, Any]) -> bool:
    """Tell a cell that failed from one that was refused.

    Parameters
    ----------
    entry
        What the record says of it.

    Returns
    -------
    bool
        Whether its voxels or metadata were wrong, or its worker died of it.
    """
    return str(entry["error"]) != "RefusedError"


def campaign_table(campaign: Campaign, identity: RunIdentity, *, plans: Iterable[CellPlan] | None = None) -> Table:
    """Turn a record into rows.

    Parameters
    ----------
    campaign
        With its ledger.
    identity
        What all rows share.
    plans
        Cells of one volume; all of the campaign unless given.

    Returns
    -------
    Table
        Exact numbers of each stored cell, the times of its operations with what else was counted, and a row without a
        number for each time that there is not, which says why.
    """
    rows = _Rows(campaign.ledger, identity)
    found = (row for plan in plans or campaign.plans for row in rows.of_cell(plan.spec, campaign.tasks(plan)))
    return Table(tuple(found), {rows.environment: identity.environment})


def _reason(entry: dict[str, Any]) -> str:
    return f"{'failed' if is_wrong(entry) else 'refused'}: {entry['message']}"


class _Rows:
    def __init__(self, ledger: Ledger, identity: RunIdentity) -> None:
        self._ledger, self._identity = ledger, identity
        self.environment = environment_id(identity.environment)
        self._packages = dict(identity.environment.packages)

    def of_cell(self, spec: CellSpec, tasks: Iterable[Timing]) -> Iterator[Row]:
        stored = self._ledger.stored.get(spec.text)
        if stored is not None:
            yield from self._exact(spec, stored)
        for task in tasks:
            yield from self._of_task(task)
            yield from self._of_probes(task)

    def _exact(self, spec: CellSpec, stored: dict[str, Any]) -> Iterator[Row]:
        fields = stored["fields"]
        yield self._row(
            spec, metric="compression_ratio", unit="1", value=fields["logical_bytes"] / fields["stored_bytes"]
        )
        yield self._row(spec, metric="stored_bytes", unit="bytes", value=fields["stored_bytes"])
        yield self._row(spec, metric="objects", unit="objects", value=fields["objects"])
        for pattern, counts in stored["counts"].items():
            for name in (*_REQUESTS, *_BYTES):
                unit = "requests" if name in _REQUESTS else "bytes"
                yield self._row(spec, pattern=pattern, metric=name, unit=unit, value=counts[name])
            amplification = counts["bytes_decoded"] / counts["bytes_needed"]
            yield self._row(spec, pattern=pattern, metric="amplification", unit="1", value=amplification)

    def _of_task(self, task: Timing) -> Iterator[Row]:
        missing = self._missing(task)
        place = {"pattern": task.operation, "cache_state": task.cache_state}
        if missing:
            yield self._row(task.cell, **place, metric="wall_time", unit="s", value=None, note=missing)
            return
        values, interval = self._ledger.values(task), self._ledger.interval(task)
        entries = self._ledger.entries(task)
        # One sample a process: those of one process are not independent. All of them are in the record.
        yield self._row(
            task.cell,
            **place,
            metric="wall_time",
            unit="s",
            value=median(values) / _NANOSECONDS,
            low=interval.low / _NANOSECONDS if interval else None,
            high=interval.high / _NANOSECONDS if interval else None,
            confidence=CONFIDENCE if interval else None,
            samples=tuple(value / _NANOSECONDS for value in values),
            processes=len(values),
            note=self._note(task, values, entries),
        )
        for metric, unit, names, size in _COUNTED:
            found = [[entry["counters"][name] for name in names] for entry in entries]
            told = [sum(numbers) / size for numbers in found if None not in numbers]
            if told:
                yield self._row(task.cell, **place, metric=metric, unit=unit, value=median(told), processes=len(told))
        opened = [median(entry["open_ns"]) / _NANOSECONDS for entry in entries if entry["open_ns"]]
        if opened:
            yield self._row(
                task.cell, **place, metric="open_time", unit="s", value=median(opened), processes=len(opened)
            )
        for entry in entries:
            if entry["peak"] is not None:
                peak = entry["peak"]["peak_bytes"]
                yield self._row(task.cell, **place, metric="peak_memory", unit="bytes", value=peak, processes=1)

    def _of_probes(self, task: Timing) -> Iterator[Row]:
        """Tell what was found of an operation once, warm."""
        place = {"pattern": task.operation, "cache_state": task.cache_state}
        for name, metric, unit, field in _PROBED:
            entry = self._ledger.probed(name, task)
            if entry is None:
                continue
            value, note = (None, _reason(entry)) if "error" in entry else (entry["found"][field], "")
            yield self._row(task.cell, **place, metric=metric, unit=unit, value=value, processes=1, note=note)

    def _missing(self, task: Timing) -> str:
        """Say why a task has no time."""
        ledger, cell = self._ledger, task.cell.text
        entry = ledger.refused.get(cell) or ledger.failed.get(task.key)
        entry = entry or ledger.stored.get(cell, {}).get("uncounted", {}).get(task.operation)
        if entry is not None:
            return _reason(entry)
        return "" if ledger.values(task) else "not measured: the run was ended before"

    def _note(self, task: Timing, values: list[float], entries: list[dict[str, Any]]) -> str:
        notes = []
        if task.cache_state == CacheState.COLD.value:
            notes.append(f"cold: {listed(list(dict.fromkeys(entry['reached'] for entry in entries)))}")
        if not self._ledger.is_decided(task):
            notes.append(_STOPPED_EARLY if len(values) < MOST_ROUNDS else _UNSETTLED)
        outliers = mark_outliers(values, [Counters(**entry["counters"]) for entry in entries])
        causes = {cause for outlier in outliers for cause in outlier.causes if cause is not Cause.UNKNOWN}
        if causes:
            notes.append(f"some processes are far from the others ({', '.join(sorted(causes))})")
        return "; ".join(notes)

    def _row(self, spec: CellSpec, **fields: Any) -> Row:
        stored = self._ledger.stored.get(spec.text)
        return Row(
            source="zbench",
            run=self._identity.run,
            commit=self._identity.commit,
            environment=self.environment,
            machine=self._identity.environment.machine,
            dataset=spec.dataset,
            voxel_digest=stored["fields"]["digest"] if stored else "",
            shape=self._identity.shape,
            dtype=self._identity.dtype,
            engine=spec.engine,
            engine_version=self._packages.get(engine_package(spec.engine), ""),
            store="local",
            layout=spec.layout,
            chain=spec.chain,
            verified=stored is not None and fields["value"] is not None,
            **fields,
        )
