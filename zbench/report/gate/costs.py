"""What an undecided benchmark could have shown, and what it would cost to decide it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zbench.report.gate.nouns import GateCell, GateReport

__all__ = ["cost", "detectable", "undecided"]

_EFFECTS = {"wall_time": "time", "cpu_time": "cpu", "peak_memory": "peakmemory"}
_TOO_LARGE = 10.0


def detectable(cell: GateCell) -> str:
    """Write the smallest change that a benchmark's pairs find.

    Parameters
    ----------
    cell
        What was compared.

    Returns
    -------
    str
        For example ``"4.1 %"``, empty where it is not known.
    """
    if cell.detectable is None:
        return ""
    return f"{cell.detectable * 100:.2g} %" if cell.detectable < _TOO_LARGE else "more than tenfold"


def cost(cell: GateCell, report: GateReport) -> str:
    """Say what deciding would take.

    Parameters
    ----------
    cell
        What was compared.
    report
        The gate, for its pace and its smallest effects.

    Returns
    -------
    str
        For example ``"3 % takes 24 pairs, up to 6 min"``; empty where it is not known.
    """
    effect = report.min_effects.get(_EFFECTS.get(cell.metric, cell.metric))
    if cell.needed is None or effect is None:
        return ""
    told = f"{effect * 100:.2g} % takes {cell.needed} pairs"
    if cell.needed <= cell.blocks:
        return "the ratio lies near the smallest change that counts"
    if report.most_rounds is not None and cell.needed > report.most_rounds:
        return f"{told}, more than the {report.most_rounds} that a gate measures: raise --min-effect"
    if not report.rounds:
        return told
    return f"{told}, up to {_span(cell.needed * report.spent_s / report.rounds)}"


def undecided(cell: GateCell, report: GateReport) -> str:
    """Say why there is no verdict.

    Parameters
    ----------
    cell
        What was compared.
    report
        The gate.

    Returns
    -------
    str
        A clause without a full stop.
    """
    if cell.note:
        return cell.note
    if cell.detectable is None:
        return f"{cell.blocks} pairs are too few for a test"
    found = f"{cell.blocks} pairs find a change of {detectable(cell)} or more"
    return "; ".join(part for part in (found, cost(cell, report)) if part)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{math.ceil(minutes / 60)} h"
