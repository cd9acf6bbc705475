"""A campaign on one volume: cells stored in batches that fit the disk, then rounds of fresh processes until known."""

from __future__ import annotations

import random
import shutil
import sys
import time
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.runner.disk import DISK_FULL, used_bytes
from zbench.runner.following import FollowingWorker
from zbench.runner.ledger import FEWEST_ROUNDS, Timing
from zbench.runner.plan import WRITE
from zbench.runner.standing import Pace, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from zbench.grid import CellSpec
    from zbench.runner.ledger import Ledger

__all__ = ["INSTRUCTIONS", "MEMORY", "Campaign", "CellPlan", "Limits"]

# Probes.
INSTRUCTIONS = "instructions"
MEMORY = "memory"

# More samples of one process add little: the process is the unit.
_SECONDS_A_TASK = 0.06
# What may be there when the run goes on; as a refusal it would stay in the record.
_NOT_OF_THE_CELL = ("DataError", "UnknownNameError")
_TIMEOUT_S = 3600.0
_STORES = "stores"


@dataclass(frozen=True, kw_only=True, slots=True)
class CellPlan:
    """A cell, what is to be done with it, and what it may take.

    Attributes
    ----------
    spec
        The cell, by name.
    operations
        `zbench.runner.WRITE` and names of access patterns.
    most_bytes
        On the disk, even if nothing can be compressed.
    """

    spec: CellSpec
    operations: tuple[str, ...]
    most_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far a campaign may go.

    Attributes
    ----------
    budget_s
        Seconds after which no round but the first three of a cell is begun.
    disk_bytes
        Most that volume, stores and what is being written may take on the disk at one time.
    """

    budget_s: float
    disk_bytes: int


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Cells to be stored and timed; what the record already holds is not measured again.

    Cells are stored in batches that fit the disk. In each round of a batch one fresh process takes one value a task,
    the median of its samples, the tasks in random order; rounds follow until each time is known well enough or the
    batch's share of the budget is spent. What a probe finds is found after that, in processes of their own.

    Attributes
    ----------
    volumes
        The ``.npy`` file with the voxels of each dataset that the cells name.
    plans
        The cells.
    cache_states
        In which the cells are read: ``warm``, ``cold`` or both.
    ledger
        Where everything is recorded.
    folder
        For stores; what is made in it is removed as soon as it is no longer needed.
    limits
        How far to go; probes are not bound by the budget.
    report
        Told after every step.
    probes
        What is found of each operation once, in a process of its own: names of `zbench.runner.worker`.
    python
        The interpreter that measures.
    seed
        Of the order of the tasks.
    """

    volumes: Mapping[str, Path]
    plans: tuple[CellPlan, ...]
    cache_states: tuple[str, ...]
    ledger: Ledger
    folder: Path
    limits: Limits
    report: Callable[[Standing], None] = lambda _: None
    probes: tuple[str, ...] = ()
    python: Path = Path(sys.executable)
    seed: int = 0
    _pace: Pace = field(default_factory=Pace, init=False)
    _sizes: dict[Path, int] = field(default_factory=dict, init=False)
    _began: float = field(default_factory=time.monotonic, init=False)

    def tasks(self, plan: CellPlan) -> list[Timing]:
        """List what is timed of a cell.

        Parameters
        ----------
        plan
            The cell.

        Returns
        -------
        list of Timing
            Writing, which knows no cache state but warm, and each access pattern in each cache state.
        """
        return [
            Timing(plan.spec, operation, state)
            for operation in plan.operations
            for state in (("warm",) if operation == WRITE else self.cache_states)
        ]

    def undecided(self) -> list[Timing]:
        """List the times that are not known as well as they should be.

        Returns
        -------
        list of Timing
            In the order of the cells.
        """
        return [
            task
            for plan in self.plans
            for task in self.tasks(plan)
            if self.ledger.is_possible(task) and not self.ledger.is_decided(task)
        ]

    def run(self) -> None:
        """Measure what is missing, within the limits.

        Raises
        ------
        ResultsError
            If the disk is full or no worker can be had; the record is kept, and running again goes on from it.
        """
        waiting = [plan for plan in self.plans if self._is_wanted(plan)]
        while waiting:
            work = self.folder / _STORES
            shutil.rmtree(work, ignore_errors=True)
            self._sizes.clear()
            work.mkdir(parents=True)
            try:
                batch = self._store(waiting, work)
                now, here = time.monotonic(), sum(len(self.tasks(plan)) for plan in batch)
                left = here + sum(len(self.tasks(plan)) for plan in waiting)
                end = self._began + self.limits.budget_s
                self._time(batch, waiting, work, deadline=now + (end - now) * here / max(left, 1))
                self._probe(batch, waiting, work)
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def _is_wanted(self, plan: CellPlan) -> bool:
        cell = plan.spec.text
        if cell in self.ledger.refused:
            return False
        if cell not in self.ledger.stored:
            return True
        return bool(self.ledger.open_tasks(self.tasks(plan)) or self._unprobed(plan))

    def _unprobed(self, plan: CellPlan) -> list[tuple[str, Timing]]:
        warm = (Timing(plan.spec, operation, "warm") for operation in plan.operations)
        return [
            (name, task)
            for task in warm
            for name in self.probes
            if self.ledger.is_possible(task) and self.ledger.probed(name, task) is None
        ]

    def _store(self, waiting: list[CellPlan], work: Path) -> list[CellPlan]:
        """Store cells as long as the next one fits whatever it takes, with one that is being written beside it."""
        batch: list[CellPlan] = []
        with _Worker(self.python, work) as worker:
            while waiting:
                largest = max(plan.most_bytes for plan in (*batch, waiting[0]))
                room = self.limits.disk_bytes - self._used_bytes()
                if batch and waiting[0].most_bytes + largest > room:
                    break
                plan = waiting.pop(0)
                begin = time.monotonic()
                if self._store_one(worker, plan):
                    batch.append(plan)
                self._pace.store(time.monotonic() - begin)
                spec = plan.spec
                self._tell("store", batch, waiting, f"{spec.engine} {spec.layout}:{spec.chain}")
        return batch

    def _store_one(self, worker: _Worker, plan: CellPlan) -> bool:
        cell = plan.spec.text
        answer = worker.ask(do="store", spec=astuple(plan.spec), volume=str(self.volumes[plan.spec.dataset]))
        if "cell" not in answer:
            _check(answer)
            self.ledger.add("refused", cell=cell, error=answer["error"], message=answer["message"])
            return False
        if cell not in self.ledger.stored:
            counted, uncounted = _counted(worker, plan, answer["cell"])
            self.ledger.add("stored", cell=cell, fields=answer["cell"], counts=counted, uncounted=uncounted)
        return True

    def _time(self, batch: list[CellPlan], waiting: list[CellPlan], work: Path, *, deadline: float) -> None:
        tasks = sorted(task for plan in batch for task in self.tasks(plan))
        while todo := self.ledger.open_tasks(tasks):
            place = min(len(self.ledger.values(task)) for task in todo)
            # The same order for a run that goes on as for one that was never ended.
            order = tasks.copy()
            random.Random(f"{self.seed}/{place}").shuffle(order)  # noqa: S311 - an order, not a secret
            due = {task for task in todo if len(self.ledger.values(task)) == place}
            with _Worker(self.python, work) as worker:
                for task in order:
                    if place >= FEWEST_ROUNDS and time.monotonic() >= deadline:
                        return
                    if task in due:
                        self._take(worker, task, place)
                        self._tell("sample", batch, waiting, f"round {place + 1}")

    def _take(self, worker: _Worker, task: Timing, place: int) -> None:
        begin = time.monotonic()
        answer = worker.ask(
            do="deep",
            spec=astuple(task.cell),
            cell=self.ledger.stored[task.cell.text]["fields"],
            operation=task.operation,
            cache_state=task.cache_state,
            volume=str(self.volumes[task.cell.dataset]),
            seconds=_SECONDS_A_TASK,
            # An execution of its own, which says the same in every process.
            peak=place == 0 and MEMORY not in self.probes,
        )
        if "samples" in answer:
            self.ledger.add("value", task=task.key, round=place, **answer)
        else:
            _check(answer)
            self.ledger.add("failed", task=task.key, error=answer["error"], message=answer["message"])
        self._pace.sample(time.monotonic() - begin)

    def _probe(self, batch: list[CellPlan], waiting: list[CellPlan], work: Path) -> None:
        with _Worker(self.python, work) as worker:
            for name, task in (pair for plan in batch for pair in self._unprobed(plan)):
                answer = worker.ask(
                    do="probe",
                    spec=astuple(task.cell),
                    cell=self.ledger.stored[task.cell.text]["fields"],
                    operation=task.operation,
                    probe=name,
                )
                if "error" in answer:
                    _check(answer)
                self.ledger.add("probe", probe=name, task=task.key, **answer)
                self._tell("probe", batch, waiting, f"{name} of {task.operation} on {task.cell.layout}")

    def _used_bytes(self) -> int:
        """Look at each store once: they stay as they are, and some have very many files."""
        places = [*self.folder.iterdir(), *(self.folder / _STORES).iterdir()]
        for place in places:
            if place.name != _STORES and place not in self._sizes:
                self._sizes[place] = used_bytes(place)
        return sum(self._sizes[place] for place in places if place.name != _STORES)

    def _tell(self, stage: str, batch: list[CellPlan], waiting: list[CellPlan], note: str) -> None:
        ledger = self.ledger
        every = [task for plan in self.plans for task in self.tasks(plan) if ledger.is_possible(task)]
        ahead = ledger.open_tasks(task for plan in (*batch, *waiting) for task in self.tasks(plan))
        left_s = self._pace.left_s(
            cells=len(waiting),
            least=sum(max(FEWEST_ROUNDS - len(ledger.values(task)), 0) for task in ahead),
            likely=sum(ledger.rounds_left(task) for task in ahead),
            budget_s=self._began + self.limits.budget_s - time.monotonic(),
        )
        self.report(
            Standing(
                stage=stage,
                cells_done=len(ledger.stored) + len(ledger.refused),
                cells_total=len(self.plans),
                tasks_done=sum(map(ledger.is_decided, every)),
                tasks_total=len(every),
                values=ledger.count,
                disk_bytes=self._used_bytes(),
                left_s=left_s,
                note=note,
            )
        )


