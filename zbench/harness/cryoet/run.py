"""The run: find the volume, measure how it can be stored, write what was found."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.environment import environment
from zbench.errors import ResultsError
from zbench.harness.cryoet.folder import RECORD, begun_head, opened, room_told
from zbench.harness.cryoet.outputs import Made, write_outputs
from zbench.harness.cryoet.record import is_wrong
from zbench.harness.cryoet.request import options_of
from zbench.harness.cryoet.selection import CACHE_STATES, select
from zbench.harness.cryoet.source import find_volume, refuse_too_large
from zbench.model import voxel_digest
from zbench.results import environment_id
from zbench.runner import RunLog
from zbench.runner.campaign import Campaign, Limits
from zbench.runner.ledger import MOST_ROUNDS, PRECISION, Ledger
from zbench.units import MIB, format_bytes, format_duration, gib_per_second

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbench.datasets.portal import Planned
    from zbench.harness.cryoet.crop import Crop
    from zbench.harness.cryoet.request import CryoetRequest
    from zbench.harness.cryoet.selection import Selected
    from zbench.model import Environment, Volume
    from zbench.runner.ledger import Timing
    from zbench.runner.standing import Standing

__all__ = ["CryoetStatus", "Finished", "Listener", "Prepared", "cryoet", "prepare"]

_WHOLE = "full_read"
# For the table, the report and what else is written while the stores are there.
_SPARE_BYTES = 32 * MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class CryoetStatus:
    """How far a run is, for whoever watches it.

    Attributes
    ----------
    standing
        Of the campaign.
    smallest
        The cell with the highest compression ratio so far, in words; empty before there is one.
    fastest
        The cell that was read whole the fastest so far, in words.
    """

    standing: Standing
    smallest: str
    fastest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """Whom a run asks and tells.

    Attributes
    ----------
    approve
        Asked before a download.
    volume
        Told the bytes of the crop that are there, and those that will be.
    ready
        Told when the voxels are there and measuring begins.
    step
        Told after every step of the campaign.
    """

    approve: Callable[[Planned], bool] = lambda _: True
    volume: Callable[[int, int], None] = lambda _done, _total: None
    ready: Callable[[Prepared], None] = lambda _: None
    step: Callable[[CryoetStatus], None] = lambda _: None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A request of which is known what it means.

    Attributes
    ----------
    request
        What was asked for.
    crop
        The voxels, not read yet.
    selected
        The cells.
    """

    request: CryoetRequest
    crop: Crop
    selected: Selected

    @property
    def cache_states(self) -> tuple[str, ...]:
        """In which cells are read."""
        return CACHE_STATES[self.request.selection.cache_state]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided for the user, one sentence each."""
        return (*self.crop.notes, *self.selected.notes)

    @property
    def least_disk_bytes(self) -> int:
        """The crop, one stored cell and one that is being written."""
        return self.crop.logical_bytes + 2 * max(plan.most_bytes for plan in self.selected.plans)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What came of a run.

    Attributes
    ----------
    paths
        What was written, the report first.
    wrong
        Cells and times that failed, one sentence each.
    refused
        Number of cells that their engine refused.
    undecided, times
        Times that are not known as well as they should be, and all.
    remarks
        Sentences about the run as a whole.
    smallest, fastest
        The best cells, in words.
    """

    paths: tuple[Path, ...]
    wrong: tuple[str, ...]
    refused: int
    undecided: int
    times: int
    remarks: tuple[str, ...]
    smallest: str
    fastest: str


