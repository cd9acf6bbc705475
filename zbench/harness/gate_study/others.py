"""The other programs: asv continuous, pytest-benchmark and pyperf, each as its users call it, and what each decides."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.gate_study.plan import LEVELS, SIZES, cells
from zbench.harness.gate_study.project import BASE, PINS
from zbench.harness.sweep.tools import call_uv
from zbench.report.gate_study import ASV, ASV_CLOSE, PYPERF, PYTEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from zbench.harness.gate_study.project import Project

__all__ = ["TOOL_PINS", "Others", "Said", "asv_decisions", "load", "make_tools", "pyperf_decisions", "pytest_decisions"]

TOOL_PINS = ("pytest==9.2.0", "pytest-benchmark==5.3.1", "pyperf==2.11.0")
_PERCENT = 5
_FACTORS = {ASV: 1.1, ASV_CLOSE: 1.03}
_TIMEOUT_S = 900.0
# A start of pytest with its plugins, and of a process of pyperf, with what both import; for as many calls as fit.
_PYTEST_START_S, _PYPERF_START_S = 1.5, 0.45
_FEWEST_VALUES, _WARM_UPS, _CALL_S = 5, 1, 0.012
_CONTINUOUS = (sys.executable, "-m", "asv", "continuous")
_COMPARED = re.compile(r"^(?P<name>\S+): Mean .* -> .*: (?P<factor>[\d.]+)x (?P<word>slower|faster)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a tool said of both sides.

    Attributes
    ----------
    alarm
        Whether it failed the suite.
    slower
        By cell, whether it was told slower.
    ratios
        By cell, candidate ÷ baseline as the tool estimates it.
    seconds
        Wall time.
    """

    alarm: bool
    slower: Mapping[str, bool]
    ratios: Mapping[str, float]
    seconds: float


