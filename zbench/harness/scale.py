"""How storing a volume grows with its size: cubes of several edges, measured in one campaign, and their laws."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.environment import environment
from zbench.errors import LayoutError, PresetError, ResultsError
from zbench.harness.cryoet.crop import VolumeRequest, crop_box
from zbench.harness.cryoet.estimate import Estimate, estimate
from zbench.harness.cryoet.findings import wrong_of
from zbench.harness.cryoet.folder import opened, record_of, room_told
from zbench.harness.cryoet.request import CryoetRequest
from zbench.harness.cryoet.run import CryoetStatus, Prepared, disk_room
from zbench.harness.cryoet.selection import Selected, Selection, fitted_layout, is_uncut, select, selected_layouts
from zbench.harness.cryoet.source import find_volume, refuse_too_large
from zbench.harness.scale_outputs import MadeScale, write_scale
from zbench.model import Box, voxel_digest
from zbench.results import environment_id
from zbench.runner.campaign import MEMORY, Campaign, Limits
from zbench.runner.ledger import Ledger
from zbench.stats.scaling import FEWEST_SIZES
from zbench.units import GIB, format_bytes, format_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.harness.cryoet.crop import Crop
    from zbench.harness.cryoet.run import Listener
    from zbench.model import Environment, Volume
    from zbench.report.scale import Scaled

__all__ = ["PreparedScale", "ScaleFinished", "ScaleRequest", "prepare_scale", "scale"]

_STUDY = "scale"
# Extrapolated to so many times the largest edge, unless told.
_AHEAD = 4
# By rule of thumb: a process that imports, opens and executes.
_A_PROBE_S = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleRequest:
    """What is to be measured at which sizes, and where the results go.

    Attributes
    ----------
    volume
        Which volume; its size is not looked at.
    sizes
        Edges of the cubes in voxels.
    to
        Edge that is extrapolated to; ``None`` is four times the largest.
    selection
        Which cells and operations.
    output
        Folder for the results.
    budget_s
        Seconds after which no round but the first three of each time is begun.
    max_disk_bytes
        Most that may be on the disk at one time.
    resume
        Whether a run that was begun in the folder goes on.

    Raises
    ------
    PresetError
        If there are fewer than three sizes, or one is no size.
    """

    volume: VolumeRequest = field(default_factory=VolumeRequest)
    sizes: tuple[int, ...] = (64, 128, 256)
    to: int | None = None
    selection: Selection = field(default_factory=lambda: Selection(test_configs="scale"))
    output: Path = Path("results")
    budget_s: float = 600.0
    max_disk_bytes: int = 20 * GIB
    resume: bool = False

    def __post_init__(self) -> None:
        if len(set(self.sizes)) < FEWEST_SIZES:
            msg = (
                f"A law of growth needs at least {FEWEST_SIZES} different sizes: got "
                f"{', '.join(map(str, self.sizes)) or 'none'}. Give more, such as --sizes 64,128,256."
            )
            raise PresetError(msg)
        if min(*self.sizes, self.edge) < 1:
            msg = f"A size is a whole number of voxels an axis, at least 1: got {min(*self.sizes, self.edge)}."
            raise PresetError(msg)

    @property
    def edge(self) -> int:
        """Edge that is extrapolated to."""
        return _AHEAD * max(self.sizes) if self.to is None else self.to


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedScale:
    """A request of which is known what it means.

    Attributes
    ----------
    request
        What was asked for.
    crop
        The largest cube, not read yet.
    parts
        By size, rising: what would be done with a volume of that size alone.
    layouts
        Layouts as the preset writes them that fit at least three of the sizes uncut, with those sizes.
    notes
        What was decided for the user, one sentence each.
    """

    request: ScaleRequest
    crop: Crop
    parts: dict[int, Prepared]
    layouts: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]

    @property
    def least_disk_bytes(self) -> int:
        """All cubes, one stored cell and one that is being written."""
        plans = [plan for part in self.parts.values() for plan in part.selected.plans]
        cubes = sum(part.crop.logical_bytes for part in self.parts.values())
        return cubes + 2 * max(plan.most_bytes for plan in plans)

    def estimate(self) -> Estimate:
        """Estimate what a run will take; nothing is measured.

        Returns
        -------
        Estimate
            Of all sizes together, with a process for the memory of each operation.
        """
        found = [estimate(part) for part in self.parts.values()]
        operations = sum(len(plan.operations) for part in self.parts.values() for plan in part.selected.plans)
        least = sum(one.least_s for one in found) + operations * _A_PROBE_S
        return Estimate(
            cells=sum(one.cells for one in found),
            times=sum(one.times for one in found),
            least_s=least,
            most_s=max(least, self.request.budget_s + operations * _A_PROBE_S),
            disk_bytes=min(sum(one.disk_bytes for one in found), self.request.max_disk_bytes),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleFinished:
    """What came of a run.

    Attributes
    ----------
    found
        Laws and what they rest on.
    told
        The same as JSON can hold it.
    paths
        What was written, the page first.
    wrong
        Cells and times that failed, one sentence each.
    """

    found: Scaled
    told: dict[str, Any]
    paths: tuple[Path, ...]
    wrong: tuple[str, ...]


def prepare_scale(request: ScaleRequest) -> PreparedScale:
    """Find the volume and the cells of each size; nothing is written or read.

    Parameters
    ----------
    request
        What is asked for.

    Returns
    -------
    PreparedScale
        Ready to run.

    Raises
    ------
    LayoutError
        If a cube does not fit the volume.
    PresetError
        If no layout fits three of the sizes.
    ZbenchError
        If the volume cannot be had, or does not fit the memory or the room on the disk.
    """
    sizes = tuple(sorted(set(request.sizes)))
    crop = find_volume(replace(request.volume, volume_size=sizes[-1]))
    if set(crop.box.shape) != {sizes[-1]}:
        msg = (
            f"Sizes are edges of cubes within the volume: {sizes[-1]} does not fit {format_shape(crop.whole)} voxels "
            f"(z, y, x), of which the largest cube has {min(crop.whole)}. Give smaller --sizes."
        )
        raise LayoutError(msg)
    refuse_too_large(crop)
    layouts, notes = _layouts(request.selection, sizes)
    parts = {size: _part(request, crop, size, layouts) for size in sizes}
    told = dict.fromkeys(note for part in parts.values() for note in part.selected.notes)
    prepared = PreparedScale(
        request=request,
        crop=crop,
        parts={size: part for size, part in parts.items() if part.selected.plans},
        layouts=layouts,
        notes=(*crop.notes, *told, *notes),
    )
    if prepared.least_disk_bytes > request.max_disk_bytes:
        msg = (
            "--max-disk holds the cubes, one stored cell and one that is being written: that may take "
            f"{format_bytes(prepared.least_disk_bytes)}, --max-disk is {format_bytes(request.max_disk_bytes)}. Raise "
            "it, or give smaller --sizes."
        )
        raise ResultsError(msg)
    return prepared


def _layouts(selection: Selection, sizes: Sequence[int]) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Keep layouts that mean the same at three sizes at least: cut chunks would be another configuration."""
    found, notes = {}, []
    for text in selected_layouts(selection):
        fitting = tuple(size for size in sizes if is_uncut(text, (size,) * 3))
        if len(fitting) >= FEWEST_SIZES:
            found[text] = fitting
        if len(fitting) < len(sizes):
            left = ", ".join(str(size) for size in sizes if size not in fitting)
            what = "is measured without" if text in found else "is left out, for it would lose"
            notes.append(f"Layout {text} {what} size {left}: its chunks or shards are larger.")
    if not found:
        msg = (
            f"A layout is measured at sizes that its chunks and shards fit, at least {FEWEST_SIZES}: none of the "
            f"preset fits so many of {', '.join(map(str, sizes))}. Give larger --sizes, or smaller chunks."
        )
        raise PresetError(msg)
    return found, notes


