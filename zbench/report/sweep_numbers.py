"""Ratios of releases from the rounds that they share, cell by cell and pooled over cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats import mean_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbench.results import Row
    from zbench.stats import Interval

__all__ = ["Timings", "Workload", "pooled_ratio", "read_timings"]

_ROUNDS = "rounds "


@dataclass(frozen=True, order=True, slots=True)
class Workload:
    """What is timed, without who does it.

    Attributes
    ----------
    layout, chain, operation
        Texts.
    """

    layout: str
    chain: str
    operation: str

    @property
    def is_sharded(self) -> bool:
        """Whether it is of an array in shards."""
        return "-s" in self.layout


@dataclass(frozen=True, slots=True)
class Timings:
    """One metric of every release.

    Attributes
    ----------
    by_run
        From the run of a release to its values: for each workload one a round.
    """

    by_run: Mapping[str, Mapping[Workload, Mapping[int, float]]]

    def workloads(self, run: str) -> tuple[Workload, ...]:
        """List what a release was measured on.

        Parameters
        ----------
        run
            The release.

        Returns
        -------
        tuple of Workload
            In order.
        """
        return tuple(sorted(self.by_run.get(run, {})))

    def values(self, run: str, workload: Workload) -> tuple[float, ...]:
        """List the values of a workload.

        Parameters
        ----------
        run
            The release.
        workload
            The workload.

        Returns
        -------
        tuple of float
            One a round; none if it was not measured.
        """
        return tuple(self.by_run.get(run, {}).get(workload, {}).values())


def read_timings(rows: Iterable[Row], metric: str) -> Timings:
    """Take the values of each round out of rows.

    Parameters
    ----------
    rows
        Rows of a sweep.
    metric
        Such as ``wall_time``.

    Returns
    -------
    Timings
        By release and workload.
    """
    by_run: dict[str, dict[Workload, dict[int, float]]] = {}
    for row in rows:
        if row.metric == metric and row.note.startswith(_ROUNDS):
            numbers = map(int, row.note.removeprefix(_ROUNDS).split())
            workload = Workload(row.layout, row.chain, row.pattern)
            by_run.setdefault(row.run, {})[workload] = dict(zip(numbers, row.samples, strict=True))
    return Timings(by_run)


def pooled_ratio(
    timings: Timings, pairs: Sequence[tuple[tuple[str, Workload], tuple[str, Workload]]]
) -> Interval | None:
    """Estimate candidate ÷ baseline over many workloads together.

    In each round the logarithms of the ratios of all workloads are averaged; the round, in which every release has one
    fresh process, is the unit of the interval.

    Parameters
    ----------
    timings
        The values.
    pairs
        Release and workload of the baseline and of the candidate.

    Returns
    -------
    Interval or None
        The geometric mean of the ratios with its 95 % interval; ``None`` with fewer than three rounds that all pairs
        share.
    """
    rounds: dict[int, list[float]] = {}
    complete = 0
    for (base_run, base), (other_run, other) in pairs:
        ours, theirs = (
            timings.by_run.get(run, {}).get(workload, {}) for run, workload in ((base_run, base), (other_run, other))
        )
        shared = ours.keys() & theirs.keys()
        complete += bool(shared)
        for number in shared:
            rounds.setdefault(number, []).append(float(np.log(theirs[number] / ours[number])))
    # A round that the budget cut short holds other workloads, and would tell of them.
    means = [float(np.exp(np.mean(logs))) for logs in rounds.values() if len(logs) == complete]
    try:
        return mean_interval(means)
    except InsufficientSamplesError:
        return None
