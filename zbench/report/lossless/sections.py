"""The tables of the page, one function for each question."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zbench.model import ArrayLayout
from zbench.report.lossless.claims import SWEEP_CHAIN
from zbench.report.lossless.contrast import Pooled, across, estimated
from zbench.report.lossless.fit import chunk_cost
from zbench.report.lossless.published import published
from zbench.report.lossless.sets import ratios_of
from zbench.report.lossless.table import throughput
from zbench.report.text import NOTHING, details, interval, number, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.report.lossless.record import Cell, Column, Record

__all__ = [
    "chain_summary",
    "chunk_costs",
    "codec_tables",
    "counts_table",
    "layout_summary",
    "plane_table",
    "roadmap_tables",
    "shard_table",
]

_CODEC_LAYOUTS = ("v2-c64", "v3-c64")
_EDGES = (16, 32, 64, 128)
_PATTERNS = ("full_read", "xy_plane", "xz_plane", "yz_plane", "train_patch-32")


def _unique(record: Record, part: str) -> list[str]:
    return list(dict.fromkeys(getattr(cell, part) for cell in (*record.stored, *record.refused)))


def _names(record: Record) -> list[str]:
    return [record.labels[column] for column in record.columns]


def _chains(record: Record) -> list[str]:
    cells = (*record.stored, *record.refused)
    return list(dict.fromkeys(cell.chain for cell in cells if cell.layout in _CODEC_LAYOUTS))


def _layouts(record: Record, *, sharded: bool) -> list[str]:
    return [name for name in _unique(record, "layout") if ("-s" in name) == sharded]


def _absent(record: Record, cell: Cell) -> str:
    refusal = record.refused.get(cell)
    if refusal is None:
        return NOTHING
    return "refused" if refusal.deliberate else "FAILED"


def codec_tables(record: Record, dataset: str) -> str:
    """Write the codec by library table of a volume, reading and writing.

    Parameters
    ----------
    record
        The run.
    dataset
        The volume.

    Returns
    -------
    str
        Markdown.
    """
    parts = []
    for verb, operation in (("read", "full_read"), ("write", "write")):
        rows = [
            [layout, chain, _ratio(record, dataset, layout, chain), *_speeds(record, dataset, layout, chain, operation)]
            for layout in _CODEC_LAYOUTS
            for chain in _chains(record)
        ]
        head = ["layout", "codec chain", "ratio", *(f"{name}, {verb} GiB/s" for name in _names(record))]
        parts.append(table(head, rows, texts=2))
    return "\n\n".join(part for part in parts if part)


def _ratio(record: Record, dataset: str, layout: str, chain: str) -> str:
    for column in record.columns:
        stored = record.stored.get(record.of(column, dataset, layout, chain))
        if stored is not None:
            return f"{stored.compression_ratio:.3f}"
    return NOTHING


def _speeds(record: Record, dataset: str, layout: str, chain: str, operation: str) -> list[str]:
    texts = []
    for column in record.columns:
        cell = record.of(column, dataset, layout, chain)
        found = estimated(record.times.get((cell, operation)))
        stored = record.stored.get(cell)
        if found is None or stored is None:
            texts.append(_absent(record, cell))
        else:
            texts.append(interval(throughput(stored.logical_bytes, found)))
    return texts


def chain_summary(record: Record, layout: str, operation: str) -> str:
    """Write what each chain costs against no compression, over all volumes.

    Parameters
    ----------
    record
        The run.
    layout, operation
        What was done.

    Returns
    -------
    str
        Markdown.
    """
    rows = []
    for chain in _chains(record):
        if chain != "none":
            ratios = [ratio for name in record.datasets if (ratio := ratios_of(record, name).get(chain)) is not None]
            mean = number(math.exp(sum(map(math.log, ratios)) / len(ratios))) if ratios else NOTHING
            found = [
                across(record, operation, baseline=(column, layout, "none"), candidate=(column, layout, chain))
                for column in record.columns
            ]
            rows.append([chain, mean, *(_pooled(together, len(record.datasets)) for together in found)])
    return table(["codec chain", "ratio", *_names(record)], rows)


def _pooled(found: Pooled | None, most: int) -> str:
    if found is None:
        return NOTHING
    mark = "" if found.interval.excludes_one else " ="
    some = "" if found.pairs == most else f" ({found.pairs} of {most})"
    return f"{interval(found.interval)}{mark}{some}"


def layout_summary(record: Record, operation: str, *, sharded: bool) -> str:
    """Write what each layout costs against chunks of 64, or against the same chunks without shards.

    Parameters
    ----------
    record
        The run.
    operation
        ``write`` or an access pattern.
    sharded
        Which layouts.

    Returns
    -------
    str
        Markdown.
    """
    rows = []
    for layout in _layouts(record, sharded=sharded):
        base = layout.split("-s")[0] if sharded else f"{layout.split('-')[0]}-c64"
        if layout != base:
            found = [
                across(record, operation, baseline=(column, base, SWEEP_CHAIN), candidate=(column, layout, SWEEP_CHAIN))
                for column in record.columns
            ]
            texts = [_pooled(together, len(record.datasets)) for together in found]
            if any(text != NOTHING for text in texts):
                rows.append([layout, base, *texts])
    return table(["layout", "against", *_names(record)], rows, texts=2)


def chunk_costs(record: Record) -> str:
    """Write what a chunk costs in each column, beside the figures derived from HEFTIE's sweep.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    str
        Markdown.
    """
    derived: dict[str, float] = published()["sweep"]["derived_ms"]
    rows = []
    for column in record.columns:
        for zarr_format in (2, 3):
            cost = chunk_cost(record, column, zarr_format=zarr_format, chain=SWEEP_CHAIN)
            if cost is not None:
                said = derived.get(_published_name(record, column)) if zarr_format == 2 else None
                fitted = interval(cost.interval), f"{100 * cost.departure:.0f} %", str(cost.volumes)
                rows.append(
                    [record.labels[column], str(zarr_format), *fitted, NOTHING if said is None else number(said)]
                )
    return table(
        ["engine", "format", "ms a chunk", "largest departure from the line", "volumes", "HEFTIE, derived"], rows
    )


def _published_name(record: Record, column: Column) -> str:
    if column.engine == "tensorstore":
        return "tensorstore"
    machine = record.machines.get(column.environment)
    return f"zarr{machine.release[0]}" if machine and machine.release and column.engine == "zarr-python" else ""


def roadmap_tables(record: Record) -> str:
    """Write objects, write and read time by chunk edge, volume by volume, beside the cryoET extension's.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    str
        Markdown.
    """
    said = published()["chunks"]
    column = record.column("zarr-python")
    if column is None:
        return ""
    rows = [["published", f"{edge}", *_said(said, str(edge))] for edge in _EDGES]
    for dataset in record.datasets:
        for edge in _EDGES:
            cell = record.of(column, dataset, f"v2-c{edge}", SWEEP_CHAIN)
            stored = record.stored.get(cell)
            objects = _absent(record, cell) if stored is None else f"{stored.objects:,}"
            times = [_ms(record, cell, operation) for operation in ("write", "full_read")]
            rows.append([dataset, str(edge), objects, *times])
    return table(["volume", "chunk edge", "objects", "write ms", "read ms"], rows)


def plane_table(record: Record) -> str:
    """Write the time, amplification and requests of planes from cubes and from slabs of the same bytes.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    str
        Markdown, with the oldest zarr-python 3; the cryoET extension's times stand first.
    """
    said, column = published()["chunks"], record.column("zarr-python", (3,))
    if column is None:
        return ""
    known = {pattern for stored in record.stored.values() for pattern in stored.counts}
    planes = [pattern for pattern in _PATTERNS if pattern.endswith("_plane") and pattern in known]
    rows = [
        ["published", layout, *(number(said[key]) if plane == "xy_plane" else NOTHING for plane in planes)]
        for layout, key in (("64", "xy_cube_ms"), ("16x128x128", "xy_slab_ms"))
    ]
    for dataset in record.datasets:
        for layout in ("v3-c64", "v3-c16x128x128"):
            cell = record.of(column, dataset, layout, SWEEP_CHAIN)
            rows.append([dataset, layout, *(_plane(record, cell, plane) for plane in planes)])
    heads = ["volume", "layout", *(f"{plane}, ms; amplification (requests)" for plane in planes)]
    return table(heads, rows, texts=2)


def _plane(record: Record, cell: Cell, plane: str) -> str:
    stored = record.stored.get(cell)
    counts = stored.counts.get(plane) if stored else None
    if stored is None or counts is None:
        return _absent(record, cell)
    return f"{_ms(record, cell, plane)}; {number(stored.amplification(plane) or 0)} ({counts['requests']:,})"


def _said(said: dict[str, dict[str, float]], edge: str) -> list[str]:
    values = (said[key].get(edge) for key in ("files", "write_ms", "read_ms"))
    return [NOTHING if value is None else number(value) for value in values]


def _ms(record: Record, cell: Cell, operation: str) -> str:
    found = estimated(record.times.get((cell, operation)))
    if found is None:
        return _absent(record, cell)
    return interval(type(found)(found.estimate / 1e6, found.low / 1e6, found.high / 1e6, found.count))


def counts_table(record: Record, dataset: str) -> str:
    """Write what each access pattern asks of the store and decodes, by layout.

    Parameters
    ----------
    record
        The run.
    dataset
        The volume.

    Returns
    -------
    str
        Markdown; requests with their range where engines differ.
    """
    known = {pattern for cell in record.stored if cell.dataset == dataset for pattern in record.stored[cell].counts}
    patterns = [pattern for pattern in _PATTERNS if pattern in known]
    rows = []
    for layout in _unique(record, "layout"):
        cells = [record.of(column, dataset, layout, SWEEP_CHAIN) for column in record.columns]
        stored = [record.stored[cell] for cell in cells if cell in record.stored]
        if stored:
            grown = [stored[0].amplification(pattern) for pattern in patterns]
            counts = [[s.counts[pattern]["requests"] for s in stored if pattern in s.counts] for pattern in patterns]
            texts = [
                NOTHING if value is None else f"{number(value)} ({_range(asked)})"
                for value, asked in zip(grown, counts, strict=True)
            ]
            rows.append([layout, str(ArrayLayout.parse(stored[0].config.split(":")[0]).chunks), *texts])
    return table(["layout", "chunks", *patterns], rows, texts=2)


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def shard_table(record: Record) -> str:
    """Write the objects that shards save, and their cost in time, by volume.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    str
        Markdown, folded.
    """
    parts = []
    for dataset in record.datasets:
        rows = []
        for layout in _layouts(record, sharded=True):
            plain = layout.split("-s")[0]
            cells = [record.of(column, dataset, layout, SWEEP_CHAIN) for column in record.columns]
            objects = [_objects(record, dataset, name) for name in (plain, layout)]
            times = [f"{_ms(record, cell, 'full_read')} / {_ms(record, cell, 'write')}" for cell in cells]
            rows.append([layout, *objects, *times])
        head = ["layout", "objects without", "objects with", *(f"{name}, read / write ms" for name in _names(record))]
        parts.append(details(f"{dataset}: shards", table(head, rows)))
    return "\n\n".join(part for part in parts if part)


def _objects(record: Record, dataset: str, layout: str) -> str:
    for column in record.columns:
        stored = record.stored.get(record.of(column, dataset, layout, SWEEP_CHAIN))
        if stored is not None:
            return f"{stored.objects:,}"
    return NOTHING