def _part(request: ScaleRequest, crop: Crop, size: int, layouts: dict[str, tuple[int, ...]]) -> Prepared:
    shape = (size,) * 3
    name = f"{crop.name}-{size}"
    selected = select(request.selection, name, shape, crop.itemsize)
    wanted = {fitted_layout(text, shape) for text, fitting in layouts.items() if size in fitting}
    plans = tuple(plan for plan in selected.plans if plan.spec.layout in wanted)
    return Prepared(
        request=CryoetRequest(
            volume=replace(request.volume, volume_size=size),
            selection=request.selection,
            output=request.output,
            budget_s=request.budget_s,
            max_disk_bytes=request.max_disk_bytes,
        ),
        crop=replace(crop, name=name, box=_inner(crop.box, size)),
        selected=Selected(plans=plans, notes=selected.notes),
    )


def _inner(box: Box, size: int) -> Box:
    """Lay a smaller cube into the middle of a box."""
    inner = crop_box(box.shape, size, None)
    corner = box.start
    return Box(
        tuple(a + b for a, b in zip(corner, inner.start, strict=True)),
        tuple(a + b for a, b in zip(corner, inner.stop, strict=True)),
    )


def scale(prepared: PreparedScale, listener: Listener) -> ScaleFinished:
    """Measure what is missing at all sizes in one campaign, fit the laws, and write the results.

    Parameters
    ----------
    prepared
        What is to be done.
    listener
        Whom to ask and to tell.

    Returns
    -------
    ScaleFinished
        What came of it.

    Raises
    ------
    ZbenchError
        If the volume cannot be had, the folder is another run's, the disk is full, or no worker can be had; what was
        measured is kept.
    """
    request = prepared.request
    with opened(request.output, resume=request.resume, study=_STUDY) as work, room_told(request.output):
        room = disk_room(
            work, least_bytes=prepared.least_disk_bytes, most_bytes=request.max_disk_bytes, output=request.output
        )
        volume, path = prepared.crop.keep(work, listener.approve, listener.volume)
        volumes = _cubes(prepared, path, work)
        facts = environment(work)
        log = record_of(request.output, _head(prepared, volume, facts))
        ledger = Ledger(log)
        if not ledger.has("begun"):
            ledger.add("begun", at=datetime.now(UTC).isoformat(timespec="seconds"))
        campaign = Campaign(
            volumes={prepared.parts[size].crop.name: path for size, path in volumes.items()},
            plans=tuple(plan for part in prepared.parts.values() for plan in part.selected.plans),
            cache_states=next(iter(prepared.parts.values())).cache_states,
            ledger=ledger,
            folder=work,
            limits=Limits(budget_s=request.budget_s, disk_bytes=room),
            report=lambda standing: listener.step(CryoetStatus(standing=standing, smallest="", fastest="")),
            probes=(MEMORY,),
        )
        campaign.run()
        ledger.add("ended", undecided=[task.key for task in campaign.undecided()])
        made = MadeScale(
            output=request.output,
            sizes=tuple(prepared.parts),
            to=request.edge,
            layouts=prepared.layouts,
            datasets={size: part.crop.name for size, part in prepared.parts.items()},
            crop=prepared.crop,
            volume=volume,
            campaign=campaign,
            environment=facts,
            begun=next(log.of("begun"))["at"],
            command=scale_arguments(request),
            notes=prepared.notes,
        )
        found, told, paths = write_scale(made)
        return ScaleFinished(found=found, told=told, paths=paths, wrong=wrong_of(ledger))


