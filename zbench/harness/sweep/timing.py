"""Which releases are timed, on what, and what they are held against."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from zbench.datasets import prepared
from zbench.errors import ResultsError
from zbench.grid import load_preset
from zbench.harness.status import Status
from zbench.harness.sweep.axes import axis_named
from zbench.harness.sweep.counts import told
from zbench.harness.sweep.places import Gap, make_place
from zbench.harness.sweep.releases import releases, version_key
from zbench.runner import WRITE, RunLog, operations_of
from zbench.runner.following import FollowingWorker
from zbench.runner.rounds import ReleaseRounds, Timed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from zbench.grid import Preset
    from zbench.harness.sweep.axes import Axis
    from zbench.harness.sweep.places import Made
    from zbench.runner import Progress

__all__ = ["REFERENCE", "TimePlan", "chosen_to_time", "open_times", "time_releases"]

# Another library, in the same rounds: what it takes tells how fast the machine is.
REFERENCE = "tensorstore"
_MEMORY_CHAIN = "blosc-zstd-5-shuffle"
_MEMORY_OF = (WRITE, "full_read")


@dataclass(frozen=True, kw_only=True, slots=True)
class TimePlan:
    """What is timed.

    Attributes
    ----------
    preset
        Cells and operations: ``sweep``, or the path of a TOML file with one dataset.
    volume_size
        Keep at most so many voxels an axis, from the middle; ``None`` keeps all.
    rounds
        Rounds of one fresh process of each release.
    memory_rounds
        How often peak memory is found.
    budget_s
        Seconds after which no further task is begun.
    versions
        Releases to time; empty takes the first and the last of each minor release.
    """

    preset: str = "sweep"
    volume_size: int | None = 128
    rounds: int = 6
    memory_rounds: int = 3
    budget_s: float = 900.0
    versions: tuple[str, ...] = ()


def chosen_to_time(plan: TimePlan, made: Mapping[str, Made]) -> dict[str, Made]:
    """Take the releases that are timed.

    Parameters
    ----------
    plan
        What is timed.
    made
        Environments by release, oldest first.

    Returns
    -------
    dict
        Oldest first.

    Raises
    ------
    ResultsError
        If none is left.
    """
    wanted = set(plan.versions)
    if not wanted:
        minors: dict[tuple[int, ...], list[str]] = {}
        for version in made:
            minors.setdefault(version_key(version)[:2], []).append(version)
        wanted = {version for versions in minors.values() for version in (versions[0], versions[-1])}
    kept = {version: place for version, place in made.items() if version in wanted}
    if not kept:
        msg = (
            f"Times are taken of releases that are swept: {', '.join(sorted(wanted)) or 'none'} is not among "
            f"{', '.join(made) or 'none'}. Name others."
        )
        raise ResultsError(msg)
    return kept


def _preset(plan: TimePlan) -> Preset:
    name = plan.preset
    if not name.endswith(".toml"):
        name = str(resources.files("zbench").joinpath("presets", f"{name}.toml"))
    preset = load_preset(name)
    if len(preset.datasets) != 1:
        msg = f"A sweep times one volume: preset {plan.preset!r} has {len(preset.datasets)}. Leave one."
        raise ResultsError(msg)
    return preset


def open_times(path: Path, axis: Axis, plan: TimePlan | None) -> RunLog:
    """Open the record of a sweep's times, or begin it.

    Parameters
    ----------
    path
        The file.
    axis
        What is swept.
    plan
        What is timed; ``None`` opens what is there as it is.

    Returns
    -------
    RunLog
        The record.

    Raises
    ------
    ResultsError
        If the file is the record of something else.
    """
    if plan is None:
        return RunLog(path, head=_head_of(path))
    preset = _preset(plan)
    cells = [f"{cell.text}|{operation}" for cell in preset.cells() for operation in operations_of(preset, cell)]
    head = {"sweep": axis.name, "of": "times", "volume_size": plan.volume_size, "cells": cells}
    return RunLog(path, head=head)


def _head_of(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        head = json.loads(file.readline())
    return {name: value for name, value in head.items() if name not in ("kind", "schema")}


def time_releases(
    axis: Axis,
    plan: TimePlan,
    made: Mapping[str, Made],
    log: RunLog,
    folder: Path,
    *,
    work: Path,
    report: Callable[[Status], None],
) -> bool:
    """Time what is missing.

    Parameters
    ----------
    axis
        What is swept.
    plan
        What is timed.
    made
        Environments by release.
    log
        The record.
    folder
        For stores.
    work
        Folder in which environments are kept.
    report
        Told after every step.

    Returns
    -------
    bool
        Whether all is measured; false if the budget ended before.

    Raises
    ------
    ResultsError
        If a worker dies, or this machine lacks the volume or the room.
    """
    preset = _preset(plan)
    preset = replace(preset, engines=(axis.engine,))
    timed = {version: Timed(place.python, _cells(preset)) for version, place in made.items()}
    places = dict(made)
    reference = None if axis.name == REFERENCE else _reference(work)
    if reference is not None:
        timed[f"{REFERENCE} {reference.version}"] = Timed(
            reference.python, _cells(replace(preset, engines=(REFERENCE,)))
        )
        places[f"{REFERENCE} {reference.version}"] = reference
    for version, place in places.items():
        _tell_place(log, version, place, work)

    def step(progress: Progress) -> None:
        report(
            Status(
                stage=progress.stage,
                what=f"{axis.name} {progress.dataset}",
                done=progress.done,
                total=progress.total,
                note=progress.note,
            )
        )

    return ReleaseRounds(
        releases=timed,
        volume=prepared(preset.datasets[0], volume_size=plan.volume_size),
        log=log,
        folder=folder,
        rounds=plan.rounds,
        budget_s=plan.budget_s,
        memory_rounds=plan.memory_rounds,
        memory_of=_memory_of(timed),
        report=step,
    ).run()


def _cells(preset: Preset) -> tuple[tuple[Any, tuple[str, ...]], ...]:
    return tuple((cell, operations_of(preset, cell)) for cell in preset.cells())


def _memory_of(timed: Mapping[str, Timed]) -> tuple[tuple[str, str], ...]:
    """Choose the first layout of each kind: what an operation adds depends little on the size of the chunks."""
    chosen: dict[tuple[str, str, bool], str] = {}
    for cell in (cell for one in timed.values() for cell, _ in one.cells if cell.chain == _MEMORY_CHAIN):
        chosen.setdefault((cell.engine, cell.layout[:2], "-s" in cell.layout), cell.text)
    return tuple((text, operation) for text in chosen.values() for operation in _MEMORY_OF)


def _reference(work: Path) -> Made | None:
    axis = axis_named(REFERENCE)
    newest = releases(axis.name, since=axis.since)[-1]
    place = make_place(axis, newest, work / "environments")
    # Without it there are fewer ratios, and no fewer times.
    return None if isinstance(place, Gap) else place


def _tell_place(log: RunLog, version: str, place: Made, folder: Path) -> None:
    if version in told(log, "place"):
        return
    with FollowingWorker(place.python, folder) as worker:
        environment = worker.ask(do="environment")["environment"]
    environment["packages"] = [list(pair) for pair in place.packages]
    log.add("place", release=version, python=place.python_version, pins=list(place.pins), environment=environment)
