"""The run: find the volume, measure how it can be stored, write what was found."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.environment import environment
from zbench.errors import ResultsError
from zbench.harness.cryoet.findings import Best, remarks_of, wrong_of
from zbench.harness.cryoet.folder import opened, record_of, room_told
from zbench.harness.cryoet.outputs import Made, write_outputs
from zbench.harness.cryoet.record import is_wrong
from zbench.harness.cryoet.request import options_of
from zbench.harness.cryoet.selection import CACHE_STATES, select
from zbench.harness.cryoet.source import find_volume, refuse_too_large
from zbench.model import voxel_digest
from zbench.results import environment_id
from zbench.runner.campaign import INSTRUCTIONS, Campaign, Limits
from zbench.runner.ledger import Ledger
from zbench.units import MIB, format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbench.harness.cryoet.crop import Crop, Download
    from zbench.harness.cryoet.request import CryoetRequest
    from zbench.harness.cryoet.selection import Selected
    from zbench.model import Environment, Volume
    from zbench.runner.standing import Standing

__all__ = ["CryoetStatus", "Finished", "Listener", "Prepared", "cryoet", "disk_room", "prepare"]

# For the table, the report and what else is written while the stores are there.
_SPARE_BYTES = 32 * MIB
# Share of the budget in which rounds begin.
_MEASURING = 0.95


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

    approve: Callable[[Download], bool] = lambda _: True
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
        room = disk_room(
            work, least_bytes=prepared.least_disk_bytes, most_bytes=request.max_disk_bytes, output=request.output
        )
        begin = time.monotonic()
        volume, path = prepared.crop.keep(work, listener.approve, listener.volume)
        # Asked for ten minutes, it takes ten: to read the volume and to write the report are part of it.
        measuring_s = request.seconds * _MEASURING - (time.monotonic() - begin)
        limits = Limits(budget_s=max(measuring_s, 0.0), disk_bytes=room)
        digest, facts = voxel_digest(np.asarray(volume.array)), environment(work)
        log = record_of(request.output, _head(prepared, volume, digest, facts))
        ledger = Ledger(log)
        if not ledger.has("begun"):
            ledger.add("begun", at=datetime.now(UTC).isoformat(timespec="seconds"))
        best = Best(ledger, volume.nbytes)
        campaign = Campaign(
            volumes={volume.name: path.resolve()},
            plans=prepared.selected.plans,
            cache_states=prepared.cache_states,
            ledger=ledger,
            folder=work,
            limits=limits,
            report=lambda standing: listener.step(
                CryoetStatus(standing=standing, smallest=best.smallest(), fastest=best.fastest())
            ),
            probes=(INSTRUCTIONS,) if request.selection.instructions else (),
        )
        listener.ready(prepared)
        campaign.run()
        undecided = campaign.undecided()
        ledger.add("ended", undecided=[task.key for task in undecided])
        wrong = wrong_of(ledger)
        times = [task for plan in campaign.plans for task in campaign.tasks(plan) if ledger.is_possible(task)]
        remarks = (*prepared.notes, *remarks_of(campaign, undecided, len(times), wrong, budget_s=request.seconds))
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


def disk_room(work: Path, *, least_bytes: int, most_bytes: int, output: Path) -> int:
    """Keep batches within what is free, too, and refuse before anything is stored if not even one cell fits.

    Parameters
    ----------
    work
        Folder for what is needed meanwhile.
    least_bytes
        What a run takes at least.
    most_bytes
        What it may take.
    output
        The folder as the user named it.

    Returns
    -------
    int
        Bytes that it may take in fact.

    Raises
    ------
    ResultsError
        If there is less room than it takes.
    """
    free = shutil.disk_usage(work).free
    spare = min(_SPARE_BYTES, least_bytes)
    if free < least_bytes + spare:
        msg = (
            f"A run needs room for the crop, one stored cell, one that is being written and the results: "
            f"{format_bytes(least_bytes + spare)} beside {str(output)!r}, which has {format_bytes(free)} free. Free "
            "some, take a smaller --volume-size, or another --output-dir."
        )
        raise ResultsError(msg)
    return min(most_bytes, free - spare)


def _head(prepared: Prepared, volume: Volume, digest: str, facts: Environment) -> dict[str, Any]:
    return {
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
