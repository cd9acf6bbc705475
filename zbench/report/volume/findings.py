"""What chunk shapes, shards, engines, formats and chains cost, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.report.text import NOTHING, listed, number
from zbench.report.volume.choice import chosen, every_pair, versus
from zbench.report.volume.evidence import WRITE, TimeKey
from zbench.report.volume.sweeps import base_engine, engine_ratio, format_ratio, operations, shard_cost
from zbench.report.volume.words import asked, code, counted, duration, plain, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbench.report.volume.evidence import Condition, Configuration, Evidence
    from zbench.report.volume.sweeps import Pooled, ShardPair, Sweep

__all__ = ["chain_findings", "chunk_findings", "engine_findings", "format_findings", "shard_findings"]


def chunk_findings(evidence: Evidence, condition: Condition, sweep: Sweep) -> Iterator[str]:
    """Say which layout suits which access pattern, and what the wrong one costs.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    sweep
        Layouts of one engine and chain.

    Yields
    ------
    str
        One entry for each operation.
    """
    for pattern in operations(evidence, condition):
        choice = chosen(evidence, condition, (pattern,), among=sweep.configurations)
        if choice is None or choice.compared < 2:
            continue
        best = choice.fastest
        having = set(evidence.having(condition, (pattern,))) - {best.configuration, *best.tied}
        apart = [cell for cell in sweep.configurations if cell in having]
        head = f"{code(pattern)}: {code(best.configuration.layout)} takes {duration(best.time)}, the least"
        if not apart:
            yield f"{head}, but none of the others can be told apart from it."
            continue
        worst = max(apart, key=lambda cell: evidence.times[TimeKey(condition, cell, pattern)].value)
        pairs = every_pair(choice.compared)
        cost = versus(evidence, condition, (pattern,), candidate=worst, baseline=best.configuration, comparisons=pairs)
        tied = listed([code(cell.layout) for cell in best.tied])
        told = f" ({tied} cannot be told apart from it)" if best.tied else ""
        yield f"{head}{told}; {code(worst.layout)} takes {ratio(cost)} times as long."


def shard_findings(evidence: Evidence, condition: Condition, pairs: Sequence[ShardPair]) -> Iterator[str]:
    """Say what a factor of 10 fewer objects costs in time.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    pairs
        The same chunks with and without shards.

    Yields
    ------
    str
        One entry for each engine.
    """
    for engine in dict.fromkeys(pair.plain.engine for pair in pairs):
        ours = [pair for pair in pairs if pair.plain.engine == engine]
        most = max(ours, key=lambda pair: pair.plain_objects / pair.sharded_objects)
        costs = [
            (code(cost.pattern), cost.factor)
            for pattern in operations(evidence, condition)
            if (cost := shard_cost(evidence, condition, pairs, engine, pattern))
        ]
        head = (
            f"{plain(engine)} stores {counted(int(most.plain_objects), 'object')} with {code(most.plain.layout)} and "
            f"{counted(int(most.sharded_objects), 'object')} with {code(most.sharded.layout)}, "
            f"{number(most.plain_objects / most.sharded_objects)} times fewer."
        )
        apart = [(ratio(factor), what) for what, factor in costs if factor.excludes_one]
        same = [f"{what} ({ratio(factor)})" for what, factor in costs if not factor.excludes_one]
        if apart:
            head += f" Each factor of 10 fewer objects takes {_first_long(apart, 'times the time')}."
        if same:
            head += f" What each factor of 10 costs cannot be told apart from nothing for {listed(same)}."
        yield head


def _first_long(entries: Sequence[tuple[str, str]], unit: str) -> str:
    """List numbers of things, with the unit behind the first number alone."""
    (first, what), *rest = entries
    return listed([f"{first} {unit} for {what}", *(f"{number_} for {what}" for number_, what in rest)])


def engine_findings(evidence: Evidence, condition: Condition) -> Iterator[str]:
    """Compare every engine with one of them, by purpose.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Yields
    ------
    str
        One entry for each engine.
    """
    base = base_engine(evidence, condition)
    for engine in evidence.engines if base else ():
        found = {
            purpose: pooled
            for purpose, patterns in _purposes(evidence, condition).items()
            if base and engine != base
            if (pooled := engine_ratio(evidence, condition, patterns, baseline=base, candidate=engine))
        }
        if found:
            yield _compared(plain(engine), found, plain(base or ""))


def format_findings(evidence: Evidence, condition: Condition) -> Iterator[str]:
    """Compare Zarr format 3 with format 2.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Yields
    ------
    str
        One entry for each engine.
    """
    for engine in evidence.engines:
        found = {
            purpose: pooled
            for purpose, patterns in _purposes(evidence, condition).items()
            if (pooled := format_ratio(evidence, condition, patterns, engine=engine))
        }
        if found:
            yield _compared(f"Zarr format 3 with {plain(engine)}", found, "format 2")


def _purposes(evidence: Evidence, condition: Condition) -> dict[str, tuple[str, ...]]:
    found = {}
    for purpose, patterns in evidence.purposes(condition).items():
        found[f"reading {asked(purpose)}" if purpose in patterns else purpose] = patterns
    if WRITE in operations(evidence, condition):
        found[asked(WRITE)] = (WRITE,)
    return found


def _compared(subject: str, found: dict[str, Pooled], other: str) -> str:
    pairs = {purpose: f"{purpose} ({counted(pooled.pairs, 'pair')})" for purpose, pooled in found.items()}
    apart = [(ratio(pooled.ratio), pairs[key]) for key, pooled in found.items() if pooled.ratio.excludes_one]
    same = [(ratio(pooled.ratio), pairs[key]) for key, pooled in found.items() if not pooled.ratio.excludes_one]
    told = []
    if apart:
        told.append(f"{subject} takes {_first_long(apart, f'times as long as {other}')}.")
    if same:
        told.append(f"{subject} and {other} cannot be told apart: the ratio of their times is {_first_long(same, '')}.")
    return " ".join(" ".join(told).split())


def chain_findings(evidence: Evidence, condition: Condition, sweep: Sweep) -> tuple[tuple[str, ...], ...]:
    """Compare the chains of one layout and engine.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    sweep
        Chains of one engine and layout.

    Returns
    -------
    tuple
        Rows of a table: chain, ratio, time of a whole read and of a write, and either ÷ the time without compression.
    """
    bare = next((cell for cell in sweep.configurations if cell.chain == "none"), None)
    return tuple(
        (
            code(cell.chain),
            number(stored) if (stored := evidence.stored(condition.store, cell, "compression_ratio")) else NOTHING,
            *(
                text
                for pattern in ("full_read", WRITE)
                for text in (
                    duration(evidence.time(condition, cell, pattern)),
                    _against(evidence, condition, pattern, cell=cell, bare=bare),
                )
            ),
        )
        for cell in sweep.configurations
    )


def _against(
    evidence: Evidence,
    condition: Condition,
    pattern: str,
    *,
    cell: Configuration,
    bare: Configuration | None,
) -> str:
    having = evidence.having(condition, (pattern,))
    if bare is None or bare == cell or not {bare, cell} <= set(having):
        return NOTHING
    found = versus(evidence, condition, (pattern,), candidate=cell, baseline=bare)
    return ratio(found) if found.excludes_one else f"{ratio(found)} ="
