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

__all__ = ["change", "counted", "headline", "numbers", "ordered", "ratio", "verdict"]

_ORDER = (Verdict.SLOWER, Verdict.FASTER, Verdict.INCONCLUSIVE, Verdict.SAME)
_MORE = {"requests": "chattier", "bytes": "bigger", "objects": "more objects"}
_PASSED, _REGRESSION, _NO_ANSWER = 0, 1, 2


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
        return f"Passed: nothing is slower, bigger or chattier; {counted(report.cells)}."
    if report.status == _NO_ANSWER:
        if report.failed:
            return f"Could not answer: {len(report.failed)} failed, first {report.failed[0].cell}."
        return f"Could not answer: nothing was decided in {report.rounds} rounds; {counted(report.cells)}."
    slower = [one for one in report.explanation if one.comparison.verdict is Verdict.SLOWER and one.cells > 1]
    causes = slower if slower and report.causes else report.causes
    parts = [_exact_part(report), *(_cause_part(cause) for cause in causes[:1])]
    times = [cell for cell in report.regressions if not cell.exact or cell.metric == "instructions"]
    if times:
        parts.append(f"{_name(times[0])} is {change(times[0].comparison)}" + _more(len(times) - 1))
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
    return f"{cause.name} is {change(cause.comparison)} over {cause.cells} cells"


def _name(cell: GateCell) -> str:
    return f"{cell.cell} in {cell.environment}"


def _more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""


def change(comparison: Comparison) -> str:
    """Say how far a ratio lies from 1.

    Parameters
    ----------
    comparison
        The ratio with its interval.

    Returns
    -------
    str
        For example ``"3.1 % slower [2.4, 3.9]"``.
    """
    if not math.isfinite(comparison.ratio):
        return NOTHING
    word = "slower" if comparison.ratio >= 1 else "faster"
    told = f"{abs(comparison.ratio - 1) * 100:.2g} % {word}"
    if comparison.low == comparison.high or not math.isfinite(comparison.high):
        return told
    ends = sorted(abs(end - 1) * 100 if (end >= 1) == (comparison.ratio >= 1) else -abs(end - 1) * 100 for end in
                  (comparison.low, comparison.high))
    return f"{told} [{ends[0]:.2g}, {ends[1]:.2g}]"


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
    if found.p_value is None:
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
    texts = [
        NOTHING if math.isnan(value) else quantity(value, cell.unit) for value in (cell.baseline, cell.candidate)
    ]
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
        return "slower?"
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
