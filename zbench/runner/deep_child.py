"""One execution of an operation in a process of its own: its instructions, or the memory of the first one.

It imports with numpy, zarr, numcodecs and pooch alone, so that a worker of any environment can ask for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zbench.cell import cell_fields, cell_pattern, restored_cell
from zbench.datasets import cache_folder
from zbench.errors import ResultsError
from zbench.grid import CellSpec
from zbench.probes import MemoryMethod, PeakMemory, Region, count_instructions, peak_memory
from zbench.runner.deep_sampling import operation_on
from zbench.runner.plan import WRITE

if TYPE_CHECKING:
    from zbench.cell import StoredCell
    from zbench.probes import Instructions

__all__ = ["deep_instructions", "deep_memory", "main"]

# It ends with this process, even if that is killed.
_CHILD = "from zbench.runner.following import end_with; end_with({}); from zbench.runner.deep_child import main; main()"


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
    with operation_on(cell, task["operation"], folder) as operation:
        array = operation.open()
        if second.suffix == ".json":
            found = peak_memory(lambda: operation.execute(array))
            second.write_text(json.dumps(asdict(found)), encoding="utf-8")
        else:
            Region(second).count((lambda: array) if operation.is_read else operation.open, operation.execute)
