"""The page on what the gate finds and how often it is wrong, beside other tools."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from zbench.report.gate_study.aims import aims
from zbench.report.gate_study.nouns import ASV, GATE, PYPERF, PYTEST, TOOLS
from zbench.report.gate_study.scores import cell_alarms, codec_of, detection, suite_alarms
from zbench.report.gate_study.sections import anew, contrasts, injected, limits, wall_times
from zbench.report.gate_study.words import share
from zbench.report.text import NOTHING, details, listed, table
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.report.gate_study.nouns import GateStudy

__all__ = ["gate_page"]

_LOADS = (("quiet", False), ("busy", True))


def gate_page(study: GateStudy, *, figure: str, table_name: str) -> str:
    """Write the page.

    Parameters
    ----------
    study
        What was recorded.
    figure, table_name
        Names of the files beside it.

    Returns
    -------
    str
        Markdown.
    """
    parts = (
        "# What the gate finds, and how often it is wrong",
        "This page is generated; edit neither numbers nor sentences.",
        aims(study),
        f"![Share of slow cells that each tool finds, by the size of the slowdown]({figure})",
        _setting(study),
        "## Slowdowns found",
        (
            "Share of cells of slow candidates that a tool tells slower. Of the cells in which nothing was injected "
            "(0 %) each is a false alarm. `zbench gate` counts a cell only if it fails the gate, the error of the "
            "whole run being 1 %; `listed` counts all that it tells slower, at a false discovery rate of 5 %. The "
            "other tools judge each cell by itself."
        ),
        *(_detections(study, title, busy=busy) for title, busy in _LOADS),
        "## False alarms with alike sides",
        (
            "The candidate adds a constant and a function that nothing calls. A suite is alarmed if the tool fails it, "
            f"or, of `{PYPERF}`, which has no such status, if any cell is told slower."
        ),
        _alarms(study),
        "## One codec by its contrast",
        *contrasts(study),
        "## Gates made anew from the rounds",
        *anew(study),
        "## Wall time",
        *wall_times(study),
        "## What was injected",
        *injected(study),
        "## What limits it",
        *limits(study),
        "## How",
        _how(study),
        f"All rates as a table: [{table_name}]({table_name}).",
        "## Make this page again\n\n```\nmake study-gate\n```",
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _setting(study: GateStudy) -> str:
    slow, alike = (len({run.repetition for run in study.runs if run.injected is kind}) for kind in (True, False))
    machine = study.machine
    loads = listed([f"{median(found):.1f} {word}" for word, found in _loads(study)])
    named = [f"{name} {version}" for name, version in study.versions.items()]
    return (
        f"{slow} repetitions with a slow candidate and {alike} with alike sides, half of them with another process "
        f"that keeps one core busy; in each, every tool measured the same {len(study.levels)} cells with "
        f"{study.budget_s:g} s for both sides, in shuffled order. Intervals are those of Clopper and Pearson at "
        f"95 %. Measured until {study.date} on {machine.cpu}, {machine.cores} cores, "
        f"{format_bytes(machine.memory_bytes)}, Python {machine.python}, with {listed(named)}. The load of the machine "
        f"when a program began, middle of all: {loads}; the study itself makes about 1, and 2 where it keeps a core "
        "busy."
    )


def _loads(study: GateStudy) -> list[tuple[str, list[float]]]:
    found = [(word, [run.load for run in study.runs if run.busy is busy]) for word, busy in _LOADS]
    return [(word, loads) for word, loads in found if loads]


def _detections(study: GateStudy, title: str, *, busy: bool) -> str:
    levels = sorted(set(study.levels.values()))
    rows = [[tool, *(share(detection(study, tool, level, busy=busy)) for level in levels)] for tool in TOOLS]
    return table([title, *(f"{level} %" for level in levels)], [row for row in rows if set(row[1:]) != {NOTHING}])


def _alarms(study: GateStudy) -> str:
    rows: list[Sequence[str]] = []
    for tool in TOOLS:
        if study.of(tool):
            cells = [share(cell_alarms(study, tool, busy=busy)) for _, busy in _LOADS]
            suites = [share(suite_alarms(study, tool, busy=busy)) for _, busy in _LOADS]
            rows.append([tool, *cells, *suites])
    return table(["tool", "cells, quiet", "cells, busy", "suites, quiet", "suites, busy"], rows)


def _how(study: GateStudy) -> str:
    left = codec_of(study, 0)
    return details(
        "What each tool was given",
        f"The suite decodes one small chunk with a codec hundreds of times; the slow commit decodes it more often by "
        f"the share that is injected into that codec, so `{left}` is left alone. Nothing sleeps. `{GATE}` runs as it "
        "is, deciding by CPU time as the project asks, with what is left of the budget after a start of 3 s. "
        f"`{ASV}` runs as it is by default and knows no budget; its stored results are judged a second time with "
        f"a factor of 1.03. `{PYTEST}` saves a run of the baseline and compares one of the candidate with it, with as "
        f"much time for each cell as the budget has. `{PYPERF}` has as many processes, of five values or more, for "
        "each cell as the budget has. All have the same numpy and numcodecs, one thread, and environments that are "
        "there already. "
        "The code is `zbench/harness/gate_study`.",
    )
