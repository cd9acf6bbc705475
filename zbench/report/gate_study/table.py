"""Every rate of the study as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from zbench.report.gate_study.nouns import GATE, TOOLS
from zbench.report.gate_study.scores import cell_alarms, detection, rate, suite_alarms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbench.report.gate_study.nouns import GateStudy
    from zbench.stats import Interval

__all__ = ["rates_table"]

_HEADS = ("what", "tool", "load", "level_percent", "seen", "tries", "rate", "low", "high")
_LOADS = (("quiet", False), ("busy", True), ("both", None))


def rates_table(study: GateStudy) -> str:
    """Write the table.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    str
        CSV: ``what`` is a cell of a slow candidate, a codec by its contrast, or a cell or a suite of alike sides; low
        and high are the interval of Clopper and Pearson at 95 %.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_HEADS)
    for what, tool, load, level, found in _rows(study):
        if found is not None:
            seen = round(found.estimate * found.count)
            shares = [f"{share:.4f}" for share in (found.estimate, found.low, found.high)]
            writer.writerow((what, tool, load, level, seen, found.count, *shares))
    return stream.getvalue()


def _rows(study: GateStudy) -> Iterator[tuple[str, str, str, int, Interval | None]]:
    levels = sorted(set(study.levels.values()))
    for load, busy in _LOADS:
        for tool in TOOLS:
            for level in levels:
                yield "cell", tool, load, level, detection(study, tool, level, busy=busy)
            yield "alike cell", tool, load, 0, cell_alarms(study, tool, busy=busy)
            yield "alike suite", tool, load, 0, suite_alarms(study, tool, busy=busy)
        gates = study.of(GATE, injected=True, busy=busy)
        for cell, level in study.levels.items():
            codec = cell.rpartition("-")[0]
            if cell == next(other for other in study.levels if other.startswith(f"{codec}-")):
                found = rate(run.contrasts[codec].alarm for run in gates if codec in run.contrasts)
                yield "codec by its contrast", GATE, load, level, found