def _cubes(prepared: PreparedScale, largest: Path, work: Path) -> dict[int, Path]:
    """Cut the smaller cubes out of the largest: they must be of the same voxels."""
    values = np.load(largest, mmap_mode="r")
    found: dict[int, Path] = {}
    for size in prepared.parts:
        if size == values.shape[0]:
            found[size] = largest.resolve()
            continue
        path = work / f"volume-{size}.npy"
        np.save(path, values[crop_box(values.shape, size, None).slices])
        found[size] = path.resolve()
    return found


def _head(prepared: PreparedScale, volume: Volume, facts: Environment) -> dict[str, Any]:
    request, plans = prepared.request, [plan for part in prepared.parts.values() for plan in part.selected.plans]
    options = asdict(request.selection) | {"sizes": list(prepared.parts)}
    return {
        "study": _STUDY,
        "options": {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()},
        "volume": {
            "name": volume.name,
            "digest": voxel_digest(np.asarray(volume.array)),
            "start": list(prepared.crop.box.start),
            "stop": list(prepared.crop.box.stop),
        },
        "environment": environment_id(facts),
        "packages": dict(facts.packages),
        "cells": [[plan.spec.text, list(plan.operations)] for plan in plans],
    }


def scale_arguments(request: ScaleRequest) -> list[str]:
    """Write a request as arguments of ``zbench scale``, the output folder left out.

    Parameters
    ----------
    request
        What was asked for.

    Returns
    -------
    list of str
        Every option that makes a difference, given or not.
    """
    told = asdict(replace(request.volume, volume_size=None)) | asdict(request.selection)
    told |= {"sizes": sorted(set(request.sizes)), "to": request.edge}
    source = told.pop("source")
    found = [] if source is None else [str(source)]
    for name, value in told.items():
        if value in (None, (), [], False):
            continue
        text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
        found += [f"--{name.replace('_', '-')}", text]
    return [*found, "--budget", f"{request.budget_s:g}s"]
