"""What a run over sizes leaves: the laws, the page with its figures, the numbers for programs, the table."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import zbench
from zbench.grid import CellSpec
from zbench.harness.cryoet.outputs import commit_of
from zbench.harness.cryoet.record import RunIdentity, campaign_table
from zbench.harness.cryoet.selection import fitted_layout
from zbench.layouts import resolve_layout
from zbench.report.scale import MEMORY, OBJECTS, STORED, TIME, Growth, Scaled, SizePoint, scale_document
from zbench.report.scale_figure import draw_growth
from zbench.report.volume.drawing import SETTINGS, save
from zbench.report.volume.evidence import Configuration
from zbench.report.volume.markdown import markdown
from zbench.results import (
    engine_package,
    environment_fields,
    environment_id,
    merged,
    write_atomically,
    write_tables,
)
from zbench.runner import WRITE
from zbench.runner.campaign import MEMORY as MEMORY_PROBE
from zbench.runner.ledger import PRECISION, Timing
from zbench.stats import Interval
from zbench.stats.scaling import FEWEST_SIZES, fit_power_law

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zbench.harness.cryoet.crop import Crop
    from zbench.model import Environment, Volume
    from zbench.report.volume.blocks import Picture
    from zbench.results import Table
    from zbench.runner.campaign import Campaign

__all__ = ["MadeScale", "growths_of", "write_scale"]

_NANOSECONDS = 1e9
_SCHEMA = 1
_UNITS = {TIME: "s", MEMORY: "bytes", OBJECTS: "objects", STORED: "bytes"}


@dataclass(frozen=True, kw_only=True)
class MadeScale:
    """A run over sizes that has ended.

    Attributes
    ----------
    output
        Folder for the results.
    sizes
        Edges of the cubes, rising.
    to
        Edge that is extrapolated to.
    layouts
        As the preset writes them, with the sizes that they were measured at.
    datasets
        What the cube of each size is called in the record.
    crop
        The largest cube.
    volume
        Its voxels.
    campaign
        With its record.
    environment
        What the times hold for.
    begun
        When the first session began, ISO 8601.
    command
        Arguments of ``zbench scale``.
    notes
        What was decided for the user, one sentence each.
    """

    output: Path
    sizes: tuple[int, ...]
    to: int
    layouts: dict[str, tuple[int, ...]]
    datasets: dict[int, str]
    crop: Crop
    volume: Volume
    campaign: Campaign
    environment: Environment
    begun: str
    command: list[str]
    notes: tuple[str, ...]


def write_scale(made: MadeScale) -> tuple[Scaled, dict[str, Any], tuple[Path, ...]]:
    """Fit the laws and write the files of a run, each whole or not at all.

    Parameters
    ----------
    made
        The run.

    Returns
    -------
    tuple
        What was found, the same as JSON can hold it, and what was written, the page first.

    Raises
    ------
    ResultsError
        If a file cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    found = Scaled(
        title=made.crop.title,
        dtype=made.volume.array.dtype.name,
        sizes=made.sizes,
        to=made.to,
        growths=tuple(growths_of(made)),
        remarks=(*made.notes, *_remarks(made)),
        command=shlex.join(["zbench", "scale", *made.command]),
        date=now,
        version=zbench.__version__,
    )
    commit = commit_of(Path(zbench.__file__).parents[1])
    told = _told(made, found, commit)
    pictures, figures = _figures(made.output, found)
    page, numbers = made.output / "report.md", made.output / "scale.json"
    write_atomically(page, markdown(scale_document(found, pictures)))
    write_atomically(numbers, json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return found, told, (page, numbers, *figures, *write_tables(made.output, _table(made, commit)))


def growths_of(made: MadeScale) -> Iterator[Growth]:
    """Fit the laws of a run.

    Parameters
    ----------
    made
        The run.

    Yields
    ------
    Growth
        For each configuration its times, memory, objects and stored bytes.
    """
    plans, ledger = {plan.spec: plan for plan in made.campaign.plans}, made.campaign.ledger
    cells = dict.fromkeys((plan.spec.engine, plan.spec.chain) for plan in made.campaign.plans)
    for layout, sizes in made.layouts.items():
        fitted = {size: fitted_layout(layout, (size,) * 3) for size in sizes}
        for name, chain in cells:
            specs = {size: CellSpec(made.datasets[size], name, fitted[size], chain) for size in sizes}
            stored = {size: spec for size, spec in specs.items() if spec.text in ledger.stored}
            if not stored:
                continue
            configuration = Configuration(_label(name, made.environment), layout, chain)
            asked = dict.fromkeys(operation for spec in stored.values() for operation in plans[spec].operations)
            for operation in asked:
                yield _time(made, configuration, operation, stored)
                yield _memory(made, configuration, operation, stored)
            yield _objects(made, configuration, stored)
            yield _stored(made, configuration, stored)


def _label(name: str, environment: Environment) -> str:
    return f"{name} {dict(environment.packages).get(engine_package(name), '')}".strip()


def _time(made: MadeScale, configuration: Configuration, operation: str, specs: Mapping[int, CellSpec]) -> Growth:
    ledger = made.campaign.ledger
    state = "warm" if operation == WRITE else made.campaign.cache_states[0]
    points, samples = [], []
    for size, spec in specs.items():
        task = Timing(spec, operation, state)
        values, interval = ledger.values(task), ledger.interval(task)
        if not values or not ledger.is_possible(task):
            continue
        low, high = (None, None) if interval is None else (interval.low / _NANOSECONDS, interval.high / _NANOSECONDS)
        middle = median(values) / _NANOSECONDS
        points.append(SizePoint(size=size, value=middle, low=low, high=high, processes=len(values)))
        samples.append([value / _NANOSECONDS for value in values])
    return _fitted(Growth(configuration=configuration, operation=operation, quantity=TIME, points=tuple(points)),
                   samples, made.to)  # fmt: skip


def _memory(made: MadeScale, configuration: Configuration, operation: str, specs: Mapping[int, CellSpec]) -> Growth:
    ledger, points = made.campaign.ledger, []
    for size, spec in specs.items():
        entry = ledger.probed(MEMORY_PROBE, Timing(spec, operation, "warm"))
        if entry is None or "found" not in entry:
            continue
        added = entry["found"]["peak_bytes"] - entry["found"]["before_bytes"]
        if operation == WRITE:
            # Its process held the voxels before it began to write them.
            added += ledger.stored[spec.text]["fields"]["logical_bytes"]
        points.append(SizePoint(size=size, value=added, processes=1))
    growth = Growth(configuration=configuration, operation=operation, quantity=MEMORY, points=tuple(points))
    return _fitted(growth, [[point.value] for point in points], made.to)


def _objects(made: MadeScale, configuration: Configuration, specs: Mapping[int, CellSpec]) -> Growth:
    fields = {size: made.campaign.ledger.stored[spec.text]["fields"] for size, spec in specs.items()}
    points = tuple(SizePoint(size=size, value=told["objects"]) for size, told in fields.items())
    growth = Growth(configuration=configuration, operation="", quantity=OBJECTS, points=points)
    # All but those of the voxels: metadata, as many at every size.
    rest = {point.value - _voxel_objects(configuration.layout, point.size) for point in points}
    if len(rest) > 1:
        return replace(growth, note="the number of metadata objects changes with the size")
    count = _voxel_objects(configuration.layout, made.to) + rest.pop()
    return replace(growth, ahead=Interval(count, count, count, len(points)))


def _voxel_objects(layout: str, size: int) -> int:
    edges = resolve_layout(layout, (size,) * 3).objects_shape
    return prod(-(-size // edge) for edge in edges)


def _stored(made: MadeScale, configuration: Configuration, specs: Mapping[int, CellSpec]) -> Growth:
    fields = {size: made.campaign.ledger.stored[spec.text]["fields"] for size, spec in specs.items()}
    points = tuple(SizePoint(size=size, value=told["stored_bytes"]) for size, told in fields.items())
    growth = Growth(configuration=configuration, operation="", quantity=STORED, points=points)
    return _fitted(growth, [[point.value] for point in points], made.to)


def _fitted(growth: Growth, samples: Sequence[Sequence[float]], to: int) -> Growth:
    points = growth.points
    if len(points) < FEWEST_SIZES:
        return replace(growth, note=f"{len(points)} sizes have a value, and a law needs {FEWEST_SIZES}")
    nothing = [point.size for point in points if point.value <= 0]
    if nothing:
        return replace(growth, note=f"nothing could be seen at size {', '.join(map(str, nothing))}")
    law = fit_power_law([point.size for point in points], samples)
    return replace(growth, law=law, ahead=law.at(to))


def _remarks(made: MadeScale) -> list[str]:
    campaign, remarks = made.campaign, []
    undecided = len(campaign.undecided())
    if undecided:
        times = sum(campaign.ledger.is_possible(task) for plan in campaign.plans for task in campaign.tasks(plan))
        remarks.append(
            f"{undecided} of {times} times are not known to within {100 * PRECISION:g} %. Run again with --resume and "
            "a larger --budget to narrow them."
        )
    if len(made.sizes) == FEWEST_SIZES:
        remarks.append("Three sizes leave one degree of freedom, so intervals are wide: one size more narrows them.")
    return remarks


def _figures(folder: Path, found: Scaled) -> tuple[list[Picture], list[Path]]:
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only drawing needs it

    pictures: list[Picture] = []
    paths: list[Path] = []
    with mpl.rc_context(SETTINGS):
        for quantity, name in ((TIME, "scale-time"), (MEMORY, "scale-memory")):
            drawn = draw_growth(found, quantity, name=name)
            if drawn is not None:
                pictures.append(drawn.picture)
                paths += save(drawn, folder)[1]
    return pictures, paths


def _table(made: MadeScale, commit: str) -> Table:
    """Write all numbers as the rows that other commands read; each size is a dataset of its own."""
    return merged(
        campaign_table(
            made.campaign,
            RunIdentity(
                run=made.begun,
                commit=commit,
                environment=made.environment,
                shape=(size,) * 3,
                dtype=made.volume.array.dtype.str,
            ),
            plans=[plan for plan in made.campaign.plans if plan.spec.dataset == name],
        )
        for size, name in made.datasets.items()
    )


def _told(made: MadeScale, found: Scaled, commit: str) -> dict[str, Any]:
    box = made.crop.box
    return {
        "schema": _SCHEMA,
        "zbench": found.version,
        "commit": commit,
        "begun": made.begun,
        "ended": found.date,
        "command": found.command,
        "environment_id": environment_id(made.environment),
        "environment": environment_fields(made.environment),
        "volume": {
            "name": made.crop.name,
            "title": found.title,
            "dtype": made.volume.array.dtype.str,
            "whole_shape": list(made.crop.whole),
            "box": {"start": list(box.start), "stop": list(box.stop)},
            "provenance": asdict(made.volume.provenance),
        },
        "sizes": list(found.sizes),
        "to": found.to,
        "remarks": list(found.remarks),
        "growths": [_growth(growth) for growth in found.growths],
    }


def _growth(growth: Growth) -> dict[str, Any]:
    law, ahead = growth.law, growth.ahead
    return {
        **growth.configuration._asdict(),
        "operation": growth.operation,
        "quantity": growth.quantity,
        "unit": _UNITS[growth.quantity],
        "points": [asdict(point) for point in growth.points],
        "law": None
        if law is None
        else {
            "factor": law.factor,
            "exponent": _interval(law.exponent),
            "residuals": list(law.residuals),
            "misfit_p": law.misfit_p,
            "confidence": law.confidence,
        },
        "at_to": None if ahead is None else _interval(ahead),
        "note": growth.note,
    }


def _interval(found: Interval) -> dict[str, float | None]:
    """Leave out ends beyond all numbers, which JSON cannot hold."""
    ends = {"estimate": found.estimate, "low": found.low, "high": found.high}
    return {name: value if math.isfinite(value) else None for name, value in ends.items()}