def prepare(request: CryoetRequest) -> Prepared:
    """Find the volume and the cells; nothing is written, and the voxels are not read where the format allows.

    Parameters
    ----------
    request
        What is asked for.

    Returns
    -------
    Prepared
        Ready to run.

    Raises
    ------
    ZbenchError
        If it cannot be done: see `find_volume`, `select`; or the crop does not fit the memory or the room on the disk.
    """
    crop = find_volume(request.volume)
    refuse_too_large(crop)
    selected = select(request.selection, crop.name, crop.box.shape, crop.itemsize)
    prepared = Prepared(request=request, crop=crop, selected=selected)
    if prepared.least_disk_bytes > request.max_disk_bytes:
        msg = (
            f"--max-disk holds the crop, one stored cell and one that is being written: that may take "
            f"{format_bytes(prepared.least_disk_bytes)}, --max-disk is {format_bytes(request.max_disk_bytes)}. Raise "
            "it, or take a smaller --volume-size."
        )
        raise ResultsError(msg)
    return prepared


def cryoet(prepared: Prepared, listener: Listener) -> Finished:
    """Measure what is missing, within the limits, and write the results.

    Parameters
    ----------
    prepared
        What is to be done.
    listener
        Whom to ask and to tell.

    Returns
    -------
    Finished
        What came of it.

    Raises
    ------
    ZbenchError
        If the volume cannot be had, the folder is another run's, the disk is full, or no worker can be had; what was
        measured is kept.
    """
    request = prepared.request
    with opened(request.output, resume=request.resume) as work, room_told(request.output):
        limits = Limits(budget_s=request.seconds, disk_bytes=_room(prepared, work))
        volume, path = prepared.crop.keep(work, listener.approve, listener.volume)
        digest, facts = voxel_digest(np.asarray(volume.array)), environment(work)
        log = _log(prepared, volume, digest, facts)
        ledger = Ledger(log)
        if not ledger.has("begun"):
            ledger.add("begun", at=datetime.now(UTC).isoformat(timespec="seconds"))
        best = _Best(ledger, volume.nbytes)
        campaign = Campaign(
            volume=path.resolve(),
            plans=prepared.selected.plans,
            cache_states=prepared.cache_states,
            ledger=ledger,
            folder=work,
            limits=limits,
            report=lambda standing: listener.step(
                CryoetStatus(standing=standing, smallest=best.smallest(), fastest=best.fastest())
            ),
        )
        listener.ready(prepared)
        campaign.run()
        undecided = campaign.undecided()
        ledger.add("ended", undecided=[task.key for task in undecided])
        wrong = _wrong(ledger)
        times = [task for plan in campaign.plans for task in campaign.tasks(plan) if ledger.is_possible(task)]
        remarks = (*prepared.notes, *_remarks(campaign, undecided, len(times), wrong))
        made = Made(
            request=request, crop=prepared.crop, volume=volume, digest=digest, campaign=campaign, environment=facts,
            begun=next(log.of("begun"))["at"], remarks=remarks,
        )  # fmt: skip
        return Finished(
            paths=write_outputs(made),
            wrong=wrong,
            refused=sum(not is_wrong(entry) for entry in ledger.refused.values()),
            undecided=len(undecided),
            times=len(times),
            remarks=remarks,
            smallest=best.smallest(),
            fastest=best.fastest(),
        )


def _room(prepared: Prepared, work: Path) -> int:
    """Keep batches within what is free, too, and refuse before anything is stored if not even one cell fits."""
    free = shutil.disk_usage(work).free
    least = prepared.least_disk_bytes + min(_SPARE_BYTES, prepared.least_disk_bytes)
    if free < least:
        msg = (
            f"A run needs room for the crop, one stored cell, one that is being written and the results: "
            f"{format_bytes(least)} beside {str(prepared.request.output)!r}, which has {format_bytes(free)} free. Free "
            "some, take a smaller --volume-size, or another --output-dir."
        )
        raise ResultsError(msg)
    return min(prepared.request.max_disk_bytes, free - min(_SPARE_BYTES, prepared.least_disk_bytes))


