"""Samples of one operation on one cell in one cache state, with what the kernel counted during each.

It imports with numpy, zarr, numcodecs and pooch alone, so that a worker of any environment can take them.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.cell import blank_array, cell_fields, cell_pattern, open_array, read, restored_cell
from zbench.datasets import cache_folder
from zbench.errors import RefusedError, ResultsError
from zbench.grid import CellSpec
from zbench.model import CacheState
from zbench.probes import (
    CounterReader,
    MemoryMethod,
    PeakMemory,
    Region,
    chill,
    count_instructions,
    peak_memory,
    residency,
)
from zbench.runner.plan import WRITE
from zbench.runner.sampling import timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from zbench.cell import StoredCell
    from zbench.engines import Array
    from zbench.probes import ColdMethod, Counters, Instructions

__all__ = [
    "DeepSample",
    "DeepSampler",
    "Opening",
    "Operation",
    "deep_instructions",
    "deep_memory",
    "deep_sampler",
    "main",
]

# Other processes may read a store again between its leaving the page cache and the proof of it.
_ATTEMPTS = 3
# It ends with this process, even if that is killed.
_CHILD = (
    "from zbench.runner.following import end_with; end_with({}); from zbench.runner.deep_sampling import main; main()"
)


class Opening(StrEnum):
    """Where the time of opening an array is."""

    OUTSIDE = "outside the time"
    SEPARATE = "timed by itself, before"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeepSample:
    """One time, and what was counted during it.

    Attributes
    ----------
    wall_ns, cpu_ns
        Of one execution, opening not included; CPU time of this process alone.
    counters
        What kernel and interpreter counted meanwhile, of the process tree.
    open_ns
        Wall time of opening before it; ``None`` where that is outside the time.
    """

    wall_ns: int
    cpu_ns: int
    counters: Counters
    open_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be done with a cell again and again.

    Attributes
    ----------
    open
        Makes the array ready that one execution needs.
    execute
        Does it.
    is_read
        Whether it leaves the array as it was.
    """

    open: Callable[[], Array]
    execute: Callable[[Array], None]
    is_read: bool


class DeepSampler:
    """Takes samples of one operation in one cache state.

    Parameters
    ----------
    operation
        The operation.
    cell
        The cell that it is done with.
    cache
        What is to be in the page cache when a time begins.
    method
        How a store is made cold; the best that is permitted unless given.
    counters
        Reads what is counted.
    peak
        Whether to look at the memory of the first execution, which is not timed.

    Attributes
    ----------
    opening
        Where the time of opening is.
    reached
        How the cache state was reached.
    memory
        Most memory of the first execution, opening not included; ``None`` unless asked for.
    not_cold
        Executions that were not begun because the store had come back into the page cache.
    """

    def __init__(
        self,
        operation: Operation,
        cell: StoredCell,
        *,
        cache: CacheState,
        method: ColdMethod | None,
        counters: CounterReader,
        peak: bool = False,
    ) -> None:
        if cache is CacheState.COLD and not operation.is_read:
            msg = "A cold cache is a matter of reading: got a cold write. Measure writing warm."
            raise RefusedError(msg)
        self._operation, self._store, self._method, self._counters = operation, cell.store, method, counters
        self.not_cold = 0
        # The first execution pays for imports, thread pools and caches that the others find ready.
        self.memory = _first(operation, peak=peak)
        if cache is CacheState.COLD:
            self.take, self.opening = self._take_cold, Opening.SEPARATE
            self.reached = self._chilled()
            return
        self.take, self.opening = self._take_warm, Opening.OUTSIDE
        self._array = operation.open() if operation.is_read else None
        self.reached = self._warmth()

    def _take_warm(self) -> DeepSample:
        return self._take(self._operation.open() if self._array is None else self._array)

    def _take_cold(self) -> DeepSample:
        self._chilled()
        opened: list[Array] = []
        opening = timed(lambda: opened.append(self._operation.open()))
        return replace(self._take(opened[0]), open_ns=opening.wall_ns)

    def _take(self, array: Array) -> DeepSample:
        before = self._counters.begin()
        sample = timed(lambda: self._operation.execute(array))
        counted = self._counters.end(before)
        return DeepSample(wall_ns=sample.wall_ns, cpu_ns=sample.cpu_ns, counters=counted)

    def _chilled(self) -> str:
        # Arrays of earlier samples may hold decoded chunks and open files, and libraries tie them into cycles.
        gc.collect()
        for _ in range(_ATTEMPTS):
            chilled = chill(self._store, method=self._method)
            if chilled.is_cold:
                return chilled.method.sentence
            self.not_cold += 1
        msg = (
            f"A read is cold when nearly nothing of its store is in the page cache: after {_ATTEMPTS} attempts by "
            f"{chilled.method}, {100 * chilled.residency.share:.1f} % of {self._store.location} still is. Put it on a "
            "disk (a file system in memory is never cold), end what reads it, or measure warm."
        )
        raise RefusedError(msg)

    def _warmth(self) -> str:
        if not self._operation.is_read:
            return "each execution into an empty folder, after one that was not timed"
        # Where it cannot be told, nothing is claimed.
        with suppress(RefusedError):
            share = 100 * residency(self._store).share
            return f"one execution before the first time, with {share:.0f} % of the store in the page cache after it"
        return "one execution before the first time"


def _first(operation: Operation, *, peak: bool) -> PeakMemory | None:
    array = operation.open()
    if peak:
        # Later executions find memory that the allocator has kept of this one.
        return peak_memory(lambda: operation.execute(array))
    operation.execute(array)
    return None


