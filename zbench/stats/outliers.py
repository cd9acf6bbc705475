"""Samples far from the others: marked, never removed, with the cause where the kernel counted one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zbench.errors import InsufficientSamplesError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cause", "Outlier", "SampleCounters", "mark_outliers"]


class SampleCounters(Protocol):
    """What was counted while one sample was taken; ``None`` where the machine does not tell."""

    @property
    def collection_ns(self) -> int | None:
        """Time in Python's garbage collector."""

    @property
    def major_faults(self) -> int | None:
        """Page faults that waited for a disk."""

    @property
    def minor_faults(self) -> int | None:
        """Page faults that did not."""

    @property
    def disk_read_bytes(self) -> int | None:
        """What came from a disk."""

    @property
    def steal_ns(self) -> int | None:
        """Time that the hypervisor gave to others."""

    @property
    def involuntary_switches(self) -> int | None:
        """How often a core was taken away."""

    @property
    def waited_ns(self) -> int | None:
        """Time that threads could have run and had no core."""

    @property
    def throttled_ns(self) -> int | None:
        """Time that a quota or the heat held the cores back."""


class Cause(StrEnum):
    """What made a sample slow."""

    COLLECTION = "garbage collection"
    MAJOR_FAULTS = "major page faults"
    MINOR_FAULTS = "minor page faults"
    DISK_READS = "disk reads"
    STEAL = "steal"
    SWITCHES = "involuntary context switches"
    THROTTLING = "throttling"
    UNKNOWN = "unknown"


# What one unit of a counter costs in nanoseconds. Where it is not a time, a low figure of what machines need: a random
# read of an SSD, zeroing a page, a disk of 2 GB/s, the shortest slice that Linux gives to another thread.
_COSTS = {
    Cause.COLLECTION: ("collection_ns", 1.0),
    Cause.MAJOR_FAULTS: ("major_faults", 50_000.0),
    Cause.MINOR_FAULTS: ("minor_faults", 500.0),
    Cause.DISK_READS: ("disk_read_bytes", 0.5),
    Cause.STEAL: ("steal_ns", 1.0),
    Cause.THROTTLING: ("throttled_ns", 1.0),
}
_SLICE_NS = 750_000.0
# Of what a sample took longer than the others, the part that a cause must account for.
_SHARE = 0.25
# Iglewicz and Hoaglin's limit, for a robust standard score; 0.6745 makes the deviation that of a normal distribution.
_LIMIT = 3.5
_NORMAL = 0.6745
# Among five, every fifth run of well-behaved samples would have an outlier.
_FEWEST = 8


@dataclass(frozen=True, slots=True)
class Outlier:
    """A sample far from the others.

    Attributes
    ----------
    index
        Its place among the samples.
    ratio
        Sample ÷ median of all samples.
    causes
        What accounts for a good part of the excess, the largest part first; `Cause.UNKNOWN` if nothing does.
    """

    index: int
    ratio: float
    causes: tuple[Cause, ...]


def mark_outliers(
    values_ns: Sequence[float], counters: Sequence[SampleCounters], *, limit: float = _LIMIT
) -> tuple[Outlier, ...]:
    """Find the samples that lie far from the others, and why.

    Far is measured on logarithms, by the median absolute deviation: outliers themselves do not move it, and times
    scatter by factors.

    Parameters
    ----------
    values_ns
        Times in nanoseconds.
    counters
        What was counted during each.
    limit
        Robust standard score from which a sample is far.

    Returns
    -------
    tuple of Outlier
        In order. Nothing among fewer than eight samples, or where more than half are equal: nothing can be told there.

    Raises
    ------
    InsufficientSamplesError
        If a time is not positive, or has no counters.
    """
    times = np.asarray(values_ns, dtype=float)
    if len(counters) != times.size or not (np.isfinite(times) & (times > 0)).all():
        msg = (
            f"Outliers are marked among positive times with counters for each: got {list(values_ns)!r} with "
            f"{len(counters)} counters. Take each time with its counters."
        )
        raise InsufficientSamplesError(msg)
    far = _far(times, limit)
    median = float(np.median(times)) if times.size else 0.0
    usual = [counted for counted, is_far in zip(counters, far, strict=True) if not is_far]
    return tuple(
        Outlier(index, float(times[index]) / median, _causes(float(times[index]) - median, counters[index], usual))
        for index in np.flatnonzero(far).tolist()
    )


def _far(
    times: np.ndarray[tuple[int], np.dtype[np.float64]], limit: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if times.size < _FEWEST:
        return np.zeros(times.size, dtype=bool)
    distances = np.abs(np.log(times) - np.median(np.log(times)))
    deviation = float(np.median(distances))
    if not deviation:
        return np.zeros(times.size, dtype=bool)
    return np.asarray(_NORMAL * distances / deviation > limit)


def _causes(excess_ns: float, counted: SampleCounters, usual: Sequence[SampleCounters]) -> tuple[Cause, ...]:
    # Nothing that is counted here makes a sample fast.
    if excess_ns <= 0:
        return (Cause.UNKNOWN,)
    explained = {cause: cost * _beyond(name, counted, usual) for cause, (name, cost) in _COSTS.items()} | {
        Cause.SWITCHES: _switching_ns(counted, usual)
    }
    told = sorted((cause for cause in explained if explained[cause] >= _SHARE * excess_ns), key=lambda c: -explained[c])
    return tuple(told) or (Cause.UNKNOWN,)


def _switching_ns(counted: SampleCounters, usual: Sequence[SampleCounters]) -> float:
    """Time without a core, as the scheduler counted it; a slice for each switch where it does not."""
    switches = _beyond("involuntary_switches", counted, usual)
    if counted.waited_ns is None:
        return switches * _SLICE_NS
    return _beyond("waited_ns", counted, usual) if switches > 0 else 0.0


def _beyond(name: str, counted: SampleCounters, usual: Sequence[SampleCounters]) -> float:
    """How far a counter lies above what the other samples have."""
    value = getattr(counted, name)
    others = [other for sample in usual if (other := getattr(sample, name)) is not None]
    if value is None or not others:
        return 0.0
    return max(0.0, float(value) - float(np.median(others)))
