"""Pages made from all that is known, and pages that grow by what is new."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zbench.report.site.encode import from_script, to_script, unpack
from zbench.report.site.lines import JUDGED, Line, joined
from zbench.report.site.nouns import Measure, Step
from zbench.report.site.pages import SEGMENT, Page, PageLine, head_of, page_name, segment_entry, segment_key
from zbench.report.site.steps import RECENT, find_steps, may_have_changed_at_the_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zbench.report.site.lines import Gathered, PageKey
    from zbench.report.site.registry import Catalogue

__all__ = ["Files", "OutOfOrderError", "extended", "fresh"]

Files: TypeAlias = "dict[str, bytes]"
# Reads a file of the site by its key.
Reader: TypeAlias = "Callable[[str], bytes]"
# Reads the numbers of one line from one file.
Piece: TypeAlias = "Callable[..., np.ndarray | None]"


class OutOfOrderError(Exception):
    """What is new does not stand behind all that is there."""


def fresh(
    key: PageKey, gathered: Gathered, catalogue: Catalogue, *, taken: Mapping[str, Any], family: int
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
    family
        Number of lines that are searched for steps together.

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
        steps = _all_steps(line, exact=page.measure.exact, family=family)
        page.lines.append(PageLine(line, 0, _latest(line.numbers), steps))
    return page, _files(page, 0, {}, [])


def _all_steps(line: Line, *, exact: bool, family: int) -> list[Step]:
    searched = exact or not line.key.startswith(JUDGED)
    found = find_steps(line.numbers[0], exact=exact, family=family, samples=line.samples) if searched else []
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


def extended(name: str, gathered: Gathered, catalogue: Catalogue, *, read: Reader, family: int) -> tuple[Page, Files]:
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
    family
        Number of lines that are searched for steps together.

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
            grown = _Growing(known[key], page.measure.exact, family, partial(pieces.of, at))
            grown.by(new)
        else:
            begin = 0
            steps = _all_steps(new, exact=page.measure.exact, family=family)
            page.lines.append(PageLine(new, 0, _latest(new.numbers), steps))
    passed = {number: pieces.lines(number) for number in range(begin, head["segments"])}
    return page, _files(page, begin, passed, head["versions"][:begin])


class _Pieces:
    """The files with numbers of a page, each read at most once."""

    def __init__(self, name: str, count: int, read: Reader) -> None:
        self._name, self._count, self._read = name, count, read
        self._known: dict[int, dict[str, Any]] = {}

    def lines(self, number: int) -> dict[str, Any]:
        if number >= self._count:
            return {}
        if number not in self._known:
            self._known[number] = from_script(self._read(segment_key(self._name, number)))["lines"]
        return self._known[number]

    def of(self, line: int, number: int, *, ends: bool = True) -> np.ndarray | None:
        entry = self.lines(number).get(str(line))
        if entry is None:
            return None
        value = unpack(entry["v"])
        if not ends:
            return value[None]
        empty = np.full_like(value, np.nan)
        return np.stack([value, *(unpack(entry[end]) if end in entry else empty for end in ("lo", "hi"))])


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
    """A line that new columns are put behind; its last two pieces are read for it."""

    one: PageLine
    exact: bool
    family: int
    piece: Piece

    def by(self, new: Line) -> None:
        one, line = self.one, self.one.line
        count = len(line.positions)
        first = max(0, count // SEGMENT - 1)
        rows = {cell: at for at, cell in enumerate(line.cells)}
        places = np.array([rows.setdefault(cell, len(rows)) for cell in new.cells], dtype=int)
        tail = _numbers(self.piece, first, (count - 1) // SEGMENT, len(rows))
        added = np.full((3, len(rows), len(new.positions)), np.nan)
        added[:, places] = new.numbers
        line.cells = list(rows)
        line.positions += new.positions
        line.environments += new.environments
        line.notes |= {count + at: note for at, note in new.notes.items()}
        line.numbers = np.concatenate([tail, added], axis=2)
        one.first = first * SEGMENT
        one.latest = _latest(added, one.latest)
        self._look(self._chosen(len(new.positions)), first)
        moved = {(int(places[row]), count + at): ends for (row, at), ends in new.moved.items()}
        one.steps = _with_moved(one.steps, _moved(line.numbers[0], moved, one.first))

    def _chosen(self, added: int) -> np.ndarray:
        """Choose the rows whose steps may be others now: the end of the row looks like one, or has one."""
        one = self.one
        tail = one.line.numbers[0].copy()
        recent = np.zeros(len(tail), dtype=bool)
        for step in one.steps:
            tail[step.row, : max(0, step.column - one.first)] = np.nan
            recent[step.row] |= step.column >= len(one.line.positions) - RECENT and not self.exact
        moved = may_have_changed_at_the_end(tail, added=added, exact=self.exact, family=self.family)
        return np.flatnonzero(recent | moved)

    def _look(self, rows: np.ndarray, first: int) -> None:
        if not len(rows) or (self.one.line.key.startswith(JUDGED) and not self.exact):
            return
        one = self.one
        values = one.line.numbers[0]
        if first:
            older = _numbers(partial(self.piece, ends=False), 0, first - 1, len(values))[0]
            values = np.concatenate([older, values], axis=1)
        again = find_steps(values, exact=self.exact, family=self.family, rows=rows.tolist())
        chosen = set(rows.tolist())
        kept = [step for step in one.steps if step.row not in chosen]
        one.steps = sorted([*kept, *again], key=lambda step: (step.row, step.column))


def _numbers(piece: Piece, begin: int, last: int, rows: int) -> np.ndarray:
    """Read pieces; cells that came later have none in the earlier ones."""
    read = [found for number in range(begin, last + 1) if (found := piece(number)) is not None]
    padded = [np.pad(one, ((0, 0), (0, rows - one.shape[1]), (0, 0)), constant_values=np.nan) for one in read]
    return np.concatenate(padded, axis=2) if padded else np.full((3, rows, 0), np.nan)
