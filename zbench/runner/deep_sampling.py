"""Samples of one operation on one cell in one cache state, with what the kernel counted during each.

It imports with numpy, zarr, numcodecs and pooch alone, so that a worker of any environment can take them.
"""

from __future__ import annotations

import gc
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.cell import blank_array, cell_pattern, open_array, read
from zbench.errors import RefusedError
from zbench.model import Box, CacheState
from zbench.probes import (
    CounterReader,
    PeakMemory,
    chill,
    peak_memory,
    residency,
)
from zbench.runner.plan import WRITE
from zbench.runner.sampling import timed
from zbench.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from zbench.cell import StoredCell
    from zbench.engines import Array
    from zbench.probes import ColdMethod, Counters

__all__ = [
    "LARGE_BYTES",
    "DeepSample",
    "DeepSampler",
    "Opening",
    "Operation",
    "deep_sampler",
    "operation_on",
]

# Other processes may read a store again between its leaving the page cache and the proof of it.
_ATTEMPTS = 3
# From so many bytes on, an execution takes a second or so, whoever executes it.
LARGE_BYTES = 256 * MIB


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
    begin
        Reads or writes the first chunks alone.
    is_read
        Whether it leaves the array as it was.
    """

    open: Callable[[], Array]
    execute: Callable[[Array], None]
    begin: Callable[[Array], object]
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
        # The first execution pays for imports, thread pools and caches that the others find ready. Where an execution
        # takes a second they are little beside it, and the first chunks alone make them ready, too.
        self._is_begun = cell.logical_bytes >= LARGE_BYTES and not peak
        self.memory = self._first(peak=peak)
        if cache is CacheState.COLD:
            self.take, self.opening = self._take_cold, Opening.SEPARATE
            self.reached = self._chilled()
            return
        self.take, self.opening = self._take_warm, Opening.OUTSIDE
        self._array = operation.open() if operation.is_read else None
        self.reached = self._warmth()

    def _first(self, *, peak: bool) -> PeakMemory | None:
        array = self._operation.open()
        if peak:
            # Later executions find memory that the allocator has kept of this one.
            return peak_memory(lambda: self._operation.execute(array))
        (self._operation.begin if self._is_begun else self._operation.execute)(array)
        return None

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
        first = "the first chunks" if self._is_begun else "one execution"
        if not self._operation.is_read:
            return f"each execution into an empty folder, after {first}, not timed"
        # Where it cannot be told, nothing is claimed.
        with suppress(RefusedError):
            share = 100 * residency(self._store).share
            return f"{first} before the first time, with {share:.0f} % of the store in the page cache after it"
        return f"{first} before the first time"


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
    with operation_on(cell, operation, folder, values) as chosen, CounterReader() as counters:
        yield DeepSampler(chosen, cell, cache=cache, method=method, counters=counters, peak=peak)


@contextmanager
def operation_on(
    cell: StoredCell, name: str, folder: Path, values: npt.NDArray[Any] | None = None
) -> Iterator[Operation]:
    """Make an operation ready.

    Parameters
    ----------
    cell
        A stored cell.
    name
        Name of an access pattern, or `WRITE`.
    folder
        In which is written.
    values
        Voxels to write; those that the cell holds unless given.

    Yields
    ------
    Operation
        To be executed any number of times.

    Raises
    ------
    RefusedError
        If the volume is too small for the pattern.
    """
    box = _begin(cell)
    if name == WRITE:
        written = open_array(cell).read() if values is None else values
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="written-", dir=folder) as place:
            blank = partial(blank_array, cell, Path(place))
            yield Operation(
                blank,
                lambda array: array.write(written),
                lambda array: array.write_box(box, written[box.slices]),
                is_read=False,
            )
        return
    pattern = cell_pattern(cell, name)
    # Threads that are there already: starting them is no part of reading.
    with ThreadPoolExecutor(pattern.concurrency) as threads:
        executor = threads if pattern.concurrency > 1 else None
        yield Operation(
            lambda: open_array(cell),
            lambda array: read(array, pattern, executor),
            lambda array: array.read_box(box),
            is_read=True,
        )


def _begin(cell: StoredCell) -> Box:
    """Take the first two objects on each axis: enough for every thread to have something to do."""
    edges = zip(cell.shape, cell.config.layout.objects_shape, strict=True)
    return Box((0,) * len(cell.shape), tuple(min(2 * edge, extent) for extent, edge in edges))
