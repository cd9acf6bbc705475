"""Ratios of times that were taken in the same rounds, of one pair and pooled over many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import InsufficientSamplesError
from zbench.stats import Interval, mean_interval, ratio_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zbench.report.lossless.record import Cell, Column, Record, Times

__all__ = ["Pooled", "across", "chains_against", "estimated", "paired", "pooled", "tied_with_fastest"]

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Pooled:
    """A geometric mean of ratios.

    Attributes
    ----------
    interval
        Over rounds.
    pairs
        Number of pairs that it pools.
    """

    interval: Interval
    pairs: int


def estimated(times: Times | None) -> Interval | None:
    """Estimate the time of a task.

    Parameters
    ----------
    times
        One value a round.

    Returns
    -------
    Interval or None
        In nanoseconds; ``None`` with fewer than three rounds.
    """
    if times is None or len(times.wall_ns) < _FEWEST:
        return None
    return mean_interval(list(times.wall_ns.values()))


def paired(baseline: Times | None, candidate: Times | None) -> Interval | None:
    """Estimate candidate ÷ baseline over the rounds that both have.

    Parameters
    ----------
    baseline, candidate
        One value a round each.

    Returns
    -------
    Interval or None
        ``None`` with fewer than three common rounds.
    """
    if baseline is None or candidate is None:
        return None
    rounds = sorted(set(baseline.wall_ns) & set(candidate.wall_ns))
    try:
        return ratio_interval([baseline.wall_ns[r] for r in rounds], [candidate.wall_ns[r] for r in rounds])
    except InsufficientSamplesError:
        return None


def pooled(pairs: Iterable[tuple[Times | None, Times | None]]) -> Pooled | None:
    """Estimate the geometric mean of candidate ÷ baseline over pairs.

    In each round the logarithms of the ratios are averaged over the pairs; the interval is over rounds, so it holds
    for these pairs and says nothing of others.

    Parameters
    ----------
    pairs
        Baseline and candidate.

    Returns
    -------
    Pooled or None
        Of the pairs with enough rounds; ``None`` if there is none.
    """
    logs = [
        {r: math.log(b.wall_ns[r] / a.wall_ns[r]) for r in set(a.wall_ns) & set(b.wall_ns)} for a, b in pairs if a and b
    ]
    # A run that is going on has volumes with few rounds: they wait, or they would take the rounds of the others away.
    most = max(map(len, logs), default=0)
    full = [values for values in logs if len(values) == most]
    rounds = sorted(set.intersection(*map(set, full))) if full else []
    if len(rounds) < _FEWEST:
        return None
    means = [math.exp(sum(values[r] for values in full) / len(full)) for r in rounds]
    return Pooled(mean_interval(means), len(full))


def across(
    record: Record, operation: str, *, baseline: tuple[Column, str, str], candidate: tuple[Column, str, str]
) -> Pooled | None:
    """Compare two ways to store over all volumes.

    Parameters
    ----------
    record
        The run.
    operation
        ``write`` or an access pattern.
    baseline, candidate
        Column, layout and chain.

    Returns
    -------
    Pooled or None
        Time of the candidate ÷ time of the baseline.
    """
    return pooled(
        (_times(record, dataset, baseline, operation), _times(record, dataset, candidate, operation))
        for dataset in record.datasets
    )


def _times(record: Record, dataset: str, way: tuple[Column, str, str], operation: str) -> Times | None:
    column, layout, chain = way
    return record.times.get((record.of(column, dataset, layout, chain), operation))


def chains_against(
    record: Record, columns: tuple[Column, Column], layout: str, operation: str, *, chains: Sequence[str]
) -> Pooled | None:
    """Compare two columns over all volumes and chains.

    Parameters
    ----------
    record
        The run.
    columns
        Baseline and candidate.
    layout, operation
        What was done.
    chains
        Which chains to pool.

    Returns
    -------
    Pooled or None
        Time of the candidate ÷ time of the baseline.
    """
    baseline, candidate = columns
    return pooled(
        (
            _times(record, dataset, (baseline, layout, chain), operation),
            _times(record, dataset, (candidate, layout, chain), operation),
        )
        for dataset in record.datasets
        for chain in chains
    )


def tied_with_fastest(record: Record, cells: Sequence[Cell], operation: str) -> tuple[Cell, ...]:
    """Find the fastest cell and those that cannot be told apart from it.

    Parameters
    ----------
    record
        The run.
    cells
        Which cells to look at.
    operation
        What was done with them.

    Returns
    -------
    tuple of Cell
        The fastest first, then the others from fast to slow; empty if nothing was timed often enough.
    """
    known = {
        cell: found.estimate for cell in cells if (found := estimated(record.times.get((cell, operation)))) is not None
    }
    order = sorted(known, key=lambda cell: known[cell])
    tied = []
    for cell in order:
        ratio = paired(record.times[order[0], operation], record.times[cell, operation])
        if cell == order[0] or (ratio is not None and not ratio.excludes_one):
            tied.append(cell)
    return tuple(tied)
