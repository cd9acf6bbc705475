"""The pages of a sweep, made from its stored history."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING

from zbench.harness.history import find_steps, read_series
from zbench.harness.sweep.history import read_history
from zbench.harness.sweep.run import store_history
from zbench.report.sweep import StepNote, TimedRelease, times_page
from zbench.report.sweep_figure import draw_sweep
from zbench.report.sweep_requests import ReleaseNote, requests_page
from zbench.results import write_atomically
from zbench.runner.requests import OPERATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.harness.sweep.history import History, Point
    from zbench.results import Row

__all__ = ["sweep_report", "write_pages"]

_HELD = ("numcodecs", "numpy", "zarr", "tensorstore", "zarrs")
_TIMED = ("wall_time", "cpu_time", "added_memory")


def sweep_report(axis: str, work: Path, output: Path | None, *, dataset: str) -> tuple[Path, ...]:
    """Write the history of a sweep from its records, and its pages from the history.

    Parameters
    ----------
    axis
        Name of the package.
    work
        Folder of the sweep.
    output
        Folder for the pages; ``None`` writes the history alone.
    dataset
        Volume of the counts.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    ResultsError
        If there are no records, or they are damaged.
    """
    paths = store_history(axis, work, dataset)
    return paths if output is None else (*paths, *write_pages(output, paths[0].parent))


def write_pages(output: Path, history_folder: Path) -> tuple[Path, ...]:
    """Write the pages of a stored history.

    Parameters
    ----------
    output
        Folder for the pages.
    history_folder
        Folder of the history.

    Returns
    -------
    tuple of Path
        The page of the counts; the page of the times with its figures, if there are times.

    Raises
    ------
    ResultsError
        If there is no history.
    """
    history = read_history(history_folder)
    path = output / f"{history.axis}-requests.md"
    page = requests_page(
        history.axis,
        [_note(point, history) for point in history.points],
        [row for row in history.table.rows if _is_of_counts(row, history)],
        dataset=history.dataset,
        date=history.date,
        command=f"{history.command} --counts-only --output docs/results",
    )
    write_atomically(path, page)
    return (path, *_write_times(output, history, history_folder))


def _write_times(output: Path, history: History, folder: Path) -> tuple[Path, ...]:
    rows = [row for row in history.table.rows if not row.dataset.startswith(f"{history.dataset}@")]
    if not any(row.metric in _TIMED for row in rows):
        return ()
    known = {row.run for row in rows if row.metric in _TIMED}
    releases = [
        TimedRelease(
            run=point.run,
            version=point.release,
            name="" if point in history.points else point.run,
            beside=_beside(point, history),
        )
        for point in (*history.points, *history.references)
        if point.run in known
    ]
    figures = draw_sweep(history.axis, releases, rows, output)
    machine = next(iter(history.table.environments[row.environment] for row in rows))
    page = times_page(
        history.axis,
        releases,
        rows,
        machine=machine,
        date=history.date,
        command=f"{history.command} --output docs/results",
        figures=[path.name for path in figures if path.suffix == ".svg"],
        steps=_steps(folder, {row.dataset for row in rows}),
    )
    path, numbers = (output / f"{history.axis}-sweep.{ending}" for ending in ("md", "csv"))
    write_atomically(path, page)
    write_atomically(numbers, _numbers(releases, rows))
    return (path, numbers, *figures)


def _numbers(releases: list[TimedRelease], rows: list[Row]) -> str:
    """Write the times and the memory as they were measured, one line a release and workload."""
    versions = {release.run: release.name or release.version for release in releases}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("release", "layout", "chain", "operation", "metric", "unit", "median", "low", "high", "rounds"))
    for row in rows:
        if row.metric in _TIMED and row.value is not None:
            values = (f"{value:.4g}" if value is not None else "" for value in (row.value, row.low, row.high))
            named = (versions[row.run], row.layout, row.chain, row.pattern, row.metric, row.unit)
            writer.writerow((*named, *values, len(row.samples)))
    return text.getvalue()


def _steps(folder: Path, datasets: set[str]) -> list[StepNote]:
    known = read_series([folder])
    timed = [series for series in known.series if series.workload.split("|", 1)[0] in datasets]
    found, _ = find_steps(replace(known, series=tuple(timed)))
    return [
        StepNote(
            workload=one.series.workload.split("|", 1)[1],
            metric=one.series.metric,
            earlier=one.earlier,
            later=one.later,
            word=one.word,
            ratio=one.step.ratio,
            exact=one.series.exact,
        )
        for one in found
        if one.series.metric != "cpu_time"
    ]


def _is_of_counts(row: Row, history: History) -> bool:
    return row.dataset.startswith(f"{history.dataset}@") and (row.value is None or row.pattern in OPERATIONS)


def _note(point: Point, history: History) -> ReleaseNote:
    return ReleaseNote(version=point.release, python=point.python, beside=_beside(point, history), gap=point.gap)


def _beside(point: Point, history: History) -> str:
    packages = dict(history.table.environments[point.environment].packages) if point.environment else {}
    return ", ".join(f"{name} {packages[name]}" for name in _HELD if name in packages and name != history.axis)
