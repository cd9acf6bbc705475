"""One operation on one cell, measured deeply: times until their median is known, and all that came with them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from zbench.model import CacheState
from zbench.runner.deep_sampling import deep_sampler
from zbench.stats.outliers import mark_outliers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zbench.cell import StoredCell
    from zbench.probes import PeakMemory
    from zbench.runner.deep_sampling import DeepSample, Opening
    from zbench.stats.adaptive import Decision, StoppingRule
    from zbench.stats.outliers import Outlier

__all__ = ["DeepRun", "measure_deep", "take_until"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeepRun:
    """All that was found of one operation on one cell.

    Attributes
    ----------
    operation
        Name of the access pattern, or ``write``.
    cache
        What was in the page cache.
    reached
        How that was reached, a sentence for a report.
    opening
        Where the time of opening is.
    samples
        All of them, in their order.
    decision
        The median of the wall times with its interval, and why no more samples were taken.
    outliers
        Samples far from the others, with their causes; they are in the median too.
    memory
        Peak of the process tree in the first execution, which is not timed.
    not_cold
        Executions that were not begun because the store had come back into the page cache.
    """

    operation: str
    cache: CacheState
    reached: str
    opening: Opening
    samples: tuple[DeepSample, ...]
    decision: Decision
    outliers: tuple[Outlier, ...]
    memory: PeakMemory
    not_cold: int = 0

    @property
    def cpu_seconds(self) -> float:
        """CPU time of one execution, process tree, median."""
        return median(sample.counters.cpu_ns for sample in self.samples) / 1e9

    @property
    def disk_read_bytes(self) -> float | None:
        """Median of the bytes that came from a disk for one execution; ``None`` where the kernel does not tell."""
        return _median_or_none(sample.counters.disk_read_bytes for sample in self.samples)

    @property
    def disk_write_bytes(self) -> float | None:
        """Median of the bytes that one execution gave to a disk to write; ``None`` where the kernel does not tell."""
        return _median_or_none(sample.counters.disk_write_bytes for sample in self.samples)

    @property
    def open_ns(self) -> float | None:
        """Wall time of opening, median; ``None`` where it is outside the time."""
        return _median_or_none(sample.open_ns for sample in self.samples)

    @property
    def reading_ns(self) -> float:
        """Time that reading the counters took around one execution, outside its time, median."""
        return median(sample.counters.reading_ns for sample in self.samples)


def take_until(
    take: Callable[[], DeepSample], rule: StoppingRule, *, clock: Callable[[], float] = time.monotonic
) -> tuple[tuple[DeepSample, ...], Decision]:
    """Take samples until a rule says stop.

    Parameters
    ----------
    take
        Takes one sample.
    rule
        When to stop.
    clock
        Seconds that never go back.

    Returns
    -------
    tuple
        The samples, and the decision on their wall times.
    """
    samples: list[DeepSample] = []
    walls: list[float] = []
    began = clock()
    while True:
        samples.append(take())
        walls.append(samples[-1].wall_ns)
        decision = rule.decide(walls, elapsed_s=clock() - began)
        if decision is not None:
            return tuple(samples), decision


def measure_deep(
    cell: StoredCell, operation: str, *, rule: StoppingRule, cache: CacheState = CacheState.WARM, **how: Any
) -> DeepRun:
    """Measure one operation in one cache state.

    Parameters
    ----------
    cell
        A stored cell.
    operation
        Name of an access pattern, or `WRITE`.
    rule
        When to stop.
    cache
        What is to be in the page cache when a time begins.
    **how
        What else `deep_sampler` takes.

    Returns
    -------
    DeepRun
        All that was found.

    Raises
    ------
    RefusedError
        If the volume is too small for the pattern, or the store cannot be made cold.
    """
    with deep_sampler(cell, operation, cache=cache, peak=True, **how) as sampler:
        samples, decision = take_until(sampler.take, rule)
    assert sampler.memory is not None
    return DeepRun(
        operation=operation,
        cache=cache,
        reached=sampler.reached,
        opening=sampler.opening,
        samples=samples,
        decision=decision,
        outliers=mark_outliers([sample.wall_ns for sample in samples], [sample.counters for sample in samples]),
        memory=sampler.memory,
        not_cold=sampler.not_cold,
    )


def _median_or_none(values: Iterable[int | None]) -> float | None:
    told = [value for value in values if value is not None]
    return median(told) if told else None
