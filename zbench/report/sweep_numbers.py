"""Ratios of releases from the rounds that they share, pooled over the cells of a group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats import mean_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbench.results import Row
    from zbench.stats import Interval

__all__ = ["Family", "Timings", "Workload", "against", "beside", "families", "read_timings"]

_ROUNDS = "rounds "
_SHARDS = re.compile(r"-s[0-9x]+(all)?")
_WRITE = "write"
_OPERATIONS = {"full_read": "whole reads", "xy_plane": "reads of planes", _WRITE: "writes"}


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
    def kind(self) -> str:
        """Format and shards in words."""
        if _SHARDS.search(self.layout):
            return "Shards"
        return f"Format {self.layout[1]} without shards"

    @property
    def without_shards(self) -> Workload:
        """The same chunks as objects of their own."""
        return Workload(_SHARDS.sub("", self.layout), self.chain, self.operation)


@dataclass(frozen=True, slots=True)
class Family:
    """Workloads that are told of together.

    Attributes
    ----------
    kind
        Format and shards in words.
    operation
        Name of the operation.
    workloads
        Its members.
    """

    kind: str
    operation: str
    workloads: tuple[Workload, ...]

    @property
    def short(self) -> str:
        """The operation in words."""
        return _OPERATIONS.get(self.operation, f"reads of {self.operation.replace('train_patch-', 'patches of ')}")

    @property
    def title(self) -> str:
        """The whole in words."""
        words = self.kind[0].lower() + self.kind[1:]
        return f"{self.short.capitalize()} of {words}"

    @property
    def is_sharded(self) -> bool:
        """Whether it is of arrays in shards."""
        return self.kind == "Shards"

    @property
    def is_whole(self) -> bool:
        """Whether all of an array is read or written."""
        return self.operation in ("full_read", _WRITE)


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

    def values(self, run: str, workload: Workload) -> Mapping[int, float]:
        """Look the values of a workload up.

        Parameters
        ----------
        run
            The release.
        workload
            The workload.

        Returns
        -------
        mapping
            From the round to the value; empty if it was not measured.
        """
        return self.by_run.get(run, {}).get(workload, {})

    def median(self, run: str, workload: Workload) -> float | None:
        """Take the middle of the values of a workload.

        Parameters
        ----------
        run
            The release.
        workload
            The workload.

        Returns
        -------
        float or None
            ``None`` if it was not measured.
        """
        found = self.values(run, workload)
        return median(found.values()) if found else None

    def has(self, run: str, family: Family) -> bool:
        """Ask whether a release was measured on a family.

        Parameters
        ----------
        run
            The release.
        family
            The family.

        Returns
        -------
        bool
            Whether it has a value of any member.
        """
        return any(self.values(run, workload) for workload in family.workloads)


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
        By release and workload; values that are not positive have no ratio and are left out.
    """
    by_run: dict[str, dict[Workload, dict[int, float]]] = {}
    for row in rows:
        if row.metric == metric and row.note.startswith(_ROUNDS):
            numbers = map(int, row.note.removeprefix(_ROUNDS).split())
            taken = {number: value for number, value in zip(numbers, row.samples, strict=True) if value > 0}
            by_run.setdefault(row.run, {})[Workload(row.layout, row.chain, row.pattern)] = taken
    return Timings(by_run)


def families(timings: Timings) -> tuple[Family, ...]:
    """Put workloads that are told of together into families.

    Parameters
    ----------
    timings
        The values.

    Returns
    -------
    tuple of Family
        By format and shards, then by operation.
    """
    grouped: dict[tuple[str, str], dict[Workload, None]] = {}
    for by in timings.by_run.values():
        for workload in sorted(by):
            grouped.setdefault((workload.kind, workload.operation), {})[workload] = None
    order = list(_OPERATIONS)
    keys = sorted(grouped, key=lambda key: (key[0], order.index(key[1]) if key[1] in order else 1, key[1]))
    return tuple(Family(kind, operation, tuple(sorted(grouped[kind, operation]))) for kind, operation in keys)


def against(timings: Timings, baseline: str, candidate: str, family: Family) -> Interval | None:
    """Hold a release against another on the same workloads.

    Parameters
    ----------
    timings
        The values.
    baseline, candidate
        Runs of the two.
    family
        The workloads.

    Returns
    -------
    Interval or None
        Candidate ÷ baseline; ``None`` where too few rounds have both.
    """
    return _pooled([(timings.values(baseline, one), timings.values(candidate, one)) for one in family.workloads])


def beside(timings: Timings, run: str, family: Family) -> Interval | None:
    """Hold arrays in shards against the same chunks without shards, of one release.

    Parameters
    ----------
    timings
        The values.
    run
        The release.
    family
        Workloads on arrays in shards.

    Returns
    -------
    Interval or None
        With shards ÷ without; ``None`` where too few rounds have both.
    """
    return _pooled([(timings.values(run, one.without_shards), timings.values(run, one)) for one in family.workloads])


def _pooled(pairs: Sequence[tuple[Mapping[int, float], Mapping[int, float]]]) -> Interval | None:
    """Average the logarithms of all ratios of a round; the round, with one fresh process of each, is the unit."""
    shared = [(base, other, base.keys() & other.keys()) for base, other in pairs if base.keys() & other.keys()]
    rounds: dict[int, list[float]] = {}
    for base, other, numbers in shared:
        for number in numbers:
            rounds.setdefault(number, []).append(float(np.log(other[number] / base[number])))
    # A round that a budget cut short holds other workloads, and would tell of them.
    means = [float(np.exp(np.mean(logs))) for logs in rounds.values() if len(logs) == len(shared)]
    try:
        return mean_interval(means)
    except InsufficientSamplesError:
        return None
