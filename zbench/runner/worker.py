"""One process of one environment that measures what it is told: a line of JSON in, a line of JSON out.

It imports only what a bare environment has: numpy, zarr, numcodecs, pooch.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.cell import (
    blank_array,
    cell_fields,
    cell_pattern,
    count_read,
    open_array,
    restored_cell,
    store_cell,
    voxels,
)
from zbench.engines import engine
from zbench.environment import environment
from zbench.errors import ZbenchError
from zbench.grid import CellSpec
from zbench.patterns import one_by_one
from zbench.runner.plan import WRITE
from zbench.runner.sampling import reader, take_samples, timed
from zbench.runner.touched import touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from zbench.cell import StoredCell
    from zbench.model import Sample

__all__ = ["main"]

_FEWEST_SAMPLES = 1
_MOST_SAMPLES = 9


def _tell_environment(folder: Path, _message: dict[str, Any]) -> dict[str, Any]:
    return {"environment": asdict(environment(folder))}


def _versions(_folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    return {"versions": engine(message["engine"]).versions()}


def _store(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    spec = CellSpec(*message["spec"])
    return {"cell": cell_fields(store_cell(spec, voxels(spec.dataset, message["volume_size"]), folder))}


def _count(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    return {"counts": asdict(count_read(cell, cell_pattern(cell, message["operation"])))}


def _touched(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    boxes = one_by_one(message["operation"], cell.shape, seed=message["seed"])
    return {"operations": touched(cell, boxes)}


def _sample(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    cell = _cell(folder, message)
    with _operation(cell, folder, message) as take:
        take()  # The first execution pays for imports, thread pools and caches that the others find ready.
        samples = take_samples(take, fewest=_FEWEST_SAMPLES, most=_MOST_SAMPLES, seconds=message["seconds"])
    return {"samples": [[sample.wall_ns, sample.cpu_ns] for sample in samples]}


@contextmanager
def _operation(cell: StoredCell, folder: Path, message: dict[str, Any]) -> Iterator[Callable[[], Sample]]:
    name = message["operation"]
    if name == WRITE:
        values = voxels(cell.spec.dataset, message["volume_size"])
        yield lambda: _written(cell, folder, values)
        return
    with reader(open_array(cell), cell_pattern(cell, name)) as take:
        yield take


def _written(cell: StoredCell, folder: Path, values: npt.NDArray[Any]) -> Sample:
    array = blank_array(cell, folder / "written")
    return timed(lambda: array.write(values))


def _cell(folder: Path, message: dict[str, Any]) -> StoredCell:
    return restored_cell(CellSpec(*message["spec"]), folder, message["cell"])


_ACTIONS = {
    "environment": _tell_environment,
    "versions": _versions,
    "store": _store,
    "count": _count,
    "touched": _touched,
    "sample": _sample,
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
            except ZbenchError as error:
                answer = {"error": type(error).__name__, "message": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
