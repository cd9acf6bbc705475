"""Pairs of numbers of one thing: the ratio of each, what it rests on, and the verdict that the whole list gives it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from zbench.errors import InsufficientSamplesError
from zbench.report.compare import EXACT, INTERVALS, PROCESSES, SAMPLES, ComparedMetric
from zbench.stats import Interval
from zbench.stats.compare import RatioTest, compare_exact, judge, ratio_of_intervals, ratio_test, samples_needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.model import Comparison
    from zbench.results import Row

__all__ = ["CONFIDENCE", "compared", "mismatch"]

CONFIDENCE = 0.95

_LESS_IS_WORSE = ("compression_ratio", "throughput")
_VOXELS = ("shape", "dtype", "voxel_digest")

_Rows: TypeAlias = "list[Row]"


def compared(pairs: Sequence[tuple[_Rows, _Rows]], *, min_effect: float) -> list[ComparedMetric]:
    """Compare pairs, each of one metric of one workload.

    Parameters
    ----------
    pairs
        Rows of the baseline and of the candidate; `mismatch` has nothing against them.
    min_effect
        Smallest change of a time that counts.

    Returns
    -------
    list of ComparedMetric
        Exact numbers, then times.
    """
    exact = [_exact(ours, theirs) for ours, theirs in pairs if ours[0].exact]
    timed = [_timed(ours, theirs) for ours, theirs in pairs if not ours[0].exact]
    worse = [one.row.metric not in _LESS_IS_WORSE for one in timed]
    verdicts = judge([one.test for one in timed], min_effect=min_effect, larger_is_worse=worse)
    return exact + [one.judged(verdict) for one, verdict in zip(timed, verdicts, strict=True)]


def mismatch(ours: _Rows, theirs: _Rows) -> str:
    """Say why two numbers of one name are not of one thing.

    Parameters
    ----------
    ours, theirs
        Rows of the baseline and of the candidate.

    Returns
    -------
    str
        Empty if they are.
    """
    for name in _VOXELS:
        known = {value for row in (*ours, *theirs) if (value := getattr(row, name))}
        if len(known) > 1:
            return f"the voxels are others: {name} is {' and '.join(map(str, sorted(known, key=str)))}"
    units = {row.unit for row in (*ours, *theirs)}
    if len(units) > 1:
        return f"the units are others: {' and '.join(sorted(units))}"
    for rows in (ours, theirs):
        values = {row.value for row in rows}
        if rows[0].exact and len(values) > 1:
            return f"an exact number should repeat: it is {' and '.join(map(str, sorted(values, key=str)))}"
    return ""


def _exact(ours: _Rows, theirs: _Rows) -> ComparedMetric:
    numbers = (_number(ours), _number(theirs))
    comparison = compare_exact(*numbers, larger_is_worse=theirs[0].metric not in _LESS_IS_WORSE)
    return _metric(theirs[0], numbers, counts=(1, 1), basis=EXACT, comparison=comparison)


def _number(rows: _Rows) -> float:
    return statistics.median(row.value for row in rows if row.value is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Timed:
    """A pair of times, tested but not yet judged: verdicts are given to the whole list together."""

    row: Row
    numbers: tuple[float, float]
    counts: tuple[int, int]
    basis: str
    test: RatioTest | None
    note: str

    def judged(self, comparison: Comparison) -> ComparedMetric:
        return _metric(
            self.row, self.numbers, counts=self.counts, basis=self.basis, comparison=comparison, note=self.note
        )


def _timed(ours: _Rows, theirs: _Rows) -> _Timed:
    test, note = None, ""
    kept = all(any(row.samples for row in rows) for rows in (ours, theirs))
    basis, units = _units(ours, theirs) if kept else (INTERVALS, ([], []))
    try:
        test = ratio_test(*units, confidence=CONFIDENCE) if kept else _test_of_intervals(ours, theirs)
    except InsufficientSamplesError as error:
        note = str(error)
    return _Timed(
        row=theirs[0],
        numbers=(_number(ours), _number(theirs)),
        counts=(len(units[0]), len(units[1])),
        basis=basis,
        test=test,
        note=note,
    )


def _units(ours: _Rows, theirs: _Rows) -> tuple[str, tuple[list[float], list[float]]]:
    """Take one value a process where there are enough of them, and all samples otherwise."""
    units = _by_process(ours), _by_process(theirs)
    if min(map(len, units)) >= samples_needed(confidence=CONFIDENCE):
        return PROCESSES, units
    first, second = ([sample for row in rows for sample in row.samples] for rows in (ours, theirs))
    return SAMPLES, (first, second)


def _test_of_intervals(ours: _Rows, theirs: _Rows) -> RatioTest:
    base, other = (next((row for row in rows if row.confidence is not None), None) for rows in (ours, theirs))
    if base is None or other is None:
        msg = (
            "A ratio needs samples or an interval on both sides: the results keep neither of some. Measure them again."
        )
        raise InsufficientSamplesError(msg)
    return ratio_of_intervals(
        _interval(base),
        _interval(other),
        confidences=(base.confidence or CONFIDENCE, other.confidence or CONFIDENCE),
        confidence=CONFIDENCE,
    )


def _interval(row: Row) -> Interval:
    low, high = row.low or 0.0, row.high or 0.0
    return Interval(row.value or 0.0, low, high, len(row.samples))


def _by_process(rows: _Rows) -> list[float]:
    """Take one value of each process: the samples where each is of its own, or else the median of a run."""
    values: list[float] = []
    for row in rows:
        if row.samples and row.processes == len(row.samples):
            values.extend(row.samples)
        elif row.samples:
            values.append(statistics.median(row.samples))
    return values


def _metric(
    row: Row,
    numbers: tuple[float, float],
    *,
    counts: tuple[int, int],
    basis: str,
    comparison: Comparison,
    note: str = "",
) -> ComparedMetric:
    return ComparedMetric(
        benchmark=row.benchmark,
        dataset=row.dataset,
        engine=row.engine,
        store=row.store,
        layout=row.layout,
        chain=row.chain,
        pattern=row.pattern,
        cache_state=row.cache_state,
        environment=row.environment,
        metric=row.metric,
        unit=row.unit,
        baseline=numbers[0],
        candidate=numbers[1],
        baseline_count=counts[0],
        candidate_count=counts[1],
        basis=basis,
        comparison=comparison,
        note=note,
    )
