"""Series and their steps as one file for other programs."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

from zbench.errors import UnknownNameError
from zbench.harness.history.found import ERROR, MIN_EFFECT, find_steps
from zbench.results import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.harness.history.found import FoundStep
    from zbench.harness.history.series import Series, SeriesSet

__all__ = ["export_history", "step_fields"]

_FORMS = ("csv", "json")
_COLUMNS = (
    "axis", "point", "position", "machine", "place", "workload", "metric", "unit", "value", "low", "high", "step",
    "step_ratio", "step_low", "step_high", "environment",
)  # fmt: skip


def export_history(known: SeriesSet, output: Path, *, error: float = ERROR, min_effect: float = MIN_EFFECT) -> int:
    """Write every number with its point, and the steps.

    Parameters
    ----------
    known
        The series.
    output
        File that ends in ``.csv`` or ``.json``.
    error, min_effect
        As for `zbench.harness.history.find_steps`.

    Returns
    -------
    int
        Number of numbers.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    UnknownNameError
        If it ends in something else.
    """
    form = output.suffix.removeprefix(".")
    if form not in _FORMS:
        raise UnknownNameError.of(kind="format", name=form, known=_FORMS)
    steps, _ = find_steps(known, error=error, min_effect=min_effect)
    at = {(id(one.series), one.step.place): one for one in steps}
    lines = [line for series in known.series for line in _lines(series, at)]
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        write_atomically(output, text.getvalue())
    else:
        content = {"points": lines, "steps": [step_fields(one) for one in steps], "problems": list(known.problems)}
        write_atomically(output, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return len(lines)


def _lines(series: Series, at: dict[tuple[int, int], FoundStep]) -> list[dict[str, Any]]:
    lines = []
    for number, (label, row) in enumerate(zip(series.labels, series.rows, strict=True)):
        if row is None:
            continue
        found = at.get((id(series), number))
        ratio = found.step.ratio if found else None
        lines.append(
            {
                "axis": series.axis,
                "point": label.name,
                "position": number,
                "machine": series.machine,
                "place": series.place,
                "workload": series.workload,
                "metric": series.metric,
                "unit": series.unit,
                "value": row.value,
                "low": row.low,
                "high": row.high,
                "step": found.word if found else None,
                "step_ratio": _finite(ratio.estimate) if ratio else None,
                "step_low": _finite(ratio.low) if ratio else None,
                "step_high": _finite(ratio.high) if ratio else None,
                "environment": label.environment,
            }
        )
    return lines


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def step_fields(one: FoundStep) -> dict[str, Any]:
    """Write a step down as JSON can hold it.

    Parameters
    ----------
    one
        The step.

    Returns
    -------
    dict
        With the names of its releases or commits; a ratio to 0 is null.
    """
    series, step = one.series, one.step
    return {
        "axis": series.axis,
        "machine": series.machine,
        "place": series.place,
        "workload": series.workload,
        "metric": series.metric,
        "unit": series.unit,
        "exact": series.exact,
        "word": one.word,
        "worse": one.worse,
        "standing": one.standing,
        "earlier": one.earlier,
        "later": one.later,
        "first": one.since[0],
        "last": one.since[1],
        "before": step.before,
        "after": step.after,
        "ratio": _finite(step.ratio.estimate),
        "low": _finite(step.ratio.low),
        "high": _finite(step.ratio.high),
        "p_value": step.p_value,
        "asv": None if series.exact else one.asv,
        "packages": {change.what: [change.baseline, change.candidate] for change in one.packages},
    }
