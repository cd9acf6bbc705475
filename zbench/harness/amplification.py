"""The amplification study: requests of real reads, counted in every environment and held against the formula."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from zbench.datasets import card
from zbench.errors import ResultsError
from zbench.harness.environments import environments
from zbench.harness.status import Status
from zbench.model import ArrayLayout
from zbench.report.amplification import AMPLIFICATION_PATTERNS, Reading, amplification_page
from zbench.results import write_atomically
from zbench.runner import RunLog, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["AmplificationPlan", "amplification"]

_CHAIN = "blosc-lz4-5-shuffle"


@dataclass(frozen=True, kw_only=True, slots=True)
class AmplificationPlan:
    """What is to be counted.

    Attributes
    ----------
    dataset
        Name of the volume.
    chunks
        Chunk shapes, as a layout writes them.
    engines
        Engines of the newest environment; in the others zarr-python alone is counted.
    """

    dataset: str = "cryoet-phantom-portal"
    chunks: tuple[str, ...] = (
        "256",
        "128",
        "96",
        "64",
        "32",
        "16",
        "16x128x128",
        "16x64x64",
        "92x126x126",
        "46x90x90",
        "1x630x630",
    )
    engines: tuple[str, ...] = ("zarr-python", "zarr-python-fused", "zarrs", "tensorstore")


def amplification(
    output: Path,
    work: Path,
    *,
    repository: Path,
    plan: AmplificationPlan,
    report: Callable[[Status], None],
) -> tuple[Path, ...]:
    """Count what is missing, and write the page.

    Parameters
    ----------
    output
        Folder for ``amplification.md``.
    work
        Folder for the record, the environments and the stores.
    repository
        Folder with ``asv.conf.json``.
    plan
        What to count.
    report
        Told after every step.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    ResultsError
        If an environment cannot be made, a worker dies, a cell cannot be stored, or the record is another study's.
    """
    work = work.resolve()
    commit, pythons = environments(repository, work)
    columns = list(_columns(pythons, plan.engines))
    head = {"study": "amplification", "dataset": plan.dataset, "chunks": list(plan.chunks), "columns": columns}
    log = RunLog(work / "run.jsonl", head=head)
    shutil.rmtree(work / "stores", ignore_errors=True)
    total = len(columns) * len(plan.chunks)
    for number, (environment, engine, zarr_format) in enumerate(columns):
        folder = work / "stores" / environment
        folder.mkdir(parents=True, exist_ok=True)
        with WorkerProcess(pythons[environment], folder) as worker:
            for place, chunks in enumerate(plan.chunks, start=number * len(plan.chunks) + 1):
                spec = (plan.dataset, engine, f"v{zarr_format}-c{chunks}", _CHAIN)
                _count_cell(worker, log, environment, spec, folder)
                note = f"{engine} {spec[2]}, commit {commit[:8]}"
                report(Status(stage="count", what=environment, done=place, total=total, note=note))
    shutil.rmtree(work / "stores", ignore_errors=True)
    return _write(output, log, plan)


def _columns(pythons: dict[str, Path], engines: tuple[str, ...]) -> Iterator[tuple[str, str, int]]:
    """List environment, engine and format: zarr-python in every release, the others in the newest."""
    newest = list(pythons)[-1]
    for name in pythons:
        for engine in engines if name == newest else ("zarr-python",):
            yield name, engine, 2 if "zarr2" in name else 3


def _count_cell(
    worker: WorkerProcess, log: RunLog, environment: str, spec: tuple[str, str, str, str], folder: Path
) -> None:
    known = {(entry["cell"], entry["pattern"]) for entry in log.of("touched")}
    key = f"{environment}|{'|'.join(spec)}"
    missing = [pattern for pattern in AMPLIFICATION_PATTERNS if (key, pattern) not in known]
    if not missing:
        return
    stored = worker.ask(do="store", spec=spec, volume_size=None)
    if "cell" not in stored:
        msg = f"Requests are counted of stored cells: {key} is not one. {stored['error']}: {stored['message']}"
        raise ResultsError(msg)
    versions = worker.ask(do="versions", engine=spec[1])["versions"]
    for pattern in missing:
        answer = worker.ask(do="touched", spec=spec, cell=stored["cell"], operation=pattern)
        log.add("touched", cell=key, pattern=pattern, versions=versions, operations=answer["operations"])
    # The volumes are large, and none is looked at twice.
    for path in folder.iterdir():
        shutil.rmtree(path)


def _write(output: Path, log: RunLog, plan: AmplificationPlan) -> tuple[Path, ...]:
    found = card(plan.dataset)
    page = amplification_page(
        (_reading(entry) for entry in log.of("touched")),
        shape=found.shape,
        itemsize=found.logical_bytes // prod(found.shape),
        dataset=found.name,
        command="make amplification",
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
    )
    path = output.resolve() / "amplification.md"
    write_atomically(path, page)
    return (path,)


def _reading(entry: dict[str, Any]) -> Reading:
    _, _, engine, layout, _ = entry["cell"].rsplit("|", 4)
    versions = entry["versions"]
    package = "zarr" if engine.startswith("zarr-python") else engine
    return Reading(
        engine=f"{engine} {versions[package]}, format {layout[1]}",
        chunks=ArrayLayout.parse(layout).chunks,
        pattern=entry["pattern"],
        operations=tuple(tuple(operation) for operation in entry["operations"]),
    )
