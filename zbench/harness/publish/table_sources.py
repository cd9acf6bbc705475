"""What becomes the table of results as batches, and sweeps over releases, which are a table with an order."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.imports import collect
from zbench.harness.publish.source import HISTORY, Source
from zbench.report.site.nouns import Batch, Position
from zbench.report.site.rows import release_position, table_batches
from zbench.results import environment_id, read_json, read_table, table_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from zbench.harness.publish.commits import Commits
    from zbench.model import Environment, Request
    from zbench.results import Row
    from zbench.results.traces import StoredTrace

__all__ = ["SweepSource", "TableSource"]


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
        return (self.path / HISTORY, *table_files(self.path)[:1])

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

    def traces(self, problems: dict[str, str]) -> Iterator[StoredTrace]:
        """Read the traces that ask for something else than those of the release before.

        Parameters
        ----------
        problems
            Takes in why a file is skipped, by its path.

        Yields
        ------
        StoredTrace
            By cell, then by release.
        """
        points = read_json(self.path / HISTORY)["points"]
        ranks = {str(point["release"]): rank for rank, point in enumerate(points)}
        by_cell: dict[tuple[tuple[str, str], ...], list[StoredTrace]] = {}
        for stored in super().traces(problems):
            by_cell.setdefault(tuple(sorted(stored.cell.items())), []).append(stored)
        for _, traces in sorted(by_cell.items()):
            traces.sort(key=lambda stored: ranks.get(stored.position, -1))
            for place, stored in enumerate(traces):
                if not place or _asked(stored) != _asked(traces[place - 1]):
                    yield stored


def _asked(stored: StoredTrace) -> list[Request]:
    """Tell what was asked for, in an order that does not depend on which thread came first."""
    plain = (replace(request, offset_ns=0) for request in stored.trace.requests)
    return sorted(plain, key=lambda request: repr(astuple(request)))


def _sweep_batches(folder: Path) -> Iterator[Batch]:
    raw = read_json(folder / HISTORY)
    axis, points = str(raw["axis"]), raw["points"]
    positions = {
        str(point["run"]): release_position(axis, str(point["release"]), rank=rank) for rank, point in enumerate(points)
    }
    table = read_table(table_files(folder)[0])
    # What another library needs for the same stands beside the releases, and is none of them.
    others = {str(point["run"]) for point in raw.get("references", ())}
    table = replace(table, rows=tuple(row for row in table.rows if row.run not in others))

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
