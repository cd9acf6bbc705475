"""A comparison for people: which differences come first, and what the numbers are called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.model import Comparison, Verdict
from zbench.report.text import NOTHING, number
from zbench.units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "EXACT",
    "INTERVALS",
    "PROCESSES",
    "SAMPLES",
    "ComparedMetric",
    "ordered",
    "quantity",
    "ratio_text",
    "verdict_text",
]

# What an interval rests on.
EXACT = "exact"
PROCESSES = "processes"
SAMPLES = "samples"
INTERVALS = "intervals"

_ORDER = (Verdict.SLOWER, Verdict.FASTER, Verdict.INCONCLUSIVE, Verdict.SAME)
_EXACT_WORDS = {Verdict.SLOWER: "bigger", Verdict.FASTER: "smaller"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedMetric:
    """One metric of one workload on both sides.

    Attributes
    ----------
    benchmark, dataset, engine, store, layout, chain, pattern, cache_state
        The workload.
    environment, place
        Id and short name of the candidate's environment.
    metric, unit
        What is compared.
    baseline, candidate
        The numbers, of several samples the median.
    baseline_count, candidate_count
        Number of independent values that the comparison rests on; 1 for exact numbers.
    basis
        `EXACT`; `PROCESSES`, one value a process; `SAMPLES`, of which several share a process, so that they are not
        independent of each other; or `INTERVALS`, which the source kept in place of such samples.
    comparison
        Ratio, interval, verdict.
    note
        Why there is no verdict.
    """

    benchmark: str
    dataset: str
    engine: str
    store: str
    layout: str
    chain: str
    pattern: str
    cache_state: str
    environment: str
    metric: str
    unit: str
    baseline: float
    candidate: float
    baseline_count: int
    candidate_count: int
    basis: str
    comparison: Comparison
    note: str = ""
    place: str = ""

    @property
    def exact(self) -> bool:
        """Whether the numbers repeat to the digit."""
        return self.basis == EXACT


def ordered(found: Iterable[ComparedMetric]) -> list[ComparedMetric]:
    """Put first what should be read first.

    Parameters
    ----------
    found
        In any order.

    Returns
    -------
    list of ComparedMetric
        Exact numbers before times; of each the slower or bigger first, the largest difference at the top.
    """

    def place(one: ComparedMetric) -> tuple[bool, int, float]:
        ratio = one.comparison.ratio
        distance = abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf
        return not one.exact, _ORDER.index(one.comparison.verdict), 0.0 if math.isnan(ratio) else -distance

    return sorted(found, key=place)


def verdict_text(one: ComparedMetric) -> str:
    """Name a verdict as suits the metric.

    Parameters
    ----------
    one
        What was compared.

    Returns
    -------
    str
        Exact numbers are bigger or smaller, not slower or faster.
    """
    verdict = one.comparison.verdict
    return _EXACT_WORDS.get(verdict, str(verdict)) if one.exact else str(verdict)


def quantity(value: float, unit: str) -> str:
    """Write a number with its unit.

    Parameters
    ----------
    value
        The number.
    unit
        As the table of results names it.

    Returns
    -------
    str
        For example ``"12.3 ms"``.
    """
    if unit == "s":
        return format_duration(value * 1e9)
    if unit == "bytes":
        return format_bytes(value) if value >= 1024**2 else f"{value:.0f} B"
    whole = f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
    return whole if unit == "1" else f"{whole} {unit}"


def ratio_text(one: ComparedMetric) -> str:
    """Write a ratio, with its interval if it is an estimate.

    Parameters
    ----------
    one
        What was compared.

    Returns
    -------
    str
        Marked with ``*`` if it rests on samples that are not independent, or on intervals made of such.
    """
    found = one.comparison
    if math.isnan(found.ratio):
        return NOTHING
    if one.exact:
        return f"{found.ratio:.6g}"
    mark = " *" if one.basis in (SAMPLES, INTERVALS) else ""
    return f"{number(found.ratio)} [{number(found.low)}, {number(found.high)}]{mark}"
