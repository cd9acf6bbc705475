"""One process of one environment that measures what it is told: a line of JSON in, a line of JSON out.

It imports only what a bare environment has: numpy, zarr, numcodecs, pooch.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.cell import (
    blank_array,
    cell_fields,
    cell_pattern,
    open_array,
    restored_cell,
    store_cell,
    voxels,
)
from zbench.counting import count_read
from zbench.engines import engine
from zbench.environment import environment
from zbench.errors import DataError, ZbenchError
from zbench.grid import CellSpec
from zbench.model import CacheState
from zbench.patterns import one_by_one
from zbench.runner.deep_child import deep_instructions, deep_memory
from zbench.runner.deep_sampling import deep_sampler
from zbench.runner.disk import DISK_FULL, is_disk_full
from zbench.runner.following import end_with
from zbench.runner.plan import WRITE
from zbench.runner.requests import count_operations
from zbench.runner.sampling import reader, take_samples, timed
from zbench.runner.touched import touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from zbench.cell import StoredCell
    from zbench.model import Sample

__all__ = ["main"]

_WRITTEN = "written"
_FEWEST_SAMPLES = 1
_MOST_SAMPLES = 9


def _tell_environment(folder: Path, _message: dict[str, Any]) -> dict[str, Any]:
    return {"environment": asdict(environment(folder))}


def _versions(_folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    return {"versions": engine(message["engine"]).versions()}


def _store(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    spec = CellSpec(*message["spec"])
    return {"cell": cell_fields(store_cell(spec, _voxels(spec, message), folder))}


def _count(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    return {"counts": asdict(count_read(cell, cell_pattern(cell, message["operation"])))}


def _requests(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    spec = CellSpec(*message["spec"])
    values = _voxels(spec, message)
    return {"requests": count_operations(spec, values, folder)}


def _touched(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    boxes = one_by_one(message["operation"], cell.shape)
    return {"operations": touched(cell, boxes)}


def _sample(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    with _operation(cell, folder, message) as take:
        take()  # The first execution pays for imports, thread pools and caches that the others find ready.
        samples = take_samples(take, fewest=_FEWEST_SAMPLES, most=_MOST_SAMPLES, seconds=message["seconds"])
    return {"samples": [[sample.wall_ns, sample.cpu_ns] for sample in samples]}


def _deep(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell, operation = _cell(folder, message), message["operation"]
    values = _voxels(cell.spec, message) if operation == WRITE else None
    cache, written = CacheState(message["cache_state"]), folder / _WRITTEN
    try:
        with deep_sampler(cell, operation, folder=written, cache=cache, values=values, peak=message["peak"]) as sampler:
            end = time.monotonic() + message["seconds"]
            taken = [sampler.take()]
            while len(taken) < _MOST_SAMPLES and time.monotonic() < end:
                taken.append(sampler.take())
    finally:
        # Beside the stored cells, what was written would fill the disk.
        shutil.rmtree(written, ignore_errors=True)
    middle = sorted(taken, key=lambda sample: sample.wall_ns)[(len(taken) - 1) // 2]
    return {
        "samples": [[sample.wall_ns, sample.cpu_ns] for sample in taken],
        "open_ns": [sample.open_ns for sample in taken if sample.open_ns is not None],
        "counters": asdict(middle.counters),
        "reached": sampler.reached,
        "peak": None if sampler.memory is None else asdict(sampler.memory),
    }


def _probe(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    written = folder / _WRITTEN
    try:
        found = _PROBES[message["probe"]](_cell(folder, message), message["operation"], folder=written)
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return {"found": asdict(found)}


@contextmanager
def _operation(cell: StoredCell, folder: Path, message: dict[str, Any]) -> Iterator[Callable[[], Sample]]:
    name = message["operation"]
    if name == WRITE:
        values = _voxels(cell.spec, message)
        yield lambda: _written(cell, folder, values)
        return
    with reader(open_array(cell), cell_pattern(cell, name)) as take:
        yield take


def _written(cell: StoredCell, folder: Path, values: npt.NDArray[Any]) -> Sample:
    array = blank_array(cell, folder / _WRITTEN)
    return timed(lambda: array.write(values))


def _voxels(spec: CellSpec, message: dict[str, Any]) -> npt.NDArray[Any]:
    """Take the voxels of a file that was prepared for this run, or of the registry."""
    if "volume" in message:
        return _prepared(message["volume"])
    return voxels(spec.dataset, message["volume_size"])


@lru_cache(maxsize=1)
def _prepared(path: str) -> npt.NDArray[Any]:
    # Read whole: pages of a map that are still to come would be part of the time.
    try:
        values: npt.NDArray[Any] = np.load(path)
    except (OSError, ValueError) as error:
        msg = f"The volume of a run stays while the run lasts: {path!r} cannot be read ({error}). Bring it back."
        raise DataError(msg) from error
    values.flags.writeable = False
    return values


def _follow(_folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    """End with the process that asks, even if that is killed, but not before it at a Ctrl-C, which is sent to both."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(message["parent"])
    return {"pid": os.getpid()}


def _cell(folder: Path, message: dict[str, Any]) -> StoredCell:
    return restored_cell(CellSpec(*message["spec"]), folder, message["cell"])


_PROBES: dict[str, Callable[..., Any]] = {"instructions": deep_instructions, "memory": deep_memory}
_ACTIONS = {
    "environment": _tell_environment,
    "versions": _versions,
    "store": _store,
    "count": _count,
    "requests": _requests,
    "touched": _touched,
    "sample": _sample,
    "deep": _deep,
    "probe": _probe,
    "follow": _follow,
}


def main() -> None:
    """Answer messages from standard input until it ends; the folder for stores is the first argument."""
    folder = Path(sys.argv[1])
    # Libraries print to standard output now and then; the answers go through a copy that only they have.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            message = json.loads(line)
            try:
                answer = _ACTIONS[message["do"]](folder, message)
            except (ZbenchError, OSError, ValueError) as error:
                # A full disk is no fault of the cell, whatever a library makes of it.
                is_full = is_disk_full(error)
                if not (is_full or isinstance(error, ZbenchError)):
                    raise
                answer = {"error": DISK_FULL if is_full else type(error).__name__, "message": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
