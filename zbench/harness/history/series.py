"""Stored sweeps and asv's result files as series: one metric of one workload over releases or commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.sweep.history import read_history
from zbench.results import read_asv_table, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from zbench.harness.sweep.history import History
    from zbench.model import Environment
    from zbench.results import Row

__all__ = ["COMMITS", "Label", "Series", "SeriesSet", "read_series"]

COMMITS = "commit"
_SWEEP, _ASV = "history.json", "benchmarks.json"
# A sweep keeps its history two folders below the one that holds all sweeps.
_DEPTH = ("", "history", "*/history")
_ROUNDS = "rounds "


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A point of the axis.

    Attributes
    ----------
    name
        Release, or the begin of the commit's hash.
    environment
        Id of the environment that the number is from; empty where there is no number.
    """

    name: str
    environment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One metric of one workload over releases or commits.

    Attributes
    ----------
    source
        Folder that it was read from.
    axis
        Package whose releases are the points, or ``commit``.
    machine
        Name of the machine; points of two machines are never in one series.
    place
        What else keeps series apart, such as the environment of asv's suite.
    workload, metric, unit
        What the numbers are.
    labels
        The points, oldest first.
    rows
        The number of each point; ``None`` where there is none.
    """

    source: str
    axis: str
    machine: str
    place: str
    workload: str
    metric: str
    unit: str
    labels: tuple[Label, ...]
    rows: tuple[Row | None, ...] = field(repr=False)

    @property
    def values(self) -> tuple[float | None, ...]:
        """The number of each point."""
        return tuple(None if row is None else row.value for row in self.rows)

    @property
    def exact(self) -> bool:
        """Whether the numbers repeat to the digit."""
        return any(row is not None and row.exact for row in self.rows)

    @property
    def name(self) -> str:
        """Workload and metric in one line."""
        return f"{self.workload} {self.metric}"

    @property
    def rounds(self) -> tuple[tuple[float | None, ...], ...]:
        """For each interleaved round one value a point; empty where the points were not measured in rounds."""
        taken = [_by_round(row) for row in self.rows]
        numbers = sorted({number for by in taken for number in by})
        return tuple(tuple(by.get(number) for by in taken) for number in numbers)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesSet:
    """All that was read.

    Attributes
    ----------
    series
        Ordered by source, workload and metric.
    environments
        By id.
    problems
        One line for each file or folder that could not be read.
    """

    series: tuple[Series, ...]
    environments: Mapping[str, Environment]
    problems: tuple[str, ...]


def _by_round(row: Row | None) -> dict[int, float]:
    if row is None or not row.note.startswith(_ROUNDS):
        return {}
    numbers = row.note.removeprefix(_ROUNDS).split()
    return dict(zip(map(int, numbers), row.samples, strict=True)) if len(numbers) == len(row.samples) else {}


def read_series(paths: Iterable[Path]) -> SeriesSet:
    """Read stored sweeps and result folders of asv.

    Parameters
    ----------
    paths
        Folders: a history, the folder of one sweep or of all sweeps, or the ``results_dir`` of asv.conf.json.

    Returns
    -------
    SeriesSet
        What could be read, and one line for each thing that could not.

    Raises
    ------
    ResultsError
        If nothing could be read.
    """
    series: list[Series] = []
    environments: dict[str, Environment] = {}
    problems: list[str] = []
    given = list(paths)
    for path in given:
        histories = sorted({one.parent for below in _DEPTH for one in path.glob(f"{below}/{_SWEEP}".lstrip("/"))})
        try:
            if (path / _ASV).is_file():
                series += _of_asv(path, environments, problems)
            elif not histories:
                problems.append(f"A history is a stored sweep or a result folder of asv: {str(path)!r} is neither.")
            for folder in histories:
                series += _of_sweep(folder, environments)
        except ResultsError as error:
            problems.append(str(error))
    if not series:
        told = " ".join(problems) or "no folder was given"
        msg = f"A history needs numbers of several releases or commits: there are none ({told}). Run zbench sweep."
        raise ResultsError(msg)
    return SeriesSet(series=tuple(series), environments=environments, problems=tuple(problems))


def _of_sweep(folder: Path, environments: dict[str, Environment]) -> list[Series]:
    history = read_history(folder)
    environments.update(history.table.environments)
    places = {point.run: number for number, point in enumerate(history.points)}
    labels = tuple(Label(name=point.release, environment=point.environment) for point in history.points)
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in history.table.rows:
        # What was measured beside the axis is no point of it.
        if row.run in places and row.value is not None:
            grouped.setdefault((row.machine, row.workload, row.metric, row.unit), []).append(row)
    return [
        _series(str(folder), history, key, [(places[row.run], row) for row in rows], labels)
        for key, rows in sorted(grouped.items())
    ]


def _series(
    source: str,
    history: History,
    key: Sequence[str],
    rows: Sequence[tuple[int, Row]],
    labels: tuple[Label, ...],
) -> Series:
    machine, workload, metric, unit = key
    return Series(
        source=source,
        axis=history.axis,
        machine=machine,
        place="",
        workload=workload,
        metric=metric,
        unit=unit,
        labels=labels,
        rows=_spread(rows, len(labels)),
    )


def _spread(rows: Iterable[tuple[int, Row]], count: int) -> tuple[Row | None, ...]:
    spread: list[Row | None] = [None] * count
    for place, row in rows:
        spread[place] = row
    return tuple(spread)


def _of_asv(folder: Path, environments: dict[str, Environment], problems: list[str]) -> list[Series]:
    found = read_asv_table(folder)
    environments.update(found.table.environments)
    problems.extend(found.problems)
    dates = _dates(folder)
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in found.table.rows:
        if row.value is not None:
            # The file's name is the commit and the environment; without the commit it is the curve that asv draws.
            place = row.run.partition("-")[2]
            # Two benchmarks may measure one workload in two ways.
            workload = f"{row.benchmark} {row.workload}" if row.benchmark not in row.workload else row.workload
            key = (row.machine, place, workload, row.metric, row.unit)
            grouped.setdefault(key, []).append(row)
    series = []
    for (machine, place, workload, metric, unit), rows in sorted(grouped.items()):
        # Commits that this curve has no number of are no points of it: another branch may hold them.
        ordered = sorted(rows, key=lambda row: (dates.get(row.commit, 0), row.commit))
        series.append(
            Series(
                source=str(folder),
                axis=COMMITS,
                machine=machine,
                place=place,
                workload=workload,
                metric=metric,
                unit=unit,
                labels=tuple(Label(name=row.commit[:8], environment=row.environment) for row in ordered),
                rows=tuple(ordered),
            )
        )
    return series


def _dates(folder: Path) -> dict[str, int]:
    """Read when each commit was made, which orders them."""
    dates: dict[str, int] = {}
    for path in folder.glob("*/*.json"):
        try:
            raw: Any = read_json(path)
        except ResultsError:
            # The reader of the numbers has named it.
            continue
        if isinstance(raw, dict) and "commit_hash" in raw and isinstance(raw.get("date"), int):
            dates[str(raw["commit_hash"])] = raw["date"]
    return dates