def _log(prepared: Prepared, volume: Volume, digest: str, facts: Environment) -> RunLog:
    """Open the record; one that was begun with another volume, grid or environment is refused with what differs."""
    output = prepared.request.output
    head: dict[str, Any] = {
        "study": "cryoet",
        "options": options_of(prepared.request),
        "volume": {
            "name": volume.name,
            "digest": digest,
            "start": list(prepared.crop.box.start),
            "stop": list(prepared.crop.box.stop),
        },
        "environment": environment_id(facts),
        "packages": dict(facts.packages),
        "cells": [[plan.spec.text, list(plan.operations)] for plan in prepared.selected.plans],
    }
    begun = begun_head(output)
    differing = [name for name in head if begun is not None and begun.get(name) != head[name]]
    if differing:
        msg = (
            f"A run goes on only as it began, or its numbers could not be compared: in {str(output)!r} another "
            f"{' and another '.join(differing)} is recorded. Bring it back as it was, or give another --output-dir."
        )
        raise ResultsError(msg)
    return RunLog(output / RECORD, head=head)


def _wrong(ledger: Ledger) -> tuple[str, ...]:
    cells = [f"{cell}: {entry['message']}" for cell, entry in ledger.refused.items() if is_wrong(entry)]
    times = [f"{task}: {entry['message']}" for task, entry in ledger.failed.items() if is_wrong(entry)]
    counts = [
        f"{cell}|{operation}: {entry['message']}"
        for cell, stored in ledger.stored.items()
        for operation, entry in stored["uncounted"].items()
        if is_wrong(entry)
    ]
    return (*cells, *times, *counts)


def _remarks(campaign: Campaign, undecided: list[Timing], times: int, wrong: tuple[str, ...]) -> list[str]:
    remarks, within = [], f"known to within {100 * PRECISION:g} %"
    settled = sum(len(campaign.ledger.values(task)) >= MOST_ROUNDS for task in undecided)
    if settled < len(undecided):
        budget = format_duration(campaign.limits.budget_s * 1e9)
        remarks.append(
            f"The budget of {budget} ended before {len(undecided) - settled} of {times} times were {within}; their "
            "intervals are wider. Run again with --resume and a larger --budget to narrow them."
        )
    if settled:
        remarks.append(
            f"After {MOST_ROUNDS} processes {settled} of {times} times are not {within}: they vary too much here. "
            "Measure on a quieter machine."
        )
    reached = {
        (task.cache_state, entry["reached"])
        for plan in campaign.plans
        for task in campaign.tasks(plan)
        for entry in campaign.ledger.entries(task)
        if task.cache_state == "cold"
    }
    remarks += [f"Cold means here: {how}." for _, how in sorted(reached)]
    if wrong:
        remarks.append(f"{len(wrong)} cells or times failed, and have no number: {'; '.join(wrong[:3])}")
    return remarks


class _Best:
    """The best cells so far, in words."""

    def __init__(self, ledger: Ledger, logical_bytes: int) -> None:
        self._ledger, self._logical_bytes = ledger, logical_bytes

    def smallest(self) -> str:
        stored = self._ledger.stored
        if not stored:
            return ""
        cell = min(stored, key=lambda name: stored[name]["fields"]["stored_bytes"])
        fields = stored[cell]["fields"]
        return f"{fields['logical_bytes'] / fields['stored_bytes']:.3f}x {_words(cell)}"

    def fastest(self) -> str:
        times = self._ledger.medians(f"|{_WHOLE}|warm") or self._ledger.medians(f"|{_WHOLE}|cold")
        if not times:
            return ""
        task = min(times, key=lambda key: times[key])
        told, interval = self._speed(times[task]), self._ledger.interval_of(task)
        if interval is not None:
            told += f" [{self._speed(interval.high)}, {self._speed(interval.low)}]"
        return f"{told} GiB/s {_words(task.rsplit('|', 2)[0])}"

    def _speed(self, duration_ns: float) -> str:
        return f"{gib_per_second(self._logical_bytes, duration_ns):.2f}"


def _words(cell: str) -> str:
    _, engine, layout, chain = cell.split("|")
    return f"{engine} {layout}:{chain}"