@contextmanager
def deep_sampler(
    cell: StoredCell,
    operation: str,
    *,
    folder: Path,
    cache: CacheState = CacheState.WARM,
    method: ColdMethod | None = None,
    values: npt.NDArray[Any] | None = None,
    peak: bool = False,
) -> Iterator[DeepSampler]:
    """Prepare to take samples of an operation.

    Parameters
    ----------
    cell
        A stored cell.
    operation
        Name of an access pattern, or `WRITE`.
    folder
        In which is written.
    cache
        What is to be in the page cache when a time begins.
    method
        How a store is made cold; the best that is permitted unless given.
    values
        Voxels to write; those that the cell holds unless given.
    peak
        Whether to look at the memory of the first execution, which is not timed.

    Yields
    ------
    DeepSampler
        Warmed up.

    Raises
    ------
    RefusedError
        If the volume is too small for the pattern, or the store cannot be made cold.
    """
    with _operation(cell, operation, folder, values) as chosen, CounterReader() as counters:
        yield DeepSampler(chosen, cell, cache=cache, method=method, counters=counters, peak=peak)


@contextmanager
def _operation(
    cell: StoredCell, name: str, folder: Path, values: npt.NDArray[Any] | None = None
) -> Iterator[Operation]:
    if name == WRITE:
        written = open_array(cell).read() if values is None else values
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="written-", dir=folder) as place:
            blank = partial(blank_array, cell, Path(place))
            yield Operation(blank, lambda array: array.write(written), is_read=False)
        return
    pattern = cell_pattern(cell, name)
    # Threads that are there already: starting them is no part of reading.
    with ThreadPoolExecutor(pattern.concurrency) as threads:
        executor = threads if pattern.concurrency > 1 else None
        yield Operation(lambda: open_array(cell), lambda array: read(array, pattern, executor), is_read=True)


def deep_instructions(
    cell: StoredCell, operation: str, *, folder: Path, python: Path = Path(sys.executable)
) -> Instructions:
    """Count the instructions of one warm execution, in a process of its own under valgrind, on one thread.

    Parameters
    ----------
    cell
        A stored cell.
    operation
        Name of an access pattern, or `WRITE`.
    folder
        In which is written.
    python
        Interpreter of the environment to count in; zbench is installed in it.

    Returns
    -------
    Instructions
        Opening not included.

    Raises
    ------
    RefusedError
        If the volume is too small for the pattern, valgrind or gcc is missing, or valgrind cannot run the engine.
    ResultsError
        If the process failed or took too long.
    """
    return count_instructions(_child(cell, operation, folder), cache=cache_folder() / "probes", python=python)


def deep_memory(
    cell: StoredCell, operation: str, *, folder: Path, python: Path = Path(sys.executable), timeout_s: float = 600.0
) -> PeakMemory:
    """Find the most memory of the first execution in a process of its own, which has kept none of earlier ones.

    Parameters
    ----------
    cell
        A stored cell.
    operation
        Name of an access pattern, or `WRITE`.
    folder
        In which is written.
    python
        Interpreter of the environment to measure in; zbench is installed in it.
    timeout_s
        Seconds after which the process is ended.

    Returns
    -------
    PeakMemory
        Of the process and those that it starts; what opening took is in `before_bytes`.

    Raises
    ------
    RefusedError
        If the volume is too small for the pattern.
    ResultsError
        If the process failed or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="zbench-memory-") as place:
        answer = Path(place, "answer.json")
        command = [str(python), *_child(cell, operation, folder), str(answer)]
        try:
            # Not the working folder: what lies there would be imported first.
            done = subprocess.run(  # noqa: S603 - our own module in an environment that the caller chose
                command, cwd=place, check=False, capture_output=True, text=True, errors="replace", timeout=timeout_s
            )
        except subprocess.TimeoutExpired:
            msg = f"Measuring memory ends within {timeout_s:.0f} s: it did not. Take a smaller volume, or allow more."
            raise ResultsError(msg) from None
        if done.returncode:
            # The last line of a traceback says what was wrong.
            said = done.stderr.strip().rpartition("\n")[2] or "nothing."
            msg = f"A process whose memory is measured ends well: it ended with {done.returncode}. It said: {said}"
            raise ResultsError(msg)
        told = json.loads(answer.read_text(encoding="utf-8"))
    return PeakMemory(**told | {"method": MemoryMethod(told["method"])})


def _child(cell: StoredCell, operation: str, folder: Path) -> list[str]:
    if operation != WRITE:
        cell_pattern(cell, operation)  # What is refused is refused here, and not in a process that can only fail.
    task = {
        "spec": astuple(cell.spec),
        "cell": cell_fields(cell),
        "location": cell.store.location,
        "operation": operation,
        "folder": str(folder.absolute()),
    }
    return ["-c", _CHILD.format(os.getpid()), json.dumps(task)]


def main() -> None:
    """Execute what the first argument describes: the child of `deep_instructions` and of `deep_memory`.

    The second argument is the library that counts instructions, or the file for what was found of memory.
    """
    task, second = json.loads(sys.argv[1]), Path(sys.argv[2])
    folder = Path(task["folder"])
    cell = restored_cell(CellSpec(*task["spec"]), folder, task["cell"])
    cell = replace(cell, store=replace(cell.store, location=task["location"]))
    with _operation(cell, task["operation"], folder) as operation:
        array = operation.open()
        if second.suffix == ".json":
            found = peak_memory(lambda: operation.execute(array))
            second.write_text(json.dumps(asdict(found)), encoding="utf-8")
        else:
            Region(second).count((lambda: array) if operation.is_read else operation.open, operation.execute)
