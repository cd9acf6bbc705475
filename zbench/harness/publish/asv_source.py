"""Result folders of asv as batches."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.harness.publish.source import Source
from zbench.model import Environment
from zbench.report.site.metrics import measure_of_asv
from zbench.report.site.nouns import Batch
from zbench.results.asv_columns import AsvBenchmark, read_asv_benchmarks, read_asv_file
from zbench.results.traces import TRACE_ENDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from zbench.harness.publish.commits import Commits
    from zbench.results.asv_columns import AsvColumn, AsvFile

__all__ = ["ASV_INDEX", "AsvSource"]

ASV_INDEX = "benchmarks.json"
_FALLBACK = {
    "time": ("time", "seconds"), "timeraw": ("time", "seconds"), "peakmem": ("peakmemory", "bytes"),
    "mem": ("memory", "bytes"), "track": ("track", ""),
}  # fmt: skip


class AsvSource(Source):
    """A result folder of asv, of any project."""

    def files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        numbers = (
            path
            for path in self.path.glob("*/*.json")
            if path.name != "machine.json" and not path.name.endswith(TRACE_ENDING)
        )
        # Paths compare part by part, which takes its time with thousands of them.
        return (self.path / ASV_INDEX, *sorted(numbers, key=str))

    def digest(self, path: Path) -> str:  # noqa: D102 - as in the base
        if path.name != ASV_INDEX:
            return super().digest(path)
        # It holds the code of each benchmark too, which changes more often than what the numbers mean.
        try:
            told = repr(sorted(read_asv_benchmarks(path).items()))
        except ResultsError as error:
            told = str(error)
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def grows_by(self, paths: Iterable[Path]) -> bool:  # noqa: D102 - as in the base
        return all(path.name != ASV_INDEX for path in paths) or super().grows_by(paths)

    def batches(  # noqa: D102 - as in the base
        self, paths: Iterable[Path], commits: Commits, problems: dict[str, str]
    ) -> Iterator[Batch]:
        index = self.path / ASV_INDEX
        try:
            benchmarks = read_asv_benchmarks(index)
        except ResultsError as error:
            benchmarks, problems[str(index)] = {}, str(error)
        for path in paths:
            if path != index:
                try:
                    yield from _asv_batches(read_asv_file(path), benchmarks, commits)
                except ResultsError as error:
                    problems[str(path)] = str(error)


def _asv_batches(file: AsvFile, benchmarks: Mapping[str, AsvBenchmark], commits: Commits) -> Iterator[Batch]:
    machine = file.machine
    environment = Environment(
        machine=machine["machine"],
        os=machine["os"],
        cpu=machine["cpu"],
        cores=_whole(machine["num_cpu"]),
        memory_bytes=_whole(machine["ram"]),
        python=file.python,
        packages=file.requirements,
        threads=file.variables,
        filesystem="",
    )
    position = commits.position(file.commit, file.date_ms)
    for column in file.columns:
        benchmark = benchmarks.get(column.name) or _unknown(column)
        # What an older version of a benchmark gave is of something else: a page of its own.
        old = column.version and benchmark.version and column.version != benchmark.version
        yield Batch(
            benchmark=f"{column.name} (version {column.version[:8]})" if old else column.name,
            measure=measure_of_asv(column.name, kind=benchmark.kind, unit=benchmark.unit),
            environment=environment,
            line=file.environment,
            position=position,
            names=_names(column, benchmark),
            cells=column.cells,
            values=column.values,
            low=column.low,
            high=column.high,
            note="failed: the log of asv run says why" if (column.values == -float("inf")).all() else "",
        )


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _unknown(column: AsvColumn) -> AsvBenchmark:
    """Take from its name what a benchmark is that the suite no longer has."""
    kind, unit = _FALLBACK.get(column.name.rpartition(".")[-1].partition("_")[0], ("track", ""))
    return AsvBenchmark(names=(), unit=unit, kind=kind, version="")


def _names(column: AsvColumn, benchmark: AsvBenchmark) -> tuple[str, ...]:
    count = len(column.cells[0]) if column.cells else 0
    return (*benchmark.names, *(f"parameter {at + 1}" for at in range(len(benchmark.names), count)))[:count]