class Others:
    """The programs, ready to be run.

    Parameters
    ----------
    project
        What is measured.
    work
        Folder of the study.
    python
        Interpreter of the environment of pytest-benchmark and pyperf.
    """

    def __init__(self, project: Project, work: Path, python: Path) -> None:
        self._project, self._work, self._python = project, work, python
        self.run: Mapping[str, Callable[[str, float], dict[str, Said]]] = {
            ASV: self.asv,
            PYTEST: self.pytest,
            PYPERF: self.pyperf,
        }

    def build(self, candidate: str) -> None:
        """Let asv make its environment and the wheels of both sides, which a measurement must not wait for.

        Parameters
        ----------
        candidate
            Name of the side.
        """
        _tell_asv_of_machine(self._project.folder)
        _call([*_CONTINUOUS, "--quick", *self._commits(candidate)], self._project.folder, allowed=(0, 1))

    def _commits(self, candidate: str) -> list[str]:
        return [self._project.commits[name] for name in (BASE, candidate)]

    def asv(self, candidate: str, _budget_s: float) -> dict[str, Said]:
        """Run ``asv continuous`` as it is by default: it knows no budget.

        Parameters
        ----------
        candidate
            Name of the side.
        _budget_s
            Seconds for both sides, for the other programs.

        Returns
        -------
        dict of str to Said
            With its default factor, and what the same results are with a factor of 1.03.
        """
        commits = self._commits(candidate)
        results = self._project.folder / ".asv" / "results"
        shutil.rmtree(results, ignore_errors=True)
        begin = time.monotonic()
        status, text = _call([*_CONTINUOUS, *commits], self._project.folder, allowed=(0, 1))
        seconds = time.monotonic() - begin
        found = {
            name: Said(alarm=any(slower.values()), slower=slower, ratios=ratios, seconds=seconds)
            for name, factor in _FACTORS.items()
            for slower, ratios in [asv_decisions(results, commits[0], commits[1], factor=factor)]
        }
        if found[ASV].alarm != (status == 1):
            msg = f"asv's results and its status agree: it said {status} of {found[ASV].slower}. It printed: {text}"
            raise ResultsError(msg)
        return found

    def pytest(self, candidate: str, budget_s: float) -> dict[str, Said]:
        """Run the suite with pytest-benchmark on the baseline, then on the candidate, which fails at 5 % more.

        Parameters
        ----------
        candidate
            Name of the side.
        budget_s
            Seconds for both sides.

        Returns
        -------
        dict of str to Said
            One entry.
        """
        kept = self._work / "pytest"
        shutil.rmtree(kept, ignore_errors=True)
        most = max(0.02, (budget_s / 2 - _PYTEST_START_S) / len(cells()))
        common = [
            str(self._python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shelf.py", "--benchmark-only",
            f"--benchmark-storage={kept}", f"--benchmark-max-time={most:.3f}",
        ]  # fmt: skip
        begin = time.monotonic()
        self._script([*common, "--benchmark-save=base"], BASE, allowed=(0,))
        compared = [*common, "--benchmark-save=head", "--benchmark-compare=0001"]
        compared += [f"--benchmark-compare-fail=median:{_PERCENT}%"]
        status, text = self._script(compared, candidate, allowed=(0, 1))
        seconds = time.monotonic() - begin
        before, after = (json.loads(next(kept.rglob(f"*_{name}.json")).read_bytes()) for name in ("base", "head"))
        slower, ratios = pytest_decisions(before, after, percent=_PERCENT)
        if any(slower.values()) != (status == 1):
            msg = f"pytest-benchmark's results and its status agree: it said {status} of {slower}. It printed: {text}"
            raise ResultsError(msg)
        return {PYTEST: Said(alarm=status == 1, slower=slower, ratios=ratios, seconds=seconds)}

    def pyperf(self, candidate: str, budget_s: float) -> dict[str, Said]:
        """Run the suite with pyperf on the baseline, then on the candidate, and compare.

        Parameters
        ----------
        candidate
            Name of the side.
        budget_s
            Seconds for both sides.

        Returns
        -------
        dict of str to Said
            One entry; it has no threshold but chance.
        """
        processes, values = _pyperf_size(budget_s / 2 / len(cells()))
        begin = time.monotonic()
        paths = []
        for name, side in (("base", BASE), ("head", candidate)):
            path = self._work / "pyperf" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            command = [
                str(self._python), "perf_shelf.py", "--quiet", "--loops=1", f"--processes={processes}",
                f"--values={values}", f"--warmups={_WARM_UPS}", "--inherit-environ=PYTHONPATH", f"--output={path}",
            ]  # fmt: skip
            self._script(command, side, allowed=(0,))
            paths.append(str(path))
        _, text = self._script([str(self._python), "-m", "pyperf", "compare_to", *paths], BASE, allowed=(0,))
        slower, ratios = pyperf_decisions(text)
        seconds = time.monotonic() - begin
        return {PYPERF: Said(alarm=any(slower.values()), slower=slower, ratios=ratios, seconds=seconds)}

    def _script(self, command: Sequence[str], side: str, *, allowed: tuple[int, ...]) -> tuple[int, str]:
        variables = {"PYTHONPATH": str(self._project.sides[side]), "PYTHONNOUSERSITE": "1"}
        return _call(command, self._project.scripts, allowed=allowed, variables=variables)


def _pyperf_size(cell_s: float) -> tuple[int, int]:
    """Choose as many processes as the time of a cell has, and as many values in each as it has then."""
    processes = max(1, int(cell_s / (_PYPERF_START_S + (_FEWEST_VALUES + _WARM_UPS) * _CALL_S)))
    values = int((cell_s / processes - _PYPERF_START_S) / _CALL_S) - _WARM_UPS
    return processes, max(_FEWEST_VALUES, values)


def _tell_asv_of_machine(folder: Path) -> None:
    """Answer what asv would ask about a machine that it sees for the first time."""
    from asv.machine import Machine, MachineCollection  # noqa: PLC0415 - asv is part of the extra that gates need
    from asv.util import UserError  # noqa: PLC0415

    try:
        MachineCollection.load(Machine.get_unique_machine_name())
    except UserError:
        _call([sys.executable, "-m", "asv", "machine", "--yes"], folder, allowed=(0,))


def make_tools(work: Path) -> Path:
    """Make the environment of pytest-benchmark and pyperf.

    Parameters
    ----------
    work
        Folder of the study; an environment that is there and whole is kept.

    Returns
    -------
    Path
        Its interpreter.

    Raises
    ------
    ResultsError
        If uv cannot make it.
    """
    folder = work / "tools"
    python, wanted = folder / "bin" / "python", (*PINS, *TOOL_PINS)
    stamp = folder / "wanted.json"
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == list(wanted):
        return python
    call_uv("venv", "--quiet", "--no-project", "--no-config", "--clear", "--python", sys.executable, str(folder))
    call_uv("pip", "install", "--quiet", "--python", str(folder), *wanted)
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return python


def asv_decisions(
    results: Path, baseline: str, candidate: str, *, factor: float
) -> tuple[dict[str, bool], dict[str, float]]:
    """Judge stored results by asv's own rule.

    Parameters
    ----------
    results
        Folder of the results.
    baseline, candidate
        Full hashes.
    factor
        From which on a change counts, if it is certain too.

    Returns
    -------
    slower : dict of str to bool
        By cell.
    ratios : dict of str to float
        Of asv's medians.
    """
    from asv.commands.compare import _is_result_better, unroll_result  # noqa: PLC0415 - asv is part of the extra that gates need
    from asv.results import Results  # noqa: PLC0415

    sides = []
    for commit in (baseline, candidate):
        found = Results.load(str(next(results.glob(f"*/{commit[:8]}-*.json"))))
        name = next(iter(found.get_all_result_keys()))
        params = found.get_result_params(name)
        values = (
            found.get_result_value(name, params),
            found.get_result_stats(name, params),
            found.get_result_samples(name, params),
        )
        sides.append([entry[1:] for entry in unroll_result(name, params, *values)])
    names = [f"{codec}-{size}" for codec in LEVELS for size in SIZES]
    slower, ratios = {}, {}
    for name, base, other in zip(names, *sides, strict=True):
        slower[name] = bool(_is_result_better(base[0], other[0], base[1:], other[1:], factor))
        ratios[name] = other[0] / base[0]
    return slower, ratios


def pytest_decisions(
    before: Mapping[str, Any], after: Mapping[str, Any], *, percent: float
) -> tuple[dict[str, bool], dict[str, float]]:
    """Judge two saved runs as ``--benchmark-compare-fail=median:5%`` does.

    Parameters
    ----------
    before, after
        Contents of the files.
    percent
        More than so much is slower.

    Returns
    -------
    slower : dict of str to bool
        By cell.
    ratios : dict of str to float
        Of medians.
    """
    medians = [
        {one["extra_info"]["cell"]: one["stats"]["median"] for one in side["benchmarks"]} for side in (before, after)
    ]
    ratios = {name: medians[1][name] / medians[0][name] for name in cells()}
    return {name: ratio * 100 - 100 > percent for name, ratio in ratios.items()}, ratios


def pyperf_decisions(text: str) -> tuple[dict[str, bool], dict[str, float]]:
    """Read what ``pyperf compare_to`` printed.

    Parameters
    ----------
    text
        A line for each benchmark that changed, by its t test; others are named at the end.

    Returns
    -------
    slower : dict of str to bool
        By cell.
    ratios : dict of str to float
        Of means, of those that changed.
    """
    slower, ratios = dict.fromkeys(cells(), False), {}
    for line in text.splitlines():
        match = _COMPARED.match(line)
        if match is None or match["name"] not in slower:
            continue
        factor = float(match["factor"])
        slower[match["name"]] = match["word"] == "slower"
        ratios[match["name"]] = factor if match["word"] == "slower" else 1 / factor
    return slower, ratios


def _call(
    command: Sequence[str], folder: Path, *, allowed: tuple[int, ...], variables: Mapping[str, str] | None = None
) -> tuple[int, str]:
    ran = subprocess.run(  # noqa: S603 - programs of environments of our own
        list(command),
        cwd=folder,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if ran.returncode not in allowed:
        said = f"{ran.stdout}\n{ran.stderr}".strip()[-1500:]
        msg = f"A program of the study ends with {allowed}: {command[1:4]} ended with {ran.returncode} and said {said}"
        raise ResultsError(msg)
    return ran.returncode, ran.stdout


@contextlib.contextmanager
def load(*, busy: bool) -> Iterator[None]:
    """Keep one core busy meanwhile, or none.

    Parameters
    ----------
    busy
        Whether.
    """
    if not busy:
        yield
        return
    # It ends by itself when the study is killed.
    code = f"import os\nwhile os.getppid() == {os.getpid()}:\n    sum(range(20000))\n"
    process = subprocess.Popen([sys.executable, "-S", "-c", code])  # noqa: S603 - this interpreter
    try:
        yield
    finally:
        process.kill()
        process.wait()
