"""The run: each cell stored and counted once, then rounds of fresh processes with the tasks in random order."""

from __future__ import annotations

import random
import shutil
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.runner.following import FollowingWorker
from zbench.runner.plan import WRITE, Task, operations_of, tasks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zbench.grid import CellSpec, Preset
    from zbench.runner.log import RunLog

__all__ = ["Place", "Progress", "Session"]

# More samples of one process add little: the process is the unit.
_SECONDS_A_TASK = 0.06
# What may be there when the run goes on; as a refusal it would stay in the record.
_NOT_OF_THE_CELL = ("DataError", "UnknownNameError")


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    stage
        ``store`` or ``sample``.
    dataset
        The volume.
    done, total
        Steps of this stage for this volume.
    note
        What was done last.
    """

    stage: str
    dataset: str
    done: int
    total: int
    note: str


@dataclass(frozen=True, slots=True)
class Place:
    """An environment to measure in.

    Attributes
    ----------
    python
        Its interpreter; zbench is installed in it.
    engines
        Engines of the preset that are measured in it: one that does not depend on what the environments differ in
        needs measuring in one of them only.
    """

    python: Path
    engines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Session:
    """A preset to be measured in several environments; what the log already holds is not measured again.

    In each round every environment has one fresh process, and all tasks come in one random order across the
    environments, so that a drift of the machine falls on all alike. A round gives one value a task: the median of its
    samples.

    Attributes
    ----------
    preset
        The grid.
    environments
        Name of each environment, with its interpreter and the engines that are measured in it.
    log
        Where everything is recorded.
    folder
        For stores; what is made in it is removed as soon as it is no longer needed.
    rounds
        Number of rounds.
    volume_size
        Keep at most so many voxels an axis of each volume, from the middle.
    seed
        Of the order of the tasks.
    report
        Told after every step.
    """

    preset: Preset
    environments: Mapping[str, Place]
    log: RunLog
    folder: Path
    rounds: int
    volume_size: int | None = None
    seed: int = 0
    report: Callable[[Progress], None]

    def run(self) -> None:
        """Measure what is missing.

        Raises
        ------
        ResultsError
            If a worker dies, or there is no such volume or engine; the log is kept, and running again goes on from it.
        """
        for number, dataset in enumerate(self.preset.datasets):
            if not self._missing(dataset):
                continue
            # A dataset may be the path of a user's own folder, which must not be what is emptied here.
            work = self.folder / f"{number}-{Path(dataset).name}"
            shutil.rmtree(work, ignore_errors=True)
            for name in self.environments:
                (work / name).mkdir(parents=True)
            try:
                cells = self._store(dataset, work)
                for place in range(self.rounds):
                    self._round(dataset, place, cells, work)
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def _missing(self, dataset: str) -> bool:
        refused = {entry["cell"] for entry in self.log.of("refused")}
        return any(
            _cell_key(task) not in refused for place in range(self.rounds) for task in self._unsampled(dataset, place)
        )

    def _unsampled(self, dataset: str, place: int) -> list[Task]:
        sampled = {entry["task"] for entry in self.log.of("samples") if entry["round"] == place}
        engines = {name: environment.engines for name, environment in self.environments.items()}
        tasks = tasks_of(self.preset, dataset, engines)
        return [task for task in tasks if task.key not in sampled]

    def _store(self, dataset: str, work: Path) -> dict[str, dict[str, Any]]:
        """Store and count every cell; one that is refused or wrong is recorded as such and gets no time."""
        cells: dict[str, dict[str, Any]] = {}
        specs = {
            name: [cell for cell in self.preset.cells() if cell.dataset == dataset and cell.engine in place.engines]
            for name, place in self.environments.items()
        }
        told = {entry["name"] for entry in self.log.of("environment")}
        known = {entry["cell"] for kind in ("stored", "refused") for entry in self.log.of(kind)}
        done, total = 0, sum(map(len, specs.values()))
        for name, environment in self.environments.items():
            with FollowingWorker(environment.python, work / name) as worker:
                if name not in told:
                    self.log.add("environment", name=name, **worker.ask(do="environment"))
                for spec in specs[name]:
                    key = f"{name}|{spec.text}"
                    cells |= self._store_one(worker, key, spec, new=key not in known)
                    done += 1
                    self.report(Progress(stage="store", dataset=dataset, done=done, total=total, note=spec.text))
        return cells

    def _store_one(self, worker: FollowingWorker, key: str, spec: CellSpec, *, new: bool) -> dict[str, dict[str, Any]]:
        answer = worker.ask(do="store", spec=astuple(spec), volume_size=self.volume_size)
        if "cell" not in answer:
            if answer["error"] in _NOT_OF_THE_CELL:
                msg = f"A run needs every volume and engine of its preset: {spec.text!r} lacks one. {answer['message']}"
                raise ResultsError(msg)
            if new:
                self.log.add("refused", cell=key, error=answer["error"], message=answer["message"])
            return {}
        if new:
            counts = dict(self._counted(worker, spec, answer["cell"]))
            self.log.add("stored", cell=key, fields=answer["cell"], counts=counts)
        return {key: answer["cell"]}

    def _counted(self, worker: FollowingWorker, spec: CellSpec, cell: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for operation in operations_of(self.preset, spec):
            if operation != WRITE:
                answer = worker.ask(do="count", spec=astuple(spec), cell=cell, operation=operation)
                if "counts" in answer:
                    yield operation, answer["counts"]

    def _round(self, dataset: str, place: int, cells: dict[str, dict[str, Any]], work: Path) -> None:
        order = [task for task in self._unsampled(dataset, place) if _cell_key(task) in cells]
        random.Random(f"{self.seed}/{dataset}/{place}").shuffle(order)  # noqa: S311 - an order, not a secret
        with ExitStack() as stack:
            workers = {
                name: stack.enter_context(FollowingWorker(environment.python, work / name))
                for name, environment in self.environments.items()
            }
            for done, task in enumerate(order, start=1):
                answer = workers[task.environment].ask(
                    do="sample",
                    spec=astuple(task.cell),
                    cell=cells[_cell_key(task)],
                    operation=task.operation,
                    volume_size=self.volume_size,
                    seconds=_SECONDS_A_TASK,
                )
                self.log.add("samples", task=task.key, round=place, **answer)
                note = f"round {place + 1} of {self.rounds}"
                self.report(Progress(stage="sample", dataset=dataset, done=done, total=len(order), note=note))


def _cell_key(task: Task) -> str:
    return f"{task.environment}|{task.cell.text}"
