"""A page of the site as files: a head with all but the numbers, and the numbers in pieces of so many positions."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.report.site.encode import pack
from zbench.report.site.nouns import Group, Measure, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zbench.report.site.lines import Line, PageKey

__all__ = [
    "SEGMENT",
    "Page",
    "PageLine",
    "groups_of",
    "head_of",
    "page_name",
    "segment_entry",
    "segment_key",
    "summary_of",
]

# Positions in one file: the last one is rewritten when a commit comes, all others stay as they are.
SEGMENT = 128
_DIGITS = 7
_step_fields = attrgetter(*(entry.name for entry in fields(Step)))


@dataclass(slots=True)
class PageLine:
    """A line with what was found on it.

    Attributes
    ----------
    line
        Its positions and, from column `first` on, its numbers.
    first
        A multiple of `SEGMENT`.
    latest
        The last number of each cell with its ends: 3 by cells.
    steps
        Of all cells.
    """

    line: Line
    first: int
    latest: np.ndarray
    steps: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """One benchmark.

    Attributes
    ----------
    name
        Of its files and in its address.
    title, axis
        What it is of, and what its horizontal axis is.
    measure, names
        What its numbers are, and the names of the parameters.
    lines
        In the order of their numbers.
    """

    name: str
    title: str
    axis: str
    measure: Measure
    names: tuple[str, ...]
    lines: list[PageLine] = field(default_factory=list)

    @property
    def segments(self) -> int:
        """Number of files with numbers."""
        return max((math.ceil(len(one.line.positions) / SEGMENT) for one in self.lines), default=0)


def page_name(key: PageKey, taken: Iterable[str]) -> str:
    """Name the files of a page.

    Parameters
    ----------
    key
        Title, axis, metric and unit.
    taken
        Names of other pages.

    Returns
    -------
    str
        The title, where it can be part of an address and no other page has it.
    """
    title, axis, *_ = key
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")[:100] or "page"
    name = plain if axis == "commit" else f"{plain}.by-{axis}"
    # A folder on a disk that does not tell upper from lower case holds one of two names that differ in nothing else.
    if plain != title or name.lower() in {other.lower() for other in taken}:
        name = f"{name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}"
    return name


def segment_key(page: str, number: int) -> str:
    """Name a file with numbers.

    Parameters
    ----------
    page
        Name of the page.
    number
        From 0 on.

    Returns
    -------
    str
        Its place below ``data``, without the ending.
    """
    return f"b/{page}.{number}"


def segment_entry(one: PageLine, number: int, *, single: bool) -> dict[str, Any] | None:
    """Write down what one line has in one file.

    Parameters
    ----------
    one
        The line.
    number
        Of the file.
    single
        Whether seven digits are enough.

    Returns
    -------
    dict or None
        Value, low and high; ``None`` if the line ends before it.
    """
    begin = number * SEGMENT - one.first
    numbers = one.line.numbers[:, :, max(begin, 0) : begin + SEGMENT]
    if begin < 0 or numbers.shape[2] == 0:
        return None
    entry = {"v": pack(numbers[0], single=single)}
    if np.isfinite(numbers[1:]).any():
        entry |= {"lo": pack(numbers[1], single=single), "hi": pack(numbers[2], single=single)}
    return entry


def head_of(page: Page) -> dict[str, Any]:
    """Write down all of a page but its numbers.

    Parameters
    ----------
    page
        The page.

    Returns
    -------
    dict
        As JSON can hold it.
    """
    values: list[dict[str, int]] = [{} for _ in page.names]
    single = page.measure.unit == "s"
    return {
        "name": page.name,
        "title": page.title,
        "axis": page.axis,
        "measure": {entry.name: getattr(page.measure, entry.name) for entry in fields(Measure)},
        "names": page.names,
        "segments": page.segments,
        "segment": SEGMENT,
        "lines": [_line_head(one, values, single=single) for one in page.lines],
        "values": [list(known) for known in values],
    }


def _line_head(one: PageLine, values: Sequence[dict[str, int]], *, single: bool) -> dict[str, Any]:
    line = one.line
    return {
        "machine": line.machine,
        "key": line.key,
        # Machines and packages seldom change along a line.
        "environments": line.environments[0] if len(set(line.environments)) == 1 else line.environments,
        "positions": line.positions,
        "cells": _coded(line.cells, values),
        "latest": pack(one.latest, single=single),
        "steps": [[_short(number) for number in _step_fields(step)] for step in one.steps],
        "notes": sorted(line.notes.items()),
    }


def _coded(cells: Sequence[Sequence[str]], values: Sequence[dict[str, int]]) -> list[Sequence[int]]:
    """Write each parameter as its number among those that were met so far, one parameter after the other."""
    if not values:
        return [()] * len(cells)
    columns = []
    for texts, known in zip(zip(*cells, strict=True), values, strict=True):
        for text in dict.fromkeys(texts):
            known.setdefault(text, len(known))
        columns.append([known[text] for text in texts])
    return list(zip(*columns, strict=True))


def _short(number: float) -> float | None:
    """Round to what a reader can use; JSON has no infinity."""
    if isinstance(number, int):
        return number
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None


def groups_of(page: Page) -> list[Group]:
    """Tell the steps of a page by line and position.

    Parameters
    ----------
    page
        The page.

    Returns
    -------
    list of Group
        Line by line, oldest first.
    """
    found = []
    for number, one in enumerate(page.lines):
        by_column: dict[int, list[Step]] = defaultdict(list)
        for step in one.steps:
            by_column[step.column].append(step)
        alive = int(np.isfinite(one.latest[0]).sum())
        found += [_group(page, number, by_column[column], alive) for column in sorted(by_column)]
    return found


def _group(page: Page, number: int, steps: list[Step], alive: int) -> Group:
    line = page.lines[number].line
    up = [step for step in steps if step.ratio > 1]
    down = [step for step in steps if step.ratio <= 1]
    worse, better = (up, down) if page.measure.lower_is_better else (down, up)
    told = sorted(worse if len(worse) >= len(better) else better, key=lambda step: step.ratio)
    middle = told[len(told) // 2]
    return Group(
        page=page.name,
        line=number,
        position=line.positions[middle.column],
        before=line.positions[middle.before_column],
        worse=len(worse),
        better=len(better),
        cells=max(alive, len(steps)),
        ratio=middle.ratio,
        smallest=told[0].ratio,
        largest=told[-1].ratio,
        low=middle.low,
        high=middle.high,
        row=middle.row,
        environment=line.environments[middle.column],
        before_environment=line.environments[middle.before_column],
    )


def summary_of(page: Page, version: str) -> dict[str, Any]:
    """Tell of a page what the overview needs.

    Parameters
    ----------
    page
        The page.
    version
        Digest of its head: the address of a file that changed must change too.

    Returns
    -------
    dict
        As JSON can hold it.
    """
    lines = [one.line for one in page.lines]
    return {
        "name": page.name,
        "title": page.title,
        "axis": page.axis,
        "metric": page.measure.metric,
        "unit": page.measure.unit,
        "family": page.measure.family,
        "names": page.names,
        "machines": sorted({line.machine for line in lines}),
        # Machine and newest environment: which line a change is on.
        "lines": [[line.machine, line.environments[-1]] for line in lines],
        "cells": sum(len(line.cells) for line in lines),
        "columns": max((len(line.positions) for line in lines), default=0),
        "last": [line.positions[-1] for line in lines if line.positions],
        "version": version,
    }
