"""Histories that are made up, as an asv suite would leave them: of any size, with steps at known places."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["GeneratedHistory"]

_ENGINES = ("zarr-python", "zarr-python-fused", "zarrs", "tensorstore")
_LAYOUTS = ("v2-c64", "v3-c64", "v3-c32", "v3-c32-s128", "v3-c32-s256")
_CHAINS = ("none", "blosc-lz4-5-shuffle", "blosc-zstd-5-shuffle", "zstd-5", "gzip-5")
_BEGIN_S, _DAY_S = 1_500_000_000, 86_400
_NOISE = 0.02
_CONFIGURATION = {
    "version": 1, "project": "generated", "repo": ".", "branches": ["main"], "environment_type": "existing",
    "results_dir": "results", "html_dir": "html", "env_dir": "env", "show_commit_url": "#",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedHistory:
    """A suite whose numbers are drawn from a seed.

    Attributes
    ----------
    benchmarks
        Number of benchmarks; of ten, seven are times, one is memory and two are exact counts.
    commits
        Number of commits, a day apart, each of which has a result file.
    engines
        Number of engines, at most 4; of each there are 25 cells a benchmark.
    machines
        Names of machines; each measured every commit.
    stepping
        Share of cells that change their level once, by 2 to 20 %, anywhere.
    seed
        Of all numbers.
    """

    benchmarks: int = 100
    commits: int = 1000
    engines: int = 4
    machines: tuple[str, ...] = ("box",)
    stepping: float = 0.1
    seed: int = 1

    @property
    def cells(self) -> int:
        """Number of cells of one benchmark."""
        return self.engines * len(_LAYOUTS) * len(_CHAINS)

    def write(self, folder: Path, report: Callable[[int], None] = lambda _: None) -> list[str]:
        """Write a repository with its results.

        Parameters
        ----------
        folder
            New folder; gets ``.git``, ``asv.conf.json`` and ``results``.
        report
            Told how many commits are written.

        Returns
        -------
        list of str
            Hashes of the commits, oldest first.
        """
        folder.mkdir(parents=True)
        (folder / "asv.conf.json").write_text(json.dumps(_CONFIGURATION), encoding="utf-8")
        hashes = _commits(folder, self.commits)
        results = folder / "results"
        for number, machine in enumerate(self.machines):
            place = results / machine
            place.mkdir(parents=True)
            (place / "machine.json").write_text(json.dumps(_machine(machine) | {"version": 1}), encoding="utf-8")
            levels = self._levels(number)
            for at, commit in enumerate(hashes):
                text = json.dumps(self._file(machine, at, commit, levels, number))
                (place / f"{commit[:8]}-py3.11.json").write_text(text, encoding="utf-8")
                report(at + 1)
        (results / "benchmarks.json").write_text(json.dumps(self._index()), encoding="utf-8")
        return hashes

    def _kind(self, number: int) -> tuple[str, str, str]:
        """Name, unit and type of a benchmark."""
        kind = ("time",) * 7 + ("peakmem", "track_stored_bytes", "track_requests")
        method = kind[number % 10]
        unit = {"time": "seconds", "track_requests": "requests"}.get(method, "bytes")
        asv = {"time": "time", "peakmem": "peakmemory"}.get(method, "track")
        module = ("read", "write", "open", "layout")[number % 4]
        suffix = "" if method.startswith("track") else "_cell"
        return f"{module}.Case{number:03d}.{method}{suffix}", unit, asv

    def _index(self) -> dict[str, Any]:
        index: dict[str, Any] = {"version": 2}
        for number in range(self.benchmarks):
            name, unit, kind = self._kind(number)
            index[name] = {
                "name": name, "param_names": ["engine", "layout", "chain"], "params": self._grid(), "unit": unit,
                "type": kind, "version": "1", "code": "", "timeout": 60, "pretty_name": None,
            }  # fmt: skip
        return index

    def _grid(self) -> list[list[str]]:
        return [[repr(text) for text in texts] for texts in (_ENGINES[: self.engines], _LAYOUTS, _CHAINS)]

    def _levels(self, machine: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Level of each cell, and where and by how much it steps."""
        rng = np.random.default_rng([self.seed, 1000 + machine])
        shape = (self.benchmarks, self.cells)
        # A change of a library steps in many cells at one commit; there are as many such commits as years.
        places = np.linspace(0, self.commits, 8)[1:-1].astype(int)[rng.integers(6, size=shape)]
        factor = np.where(rng.random(shape) < self.stepping, rng.uniform(1.02, 1.2, shape), 1.0)
        factor = np.where(rng.random(shape) < 0.3, 1 / factor, factor)
        return rng.lognormal(np.log(5e-3), 0.6, shape), places, factor

    def _file(
        self, machine: str, at: int, commit: str, levels: tuple[np.ndarray, np.ndarray, np.ndarray], number: int
    ) -> dict[str, Any]:
        rng = np.random.default_rng([self.seed, number, at])
        level, places, factor = levels
        mean = level * np.where(at >= places, factor, 1.0)
        noise = rng.normal(0, _NOISE, mean.shape) + (rng.random(mean.shape) < 0.005) * 0.5
        numbers = mean * np.exp(noise)
        results = {}
        for benchmark in range(self.benchmarks):
            name, _, kind = self._kind(benchmark)
            if kind == "track":
                values, ends = np.round(mean[benchmark] * 1e9).astype(int).tolist(), (None, None)
            elif kind == "peakmemory":
                values, ends = np.round(numbers[benchmark] * 2e10).astype(int).tolist(), (None, None)
            else:
                values = numbers[benchmark].round(9).tolist()
                ends = ((numbers[benchmark] * 0.97).round(9).tolist(), (numbers[benchmark] * 1.04).round(9).tolist())
            entry = [values, self._grid(), "1", (_BEGIN_S + at * _DAY_S) * 1000, 1.5]
            if kind == "time":
                count = [10] * self.cells
                entry += [*ends, *ends, count, count]
            results[name] = entry
        facts = _machine(machine) | {"python": "3.11"}
        return {
            "commit_hash": commit, "env_name": "py3.11", "date": (_BEGIN_S + at * _DAY_S) * 1000, "params": facts,
            "python": "3.11", "requirements": {"zarr": "3.1.6"}, "env_vars": {},
            "result_columns": [
                "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
                "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
            ],
            "results": results, "durations": {}, "version": 2,
        }  # fmt: skip


def _machine(name: str) -> dict[str, str]:
    return {"machine": name, "arch": "x86_64", "cpu": "a processor", "num_cpu": "8", "os": "Linux 6", "ram": "32000000"}


def _commits(folder: Path, count: int) -> list[str]:
    """Make as many commits, each of one small file, in one go."""
    stream = []
    for at in range(count):
        when = _BEGIN_S + at * _DAY_S
        message, content = f"Change number {at}", f"{at}\n"
        stream.append(
            f"commit refs/heads/main\ncommitter A <a@example.org> {when} +0000\ndata {len(message)}\n{message}\n"
            f"M 100644 inline number\ndata {len(content)}\n{content}\n"
        )
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)  # noqa: S603 - fixed command
    subprocess.run([*git, "fast-import", "--quiet"], input="".join(stream).encode(), check=True)  # noqa: S603
    listed = subprocess.run(  # noqa: S603 - fixed command
        [*git, "rev-list", "--reverse", "main"], check=True, capture_output=True, text=True
    )
    return listed.stdout.split()
