"""Batches put together: a page for each benchmark, on it a line of columns for each machine and environment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.report.site.nouns import Batch, Cells, Measure
    from zbench.report.site.registry import Catalogue

__all__ = ["JUDGED", "Column", "Gathered", "Line", "LineKey", "PageKey", "gather", "joined"]

# Begin of the key of lines whose points were measured in pairs and judged then: no search among pairs of other days.
JUDGED = "gate "

PageKey: TypeAlias = tuple[str, str, str, str]
LineKey: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Column:
    """The numbers of one line at one position.

    Attributes
    ----------
    position, environment
        Numbers of the catalogue.
    cells
        What the numbers are of.
    numbers
        Value, low and high, a row each.
    note
        Why there is none; empty if there are.
    samples
        Of each cell, where rounds were interleaved over positions.
    moved
        Of each cell the ends of the ratio to the position before, where a gate is sure of a change.
    """

    position: int
    environment: int
    cells: Cells
    numbers: np.ndarray
    note: str
    samples: tuple[tuple[float, ...], ...] = ()
    moved: tuple[tuple[float, float] | None, ...] = ()


@dataclass(slots=True)
class Gathered:
    """All that was given for one page.

    Attributes
    ----------
    measure, names
        Of the page.
    lines
        Columns of each line, in the order in which they were given.
    """

    measure: Measure
    names: tuple[str, ...]
    lines: dict[LineKey, list[Column]] = field(default_factory=dict)


@dataclass(slots=True)
class Line:
    """Numbers that may be joined: of one machine, in one environment but for what the axis varies.

    Attributes
    ----------
    machine, key
        What it is of.
    cells
        A row each.
    positions, environments
        Numbers of the catalogue, for each column.
    numbers
        Value, low and high of each row and column: an array of 3 by rows by columns.
    notes
        Why a column is empty, by column.
    samples
        Of each column, by row; of rows whose rounds were interleaved over positions.
    moved
        By row and column the ends of the ratio of a change that a gate is sure of.
    """

    machine: int
    key: str
    cells: list[tuple[str, ...]]
    positions: list[int]
    environments: list[int]
    numbers: np.ndarray
    notes: dict[int, str]
    samples: dict[int, list[tuple[float, ...]]] = field(default_factory=dict)
    moved: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)


def gather(batches: Iterable[Batch], catalogue: Catalogue) -> dict[PageKey, Gathered]:
    """Sort batches by page and line.

    Parameters
    ----------
    batches
        In any order.
    catalogue
        Takes in what they refer to.

    Returns
    -------
    dict
        By title, axis, metric and unit.
    """
    pages: dict[PageKey, Gathered] = {}
    for batch in batches:
        measure = batch.measure
        key = (batch.benchmark, batch.position.axis, measure.metric, measure.unit)
        page = pages.setdefault(key, Gathered(measure, batch.names))
        cells = batch.cells
        if batch.names != page.names:
            page.names, cells = _renamed(page, batch)
        line = catalogue.machine(batch.environment), batch.line
        # Half the memory where seven digits are enough.
        kind = np.float64 if _whole(measure) else np.float32
        page.lines.setdefault(line, []).append(
            Column(
                catalogue.position(batch.position),
                catalogue.environment(batch.environment),
                cells,
                np.stack([batch.values, batch.low, batch.high]).astype(kind),
                batch.note,
                batch.samples,
                batch.moved,
            )
        )
    return pages


def _whole(measure: Measure) -> bool:
    return measure.unit != "s"


def _renamed(page: Gathered, batch: Batch) -> tuple[tuple[str, ...], Cells]:
    """Give a page the parameters that it has not yet; cells of before have no value of a new one."""
    names = (*page.names, *(name for name in batch.names if name not in page.names))
    extra = ("",) * (len(names) - len(page.names))
    if extra:
        for columns in page.lines.values():
            columns[:] = [replace(column, cells=tuple(cell + extra for cell in column.cells)) for column in columns]
    places = [batch.names.index(name) if name in batch.names else None for name in names]
    return names, tuple(tuple("" if at is None else cell[at] for at in places) for cell in batch.cells)


def joined(key: LineKey, columns: Iterable[Column], catalogue: Catalogue) -> Line:
    """Put the columns of one line into order and side by side.

    Parameters
    ----------
    key
        Of the line.
    columns
        In any order; of two at one position the first keeps its numbers, and the other fills what is missing.
    catalogue
        Tells the order of positions.

    Returns
    -------
    Line
        The line.
    """
    by_position: dict[int, list[Column]] = {}
    rows: dict[tuple[str, ...], int] = {}
    places: dict[int, np.ndarray] = {}
    for column in columns:
        by_position.setdefault(column.position, []).append(column)
        # The same cells come with each of a thousand commits.
        if id(column.cells) not in places:
            places[id(column.cells)] = np.array([rows.setdefault(cell, len(rows)) for cell in column.cells], dtype=int)
    positions = sorted(by_position, key=lambda number: catalogue.positions[number].order)
    kind = next(iter(by_position.values()))[0].numbers.dtype
    numbers = np.full((3, len(rows), len(positions)), np.nan, dtype=kind)
    notes = {}
    for at, position in enumerate(positions):
        for column in reversed(by_position[position]):
            _lay(numbers[:, :, at], places[id(column.cells)], column.numbers)
        if not np.isfinite(numbers[0, :, at]).any():
            notes[at] = "; ".join(dict.fromkeys(c.note for c in by_position[position] if c.note))
    return Line(
        machine=key[0],
        key=key[1],
        cells=list(rows),
        positions=positions,
        environments=[by_position[position][0].environment for position in positions],
        numbers=numbers,
        notes={at: note for at, note in notes.items() if note},
        samples=_samples(by_position, positions, rows),
        moved={
            (rows[cell], at): ends
            for at, position in enumerate(positions)
            for column in by_position[position]
            for cell, ends in zip(column.cells, column.moved, strict=False)
            if ends is not None
        },
    )


def _samples(
    by_position: dict[int, list[Column]], positions: list[int], rows: dict[tuple[str, ...], int]
) -> dict[int, list[tuple[float, ...]]]:
    found: dict[int, list[tuple[float, ...]]] = {}
    for at, position in enumerate(positions):
        for column in by_position[position]:
            for cell, samples in zip(column.cells, column.samples, strict=False):
                # One sample a point says nothing of noise.
                if len(samples) > 1:
                    found.setdefault(rows[cell], [()] * len(positions))[at] = samples
    return found


def _lay(target: np.ndarray, rows: np.ndarray, numbers: np.ndarray) -> None:
    """Put numbers over others, where they are numbers or nothing was there."""
    over = np.isfinite(numbers[0]) | (~np.isfinite(target[0, rows]) & ~np.isnan(numbers[0]))
    target[:, rows[over]] = numbers[:, over]
