"""Sentences that say what the numbers say; every one is built from them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zbench.report.lossless.claims import SWEEP_CHAIN
from zbench.report.lossless.contrast import across, chains_against, paired, pooled, tied_with_fastest
from zbench.report.lossless.fit import chunk_cost
from zbench.report.lossless.verdict import Judgement
from zbench.report.text import compared, interval, listed, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbench.report.lossless.record import Cell, Column, Record
    from zbench.report.lossless.verdict import Judged

__all__ = ["cost_findings", "engine_findings", "fastest", "format_findings", "headlines", "reference", "shard_findings"]

_LAYOUTS = ("v3-c64", "v2-c64")
_WHOLE = (("reading", "full_read"), ("writing", "write"))


def reference(record: Record) -> tuple[Column, str] | None:
    """Choose the column that stands for all where one is enough: the newest zarr-python.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    tuple of Column and str, or None
        The column, and the layout of the codec sweep in it.
    """
    own = [column for column in record.columns if column.engine == "zarr-python"]
    for layout in _LAYOUTS:
        for column in reversed(own):
            if any(cell.layout == layout for name in record.datasets for cell in record.cells(name, column)):
                return column, layout
    return None


def headlines(record: Record, judged: Sequence[Judged]) -> Iterator[str]:
    """Say the main findings.

    Parameters
    ----------
    record
        The run.
    judged
        Published statements with their verdicts.

    Yields
    ------
    str
        Sentences.
    """
    chosen = reference(record)
    if chosen is not None:
        yield from _codec_headlines(record, *chosen)
    yield from engine_findings(record)
    yield from shard_findings(record)
    yield from cost_findings(record)
    counted = Counter(entry.judgement for entry in judged)
    said = ", ".join(f"{kind} {counted[kind]}" for kind in Judgement if counted[kind])
    yield f"Of {len(judged)} published statements that were looked at, by verdict of ours: {said}."


def _codec_headlines(record: Record, column: Column, layout: str) -> Iterator[str]:
    label = record.labels[column]
    for dataset in record.datasets:
        cells = _compressed(record, dataset, column, layout)
        tied = tied_with_fastest(record, cells, "full_read")
        if not tied:
            continue
        best = max(cells, key=lambda cell: record.stored[cell].compression_ratio)
        ratio = record.stored[best].compression_ratio
        cost = paired(record.times[tied[0], "full_read"], record.times.get((best, "full_read")))
        told = f"{best.chain} saves most ({number(ratio)} times smaller)"
        same = "" if len(tied) == 1 else f" (not told apart from it: {listed([cell.chain for cell in tied[1:]])})"
        if best == tied[0]:
            yield f"{dataset}, {label}: {told} and reads fastest of all that compress{same}."
            continue
        yield (
            f"{dataset}, {label}: {told}; {tied[0].chain} reads fastest of all that compress{same}; in reading, "
            f"{compared(best.chain, cost, tied[0].chain)}."
        )


def _compressed(record: Record, dataset: str, column: Column, layout: str) -> list[Cell]:
    return [cell for cell in record.cells(dataset, column) if cell.layout == layout and cell.chain != "none"]


def fastest(record: Record, operation: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Find the fastest compressing chain of each volume in each column, and those not told apart from it.

    Parameters
    ----------
    record
        The run.
    operation
        ``write`` or ``full_read``.

    Yields
    ------
    tuple of str
        Dataset, layout, column, fastest chain, and the chains that cannot be told apart from it.
    """
    for dataset in record.datasets:
        for column in record.columns:
            for layout in _LAYOUTS:
                tied = tied_with_fastest(record, _compressed(record, dataset, column, layout), operation)
                if tied:
                    yield dataset, layout, record.labels[column], tied[0].chain, listed([c.chain for c in tied[1:]])


def engine_findings(record: Record, layouts: Sequence[str] = ("v2-c64",)) -> Iterator[str]:
    """Compare every column with the oldest zarr-python that has a layout.

    Parameters
    ----------
    record
        The run.
    layouts
        Which layouts to compare in.

    Yields
    ------
    str
        Sentences.
    """
    for layout in layouts:
        having = [column for column in record.columns if _chains_of(record, column, layout)]
        base = next((column for column in having if column.engine == "zarr-python"), None)
        for column in having:
            if base is None or column == base:
                continue
            chains = _chains_of(record, base, layout)
            for word, operation in _WHOLE:
                found = chains_against(record, (base, column), layout, operation, chains=chains)
                if found is not None:
                    sentence = compared(record.labels[column], found.interval, record.labels[base])
                    yield f"In {word} whole volumes in {layout} ({found.pairs} pairs of cells), {sentence}."


def format_findings(record: Record) -> Iterator[str]:
    """Compare format 3 with format 2 in every column that stores both, chunks and chains alike.

    Parameters
    ----------
    record
        The run.

    Yields
    ------
    str
        Sentences.
    """
    for column in record.columns:
        both = set(_chains_of(record, column, "v2-c64")) & set(_chains_of(record, column, "v3-c64"))
        for word, operation in _WHOLE:
            found = pooled(
                (
                    record.times.get((record.of(column, dataset, "v2-c64", chain), operation)),
                    record.times.get((record.of(column, dataset, "v3-c64", chain), operation)),
                )
                for dataset in record.datasets
                for chain in sorted(both)
            )
            if found is not None:
                sentence = compared("format 3", found.interval, "format 2")
                yield f"In {word} with {record.labels[column]} ({found.pairs} pairs of cells), {sentence}."


def _chains_of(record: Record, column: Column, layout: str) -> list[str]:
    cells = (cell for name in record.datasets for cell in record.cells(name, column))
    return sorted({cell.chain for cell in cells if cell.layout == layout})


def shard_findings(record: Record) -> Iterator[str]:
    """Say what shards cost in each column.

    Parameters
    ----------
    record
        The run.

    Yields
    ------
    str
        Sentences.
    """
    for column in record.columns:
        parts = []
        for word, operation in (("reads", "full_read"), ("writes", "write")):
            plain, sharded = (column, "v3-c32", SWEEP_CHAIN), (column, "v3-c32-s128", SWEEP_CHAIN)
            together = across(record, operation, baseline=plain, candidate=sharded)
            if together is not None:
                apart = "" if together.interval.excludes_one else ", not told apart from 1"
                parts.append(f"{word} in {interval(together.interval)} times the time{apart}")
        if parts:
            yield f"With shards of 128 over chunks of 32, {record.labels[column]} {listed(parts)} of unsharded chunks."


def cost_findings(record: Record) -> Iterator[str]:
    """Say what a chunk costs in each column.

    Parameters
    ----------
    record
        The run.

    Yields
    ------
    str
        Sentences.
    """
    for column in record.columns:
        for zarr_format in (2, 3):
            cost = chunk_cost(record, column, zarr_format=zarr_format, chain=SWEEP_CHAIN)
            if cost is not None:
                none = "" if cost.interval.low > 0 else ", not told apart from nothing"
                yield (
                    f"A whole read in format {zarr_format} costs {record.labels[column]} {interval(cost.interval)} ms "
                    f"a chunk{none}."
                )
