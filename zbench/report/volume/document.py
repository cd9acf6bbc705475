"""The report in order: answers first, then what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.report.text import NOTHING, listed
from zbench.report.volume import tables
from zbench.report.volume.answers import answers, workload_sentences
from zbench.report.volume.blocks import Answers, Bullets, Document, Fold, Heading, Listing, Paragraph, Table
from zbench.report.volume.figure_front import front_patterns
from zbench.report.volume.findings import (
    chain_findings,
    chunk_findings,
    engine_findings,
    format_findings,
    shard_findings,
)
from zbench.report.volume.sweeps import base_engine, chain_sweep, chunk_sweeps, shard_pairs
from zbench.report.volume.words import code, counted, extent, plain
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zbench.model import Environment
    from zbench.report.volume.blocks import Block, Picture
    from zbench.report.volume.evidence import Condition, Configuration, Evidence
    from zbench.report.volume.facts import ReportInfo, VolumeFacts

__all__ = ["compose"]


def compose(
    evidence: Evidence,
    volume: VolumeFacts,
    info: ReportInfo,
    *,
    environments: Mapping[str, Environment],
    pictures: Mapping[str, Picture],
) -> Document:
    """Put the report together.

    Parameters
    ----------
    evidence
        The rows of the volume.
    volume
        The volume.
    info
        How the run was made.
    environments
        What the numbers hold for, by id.
    pictures
        What was drawn, by name.

    Returns
    -------
    Document
        For `html` and `markdown`.
    """
    blocks: list[Block] = [Answers(answers(evidence, volume))]
    blocks += [Paragraph(plain(remark)) for remark in info.remarks]
    blocks.append(_sureness(evidence))
    blocks += _volume(volume, pictures)
    blocks += _front(evidence, pictures)
    blocks += _chunks(evidence, volume, pictures)
    blocks += _shards(evidence, volume, pictures)
    blocks += _engines(evidence, pictures)
    blocks += _chains(evidence)
    blocks += _missing(evidence)
    blocks += _cells(evidence)
    blocks += _made(evidence, info, environments)
    return Document(f"Storing {plain(volume.title or volume.name)} in Zarr", tuple(blocks))


def _sureness(evidence: Evidence) -> Paragraph:
    times = len(evidence.times)
    if not times:
        return Paragraph("No time was measured, so nothing can be said about speed.")
    confidences = sorted({time.confidence for time in evidence.times.values() if time.is_known})
    told = listed([f"{100 * confidence:.3g}\N{NO-BREAK SPACE}%" for confidence in confidences])
    bare = sum(not time.is_known for time in evidence.times.values())
    cells = {
        (row.engine, row.engine_version, row.layout, row.chain): row.verified
        for row in evidence.rows
        if row.value is not None
    }
    unverified = sum(not verified for verified in cells.values())
    parts = [
        f"This report rests on {counted(times, 'time')} of {counted(len(evidence.configurations), 'configuration')}.",
        f"Numbers in brackets are intervals of {told} confidence." if confidences else "",
        f"{counted(bare, 'time has', 'times have')} no interval, for there were too few samples." if bare else "",
        "Where the best of several is named, intervals are widened so that all hold at once." if confidences else "",
        (
            "All samples of a time are from one process; another process may differ by more than the intervals say."
            if set(evidence.processes) == {1}
            else ""
        ),
        f"{counted(unverified, 'cell was', 'cells were')} not read back and compared." if unverified else
        "What was stored was read back and compared before it was timed.",
    ]  # fmt: skip
    return Paragraph(" ".join(part for part in parts if part))


def _picture(pictures: Mapping[str, Picture], name: str) -> list[Block]:
    return [pictures[name]] if name in pictures else []


def _named(name: str, place: int) -> str:
    """Name the figure of a condition; the first has no number."""
    return name if place == 0 else f"{name}-{place + 1}"


def _volume(volume: VolumeFacts, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield Heading("The volume", "volume")
    spacing = NOTHING
    if volume.spacing is not None:
        spacing = f"{', '.join(f'{size:g}' for size in volume.spacing)} {volume.spacing_unit or '(unit not known)'}"
    rows = [
        ("name", code(volume.name)),
        ("what it is", plain(volume.title) or NOTHING),
        ("shape (z, y, x)", f"{extent(volume.shape)} voxels"),
        ("dtype", code(volume.type_name)),
        ("logical size", format_bytes(volume.logical_bytes)),
        ("voxel spacing (z, y, x)", plain(spacing)),
        *_crop(volume),
        ("source", plain(volume.source) or NOTHING),
        ("licence", plain(volume.licence) or NOTHING),
        ("citation", plain(volume.citation) or NOTHING),
    ]
    yield Table("What was stored", ("property", "value"), tuple(rows), texts=2)
    yield from _picture(pictures, "volume")


def _crop(volume: VolumeFacts) -> list[tuple[str, str]]:
    if volume.crop is None:
        return []
    corners = " up to but without ".join(
        f"({', '.join(map(str, corner))})" for corner in (volume.crop.start, volume.crop.stop)
    )
    whole = f", of {extent(volume.whole)} voxels" if volume.whole else ""
    return [("part of a larger volume", f"from voxel {corners}{whole}")]


def _front(evidence: Evidence, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield Heading("Size against time", "front")
    for place, condition in enumerate(evidence.conditions):
        yield from _picture(pictures, _named("front", place))
        sentences = workload_sentences(evidence, condition)
        if sentences:
            yield Bullets(sentences)
        found = tuple(
            tables.front_table(evidence, condition, pattern) for pattern in front_patterns(evidence, condition)
        )
        if found:
            yield Fold(f"What no other beats in both time and size, {condition.text}", found)
    if not any(evidence.patterns(condition) for condition in evidence.conditions):
        yield Paragraph("No read was timed.")


def _chunks(evidence: Evidence, volume: VolumeFacts, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield Heading("Chunk shapes and access patterns", "chunks")
    found = False
    for place, condition in enumerate(evidence.conditions):
        sweeps = chunk_sweeps(evidence, condition, volume.shape)
        if not sweeps:
            continue
        found = True
        yield from _picture(pictures, _named("chunks", place))
        sentences = tuple(chunk_findings(evidence, condition, sweeps[0]))
        if sentences:
            yield Paragraph(f"With {code(sweeps[0].shared)} and {plain(sweeps[0].engine)}, {condition.text}:")
            yield Bullets(sentences)
        found_tables = tuple(tables.chunk_table(evidence, condition, sweep) for sweep in sweeps)
        yield Fold(f"What each layout costs with each engine, {condition.text}", found_tables)
    if not found:
        yield Paragraph("Fewer than two chunk shapes share a chain and an engine, so their cost cannot be told.")


def _shards(evidence: Evidence, volume: VolumeFacts, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield Heading("Shards", "shards")
    found = False
    for place, condition in enumerate(evidence.conditions):
        pairs = shard_pairs(evidence, condition, volume.shape)
        if pairs:
            found = True
            yield from _picture(pictures, _named("shards", place))
            yield Paragraph(f"{condition.text[0].upper()}{condition.text[1:]}:")
            yield Bullets(tuple(shard_findings(evidence, condition, pairs)))
            yield Fold(f"Every shard, {condition.text}", (tables.shard_table(evidence, condition, pairs),))
    if not found:
        yield Paragraph("No chunks were stored both with and without shards, so what shards save cannot be told.")


def _engines(evidence: Evidence, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    yield Heading("Engines and formats", "engines")
    found = False
    for place, condition in enumerate(evidence.conditions):
        yield from _picture(pictures, _named("engines", place))
        sentences = (*engine_findings(evidence, condition), *format_findings(evidence, condition))
        if sentences:
            found = True
            base = base_engine(evidence, condition)
            against = f" Engines are compared with {plain(base)} on what both stored alike." if base else ""
            yield Paragraph(f"{condition.text[0].upper()}{condition.text[1:]}.{against}")
            yield Bullets(sentences)
    if not found:
        yield Paragraph(
            "There are no two engines, and no two formats, that stored the same, so they cannot be compared."
        )


def _chains(evidence: Evidence) -> Iterator[Block]:
    yield Heading("Codec chains", "chains")
    found = False
    for condition in evidence.conditions:
        sweep = chain_sweep(evidence, condition)
        if sweep is not None:
            found = True
            heads = ("chain", "compression ratio", "whole read", "÷ none", "whole write", "÷ none")
            title = (
                f"{plain(sweep.engine)}, {code(sweep.shared)}, {condition.text}; ÷ none is the time ÷ that without "
                "compression, = marks what is not told apart from 1"
            )
            yield tables.without_empty(Table(title, heads, chain_findings(evidence, condition, sweep)))
    if not found:
        yield Paragraph("Fewer than two chains share a layout and an engine, so they cannot be compared.")


def _missing(evidence: Evidence) -> Iterator[Block]:
    yield Heading("Refused, failed, stopped early", "missing")
    kinds: dict[str, list[Configuration]] = {"refused": [], "failed": [], "not measured": []}
    for cell, row in evidence.missing:
        kinds[_kind(row.note)].append(cell)
    told = [
        f"{counted(len(set(cells)), 'cell')} ({counted(len(cells), 'number')}) {kind}"
        for kind, cells in kinds.items()
        if cells
    ]
    remarks = counted(len(evidence.remarked), "number has", "numbers have")
    yield Paragraph(f"{listed(told) if told else 'No cell was refused, and none failed'}; {remarks} a remark.")
    for table in (tables.missing_table(evidence), tables.remark_table(evidence)):
        if table is not None:
            yield (
                table
                if len(table.rows) <= 12
                else Fold(f"{counted(len(table.rows), 'reason')}: {table.title}", (table,))
            )


def _kind(note: str) -> str:
    return next((kind for kind in ("refused", "failed") if note.startswith(kind)), "not measured")


def _cells(evidence: Evidence) -> Iterator[Block]:
    yield Heading("Every cell", "cells")
    conditions: Sequence[Condition] = evidence.conditions
    if not evidence.configurations:
        yield Paragraph("No cell has a number.")
    for condition in conditions:
        table = tables.cell_table(evidence, condition)
        yield Fold(f"{counted(len(table.rows), 'cell')}, {condition.text}", (table,))
    costs = tables.cost_tables(evidence)
    if costs:
        yield Fold("What each operation cost besides time", costs)


def _made(evidence: Evidence, info: ReportInfo, environments: Mapping[str, Environment]) -> Iterator[Block]:
    yield Heading("How this was measured", "method")
    counted_too = any(row.metric == "instructions" for row in evidence.rows)
    yield Bullets((*_DEFINITIONS.splitlines(), *([_INSTRUCTIONS] if counted_too else [])))
    used = dict.fromkeys(row.environment for row in evidence.rows)
    rows = tuple(_environment(key, environments[key]) for key in used if key in environments)
    if rows:
        heads = ("environment", "machine", "processor", "system", "Python", "packages", "threads", "filesystem")
        yield Fold("The environment", (Table("What the times hold for", heads, rows, texts=8),))
    yield Paragraph(f"Made by zbench {plain(info.version)}, {plain(info.date)}, with:")
    yield Listing(info.command)


def _environment(key: str, facts: Environment) -> tuple[str, ...]:
    cells = (
        f"{facts.machine}, {counted(facts.cores, 'core')}, {format_bytes(facts.memory_bytes)}",
        facts.cpu,
        facts.os,
        facts.python,
        _pairs(facts.packages),
        _pairs(facts.threads) or "no limit set",
        facts.filesystem,
    )
    return (code(key), *(plain(cell) for cell in cells))


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs)


_INSTRUCTIONS = (
    "Instructions are those of one warm execution, outside the kernel and on one thread, by callgrind; opening is not "
    "in them. They hardly vary, so they tell changes of a library that times are too noisy for."
)
_DEFINITIONS = (
    "A configuration such as `v3-c32-s128:zstd-5` is Zarr format 3 in chunks of 32³ and shards of 128³ voxels with the "
    "codec chain zstd at level 5; chunks that are no cubes have their extents in the order z, y, x."
    "\nCompression ratio is logical bytes ÷ stored bytes, metadata included. Throughput is logical GiB/s."
    "\nA warm cache holds the stored bytes in memory, a cold one does not; every time says which."
    "\nTwo configurations are told apart if the interval of the ratio of their times leaves out 1. The interval is put "
    "together from those of the two times; where the best of several is picked, it is widened after Bonferroni for all "
    "of their pairs, because the pick is made from the same numbers."
    "\nThe best compromise has the least product of time and stored bytes: a tenth less of one is worth a tenth more "
    "of the other."
    "\nThe cost of fewer objects is the slope of the time over the number of objects, both as logarithms, between "
    "chunks without and with shards."
    "\nMeans over access patterns, and over pairs of times, are geometric; their intervals hold for these patterns and "
    "pairs, this volume and this machine."
)
