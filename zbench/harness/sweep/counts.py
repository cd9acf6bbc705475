"""Exact counts of every release: what single operations ask of a store."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

from zbench.datasets import prepared
from zbench.errors import ResultsError
from zbench.grid import CellSpec
from zbench.harness.status import Status
from zbench.harness.sweep.places import Gap, make_place
from zbench.model import Request, Trace
from zbench.results.traces import TRACE_ENDING, StoredTrace, write_trace
from zbench.runner import RunLog
from zbench.runner.following import FollowingWorker
from zbench.runner.requests import SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from zbench.harness.sweep.axes import Axis
    from zbench.harness.sweep.places import Made
    from zbench.harness.sweep.releases import Release

__all__ = ["CHAINS", "CountPlan", "count_releases", "open_log", "places_of", "told"]

# Bytes without a codec are those of the layout; with one they tell of the codec too.
CHAINS = ("none", "blosc-zstd-5-shuffle")
_TIMEOUT_S = 120.0
# Errors that say something of this machine, not of the release.
_NOT_OF_THE_RELEASE = ("DataError", "DiskFull")


@dataclass(frozen=True, kw_only=True, slots=True)
class CountPlan:
    """What is counted.

    Attributes
    ----------
    axis
        What is swept.
    dataset
        The volume that the small arrays are cut out of.
    chains
        Codec chains.
    """

    axis: Axis
    dataset: str = "cryoet-phantom-128"
    chains: tuple[str, ...] = field(default=CHAINS)

    def cells(self) -> tuple[CellSpec, ...]:
        """List the arrays that are counted.

        Returns
        -------
        tuple of CellSpec
            By layout, then by chain.
        """
        name = f"{self.dataset}@{SIZE}"
        return tuple(
            CellSpec(name, self.axis.engine, layout, chain) for layout in self.axis.layouts for chain in self.chains
        )


def open_log(path: Path, plan: CountPlan) -> RunLog:
    """Open the record of a sweep's counts, or begin it.

    Parameters
    ----------
    path
        The file.
    plan
        What is counted.

    Returns
    -------
    RunLog
        The record.

    Raises
    ------
    ResultsError
        If the file is the record of something else.
    """
    head = {"sweep": plan.axis.name, "of": "requests", "dataset": plan.dataset, "size": SIZE}
    return RunLog(path, head=head)


def places_of(
    axis: Axis, wanted: Sequence[Release], work: Path, log: RunLog, *, report: Callable[[Status], None]
) -> dict[str, Made]:
    """Make the environment of each release, and record those that cannot be.

    Parameters
    ----------
    axis
        What is swept.
    wanted
        Releases, oldest first.
    work
        Folder in which environments are kept.
    log
        Record, for the gaps.
    report
        Told after each.

    Returns
    -------
    dict
        From the release to its environment.
    """
    made: dict[str, Made] = {}
    gaps = told(log, "gap")
    for done, release in enumerate(wanted, start=1):
        place = make_place(axis, release, work / "environments")
        if isinstance(place, Gap):
            if gaps.get(release.version) != place.reason:
                log.add("gap", release=release.version, reason=place.reason)
        else:
            made[release.version] = place
        note = place.reason[:60] if isinstance(place, Gap) else f"Python {place.python_version}"
        what = f"{axis.name} {release.version}"
        report(Status(stage="environment", what=what, done=done, total=len(wanted), note=note))
    return made


def told(log: RunLog, kind: str) -> dict[str, Any]:
    """Look up what was last told of each release.

    Parameters
    ----------
    log
        A record of a sweep.
    kind
        ``gap`` or ``place``.

    Returns
    -------
    dict
        From the release to the reason of its gap, or to the whole entry of its place.
    """
    return {entry["release"]: entry["reason"] if kind == "gap" else entry for entry in log.of(kind)}


def count_releases(
    plan: CountPlan,
    made: Mapping[str, Made],
    log: RunLog,
    folder: Path,
    *,
    traces: Path,
    report: Callable[[Status], None],
) -> None:
    """Count what is missing.

    Parameters
    ----------
    plan
        What is counted.
    made
        Environments by release.
    log
        The record.
    folder
        For stores.
    traces
        Folder for the requests themselves: a folder for each release, in it a file for each operation of each array.
    report
        Told after each release.

    Raises
    ------
    ResultsError
        If this machine lacks the volume or the room.
    """
    volume = prepared(plan.dataset, volume_size=SIZE)
    folder.mkdir(parents=True, exist_ok=True)
    for done, (version, place) in enumerate(made.items(), start=1):
        known = {(entry["release"], entry["cell"]) for kind in ("requests", "refused") for entry in log.of(kind)}
        missing = [cell for cell in plan.cells() if (version, cell.text) not in known]
        if missing or version not in told(log, "place"):
            _count(version, place, missing, log, folder=folder, volume=volume, traces=traces)
        what = f"{plan.axis.name} {version}"
        report(Status(stage="count", what=what, done=done, total=len(made), note=f"{len(missing)} arrays"))


def _keep(folder: Path, version: str, cell: CellSpec, traces: Mapping[str, list[dict[str, Any]]]) -> None:
    facts = {"dataset": cell.dataset, "engine": cell.engine, "layout": cell.layout, "chain": cell.chain}
    for operation, requests in traces.items():
        trace = Trace(tuple(Request(**request) for request in requests))
        write_trace(
            folder / version / f"{cell.layout}--{cell.chain.replace('|', '+')}--{operation}{TRACE_ENDING}",
            StoredTrace(cell={**facts, "pattern": operation}, position=version, trace=trace),
        )


def _count(
    version: str,
    place: Made,
    missing: Iterable[CellSpec],
    log: RunLog,
    *,
    folder: Path,
    volume: Path,
    traces: Path,
) -> None:
    with FollowingWorker(place.python, folder, timeout_s=_TIMEOUT_S) as worker:
        environment = worker.ask(do="environment")["environment"]
        # All that is installed, not only what zbench knows by name: any of it may be why a number moved.
        environment["packages"] = [list(pair) for pair in place.packages]
        fields = {"python": place.python_version, "pins": list(place.pins), "environment": environment}
        if _is_new(told(log, "place").get(version), fields):
            log.add("place", release=version, **fields)
        for cell in missing:
            answer = worker.ask(do="requests", spec=astuple(cell), volume=str(volume))
            if "requests" in answer:
                _keep(traces, version, cell, answer["requests"].pop("traces"))
                log.add("requests", release=version, cell=cell.text, **answer["requests"])
                continue
            if answer["error"] in _NOT_OF_THE_RELEASE:
                msg = f"A sweep needs its volume and room on the disk: {answer['message']} Mend it and run again."
                raise ResultsError(msg)
            log.add("refused", release=version, cell=cell.text, error=answer["error"], message=answer["message"])


def _is_new(known: dict[str, Any] | None, fields: dict[str, Any]) -> bool:
    return known is None or any(known[name] != fields[name] for name in ("python", "pins"))
