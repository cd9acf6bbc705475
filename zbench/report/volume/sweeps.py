"""What one factor does while the others stay: chunk shapes, shards, engines, formats, chains."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from zbench.report.volume.evidence import WRITE, TimeKey
from zbench.report.volume.words import layout_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from zbench.report.volume.contrast import Measured
    from zbench.report.volume.evidence import Condition, Configuration, Evidence
    from zbench.units import Shape

__all__ = [
    "Pooled",
    "ShardCost",
    "ShardPair",
    "Sweep",
    "base_engine",
    "chain_sweep",
    "chunk_sweeps",
    "engine_ratio",
    "format_ratio",
    "operations",
    "shard_cost",
    "shard_pairs",
]


class Sweep(NamedTuple):
    """Configurations that differ in one thing.

    Attributes
    ----------
    engine
        Label of the engine that they share.
    shared
        What else they share: a chain, or a layout.
    configurations
        In the order of the rows.
    """

    engine: str
    shared: str
    configurations: tuple[Configuration, ...]


class ShardPair(NamedTuple):
    """The same chunks without and with shards.

    Attributes
    ----------
    plain, sharded
        The two, alike in all else.
    plain_objects, sharded_objects
        Number of objects in the store.
    """

    plain: Configuration
    sharded: Configuration
    plain_objects: float
    sharded_objects: float


class Pooled(NamedTuple):
    """A ratio over several pairs.

    Attributes
    ----------
    ratio
        The geometric mean.
    pairs
        Number of pairs.
    """

    ratio: Measured
    pairs: int


@dataclass(frozen=True, slots=True)
class ShardCost:
    """What shards do to the time of one operation.

    Attributes
    ----------
    engine
        Label of the engine.
    pattern
        Access pattern, or ``write``.
    factor
        Factor of the time for each factor of 10 fewer objects.
    pairs
        Number of pairs that it rests on.
    """

    engine: str
    pattern: str
    factor: Measured
    pairs: int


def operations(evidence: Evidence, condition: Condition) -> tuple[str, ...]:
    """List what was timed in a condition, writing too.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Returns
    -------
    tuple of str
        Access patterns, and ``write`` at the end.
    """
    written = any(key.pattern == WRITE and key.condition == condition for key in evidence.times)
    return (*evidence.patterns(condition), *([WRITE] if written else []))


def chunk_sweeps(evidence: Evidence, condition: Condition, shape: Shape) -> tuple[Sweep, ...]:
    """Find for each engine the chain that most unsharded layouts were read with.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    shape
        Extent of the volume in voxels.

    Returns
    -------
    tuple of Sweep
        The largest first; only sweeps of several layouts.
    """
    unsharded = [cell for cell in _timed(evidence, condition) if not _is_sharded(cell.layout, shape)]
    found = _sweeps(evidence, unsharded, lambda cell: cell.chain)
    return tuple(sorted(found, key=lambda sweep: -len(sweep.configurations)))


def chain_sweep(evidence: Evidence, condition: Condition) -> Sweep | None:
    """Find the engine and the layout that most chains were read with.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Returns
    -------
    Sweep or None
        ``None`` where no layout has several chains.
    """
    found = _sweeps(evidence, _timed(evidence, condition), lambda cell: cell.layout)
    return max(found, key=lambda sweep: len(sweep.configurations), default=None)


def _timed(evidence: Evidence, condition: Condition) -> list[Configuration]:
    timed = {key.configuration for key in evidence.times if key.condition == condition}
    return [configuration for configuration in evidence.configurations if configuration in timed]


def _sweeps(evidence: Evidence, cells: Sequence[Configuration], shared: Callable[[Configuration], str]) -> list[Sweep]:
    """Find for each engine the most cells that share something, if they are several."""
    found = []
    for engine in evidence.engines:
        ours = [cell for cell in cells if cell.engine == engine]
        common = Counter(map(shared, ours)).most_common(1)
        if common and common[0][1] > 1:
            what = common[0][0]
            found.append(Sweep(engine, what, tuple(cell for cell in ours if shared(cell) == what)))
    return found


def _is_sharded(layout: str, shape: Shape) -> bool:
    read = layout_of(layout, shape)
    return read is not None and read.shards is not None


def shard_pairs(evidence: Evidence, condition: Condition, shape: Shape) -> tuple[ShardPair, ...]:
    """Pair each sharded configuration with the same chunks unsharded.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    shape
        Extent of the volume in voxels.

    Returns
    -------
    tuple of ShardPair
        Only pairs whose numbers of objects are known and differ.
    """
    layouts = {text: layout_of(text, shape) for text in dict.fromkeys(cell.layout for cell in evidence.configurations)}
    pairs = []
    for sharded in evidence.configurations:
        layout = layouts[sharded.layout]
        if layout is None or layout.shards is None:
            continue
        for plain in evidence.configurations:
            other = layouts[plain.layout]
            same = plain.engine == sharded.engine and plain.chain == sharded.chain
            if not same or other is None or other.shards is not None or other.zarr_format != layout.zarr_format:
                continue
            objects = [evidence.stored(condition.store, cell, "objects") for cell in (plain, sharded)]
            if other.chunks == layout.chunks and all(objects) and objects[0] != objects[1]:
                pairs.append(ShardPair(plain, sharded, objects[0] or 0, objects[1] or 0))
    return tuple(pairs)


def shard_cost(
    evidence: Evidence, condition: Condition, pairs: Iterable[ShardPair], engine: str, pattern: str
) -> ShardCost | None:
    """Fit the time of an operation against the number of objects: one slope, on logarithms, through every pair.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    pairs
        Of any engines.
    engine
        Label of the engine.
    pattern
        Access pattern, or ``write``.

    Returns
    -------
    ShardCost or None
        ``None`` where no pair of the engine has both times.
    """
    ours = [
        (pair, math.log10(pair.plain_objects / pair.sharded_objects))
        for pair in pairs
        if pair.plain.engine == engine
        and all(TimeKey(condition, cell, pattern) in evidence.times for cell in (pair.plain, pair.sharded))
    ]
    weight = sum(decades**2 for _, decades in ours)
    if not weight:
        return None
    powers = [
        (sign * decades / weight, TimeKey(condition, cell, pattern))
        for pair, decades in ours
        for sign, cell in ((1, pair.sharded), (-1, pair.plain))
    ]
    return ShardCost(engine, pattern, evidence.contrast(powers), len(ours))


def base_engine(evidence: Evidence, condition: Condition) -> str | None:
    """Find the engine that others are compared with.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Returns
    -------
    str or None
        The first zarr-python, else the first engine; ``None`` for fewer than two engines.
    """
    engines = list(dict.fromkeys(cell.engine for cell in _timed(evidence, condition)))
    if len(engines) < 2:
        return None
    return next((engine for engine in engines if engine.split()[0] == "zarr-python"), engines[0])


def engine_ratio(
    evidence: Evidence, condition: Condition, patterns: Sequence[str], *, baseline: str, candidate: str
) -> Pooled | None:
    """Compare two engines over all that both stored alike.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    patterns
        Access patterns.
    baseline, candidate
        Labels of the engines.

    Returns
    -------
    Pooled or None
        Time of the candidate ÷ time of the baseline; ``None`` where they share nothing.
    """
    return _pooled(
        evidence,
        [
            (TimeKey(condition, cell._replace(engine=baseline), pattern), TimeKey(condition, cell, pattern))
            for cell in evidence.configurations
            if cell.engine == candidate
            for pattern in patterns
        ],
    )


def format_ratio(evidence: Evidence, condition: Condition, patterns: Sequence[str], *, engine: str) -> Pooled | None:
    """Compare Zarr format 3 with format 2 where chunks, chain and engine are the same.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    patterns
        Access patterns.
    engine
        Label of the engine.

    Returns
    -------
    Pooled or None
        Time in format 3 ÷ time in format 2; ``None`` where nothing is stored in both.
    """
    return _pooled(
        evidence,
        [
            (
                TimeKey(condition, cell._replace(layout=f"v2{cell.layout.removeprefix('v3')}"), pattern),
                TimeKey(condition, cell, pattern),
            )
            for cell in evidence.configurations
            if cell.engine == engine and cell.layout.startswith("v3-")
            for pattern in patterns
        ],
    )


def _pooled(evidence: Evidence, pairs: Sequence[tuple[TimeKey, TimeKey]]) -> Pooled | None:
    both = [pair for pair in pairs if all(key in evidence.times for key in pair)]
    if not both:
        return None
    share = 1 / len(both)
    powers = [entry for baseline, candidate in both for entry in ((-share, baseline), (share, candidate))]
    return Pooled(evidence.contrast(powers), len(both))
