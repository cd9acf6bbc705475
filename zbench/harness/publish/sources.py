"""Where numbers come from: result folders of asv, sweeps over releases, and everything that becomes the table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.imports import collect
from zbench.model import Environment
from zbench.report.site.metrics import measure_of_asv
from zbench.report.site.nouns import Batch, Position
from zbench.report.site.rows import release_position, table_batches
from zbench.results import environment_id, read_json, read_table, table_files
from zbench.results.asv_columns import AsvBenchmark, read_asv_benchmarks, read_asv_file
from zbench.results.traces import TRACE_ENDING, read_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from zbench.harness.publish.commits import Commits
    from zbench.results import Row
    from zbench.results.asv_columns import AsvColumn, AsvFile
    from zbench.results.traces import StoredTrace

__all__ = ["AsvSource", "Source", "SweepSource", "TableSource", "TraceSource", "default_sources", "source_of"]

_SUITE, _SWEEPS = ".asv/results", "results/sweep"
_INDEX, _HISTORY = "benchmarks.json", "history.json"
_FALLBACK = {
    "time": ("time", "seconds"), "timeraw": ("time", "seconds"), "peakmem": ("peakmemory", "bytes"),
    "mem": ("memory", "bytes"), "track": ("track", ""),
}  # fmt: skip


def default_sources(repository: Path) -> tuple[Path, ...]:
    """Find the results that lie where zbench and asv put them.

    Parameters
    ----------
    repository
        Folder of the clone.

    Returns
    -------
    tuple of Path
        Those that are there.
    """
    suite = repository / _SUITE
    sweeps = sorted(path.parent for path in (repository / _SWEEPS).glob(f"*/history/{_HISTORY}"))
    return (*([suite] if suite.is_dir() else []), *sweeps)


def source_of(path: Path) -> Source:
    """Find out what a path holds.

    Parameters
    ----------
    path
        A folder or a file.

    Returns
    -------
    Source
        To read it with.
    """
    if path.name.endswith(TRACE_ENDING) or (path.is_dir() and not any(_others(path))):
        return TraceSource(path)
    if (path / _HISTORY).is_file():
        return SweepSource(path)
    if path.is_dir() and not table_files(path) and (path / _INDEX).is_file():
        return AsvSource(path)
    return TableSource(path)


def _others(folder: Path) -> Iterator[Path]:
    """Look for results that are no traces."""
    for form in ("json", "csv", "parquet"):
        yield from (path for path in folder.rglob(f"*.{form}") if not path.name.endswith(TRACE_ENDING))


@dataclass(frozen=True, slots=True)
class Source:
    """A folder or file with results.

    Attributes
    ----------
    path
        Where it is.
    """

    path: Path

    def files(self) -> tuple[Path, ...]:
        """List the files that tell whether anything changed.

        Returns
        -------
        tuple of Path
            In the order in which they are read.
        """
        if not self.path.is_dir():
            return (self.path,)
        return tuple(sorted(_others(self.path)))

    def digest(self, path: Path) -> str:
        """Stand for what a file says.

        Parameters
        ----------
        path
            One of `files`.

        Returns
        -------
        str
            Another text for another content.
        """
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]

    def grows_by(self, paths: Iterable[Path]) -> bool:
        """Tell whether new files can be read without the others.

        Parameters
        ----------
        paths
            Some of `files`.

        Returns
        -------
        bool
            Whether `batches` takes them alone.
        """
        return set(paths) == set(self.files())

    def batches(self, paths: Iterable[Path], commits: Commits, problems: dict[str, str]) -> Iterator[Batch]:
        """Read files.

        Parameters
        ----------
        paths
            Some of `files`.
        commits
            Makes positions of commits.
        problems
            Takes in why a file is skipped, by its path.

        Yields
        ------
        Batch
            What they hold.
        """
        raise NotImplementedError

    def traces(self, problems: dict[str, str]) -> Iterator[StoredTrace]:
        """Read the traces that lie among the results.

        Parameters
        ----------
        problems
            Takes in why a file is skipped, by its path.

        Yields
        ------
        StoredTrace
            In the order of the names of the files.
        """
        for path in self.trace_files():
            try:
                yield read_trace(path)
            except ResultsError as error:
                problems[str(path)] = str(error)

    def trace_files(self) -> tuple[Path, ...]:
        """List the files with traces.

        Returns
        -------
        tuple of Path
            By name.
        """
        return tuple(sorted(self.path.rglob(f"*{TRACE_ENDING}"))) if self.path.is_dir() else ()


class TraceSource(Source):
    """Traces and nothing else."""

    def files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        return ()

    def batches(  # noqa: D102 - as in the base
        self,
        paths: Iterable[Path],  # noqa: ARG002 - there are no numbers
        commits: Commits,  # noqa: ARG002
        problems: dict[str, str],  # noqa: ARG002
    ) -> Iterator[Batch]:
        yield from ()

    def trace_files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        return super().trace_files() if self.path.is_dir() else (self.path,)


class AsvSource(Source):
    """A result folder of asv, of any project."""

    def files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        numbers = sorted(
            path
            for path in self.path.glob("*/*.json")
            if path.name != "machine.json" and not path.name.endswith(TRACE_ENDING)
        )
        return (self.path / _INDEX, *numbers)

    def digest(self, path: Path) -> str:  # noqa: D102 - as in the base
        if path.name != _INDEX:
            return super().digest(path)
        # It holds the code of each benchmark too, which changes more often than what the numbers mean.
        try:
            told = repr(sorted(read_asv_benchmarks(path).items()))
        except ResultsError as error:
            told = str(error)
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def grows_by(self, paths: Iterable[Path]) -> bool:  # noqa: D102 - as in the base
        return all(path.name != _INDEX for path in paths) or super().grows_by(paths)

    def batches(  # noqa: D102 - as in the base
        self, paths: Iterable[Path], commits: Commits, problems: dict[str, str]
    ) -> Iterator[Batch]:
        index = self.path / _INDEX
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


class TableSource(Source):
    """Anything else that `zbench import` reads."""

    def batches(  # noqa: D102 - as in the base
        self,
        paths: Iterable[Path],  # noqa: ARG002 - the table is read as a whole
        commits: Commits,
        problems: dict[str, str],
    ) -> Iterator[Batch]:
        try:
            found = collect([self.path])
        except ResultsError as error:
            problems[str(self.path)] = str(error)
            return
        problems |= {f"{self.path} ({number})": text for number, text in enumerate(found.problems)}
        yield from table_batches(found.table, _positions(commits))


def _positions(commits: Commits) -> Callable[[Row], Position]:
    def position(row: Row) -> Position:
        if row.commit:
            return commits.position(row.commit)
        name = row.run or row.source
        return Position(axis="run", key=name, order=tuple(map(float, name.encode()[:24])), label=name)

    return position


class SweepSource(Source):
    """A history whose horizontal axis is the release of a package."""

    def files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        return (self.path / _HISTORY, *table_files(self.path)[:1])

    def batches(  # noqa: D102 - as in the base
        self,
        paths: Iterable[Path],  # noqa: ARG002 - a sweep is read as a whole
        commits: Commits,  # noqa: ARG002 - releases have none
        problems: dict[str, str],
    ) -> Iterator[Batch]:
        try:
            yield from _sweep_batches(self.path)
        except (ResultsError, KeyError, TypeError, AttributeError, IndexError) as error:
            told = str(error) if isinstance(error, ResultsError) else repr(error)
            problems[str(self.path)] = f"A sweep holds history.json and a table: {str(self.path)!r} does not ({told})."


def _sweep_batches(folder: Path) -> Iterator[Batch]:
    raw = read_json(folder / _HISTORY)
    axis, points = str(raw["axis"]), raw["points"]
    positions = {
        str(point["run"]): release_position(axis, str(point["release"]), rank=rank) for rank, point in enumerate(points)
    }
    table = read_table(table_files(folder)[0])

    def line_of(environment: Environment) -> str:
        # Along the line the package changes, and with it the Python and the companions that it can have.
        facts = replace(environment, python="", packages=())
        return f"releases of {axis} {environment_id(facts)}"

    batches = list(
        table_batches(
            table, lambda row: positions[row.run], prefix=f"{axis}-releases", line_of=line_of, interleaved=True
        )
    )
    yield from batches
    yield from _gaps(batches, {str(point["run"]): str(point.get("gap") or "") for point in points}, positions)


def _gaps(batches: Iterable[Batch], gaps: Mapping[str, str], positions: Mapping[str, Position]) -> Iterator[Batch]:
    """Mark on every line the releases that have no numbers."""
    lines: dict[Any, Batch] = {}
    for batch in batches:
        lines.setdefault((batch.benchmark, batch.line, batch.environment.machine), batch)
    for run, reason in gaps.items():
        if reason:
            for batch in lines.values():
                nothing = batch.values[:0]
                yield replace(
                    batch,
                    position=positions[run],
                    cells=(),
                    values=nothing,
                    low=nothing,
                    high=nothing,
                    note=reason,
                    samples=(),
                )