def _counted(
    worker: _Worker, plan: CellPlan, fields: dict[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    counted: dict[str, dict[str, Any]] = {}
    uncounted: dict[str, dict[str, str]] = {}
    for operation in plan.operations:
        if operation == WRITE:
            continue
        answer = worker.ask(do="count", spec=astuple(plan.spec), cell=fields, operation=operation)
        if "counts" in answer:
            counted[operation] = answer["counts"]
        else:
            _check(answer)
            uncounted[operation] = {"error": answer["error"], "message": answer["message"]}
    return counted, uncounted


def _check(answer: dict[str, Any]) -> None:
    """End the run for what is no matter of the cell, and would befall the next one as well."""
    if answer["error"] == DISK_FULL:
        msg = (
            f"Cells are stored beside the results: the disk is full ({answer['message']}). Nothing that was measured "
            "is lost. Free some room or lower --max-disk, and run again with --resume."
        )
        raise ResultsError(msg)
    if answer["error"] in _NOT_OF_THE_CELL:
        msg = f"A run needs its volume and its engines while it lasts: {answer['message']} --resume goes on."
        raise ResultsError(msg)


class _Worker:
    """A worker process that begins when it is first asked, and anew after one that died; its death is an answer."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python, self._folder = python, folder
        self._process: FollowingWorker | None = None

    def ask(self, **message: Any) -> dict[str, Any]:
        if self._process is None:
            # One that cannot even begin is no matter of a cell.
            self._process = FollowingWorker(self._python, self._folder, timeout_s=_TIMEOUT_S)
        try:
            return self._process.ask(**message)
        except ResultsError as error:
            self._process.close()
            self._process = None
            return {"error": "WorkerDied", "message": str(error)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.__exit__(kind, error, trace)
