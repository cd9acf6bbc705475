"""One process of one environment that measures what it is told: a line of JSON in, a line of JSON out.

It imports only what a bare environment has: numpy, zarr, numcodecs, pooch.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.cell import (
    blank_array,
    cell_fields,
    cell_pattern,
    count_read,
    open_array,
    read,
    restored_cell,
    store_cell,
    voxels,
)
from zbench.environment import environment
from zbench.errors import ZbenchError
from zbench.grid import CellSpec
from zbench.model import Sample
from zbench.runner.plan import WRITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbench.cell import StoredCell

__all__ = ["main", "timed"]

_FEWEST_SAMPLES = 2
_MOST_SAMPLES = 9


def timed(execute: Callable[[], None]) -> Sample:
    """Take one time, with the garbage collector off.

    Parameters
    ----------
    execute
        What to time.

    Returns
    -------
    Sample
        Wall and CPU time of one execution.
    """
    gc.disable()
    try:
        cpu_begin, begin = time.process_time_ns(), time.perf_counter_ns()
        execute()
        end, cpu_end = time.perf_counter_ns(), time.process_time_ns()
    finally:
        gc.enable()
    return Sample(wall_ns=end - begin, cpu_ns=cpu_end - cpu_begin)


def _tell_environment(folder: Path, _message: dict[str, Any]) -> dict[str, Any]:
    return {"environment": asdict(environment(folder))}


def _store(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    spec = CellSpec(*message["spec"])
    return {"cell": cell_fields(store_cell(spec, voxels(spec.dataset, message["volume_size"]), folder))}


def _count(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    return {"counts": asdict(count_read(cell, cell_pattern(cell, message["operation"])))}


def _sample(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    take = _writing(cell, folder, message) if message["operation"] == WRITE else _reading(cell, message["operation"])
    take()  # The first execution pays for imports, thread pools and caches that the others find ready.
    samples: list[Sample] = []
    end = time.monotonic() + message["seconds"]
    while len(samples) < _FEWEST_SAMPLES or (len(samples) < _MOST_SAMPLES and time.monotonic() < end):
        samples.append(take())
    return {"samples": [[sample.wall_ns, sample.cpu_ns] for sample in samples]}


def _cell(folder: Path, message: dict[str, Any]) -> StoredCell:
    return restored_cell(CellSpec(*message["spec"]), folder, message["cell"])


def _writing(cell: StoredCell, folder: Path, message: dict[str, Any]) -> Callable[[], Sample]:
    values = voxels(cell.spec.dataset, message["volume_size"])

    def take() -> Sample:
        array = blank_array(cell, folder / "written")
        return timed(lambda: array.write(values))

    return take


def _reading(cell: StoredCell, name: str) -> Callable[[], Sample]:
    array, pattern = open_array(cell), cell_pattern(cell, name)
    executor = ThreadPoolExecutor(pattern.concurrency) if pattern.concurrency > 1 else None
    return lambda: timed(lambda: read(array, pattern, executor))


_ACTIONS = {"environment": _tell_environment, "store": _store, "count": _count, "sample": _sample}


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
            except ZbenchError as error:
                answer = {"error": type(error).__name__, "message": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
