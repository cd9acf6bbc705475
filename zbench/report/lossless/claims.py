"""Published figures that were measured, beside ours: which of them hold on this data, machine and releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbench.report.lossless.contrast import Pooled, across, pooled
from zbench.report.lossless.fit import chunk_cost, cost_ratio
from zbench.report.lossless.published import HEFTIE_ENGINES, published
from zbench.report.lossless.sets import dtype_of, images, labels, ratios_of
from zbench.report.lossless.verdict import Judged, Judgement, judge_direction, overall
from zbench.report.text import interval, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zbench.report.lossless.record import Column, Record
    from zbench.stats import Interval

__all__ = ["SWEEP_CHAIN", "codec_claims", "measured"]

SWEEP_CHAIN = "blosc-zstd-5-shuffle"
_SHUFFLES = ("shuffle", "bitshuffle", "noshuffle")
_NAMES = {"zarr2": "zarr-python 2", "zarr3": "zarr-python 3", "tensorstore": "tensorstore"}


def measured(record: Record) -> tuple[Judged, ...]:
    """Hold the published figures that were measured against ours.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    tuple of Judged
        Those that nothing of ours speaks to are there too, as not measured.
    """
    columns = {name: record.column(*place) for name, place in HEFTIE_ENGINES.items()}
    return (
        *_shuffles(record),
        _ratio_order(record),
        *_tomogram_ratios(record),
        _slow_zstd(record, columns["tensorstore"]),
        _slow_gzip(record, columns),
        *_engines(record, columns),
        *_chunk_edges(record, columns),
        *_chunk_costs(record, columns),
        *_roadmap_chunks(record, columns["zarr2"]),
        _slab(record, columns["zarr3"]),
        *_sharding(record),
        _formats(record),
    )


def _size(found: Interval | None, said: float) -> str:
    if found is None:
        return "not measured"
    place = "inside" if found.low <= said <= found.high else "outside"
    return f"{interval(found)}; the published size lies {place}"


def _shuffles(record: Record) -> Iterable[Judged]:
    groups = (
        ("images", "images", images(record)),
        ("dense-labels", "dense segmentations", labels(record)),
        ("sparse-labels", "sparse segmentations", labels(record)),
    )
    for key, name, datasets in groups:
        said: dict[str, float] = published()["shuffle"][key]
        told = [_shuffle_order(record, dataset, said) for dataset in datasets]
        yield Judged(
            claim=f"Best shuffle before zstd-3 for {name}, by compression ratio",
            source=published().cited("shuffle"),
            published=", ".join(f"{kind} {number(said[kind])}" for kind in _ranked(said)),
            ours="; ".join(text for text, _ in told) or "no such volume",
            judgement=overall([judgement for _, judgement in told]),
        )


def _ranked(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda kind: -values[kind])


def _shuffle_order(record: Record, dataset: str, said: dict[str, float]) -> tuple[str, Judgement]:
    found = {
        kind: ratio
        for kind in _SHUFFLES
        if (ratio := ratios_of(record, dataset).get(f"blosc-zstd-3-{kind}")) is not None
    }
    if len(found) < len(_SHUFFLES):
        return f"{dataset}: not stored with all three", Judgement.NOT_MEASURED
    text = f"{dataset}: " + ", ".join(f"{kind} {number(found[kind])}" for kind in _ranked(found))
    same = _ranked(found)[0] == _ranked(said)[0]
    if dtype_of(record, dataset).itemsize == 1:
        # One byte a voxel leaves byte shuffle nothing to do, whatever the data.
        return f"{text} (one byte a voxel: byte shuffle does nothing)", Judgement.CANNOT_TELL
    return text, Judgement.AGREES if same else Judgement.DISAGREES


def _ratio_order(record: Record) -> Judged:
    said = {chain: values["ratio"] for chain, values in published()["heart"]["chains"].items()}
    told, parts = [], []
    for dataset in images(record):
        found = ratios_of(record, dataset)
        pairs = [(a, b) for a in said for b in said if said[a] < said[b] and a in found and b in found]
        same = sum(found[a] < found[b] for a, b in pairs)
        if pairs:
            told.append(f"{dataset}: {same} of {len(pairs)}")
            parts.append(Judgement.AGREES if same == len(pairs) else Judgement.IN_PART)
    return Judged(
        claim="Order of the codec chains by compression ratio (pairs of chains in the same order)",
        source=published().cited("heart"),
        published=f"{len(said)} chains from {number(min(said.values()))} to {number(max(said.values()))}",
        ours="; ".join(told) or "not measured",
        judgement=overall(parts),
    )


def _tomogram_ratios(record: Record) -> Iterable[Judged]:
    floats = [dataset for dataset in images(record) if dtype_of(record, dataset).kind == "f"]
    for chain, (low, high) in published()["ratios"]["chains"].items():
        found = {name: ratio for name in floats if (ratio := ratios_of(record, name).get(chain)) is not None}
        inside = [low <= round(ratio, 3) <= high for ratio in found.values()]
        yield Judged(
            claim=f"Compression ratio of {chain} on float32 tomograms",
            source=published().cited("ratios"),
            published=f"{low} to {high}",
            ours="; ".join(f"{name}: {ratio:.3f}" for name, ratio in found.items()) or "not measured",
            judgement=overall([Judgement.AGREES if ok else Judgement.DISAGREES for ok in inside]),
        )


def _judged(claim: str, table: str, said: float, found: Interval | None, *, detail: str = "") -> Judged:
    return Judged(
        claim=claim,
        source=published().cited(table),
        published=f"{number(said)}{detail}",
        ours=_size(found, said),
        judgement=judge_direction(found, said),
    )


def _over(
    record: Record, column: Column | None, operation: str, baseline: tuple[str, str], candidate: tuple[str, str]
) -> Interval | None:
    """Compare two layouts and chains of one column over the images."""
    if column is None:
        return None
    found = across(record, operation, baseline=(column, *baseline), candidate=(column, *candidate))
    return found.interval if found else None


def _slow_zstd(record: Record, column: Column | None) -> Judged:
    chains = published()["heart"]["chains"]
    slow, quick = "blosc-zstd-1-shuffle", SWEEP_CHAIN
    found = _over(record, column, "full_read", ("v2-c64", quick), ("v2-c64", slow))
    said = chains[slow]["tensorstore"][0] / chains[quick]["tensorstore"][0]
    return _judged(f"tensorstore reads {slow} slower than {quick} (ratio of times)", "heart", said, found)


def _slow_gzip(record: Record, columns: dict[str, Column | None]) -> Judged:
    said = published()["gzip_labels"]
    old, new = columns["zarr2"], columns["zarr3"]
    found = None
    if old and new:
        pairs = [
            tuple(
                record.times.get((record.of(column, dataset, "v2-c64", "gzip-5"), "full_read")) for column in (old, new)
            )
            for dataset in labels(record)
        ]
        together = pooled((a, b) for a, b in pairs)
        found = together.interval if together else None
    low, high = said["zarr3"][0] / said["zarr2"][1], said["zarr3"][1] / said["zarr2"][0]
    claim = "zarr-python 3 reads gzip segmentations slower than zarr-python 2 (ratio of times)"
    return _judged(claim, "gzip_labels", (low * high) ** 0.5, found, detail=f" (from {number(low)} to {number(high)})")


def _engines(record: Record, columns: dict[str, Column | None]) -> Iterable[Judged]:
    chain = published()["heart"]["chains"][SWEEP_CHAIN]
    for place, operation in enumerate(("full_read", "write")):
        verb = ("reads", "writes")[place]
        for name in ("zarr3", "tensorstore"):
            said = chain[name][place] / chain["zarr2"][place]
            found = None
            if (old := columns["zarr2"]) and (new := columns[name]):
                layout = "v2-c128", SWEEP_CHAIN
                together = across(record, operation, baseline=(old, *layout), candidate=(new, *layout))
                found = together.interval if together else None
            claim = f"{_NAMES[name]} {verb} {SWEEP_CHAIN} at chunks of 128 faster than zarr-python 2 (ratio of times)"
            yield _judged(claim, "heart", said, found)


def _chunk_edges(record: Record, columns: dict[str, Column | None]) -> Iterable[Judged]:
    sweep: dict[str, Any] = published()["sweep"]
    small, large = sweep["edges"][0], sweep["edges"][-1]
    for name, column in columns.items():
        said = sweep[name][0] / sweep[name][-1]
        found = _over(record, column, "full_read", ("v2-c128", SWEEP_CHAIN), ("v2-c64", SWEEP_CHAIN))
        claim = (
            f"{_NAMES[name]} reads small chunks slower: chunks of {small} (ours 64) against {large} (ratio of times)"
        )
        yield _judged(claim, "sweep", said, found)


def _chunk_costs(record: Record, columns: dict[str, Column | None]) -> Iterable[Judged]:
    costs = {
        name: chunk_cost(record, column, zarr_format=2, chain=SWEEP_CHAIN) if column else None
        for name, column in columns.items()
    }
    derived: dict[str, float] = published()["sweep"]["derived_ms"]
    for name, cost in costs.items():
        found = cost.interval if cost else None
        held = found is not None and found.low <= derived[name] <= found.high
        # On another machine another cost is no contradiction; the ratios below are what carries over.
        unlike = Judgement.CANNOT_TELL if found else Judgement.NOT_MEASURED
        yield Judged(
            claim=f"Milliseconds a chunk when {_NAMES[name]} reads the whole volume (machines differ, so sizes may)",
            source=published().cited("sweep"),
            published=f"{number(derived[name])}, derived from the sweep",
            ours=_size(found, derived[name]),
            judgement=Judgement.AGREES if held else unlike,
        )
    for few, many in (("zarr2", "zarr3"), ("tensorstore", "zarr2"), ("tensorstore", "zarr3")):
        said = derived[many] / derived[few]
        claim = (
            f"A chunk costs more in {_NAMES[many]} than in {_NAMES[few]} (ratio of costs), so the rule is the library's"
        )
        yield _judged(claim, "sweep", said, cost_ratio(costs[few], costs[many]))


def _roadmap_chunks(record: Record, column: Column | None) -> Iterable[Judged]:
    said: dict[str, Any] = published()["chunks"]
    for operation, key in (("write", "write_ms"), ("full_read", "read_ms")):
        found = _over(record, column, operation, ("v2-c64", SWEEP_CHAIN), ("v2-c16", SWEEP_CHAIN))
        verb = "write" if operation == "write" else "read"
        claim = f"Chunks of 16 against chunks of 64: time to {verb} the volume with zarr-python 2 (ratio of times)"
        yield _judged(claim, "chunks", said[key]["16"] / said[key]["64"], found)


def _slab(record: Record, column: Column | None) -> Judged:
    said = published()["chunks"]
    found = _over(record, column, "xy_plane", ("v3-c16x128x128", SWEEP_CHAIN), ("v3-c64", SWEEP_CHAIN))
    claim = "An XY plane from chunks of 64x64x64 against 16x128x128 (ratio of times; ours the oldest zarr-python 3)"
    detail = f" in its table, said to be {number(said['xy_claim'])} in its text"
    return _judged(claim, "chunks", said["xy_cube_ms"] / said["xy_slab_ms"], found, detail=detail)


def _sharding(record: Record) -> Iterable[Judged]:
    said = published()["sharding"]
    pairs = [
        column for column in record.columns if column.engine.startswith("zarr-python") and _release(record, column)
    ]
    for when, chunk in (("april", 32), ("december", 64)):
        layout = _largest_shards(record, chunk)
        for part, operation in (("read", "full_read"), ("round_trip", "write")):
            ratio = said[when][f"zarr_python_{part}"] / said[when][f"tensorstore_{part}"]
            told = {column: _against_tensorstore(record, column, layout, operation) for column in pairs}
            found = {column: together.interval for column, together in told.items() if together}
            label = f"{'read' if part == 'read' else 'round trip (ours: the write alone)'}, ours {layout}"
            yield Judged(
                claim=f"zarr-python takes longer than tensorstore with shards: {label}, {said[when]['text']}",
                source=published().cited("sharding"),
                published=number(ratio),
                ours="; ".join(f"{record.labels[column]}: {interval(range_)}" for column, range_ in found.items())
                or "not measured",
                judgement=overall([judge_direction(range_, ratio) for range_ in found.values()]),
            )


def _release(record: Record, column: Column) -> bool:
    machine = record.machines.get(column.environment)
    return machine is not None and machine.release >= (3,)


def _largest_shards(record: Record, chunk: int) -> str:
    """Choose the layout that is nearest to the published shards of 256."""
    head = f"v3-c{chunk}-s"
    sizes = {cell.layout.removeprefix(head) for cell in record.stored if cell.layout.startswith(head)}
    edges = [int(size) for size in sizes if size.isdigit() and int(size) <= 256]
    return f"{head}{max(edges, default=256)}"


def _against_tensorstore(record: Record, column: Column, layout: str, operation: str) -> Pooled | None:
    other = record.column("tensorstore")
    if other is None:
        return None
    way = layout, SWEEP_CHAIN
    return across(record, operation, baseline=(other, *way), candidate=(column, *way))


def _formats(record: Record) -> Judged:
    tried = [cell for cell in record.refused if cell.layout.startswith("v3") and cell.engine == "zarr-python"]
    old = {name for name, machine in record.machines.items() if machine.release[:1] == (2,)}
    refused = [cell for cell in tried if cell.environment in old]
    stored = [cell for cell in record.stored if cell.layout.startswith("v3") and cell.environment in old]
    told = f"it refused {len(refused)} and stored {len(stored)} of the cells of format 3 that were asked of it"
    verdict = Judgement.DISAGREES if refused and not stored else Judgement.CANNOT_TELL
    return Judged(
        claim="The study measured Zarr format 3 with zarr 2.18.7",
        source=published().cited("statements"),
        published="Zarr specification v3",
        ours=told if old else "not measured",
        judgement=verdict if old else Judgement.NOT_MEASURED,
    )


def codec_claims(record: Record) -> tuple[tuple[str, str, str, float, Interval | None, Judgement], ...]:
    """Hold HEFTIE's table against ours, each chain against no compression in the same library.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    tuple
        Chain, name of the engine, operation, published ratio of times, our ratio, verdict.
    """
    chains: dict[str, dict[str, list[float]]] = published()["heart"]["chains"]
    found = []
    for chain, values in chains.items():
        for name, place in HEFTIE_ENGINES.items():
            for number_, operation in enumerate(("full_read", "write")):
                if chain != "none":
                    said = values[name][number_] / chains["none"][name][number_]
                    ratio = _against_none(record, record.column(*place), chain, operation)
                    found.append((chain, _NAMES[name], operation, said, ratio, judge_direction(ratio, said)))
    return tuple(found)


def _against_none(record: Record, column: Column | None, chain: str, operation: str) -> Interval | None:
    if column is None:
        return None
    together = pooled(
        (
            record.times.get((record.of(column, dataset, "v2-c64", "none"), operation)),
            record.times.get((record.of(column, dataset, "v2-c64", chain), operation)),
        )
        for dataset in images(record)
    )
    return together.interval if together else None
