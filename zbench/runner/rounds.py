"""Releases of a library timed against each other: rounds of one fresh process of each, all tasks in random order."""

from __future__ import annotations

import random
import shutil
import time
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.runner.following import FollowingWorker
from zbench.runner.plan import WRITE
from zbench.runner.session import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from zbench.grid import CellSpec
    from zbench.runner.log import RunLog

__all__ = ["ReleaseRounds", "Timed"]

# More samples of one process add little: the process is the unit.
_SECONDS_A_TASK = 0.06
_TIMEOUT_S = 120.0
# Lies beside the stores when all of them are there.
_WHOLE = "whole"
# What may be there when the run goes on; as a refusal it would stay in the record.
_NOT_OF_THE_CELL = ("DataError", "DiskFull", "UnknownNameError")


@dataclass(frozen=True, slots=True)
class Timed:
    """A release that is timed.

    Attributes
    ----------
    python
        Interpreter of its environment.
    cells
        What it stores, with the operations that are timed of each.
    """

    python: Path
    cells: tuple[tuple[CellSpec, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Task:
    release: str
    cell: CellSpec
    operation: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.release, self.cell.text, self.operation


@dataclass(frozen=True, kw_only=True)
class ReleaseRounds:
    """Cells that many releases store and that are timed in turn; what the record holds is not measured again.

    A release never has the machine to itself: in each round every release has one fresh process, and all tasks come in
    one random order across the releases, so that a drift of the machine falls on all alike. A round gives one value a
    task, the median of its samples.

    Attributes
    ----------
    releases
        What is timed, by release.
    volume
        The ``.npy`` file with the voxels.
    log
        Where everything is recorded.
    folder
        For stores; they stay until all is measured, so that a run that goes on need not make them again.
    rounds
        Number of rounds.
    budget_s
        Seconds after which no further task is begun; running again goes on.
    memory_rounds
        How often the peak memory of each operation in `memory_of` is found, each time in a fresh process for each cell.
    memory_of
        Cells and operations, by the text of the cell and the operation.
    seed
        Of the order of the tasks.
    report
        Told after every step.
    clock
        Seconds that never go back.
    """

    releases: Mapping[str, Timed]
    volume: Path
    log: RunLog
    folder: Path
    rounds: int
    budget_s: float
    memory_rounds: int = 0
    memory_of: tuple[tuple[str, str], ...] = ()
    seed: int = 0
    report: Callable[[Progress], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic

    def run(self) -> bool:
        """Measure what is missing.

        Returns
        -------
        bool
            Whether nothing is missing any more; false if the budget ended before.

        Raises
        ------
        ResultsError
            If a worker dies, or this machine lacks the volume or the room; the record is kept.
        """
        end = self.clock() + self.budget_s
        if not (self._untimed() or self._unseen()):
            return True
        cells = self._kept()
        if not cells:
            shutil.rmtree(self.folder, ignore_errors=True)
            cells = self._store()
            (self.folder / _WHOLE).touch()
        for place in range(self.rounds):
            self._round(place, cells, end)
        for place in range(self.memory_rounds):
            self._memory(place, cells, end)
        is_whole = not (self._untimed() or self._unseen())
        if is_whole:
            shutil.rmtree(self.folder, ignore_errors=True)
        return is_whole

    def _kept(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Look for the cells of a run that was ended after it had stored all of them."""
        if not (self.folder / _WHOLE).is_file():
            return {}
        kept = {(entry["release"], entry["cell"]): entry["fields"] for entry in self.log.of("stored")}
        known = {*kept, *((entry["release"], entry["cell"]) for entry in self.log.of("refused"))}
        wanted = {(release, cell.text) for release, timed in self.releases.items() for cell, _ in timed.cells}
        return kept if wanted <= known else {}

    def _tasks(self) -> Iterator[_Task]:
        for release, timed in self.releases.items():
            for cell, operations in timed.cells:
                for operation in operations:
                    yield _Task(release, cell, operation)

    def _missing(self, kind: str, place: int, tasks: list[_Task]) -> list[_Task]:
        lost = {(entry["release"], entry["cell"]) for entry in self.log.of("refused")}
        failed = {_key(entry) for entry in self.log.of("failed")}
        known = {_key(entry) for entry in self.log.of(kind) if entry["round"] == place}
        return [
            task
            for task in tasks
            if (task.release, task.cell.text) not in lost and task.key not in failed and task.key not in known
        ]

    def _untimed(self) -> bool:
        tasks = list(self._tasks())
        return any(self._missing("samples", place, tasks) for place in range(self.rounds))

    def _memory_tasks(self) -> list[_Task]:
        return [task for task in self._tasks() if (task.cell.text, task.operation) in self.memory_of]

    def _unseen(self) -> bool:
        tasks = self._memory_tasks()
        return any(self._missing("peak", place, tasks) for place in range(self.memory_rounds))

    def _store(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Store and count every cell; one that is refused or wrong is recorded as such and gets no time."""
        cells: dict[tuple[str, str], dict[str, Any]] = {}
        known = {(entry["release"], entry["cell"]) for kind in ("stored", "refused") for entry in self.log.of(kind)}
        lost = {(entry["release"], entry["cell"]) for entry in self.log.of("refused")}
        done, total = 0, sum(len(timed.cells) for timed in self.releases.values())
        for release, timed in self.releases.items():
            (self.folder / release).mkdir(parents=True)
            with FollowingWorker(timed.python, self.folder / release, timeout_s=_TIMEOUT_S) as worker:
                for cell, operations in timed.cells:
                    done += 1
                    key = (release, cell.text)
                    if key in lost:
                        continue
                    answer = worker.ask(do="store", spec=astuple(cell), volume=str(self.volume))
                    if "cell" in answer:
                        cells[key] = answer["cell"]
                    if key not in known:
                        self._record(worker, key, cell, operations, answer)
                    self._tell("store", done, total, f"{release} {cell.layout} {cell.chain}")
        return cells

    def _record(
        self,
        worker: FollowingWorker,
        key: tuple[str, str],
        cell: CellSpec,
        operations: tuple[str, ...],
        answer: dict[str, Any],
    ) -> None:
        release, text = key
        if "cell" not in answer:
            self._check(answer)
            self.log.add("refused", release=release, cell=text, error=answer["error"], message=answer["message"])
            return
        counts = {}
        for operation in operations:
            if operation != WRITE:
                counted = worker.ask(do="count", spec=astuple(cell), cell=answer["cell"], operation=operation)
                if "counts" in counted:
                    counts[operation] = counted["counts"]
        self.log.add("stored", release=release, cell=text, fields=answer["cell"], counts=counts)

    def _round(self, place: int, cells: dict[tuple[str, str], dict[str, Any]], end: float) -> None:
        order = [one for one in self._missing("samples", place, list(self._tasks())) if one.key[:2] in cells]
        if not order or self.clock() >= end:
            return
        random.Random(f"{self.seed}/{place}").shuffle(order)  # noqa: S311 - an order, not a secret
        with ExitStack() as stack:
            workers = {
                release: stack.enter_context(
                    FollowingWorker(self.releases[release].python, self.folder / release, timeout_s=_TIMEOUT_S)
                )
                for release in dict.fromkeys(task.release for task in order)
            }
            for done, task in enumerate(order, start=1):
                if self.clock() >= end:
                    return
                answer = workers[task.release].ask(
                    do="sample",
                    spec=astuple(task.cell),
                    cell=cells[task.key[:2]],
                    operation=task.operation,
                    volume=str(self.volume),
                    seconds=_SECONDS_A_TASK,
                )
                self._keep("samples", place, task, answer)
                self._tell("sample", done, len(order), f"round {place + 1} of {self.rounds}")

    def _memory(self, place: int, cells: dict[tuple[str, str], dict[str, Any]], end: float) -> None:
        order = [one for one in self._missing("peak", place, self._memory_tasks()) if one.key[:2] in cells]
        together: dict[tuple[str, str], list[_Task]] = {}
        for task in order:
            together.setdefault(task.key[:2], []).append(task)
        groups = list(together.values())
        random.Random(f"{self.seed}/memory/{place}").shuffle(groups)  # noqa: S311 - an order, not a secret
        for done, tasks in enumerate(groups, start=1):
            if self.clock() >= end:
                return
            # A process that has done other things keeps memory of theirs, and would seem to need less.
            release = tasks[0].release
            with FollowingWorker(self.releases[release].python, self.folder / release, timeout_s=_TIMEOUT_S) as worker:
                for task in tasks:
                    self._keep("peak", place, task, self._peak(worker, task, cells[task.key[:2]]))
            self._tell("memory", done, len(groups), f"round {place + 1} of {self.memory_rounds}")

    def _peak(self, worker: FollowingWorker, task: _Task, cell: dict[str, Any]) -> dict[str, Any]:
        answer = worker.ask(
            do="deep",
            spec=astuple(task.cell),
            cell=cell,
            operation=task.operation,
            volume=str(self.volume),
            cache_state="warm",
            seconds=0.0,
            peak=True,
        )
        if "peak" not in answer:
            return answer
        peak = answer["peak"]
        return {"peak_bytes": peak["peak_bytes"], "added_bytes": peak["peak_bytes"] - peak["before_bytes"]}

    def _keep(self, kind: str, place: int, task: _Task, answer: dict[str, Any]) -> None:
        named = {"release": task.release, "cell": task.cell.text, "operation": task.operation}
        if "error" in answer:
            self._check(answer)
            self.log.add("failed", **named, error=answer["error"], message=answer["message"])
        else:
            self.log.add(kind, **named, round=place, **answer)

    def _check(self, answer: dict[str, Any]) -> None:
        if answer["error"] in _NOT_OF_THE_CELL:
            msg = f"A run needs its volume and room on the disk: {answer['message']} Mend it and run again."
            raise ResultsError(msg)

    def _tell(self, stage: str, done: int, total: int, note: str) -> None:
        self.report(Progress(stage=stage, dataset=self.volume.stem, done=done, total=total, note=note))


def _key(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return entry["release"], entry["cell"], entry["operation"]
