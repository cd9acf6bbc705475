"""What the site is made of: numbers that belong together, and where on a line they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from zbench.model import Environment

__all__ = ["Batch", "Cells", "Group", "Measure", "Position", "Step"]

Cells: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """What the numbers of a page are.

    Attributes
    ----------
    metric, unit
        As in the table of results.
    family
        What it means to get worse: time, memory, size, traffic, or other.
    lower_is_better
        False for compression ratios and throughputs.
    exact
        Whether it repeats to the digit, so that every difference is a step.
    """

    metric: str
    unit: str
    family: str
    lower_is_better: bool
    exact: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A commit, a release or a run: a place on the horizontal axis.

    Attributes
    ----------
    axis
        ``commit``, ``release`` or ``run``.
    key
        Full hash, version or name; one place of an axis.
    order
        Where it stands among the others of its axis.
    label
        What people call it.
    date_ms
        Milliseconds since 1970; 0 where it is not known.
    subject, url
        First line of the message, and the page of the commit or of the release notes; empty where not known.
    """

    axis: str
    key: str
    order: tuple[float, ...]
    label: str
    date_ms: int = 0
    subject: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one benchmark gave at one position on one machine in one environment.

    Attributes
    ----------
    benchmark
        Title of the page.
    measure
        What the numbers are.
    environment
        Facts of the machine and its packages at this position.
    line
        What must be the same for numbers to be joined by a line, beside the machine.
    position
        Where they stand.
    names
        Names of the parameters.
    cells
        Their values, cell by cell.
    values
        A number for each cell, or one of the marks of `zbench.results.asv_columns`.
    low, high
        Ends of the interval; NaN without one.
    note
        Why there are no numbers here at all; empty if there are.
    samples
        Of each cell, where they were taken in interleaved rounds with those of other positions; else empty.
    moved
        Of each cell the ends of the ratio to the position before, where a gate is sure of a change; else empty.
    """

    benchmark: str
    measure: Measure
    environment: Environment
    line: str
    position: Position
    names: tuple[str, ...]
    cells: Cells
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    note: str = ""
    samples: tuple[tuple[float, ...], ...] = ()
    moved: tuple[tuple[float, float] | None, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A lasting change of one cell.

    Attributes
    ----------
    row
        Which cell of the line.
    column
        First position of the new level.
    before_column
        Last position of the old level.
    before, after
        The two levels.
    low, high
        Ends of the interval of ``after / before``; equal to it for exact numbers.
    """

    row: int
    column: int
    before_column: int
    before: float
    after: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        """New level over old; infinite where the old one is 0."""
        return self.after / self.before if self.before else float("inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The steps of one line at one position, told as one change.

    Attributes
    ----------
    page, line
        Where it is.
    position, before
        Ids of the first position of the new levels and of the last of the old.
    worse, better
        Number of cells.
    cells
        Number of cells that the line has numbers of.
    ratio
        Median of ``after / before`` of the cells that moved to the side that has more of them.
    smallest, largest
        Of the same cells.
    low, high
        Ends of the interval of the cell in the middle.
    row
        That cell.
    environment, before_environment
        Ids of the environments that it was measured in at both positions: what else moved.
    """

    page: str
    line: int
    position: int
    before: int
    worse: int
    better: int
    cells: int
    ratio: float
    smallest: float
    largest: float
    low: float
    high: float
    row: int
    environment: int
    before_environment: int
