"""``zbench sweep``: the releases of a package, counted first and then timed, and the history that comes of it."""

from __future__ import annotations

import datetime as dt
import fcntl
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.harness.sweep.axes import axis_named
from zbench.harness.sweep.counts import CountPlan, count_releases, open_log, places_of
from zbench.harness.sweep.history import history_of, write_history
from zbench.harness.sweep.releases import LATEST, releases
from zbench.harness.sweep.timing import TimePlan, chosen_to_time, open_times, time_releases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zbench.harness.status import Status
    from zbench.runner import RunLog

__all__ = ["SweepPlan", "store_history", "sweep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPlan:
    """What is swept.

    Attributes
    ----------
    axis
        Name of the package.
    since
        First release; ``None`` is the axis' own.
    until
        Last release, or ``latest``.
    each
        ``release`` or ``minor``.
    also
        More releases, withdrawn ones too.
    dataset
        Volume that the small arrays of the counts are cut out of.
    times
        What is timed; ``None`` counts only.
    """

    axis: str
    since: str | None = None
    until: str = LATEST
    each: str = "release"
    also: tuple[str, ...] = ()
    dataset: str = "cryoet-phantom-128"
    times: TimePlan | None = None


def sweep(plan: SweepPlan, work: Path, *, report: Callable[[Status], None]) -> tuple[Path, ...]:
    """Measure what is missing of a sweep, and store its history.

    Parameters
    ----------
    plan
        What is swept.
    work
        Folder for environments, records, stores and the history.
    report
        Told after every step.

    Returns
    -------
    tuple of Path
        The history, ``history.json`` first.

    Raises
    ------
    ResultsError
        If the releases cannot be listed, nothing can measure them, a record is another sweep's, or another sweep runs
        in the folder.
    UnknownNameError
        If there is no such axis, release, dataset or preset.
    """
    # Resolved: workers have a working folder of their own.
    work = work.resolve()
    with _alone(work):
        _measure(plan, work, report)
    return store_history(plan.axis, work, plan.dataset)


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Keep a second sweep out: it would store where this one reads, and take its time."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"One sweep at a time measures in a folder: another one runs in {str(work)!r}. Wait for its end."
            raise ResultsError(msg) from None
        yield


def _measure(plan: SweepPlan, work: Path, report: Callable[[Status], None]) -> None:
    axis = axis_named(plan.axis)
    own = work / axis.name
    wanted = releases(axis.name, since=plan.since or axis.since, until=plan.until, each=plan.each, also=plan.also)
    counting = CountPlan(axis=axis, dataset=plan.dataset)
    log = open_log(own / "counts.jsonl", counting)
    _tell_asked(log, plan)
    made = places_of(axis, wanted, work, log, report=report)
    count_releases(counting, made, log, own / "counted", traces=own / "history" / "traces", report=report)
    shutil.rmtree(own / "counted", ignore_errors=True)
    if plan.times is not None:
        times = open_times(own / "times.jsonl", axis, plan.times)
        time_releases(
            axis, plan.times, chosen_to_time(plan.times, made), times, own / "stores", work=work, report=report
        )


def _tell_asked(log: RunLog, plan: SweepPlan) -> None:
    command = f"zbench sweep {plan.axis} --since {plan.since or axis_named(plan.axis).since} --until {plan.until}"
    command += f" --each {plan.each}" if plan.each != "release" else ""
    command += "".join(f" --also {version}" for version in plan.also)
    if plan.times is not None:
        command += "".join(f" --time {version}" for version in plan.times.versions)
    if command != next((entry["command"] for entry in reversed(tuple(log.of("asked")))), None):
        log.add("asked", command=command)


def store_history(axis: str, work: Path, dataset: str) -> tuple[Path, ...]:
    """Write the history of a sweep from its records, whole or not.

    Parameters
    ----------
    axis
        Name of the package.
    work
        Folder of the sweep.
    dataset
        Volume of the counts.

    Returns
    -------
    tuple of Path
        ``history.json`` first.

    Raises
    ------
    ResultsError
        If a record is damaged or a file cannot be written.
    """
    own = work.resolve() / axis
    plan = CountPlan(axis=axis_named(axis), dataset=dataset)
    paths = [own / "counts.jsonl"]
    if not paths[0].is_file():
        msg = f"A history is made from the record of a sweep: there is no {str(paths[0])!r}. Run zbench sweep {axis}."
        raise ResultsError(msg)
    logs = [open_log(paths[0], plan)]
    if (own / "times.jsonl").is_file():
        paths.append(own / "times.jsonl")
        logs.append(open_times(paths[1], axis_named(axis), None))
    newest = max(path.stat().st_mtime for path in paths)
    day = dt.datetime.fromtimestamp(newest, tz=dt.UTC).date().isoformat()
    return write_history(own / "history", history_of(axis, logs, dataset=dataset, date=day))
