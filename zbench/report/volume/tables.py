"""Every cell, and what is missing, as tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from zbench.report.text import NOTHING
from zbench.report.volume.blocks import Table
from zbench.report.volume.choice import every_pair, front, versus
from zbench.report.volume.evidence import TimeKey
from zbench.report.volume.sweeps import operations
from zbench.report.volume.words import amount, code, counted, duration, plain, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zbench.report.volume.evidence import Condition, Configuration, Evidence
    from zbench.report.volume.sweeps import ShardPair, Sweep
    from zbench.results import Row

__all__ = [
    "cell_table",
    "chunk_table",
    "cost_tables",
    "front_table",
    "missing_table",
    "remark_table",
    "shard_table",
    "without_empty",
]

_STORED = (("compression_ratio", "1"), ("stored_bytes", "bytes"), ("objects", "1"))
_MOST_NAMED = 4


def front_table(evidence: Evidence, condition: Condition, pattern: str) -> Table:
    """List the configurations that none beats in both time and size.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    pattern
        Access pattern.

    Returns
    -------
    Table
        Numbered as in the figure.
    """
    rows = []
    found = front(evidence, condition, pattern)
    count = len(evidence.having(condition, (pattern,)))
    for place, cell in enumerate(found, start=1):
        step = NOTHING
        if place > 1:
            cost = versus(
                evidence, condition, (pattern,), candidate=cell, baseline=found[0], comparisons=every_pair(count)
            )
            step = ratio(cost) if cost.excludes_one else f"{ratio(cost)} ="
        stored = evidence.stored(condition.store, cell, "compression_ratio")
        time = evidence.time(condition, cell, pattern)
        rows.append(
            (str(place), plain(cell.engine), code(cell.stored), amount(stored, "1"), duration(time), step)
        )  # fmt: skip
    heads = ("number", "engine", "configuration", "compression ratio", "read time", "time ÷ time of number 1")
    title = (
        f"{code(pattern)}, {condition.text}: what no other beats in both; = marks what is not told apart from number 1"
    )
    return Table(title, heads, tuple(rows), texts=3)


def chunk_table(evidence: Evidence, condition: Condition, sweep: Sweep) -> Table:
    """Tell the cost of each layout in each operation.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    sweep
        Layouts of one engine and chain.

    Returns
    -------
    Table
        Time ÷ least time of the column.
    """
    patterns = operations(evidence, condition)
    rows = []
    for cell in sweep.configurations:
        cells = (_relative(evidence, condition, sweep, cell, pattern) for pattern in patterns)
        rows.append((code(cell.layout), *cells))
    title = (
        f"{plain(sweep.engine)}, {code(sweep.shared)}, {condition.text}: time ÷ least time of the column; = marks what "
        "is not told apart from it"
    )
    return Table(title, ("layout", *map(code, patterns)), tuple(rows))


def _relative(evidence: Evidence, condition: Condition, sweep: Sweep, cell: Configuration, pattern: str) -> str:
    timed = {
        other: time.value
        for other in sweep.configurations
        if (time := evidence.time(condition, other, pattern)) is not None
    }
    if cell not in timed:
        return NOTHING
    best = min(timed, key=timed.__getitem__)
    if cell == best:
        return f"1 at {duration(evidence.time(condition, cell, pattern))}"
    cost = versus(evidence, condition, (pattern,), candidate=cell, baseline=best, comparisons=every_pair(len(timed)))
    return ratio(cost) if cost.excludes_one else f"{ratio(cost)} ="


def shard_table(evidence: Evidence, condition: Condition, pairs: Sequence[ShardPair]) -> Table:
    """Tell for each shard what it saves in objects and costs in time.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    pairs
        The same chunks with and without shards.

    Returns
    -------
    Table
        Time with shards ÷ time without, for each operation.
    """
    patterns = operations(evidence, condition)
    rows = []
    for pair in pairs:
        costs = []
        for pattern in patterns:
            if all(TimeKey(condition, cell, pattern) in evidence.times for cell in (pair.plain, pair.sharded)):
                cost = versus(evidence, condition, (pattern,), candidate=pair.sharded, baseline=pair.plain)
                costs.append(ratio(cost) if cost.excludes_one else f"{ratio(cost)} =")
            else:
                costs.append(NOTHING)
        objects = f"{pair.plain_objects:,.0f} → {pair.sharded_objects:,.0f}"
        stored = code(f"{pair.sharded.layout}:{pair.sharded.chain}")
        rows.append((stored, plain(pair.plain.engine), objects, *costs))
    title = f"Time with shards ÷ time of the same chunks without, {condition.text}; = marks what is not told from 1"
    return Table(title, ("shards", "engine", "objects", *map(code, patterns)), tuple(rows), texts=2)


def cell_table(evidence: Evidence, condition: Condition) -> Table:
    """List every cell with its sizes and its times.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Returns
    -------
    Table
        One row for each configuration.
    """
    patterns = operations(evidence, condition)
    opened = [
        name for name in ("open",) if any(key.pattern == name and key.condition == condition for key in evidence.times)
    ]
    rows = []
    for cell in evidence.configurations:
        sizes = [amount(evidence.stored(condition.store, cell, metric), unit) for metric, unit in _STORED]
        times = [duration(evidence.time(condition, cell, pattern)) for pattern in (*patterns, *opened)]
        if set(sizes) | set(times) != {NOTHING}:
            rows.append((code(cell.stored), plain(cell.engine), *sizes, *times))
    heads = ("configuration", "engine", "compression ratio", "stored", "objects", *map(code, (*patterns, *opened)))
    return without_empty(Table(f"Every cell with its intervals, {condition.text}", heads, tuple(rows), texts=2))


def cost_tables(evidence: Evidence) -> tuple[Table, ...]:
    """List what each operation cost besides time, one table for each operation and condition.

    Parameters
    ----------
    evidence
        The rows of the volume.

    Returns
    -------
    tuple of Table
        Requests, bytes, memory, processor time: whatever was measured.
    """
    found: dict[tuple[str, str], dict[tuple[Configuration, str], str]] = defaultdict(dict)
    several: dict[tuple[tuple[str, str], Configuration, str], list[Row]] = defaultdict(list)
    units = {row.metric: row.unit for row in evidence.rows}
    for (store, cell, pattern, metric), value in evidence.exact.items():
        if pattern:
            found[pattern, f"{store} store, exact"][cell, metric] = amount(value, units[metric])
    for key, row in evidence.extras:
        place = (key.pattern or "the whole cell", key.condition.text)
        several[place, key.configuration, row.metric].append(row)
    for (place, cell, metric), rows in several.items():
        found[place][cell, metric] = _extra(rows)
    patterns = dict.fromkeys(pattern for pattern, _ in found)
    ordered = [place for pattern in patterns for place in found if place[0] == pattern]
    return tuple(_cost_table(f"{code(pattern)}, {where}", found[pattern, where]) for pattern, where in ordered)


def _extra(rows: Sequence[Row]) -> str:
    """Write a number that may have an interval, or one number of each process."""
    first = rows[0]
    if len(rows) > 1:
        least, most = (amount(pick(row.value or 0 for row in rows), first.unit) for pick in (min, max))
        return least if least == most else f"{least} to {most}"
    text = amount(first.value, first.unit)
    if first.low is None or first.high is None:
        return text
    return f"{text} [{amount(first.low, first.unit)}, {amount(first.high, first.unit)}]"


def _cost_table(title: str, cells: dict[tuple[Configuration, str], str]) -> Table:
    metrics = dict.fromkeys(metric for _, metric in cells)
    rows = tuple(
        (code(cell.stored), plain(cell.engine), *(cells.get((cell, metric), NOTHING) for metric in metrics))
        for cell in dict.fromkeys(cell for cell, _ in cells)
    )
    heads = ("configuration", "engine", *(metric.replace("_", " ") for metric in metrics))
    return Table(title, heads, rows, texts=2)


def without_empty(table: Table) -> Table:
    """Leave out columns in which nothing was measured.

    Parameters
    ----------
    table
        Any table.

    Returns
    -------
    Table
        With the columns of words, and those that hold a number.
    """
    kept = [
        place
        for place in range(len(table.heads))
        if place < table.texts or any(row[place] != NOTHING for row in table.rows)
    ]
    heads = tuple(table.heads[place] for place in kept)
    return replace(table, heads=heads, rows=tuple(tuple(row[place] for place in kept) for row in table.rows))


def missing_table(evidence: Evidence) -> Table | None:
    """Group the cells without a number by their reason.

    Parameters
    ----------
    evidence
        The rows of the volume.

    Returns
    -------
    Table or None
        ``None`` where nothing is missing.
    """
    return _by_note("What has no number, and why", evidence.missing)


def remark_table(evidence: Evidence) -> Table | None:
    """Group the cells that have a number and a remark.

    Parameters
    ----------
    evidence
        The rows of the volume.

    Returns
    -------
    Table or None
        ``None`` where nothing was remarked.
    """
    return _by_note("Numbers with a remark: what stopped early, and what else is to be known", evidence.remarked)


def _by_note(title: str, entries: Iterable[tuple[Configuration, Row]]) -> Table | None:
    groups: dict[tuple[str, str], dict[tuple[Configuration, str], None]] = defaultdict(dict)
    for cell, row in entries:
        groups[row.note, cell.engine][cell, row.pattern] = None
    rows = tuple(
        (plain(note), plain(engine), _places(tuple(found)), f"{len(found):,}")
        for (note, engine), found in groups.items()
    )
    return Table(title, ("reason", "engine", "cells", "number"), rows, texts=3) if rows else None


def _places(found: Sequence[tuple[Configuration, str]]) -> str:
    texts = list(
        dict.fromkeys(f"{code(cell.stored)}{f' {code(pattern)}' if pattern else ''}" for cell, pattern in found)
    )
    rest = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {counted(rest, 'other')}" if rest > 0 else "")
