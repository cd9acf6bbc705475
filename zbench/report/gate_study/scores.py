"""Shares of runs and of cells, each with the interval of Clopper and Pearson."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.stats.rates import rate_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.report.gate_study.nouns import GateStudy
    from zbench.stats import Interval

__all__ = ["cell_alarms", "codec_of", "detection", "rate", "suite_alarms"]


def rate(answers: Iterable[bool]) -> Interval | None:
    """Tell how often something was so.

    Parameters
    ----------
    answers
        One a try.

    Returns
    -------
    Interval or None
        ``None`` without a try.
    """
    told = list(answers)
    return rate_interval(sum(told), len(told)) if told else None


def detection(study: GateStudy, tool: str, level: int, *, busy: bool | None = None) -> Interval | None:
    """Tell how often a slowdown of a cell was found.

    Parameters
    ----------
    study
        What was recorded.
    tool
        Name.
    level
        Per cent; of 0 each is a false alarm.
    busy
        Whether another load kept a core busy; both unless given.

    Returns
    -------
    Interval or None
        Over the cells of all repetitions with a slow candidate.
    """
    cells = [cell for cell, own in study.levels.items() if own == level]
    return rate(run.slower[cell] for run in study.of(tool, injected=True, busy=busy) for cell in cells)


def cell_alarms(study: GateStudy, tool: str, *, busy: bool | None = None) -> Interval | None:
    """Tell how often a cell of alike sides was told slower.

    Parameters
    ----------
    study
        What was recorded.
    tool
        Name.
    busy
        Whether another load kept a core busy; both unless given.

    Returns
    -------
    Interval or None
        Over the cells of all repetitions with alike sides.
    """
    return rate(slower for run in study.of(tool, injected=False, busy=busy) for slower in run.slower.values())


def suite_alarms(study: GateStudy, tool: str, *, busy: bool | None = None) -> Interval | None:
    """Tell how often the whole suite of alike sides failed.

    Parameters
    ----------
    study
        What was recorded.
    tool
        Name.
    busy
        Whether another load kept a core busy; both unless given.

    Returns
    -------
    Interval or None
        Over all repetitions with alike sides.
    """
    return rate(run.alarm for run in study.of(tool, injected=False, busy=busy))


def codec_of(study: GateStudy, level: int) -> str:
    """Name the codec whose cells have a level.

    Parameters
    ----------
    study
        What was recorded.
    level
        Per cent.

    Returns
    -------
    str
        Its name.
    """
    return next(cell.rpartition("-")[0] for cell, own in study.levels.items() if own == level)
