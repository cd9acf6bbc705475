"""Pages made from all that is known, and pages that grow by what is new."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zbench.report.site.encode import from_script, read_values, to_script, unpack, unpack_rows
from zbench.report.site.lines import JUDGED, Line, joined
from zbench.report.site.nouns import Measure, Step
from zbench.report.site.pages import SEGMENT, Page, PageLine, head_of, page_name, segment_entry, segment_key
from zbench.report.site.steps import RECENT, find_steps, may_have_changed_at_the_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zbench.report.site.lines import Gathered, PageKey
    from zbench.report.site.registry import Catalogue
    from zbench.stats.step_limits import SeriesLimits

__all__ = ["Files", "OutOfOrderError", "extended", "fresh"]

Files: TypeAlias = "dict[str, bytes]"
# Reads a file of the site by its key.
Reader: TypeAlias = "Callable[[str], bytes]"
# Reads what one line has in one file, if anything; and its values alone, in a file that it goes on after.
Piece: TypeAlias = "Callable[[int], Mapping[str, Any] | None]"
Values: TypeAlias = "Callable[[int], Mapping[str, Any]]"


class OutOfOrderError(Exception):
    """What is new does not stand behind all that is there."""


def fresh(
    key: PageKey, gathered: Gathered, catalogue: Catalogue, *, taken: Mapping[str, Any], limits: SeriesLimits
) -> tuple[Page, Files]:
    """Make a page from all that was given for it.

    Parameters
    ----------
    key
        Title, axis, metric and unit.
    gathered
        Its columns.
    catalogue
        What they refer to.
    taken
        Names of other pages.
    limits
        What steps are held against.

    Returns
    -------
    page : Page
        The page.
    files : dict
        Content of its files by key.
    """
    page = Page(page_name(key, taken), key[0], key[1], gathered.measure, gathered.names)
    for line_key in sorted(gathered.lines):
        line = joined(line_key, gathered.lines[line_key], catalogue)
        steps = _all_steps(line, exact=page.measure.exact, limits=limits)
        page.lines.append(PageLine(line, 0, _latest(line.numbers), steps))
    return page, _files(page, 0, {}, [])


def _all_steps(line: Line, *, exact: bool, limits: SeriesLimits) -> list[Step]:
    searched = exact or not line.key.startswith(JUDGED)
    found = find_steps(line.numbers[0], exact=exact, limits=limits, samples=line.samples) if searched else []
    return _with_moved(found, _moved(line.numbers[0], line.moved))


def _moved(values: np.ndarray, moved: Mapping[tuple[int, int], tuple[float, float]], first: int = 0) -> list[Step]:
    """Make steps of what gates are sure of; the values begin with a column."""
    steps = []
    for (row, column), (low, high) in moved.items():
        known = np.flatnonzero(np.isfinite(values[row, : column - first]))
        if len(known) and np.isfinite(values[row, column - first]):
            before, after = float(values[row, known[-1]]), float(values[row, column - first])
            steps.append(
                Step(
                    row=row, column=column, before_column=int(known[-1]) + first, before=before, after=after,
                    low=low, high=high,
                )
            )  # fmt: skip
    return steps


def _with_moved(found: list[Step], moved: list[Step]) -> list[Step]:
    """Put steps together; one that both tell of is told once."""
    known = {(step.row, step.column) for step in found}
    added = [step for step in moved if (step.row, step.column) not in known]
    return sorted([*found, *added], key=lambda step: (step.row, step.column))


def _latest(numbers: np.ndarray, former: np.ndarray | None = None) -> np.ndarray:
    """Take the last number of each row."""
    finite = np.isfinite(numbers[0])
    last = numbers.shape[2] - 1 - finite[:, ::-1].argmax(axis=1)
    latest = np.where(finite.any(axis=1), numbers[:, np.arange(len(last)), last], np.nan)
    if former is not None:
        kept = np.full_like(latest, np.nan)
        kept[:, : former.shape[1]] = former
        latest = np.where(finite.any(axis=1), latest, kept)
    return latest


def _files(page: Page, begin: int, passed: Mapping[int, Mapping[str, Any]], former: list[str]) -> Files:
    """Write the pieces from one on, and the head; versions of the pieces before are handed on."""
    single = page.measure.unit == "s"
    files = {}
    for number in range(begin, page.segments):
        lines = dict(passed.get(number, {}))
        for at, one in enumerate(page.lines):
            entry = segment_entry(one, number, single=single)
            if entry is not None:
                lines[str(at)] = entry
        key = segment_key(page.name, number)
        files[key] = to_script(key, {"lines": lines})
    versions = [hashlib.sha256(data).hexdigest()[:8] for data in files.values()]
    key = f"b/{page.name}"
    files[key] = to_script(key, head_of(page) | {"versions": former + versions})
    return files


def extended(
    name: str, gathered: Gathered, catalogue: Catalogue, *, read: Reader, limits: SeriesLimits
) -> tuple[Page, Files]:
    """Add new columns to a page.

    Parameters
    ----------
    name
        Of the page.
    gathered
        The new columns.
    catalogue
        What they and the page refer to.
    read
        Reads a file of the site by its key.
    limits
        What steps are held against.

    Returns
    -------
    page : Page
        The page; lines that got nothing new have no numbers.
    files : dict
        Content of the files that change, by key.

    Raises
    ------
    OutOfOrderError
        If a column does not stand behind those of its line, or has other parameters.
    ValueError
        If a file of the site is not whole.
    """
    head = from_script(read(f"b/{name}"))
    if tuple(head["names"]) != gathered.names:
        raise OutOfOrderError
    page = Page(name, head["title"], head["axis"], Measure(**head["measure"]), gathered.names)
    page.lines = [_read_line(raw, head["values"]) for raw in head["lines"]]
    known = {(one.line.machine, one.line.key): one for one in page.lines}
    pieces = _Pieces(name, head["segments"], read)
    begin = page.segments
    for key in sorted(gathered.lines):
        new = joined(key, gathered.lines[key], catalogue)
        if key in known:
            at = page.lines.index(known[key])
            begin = min(begin, len(known[key].line.positions) // SEGMENT)
            _check_order(known[key].line, new, catalogue)
            grown = _Growing(known[key], page.measure.exact, limits, partial(pieces.of, at), partial(pieces.values, at))
            grown.by(new)
        else:
            begin = 0
            steps = _all_steps(new, exact=page.measure.exact, limits=limits)
            page.lines.append(PageLine(new, 0, _latest(new.numbers), steps))
    passed = {number: pieces.lines(number) for number in range(begin, head["segments"])}
    return page, _files(page, begin, passed, head["versions"][:begin])


class _Pieces:
    """The files with numbers of a page, each read at most once."""

    def __init__(self, name: str, count: int, read: Reader) -> None:
        self._name, self._count, self._read = name, count, read
        self._known: dict[int, dict[str, Any]] = {}
        self._raw: dict[int, bytes] = {}

    def lines(self, number: int) -> dict[str, Any]:
        if number >= self._count:
            return {}
        if number not in self._known:
            self._known[number] = from_script(self._read(segment_key(self._name, number)))["lines"]
        return self._known[number]

    def of(self, line: int, number: int) -> dict[str, Any] | None:
        entry: dict[str, Any] | None = self.lines(number).get(str(line))
        return entry

    def values(self, line: int, number: int) -> dict[str, Any]:
        if number not in self._raw:
            self._raw[number] = self._read(segment_key(self._name, number))
        values: dict[str, Any] = read_values(self._raw[number], line)
        return values


def _read_line(raw: Mapping[str, Any], values: list[list[str]]) -> PageLine:
    positions = list(raw["positions"])
    environments = raw["environments"]
    line = Line(
        machine=raw["machine"],
        key=raw["key"],
        cells=[tuple(known[at] for at, known in zip(cell, values, strict=True)) for cell in raw["cells"]],
        positions=positions,
        environments=[environments] * len(positions) if isinstance(environments, int) else list(environments),
        numbers=np.full((3, len(raw["cells"]), 0), np.nan),
        notes=dict(raw["notes"]),
    )
    # Without numbers of its own a line writes nothing: it begins behind its end.
    behind = (len(positions) // SEGMENT + 1) * SEGMENT
    steps = [_read_step(step) for step in raw["steps"]]
    return PageLine(line, behind, unpack(raw["latest"]), steps)


def _read_step(raw: list[Any]) -> Step:
    names = (entry.name for entry in fields(Step))
    given: dict[str, Any] = dict(zip(names, raw, strict=True))
    return Step(**given | {name: math.inf for name, value in given.items() if value is None})


def _check_order(line: Line, new: Line, catalogue: Catalogue) -> None:
    last, first = (catalogue.positions[number].order for number in (line.positions[-1], new.positions[0]))
    if first <= last:
        raise OutOfOrderError


@dataclass(frozen=True, slots=True)
class _Growing:
    """A line that new columns are put behind; its last piece is read for it, and the values of the one before."""

    one: PageLine
    exact: bool
    limits: SeriesLimits
    piece: Piece
    values: Values

    def by(self, new: Line) -> None:
        one, line = self.one, self.one.line
        count = len(line.positions)
        last = count // SEGMENT
        rows = {cell: at for at, cell in enumerate(line.cells)}
        places = np.array([rows.setdefault(cell, len(rows)) for cell in new.cells], dtype=int)
        added = np.full((3, len(rows), len(new.positions)), np.nan)
        added[:, places] = new.numbers
        line.cells = list(rows)
        line.positions += new.positions
        line.environments += new.environments
        line.notes |= {count + at: note for at, note in new.notes.items()}
        line.numbers = np.concatenate([_numbers(self.piece(last), len(rows), count % SEGMENT), added], axis=2)
        one.first = last * SEGMENT
        one.latest = _latest(added, one.latest)
        tail = _Tail(max(0, last - 1), self._behind(line.numbers[0], last - 1))
        self._look(self._chosen(tail, len(new.positions)), tail)
        moved = {(int(places[row]), count + at): ends for (row, at), ends in new.moved.items()}
        one.steps = _with_moved(one.steps, _moved(tail.values, moved, tail.begin))

    def _behind(self, values: np.ndarray, number: int) -> np.ndarray:
        """Put values behind those of the piece before."""
        if number < 0:
            return values
        return np.concatenate([unpack_rows(self.values(number), range(len(values))), values], axis=1)

    def _chosen(self, tail: _Tail, added: int) -> np.ndarray:
        """Choose the rows whose steps may be others now: the end of the row looks like one, or has one."""
        one = self.one
        values = tail.values.copy()
        recent = np.zeros(len(values), dtype=bool)
        for step in one.steps:
            values[step.row, : max(0, step.column - tail.begin)] = np.nan
            recent[step.row] |= step.column >= len(one.line.positions) - RECENT and not self.exact
        moved = may_have_changed_at_the_end(values, added=added, exact=self.exact, family=self.limits.family)
        return np.flatnonzero(recent | moved)

    def _look(self, rows: np.ndarray, tail: _Tail) -> None:
        if not len(rows) or (self.one.line.key.startswith(JUDGED) and not self.exact):
            return
        one = self.one
        chosen = rows.tolist()
        older = [unpack_rows(self.values(number), chosen) for number in range(tail.number)]
        values = np.concatenate([*older, tail.values[rows]], axis=1)
        found = find_steps(values, exact=self.exact, limits=self.limits, every=True)
        again = [replace(step, row=chosen[step.row]) for step in found]
        kept = [step for step in one.steps if step.row not in set(chosen)]
        one.steps = sorted([*kept, *again], key=lambda step: (step.row, step.column))


@dataclass(frozen=True, slots=True)
class _Tail:
    """The values of the last two pieces of a line: what its end is judged by."""

    number: int
    values: np.ndarray

    @property
    def begin(self) -> int:
        """Its first column."""
        return self.number * SEGMENT


def _numbers(entry: Mapping[str, Any] | None, rows: int, columns: int) -> np.ndarray:
    """Read values of one piece, with their ends."""
    if columns and not entry:
        msg = "a line has positions without numbers"
        raise ValueError(msg)
    nothing = np.full((rows, columns), np.nan)
    every = range(rows)
    read = [unpack_rows(entry[name], every) if entry and name in entry else nothing for name in ("v", "lo", "hi")]
    return np.stack(read)
