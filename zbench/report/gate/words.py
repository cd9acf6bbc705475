"""The sentences of a gate, built from what it found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zbench.model import Verdict
from zbench.report.compare import quantity
from zbench.report.text import NOTHING, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.model import Comparison
    from zbench.report.gate.nouns import GateCell, GateContrast, GateReport

__all__ = ["change", "counted", "headline", "numbers", "ordered", "pooled", "ratio", "verdict"]

_ORDER = (Verdict.SLOWER, Verdict.FASTER, Verdict.INCONCLUSIVE, Verdict.SAME)
_MORE = {"requests": "chattier", "bytes": "bigger", "objects": "in more objects"}
_DIRECTIONS = {
    "peak_memory": ("bigger", "smaller"),
    "instructions": ("heavier in instructions", "lighter in instructions"),
}
_TIMES = ("slower", "faster")
_PASSED, _NO_ANSWER = 0, 2
_UNSURE = "slower?"


def headline(report: GateReport) -> str:
    """Say in one line what the gate found, the cause first.

    Parameters
    ----------
    report
        What was found.

    Returns
    -------
    str
        One sentence.
    """
    if report.status == _PASSED:
        unsure = any(verdict(cell) == _UNSURE for cell in report.cells if cell.decides)
        nothing = "nothing is certain to be" if unsure else "nothing is"
        return f"Passed: {nothing} slower, bigger or chattier; {counted(report.cells)}."
    if report.status == _NO_ANSWER:
        if report.failed:
            return f"Could not answer: {len(report.failed)} failed, first {report.failed[0].cell}."
        return f"Could not answer: nothing was decided in {report.rounds} rounds; {counted(report.cells)}."
    slower = [one for one in report.explanation if one.comparison.verdict is Verdict.SLOWER and one.cells > 1]
    causes = slower if slower and report.causes else report.causes
    parts = [_exact_part(report), *(_cause_part(cause) for cause in causes[:1])]
    times = [cell for cell in report.regressions if not cell.exact or cell.metric == "instructions"]
    if times:
        parts.append(f"{_name(times[0])} is {change(times[0].comparison, times[0].metric)}" + _more(len(times) - 1))
    return "Regression: " + "; ".join(part for part in parts if part) + "."


def _exact_part(report: GateReport) -> str:
    found = [cell for cell in report.regressions if cell.exact and cell.metric != "instructions"]
    if not found:
        return ""
    first = found[0]
    word = _MORE.get(first.unit, "worse")
    before, after = numbers(first)
    return f"{_name(first)} is {word}, {before} before and {after} now" + _more(len(found) - 1)


def _cause_part(cause: GateContrast) -> str:
    verb = "is" if cause.what else "are"
    return f"{cause.name} {verb} {change(cause.comparison, cause.metric)} over {cause.cells} cells"


def _name(cell: GateCell) -> str:
    return f"{cell.cell} in {cell.environment}"


def _more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""


def change(comparison: Comparison, metric: str = "time") -> str:
    """Say how far a ratio lies from 1.

    Parameters
    ----------
    comparison
        The ratio with its interval.
    metric
        What is compared: memory is bigger, not slower.

    Returns
    -------
    str
        For example ``"3.1 % slower [2.4, 3.9]"``; what lies on the other side of 1 is below 0.
    """
    if not math.isfinite(comparison.ratio):
        return NOTHING
    more, less = _DIRECTIONS.get(metric, _TIMES)
    side = 1 if comparison.ratio >= 1 else -1
    told = f"{_percent(side * (comparison.ratio - 1))} % {more if side > 0 else less}"
    if comparison.low == comparison.high or not math.isfinite(comparison.high):
        return told
    low, high = sorted(side * (end - 1) for end in (comparison.low, comparison.high))
    return f"{told} [{_percent(low)}, {_percent(high)}]"


def _percent(share: float) -> str:
    percent = share * 100
    return f"{percent:,.0f}" if abs(percent) >= 99.5 else f"{percent:.2g}"


def ratio(cell: GateCell | GateContrast) -> str:
    """Write a ratio with its interval.

    Parameters
    ----------
    cell
        What was compared.

    Returns
    -------
    str
        For example ``"1.031 [1.024, 1.039]"``.
    """
    found = cell.comparison
    if math.isnan(found.ratio):
        return NOTHING
    if math.isinf(found.ratio) or found.low == found.high:
        return f"{found.ratio:.6g}"
    if not (math.isfinite(found.high) and found.low):
        return f"{found.ratio:.3f} [?]"
    return f"{found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]"


def numbers(cell: GateCell) -> tuple[str, str]:
    """Write both numbers with their unit.

    Parameters
    ----------
    cell
        What was compared.

    Returns
    -------
    tuple of str
        Baseline and candidate.
    """
    texts = [NOTHING if math.isnan(value) else quantity(value, cell.unit) for value in (cell.baseline, cell.candidate)]
    return texts[0], texts[1]


def verdict(cell: GateCell | GateContrast) -> str:
    """Name a verdict as suits the metric, and whether it fails the gate.

    Parameters
    ----------
    cell
        What was compared.

    Returns
    -------
    str
        ``slower?`` is in the list of changes, but not certain enough to fail the gate.
    """
    found = cell.comparison
    if found.verdict is Verdict.SLOWER and cell.accepted:
        return "accepted"
    if found.verdict is Verdict.SLOWER and not cell.alarm:
        return _UNSURE
    return str(found.verdict)


def ordered(cells: Iterable[GateCell]) -> list[GateCell]:
    """Put first what should be read first.

    Parameters
    ----------
    cells
        In any order.

    Returns
    -------
    list of GateCell
        What fails the gate, exact numbers before times; then the rest, slower ones first.
    """

    def place(cell: GateCell) -> tuple[bool, bool, bool, int, float]:
        distance = abs(math.log(cell.comparison.ratio)) if 0 < cell.comparison.ratio < math.inf else 0.0
        order = _ORDER.index(cell.comparison.verdict)
        return not cell.is_regression, not cell.decides, not cell.exact, order, -distance

    return sorted(cells, key=place)


def pooled(report: GateReport) -> list[GateContrast]:
    """Put first what of the factor levels should be read first.

    Parameters
    ----------
    report
        What was found.

    Returns
    -------
    list of GateContrast
        What fails the gate and explains what moved, what fails it, then slower ones, faster ones and the rest.
    """
    causes = {one.what for one in report.explanation}

    def place(one: GateContrast) -> tuple[bool, bool, int]:
        return not one.is_regression, one.what not in causes, _ORDER.index(one.comparison.verdict)

    return sorted(report.contrasts, key=place)


def counted(cells: Iterable[GateCell]) -> str:
    """Count the verdicts.

    Parameters
    ----------
    cells
        What was compared.

    Returns
    -------
    str
        For example ``"12 same, 3 inconclusive"``.
    """
    words = [verdict(cell) for cell in ordered(cells) if cell.decides]
    told = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
    return listed(told) if told else "nothing was compared"
