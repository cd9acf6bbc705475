"""Count the instructions of one region of a Python program, under valgrind's callgrind."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zbench.errors import RefusedError, ResultsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Instructions", "Region", "count_instructions"]

_Prepared = TypeVar("_Prepared")

_SOURCE = "callgrind_region.c"
# What the dump of a region is called by the macro in the source; the dump at exit is called otherwise.
_TRIGGER = "desc: Trigger: Client Request: zbench region"
_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)
# One thread and one order of everything: what is left to vary is a few hundredths of a per cent.
_SETTINGS = {
    "BLOSC_NTHREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "RAYON_NUM_THREADS": "1",
    "ZARR_ASYNC__CONCURRENCY": "1",
    "ZARR_THREADING__MAX_WORKERS": "1",
    "ZBENCH_THREADS": "1",
}
_WARM_UPS = 2
_TIMEOUT_S = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Instructions:
    """What one execution took.

    Attributes
    ----------
    instructions
        Machine instructions of all threads, outside the kernel.
    valgrind
        Version of what counted.
    """

    instructions: int
    valgrind: str


class Region:
    """The region of a program that is counted; used in the program that `count_instructions` starts.

    Parameters
    ----------
    library
        Path of the compiled source, as `count_instructions` hands it to the program.
    """

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))

    def count(self, prepare: Callable[[], _Prepared], execute: Callable[[_Prepared], object]) -> None:
        """Execute twice to warm up, and once counted; outside valgrind nothing is counted.

        Parameters
        ----------
        prepare
            Makes ready what one execution needs, uncounted.
        execute
            What to count.
        """
        for _ in range(_WARM_UPS):
            execute(prepare())
        prepared = prepare()
        gc.collect()
        gc.disable()
        try:
            self._library.zbench_region_begin()
            execute(prepared)
            self._library.zbench_region_end()
        finally:
            gc.enable()


def count_instructions(
    program: Sequence[str],
    *,
    cache: Path,
    python: Path = Path(sys.executable),
    settings: Mapping[str, str] | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> Instructions:
    """Run a Python program under callgrind and count the instructions of its region.

    Parameters
    ----------
    program
        Arguments of the interpreter; the path of the library for `Region` is added to them.
    cache
        Folder in which the compiled library is kept.
    python
        Interpreter.
    settings
        Environment variables beside those that leave one thread.
    timeout_s
        Seconds after which the program is ended; valgrind makes it about fifty times slower.

    Returns
    -------
    Instructions
        Of the one region that the program counted.

    Raises
    ------
    RefusedError
        If valgrind, its header or a compiler is missing, or valgrind cannot run the program.
    ResultsError
        If the program failed, took too long or counted nothing.
    """
    valgrind = _program("valgrind", "valgrind")
    version = subprocess.run([valgrind, "--version"], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - found by name on the path
    library = _library(cache, version)
    with tempfile.TemporaryDirectory(prefix="zbench-callgrind-") as folder:
        # Not instrumented from the start: importing would be nearly all of the count.
        command = [
            valgrind,
            "--tool=callgrind",
            "--instr-atstart=no",
            f"--callgrind-out-file={folder}/out",
            str(python),
            *program,
            str(library),
        ]
        _run(command, os.environ | _SETTINGS | dict(settings or {}), Path(folder), timeout_s)
        return Instructions(instructions=_counted(Path(folder)), valgrind=version)


def _run(command: list[str], variables: Mapping[str, str], folder: Path, timeout_s: float) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - valgrind with an interpreter that the caller chose
            command,
            env=variables,
            # Not the working folder: what lies there would be imported first.
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        msg = f"Counting instructions ends within {timeout_s:.0f} s: it did not. Count a smaller volume, or allow more."
        raise ResultsError(msg) from None
    if done.returncode < 0:
        msg = (
            f"Valgrind must know every instruction of a program: this one ended by signal {-done.returncode}. Use a "
            f"newer valgrind, or do not count this engine. {_last_words(done.stderr)}"
        )
        raise RefusedError(msg)
    if done.returncode:
        msg = f"A program that is counted ends well: it ended with {done.returncode}. {_last_words(done.stderr)}"
        raise ResultsError(msg)


def _last_words(text: str) -> str:
    # Valgrind's own lines begin so; the last line of a traceback says what was wrong.
    said = [line for line in text.splitlines() if line.strip() and not line.startswith("==")]
    return "It said: " + (said[-1].strip() if said else "nothing.")


def _counted(folder: Path) -> int:
    dumps = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("out*")))
    totals = [_TOTALS.search(dump) for dump in dumps if _TRIGGER in dump]
    counts = [int(found[1]) for found in totals if found]
    if len(counts) != 1:
        msg = f"A program that is counted has one region: it had {len(counts)}. Call Region.count once."
        raise ResultsError(msg)
    return counts[0]


def _library(cache: Path, version: str) -> Path:
    source = resources.files("zbench.probes").joinpath(_SOURCE).read_text(encoding="utf-8")
    digest = hashlib.sha256(f"{version}\n{source}".encode()).hexdigest()[:16]
    library = cache / f"callgrind-region-{digest}.so"
    if library.is_file():
        return library
    compiler = _program("gcc", "gcc")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".callgrind-", dir=cache) as folder:
        code, made = Path(folder, _SOURCE), Path(folder, library.name)
        code.write_text(source, encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - our own source
            [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(code)],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            msg = (
                "Counting instructions needs a gcc that makes libraries and valgrind/callgrind.h: "
                f"{compiler} said {done.stderr.strip()[-400:]!r}. Install valgrind with its headers and a C compiler."
            )
            raise RefusedError(msg)
        # Processes that compile at once each put a whole library in its place.
        made.replace(library)
    return library


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        msg = f"Counting instructions needs {name}: it is not on the path. Install the package {package}."
        raise RefusedError(msg)
    return found
