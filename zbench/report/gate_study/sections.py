"""Sections of the page: contrasts, gates made anew, wall time, what was injected, what limits it."""

from __future__ import annotations

import math
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from zbench.report.gate_study.aims import alone_found, contrast_found
from zbench.report.gate_study.nouns import ASV_CLOSE, GATE, GATE_ALONE, GATE_LISTED, TOOLS
from zbench.report.gate_study.scores import codec_of, rate
from zbench.report.gate_study.words import percent, share
from zbench.report.text import NOTHING, number, table
from zbench.stats.family import error_share
from zbench.stats.power import blocks_needed, detectable_effect
from zbench.stats.rates import rate_interval

if TYPE_CHECKING:
    from zbench.report.gate_study.nouns import GateStudy, Resampled

__all__ = ["anew", "contrasts", "injected", "limits", "wall_times"]

_LOADS = (("quiet", False), ("busy", True))
_AIMED = 0.03


def contrasts(study: GateStudy) -> list[str]:
    """Tell what the gate said of the cells of each codec together.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    list of str
        Paragraphs.
    """
    gates = study.of(GATE, injected=True)
    if not gates:
        return ["No gate of a slow candidate was recorded."]
    rows = []
    for level in sorted(set(study.levels.values())):
        codec = codec_of(study, level)
        known = [run.contrasts[codec] for run in gates if codec in run.contrasts]
        if known:
            fails = [share(contrast_found(study, level, busy=busy)) for _, busy in _LOADS]
            listed = share(rate(one.listed for one in known))
            ratios = [one.ratio for one in known if math.isfinite(one.ratio)]
            middle = f"{median(ratios):.4f}" if ratios else NOTHING
            rows.append([f"{level} %", codec, *fails, listed, middle])
    first = Counter(run.causes[0] if run.causes else "nothing" for run in gates)
    named = ", ".join(f"{what} in {count}" for what, count in first.most_common(4))
    low = f"codec = {codec_of(study, 1)}"
    among = rate(low in run.causes for run in gates)
    return [
        (
            "In the slow candidate five of six codecs are slower, each by another share, so that they compete: what "
            "they have in common is the luck of the processes or a cause of its own, and the shortest account of all "
            "is told. A codec has two cells. It fails the gate by its contrast if they are slower together, the error "
            "of the whole run being 1 %. It is listed if it is told slower at a false discovery rate of 5 %."
        ),
        table(["injected", "codec", "fails, quiet", "fails, busy", "listed", "median ratio"], rows, texts=2),
        (
            f"The cause that the gate names first is {named} of {len(gates)} gates; the largest slowdown is in "
            f"`{codec_of(study, max(study.levels.values()))}`. The slowdown of 1 % is among the causes that it names "
            f"in {share(among)}."
        ),
        *_alone(study),
    ]


def _alone(study: GateStudy) -> list[str]:
    gates = study.of(GATE_ALONE)
    if not gates:
        return []
    codec = codec_of(study, 1)
    known = [run.contrasts[codec] for run in gates if codec in run.contrasts]
    ratios = [one.ratio for one in known if math.isfinite(one.ratio)]
    row = [
        f"`{codec}`",
        *(share(alone_found(study, busy=busy)) for _, busy in _LOADS),
        share(rate(one.listed for one in known)),
        share(rate(one.alarm for one in known)),
        f"{median(ratios):.4f}" if ratios else NOTHING,
        _range([run.seconds for run in gates]),
    ]
    others = rate(one.alarm for run in gates for name, one in run.contrasts.items() if name != codec)
    return [
        (
            f"A candidate of its own is slower by 1 % in `{codec}` alone. It is found if the gate fails and tells its "
            "cells together slower; it is named if the codec is what fails the gate, and not one of its cells by "
            f"itself. Of the other codecs {share(others)} failed."
        ),
        table(["codec", "found, quiet", "found, busy", "listed", "named", "median ratio", "seconds"], [row]),
    ]


def anew(study: GateStudy) -> list[str]:
    """Tell of gates that were made from recorded rounds.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    list of str
        Paragraphs.
    """
    if not study.resampled:
        return ["There are too few rounds to make gates of."]
    alike = [one for one in study.resampled if not one.injected]
    slow = [one for one in study.resampled if one.injected and not one.alone]
    alone = [one for one in study.resampled if one.alone]
    told = table(
        ["load", "clock", "rounds", "gates", "failed", "interval of the drawing"],
        [[*_kind(one), str(one.rounds), f"{one.gates:,}", str(one.alarms), _drawing(one)] for one in alike],
        texts=2,
    )
    levels = sorted(set(study.levels.values()))
    found = table(
        ["load", "clock", "rounds", "seconds", *(f"cell {level} %" for level in levels), "codec 1 %", "codec 2 %"],
        [_found(study, one, levels) for one in slow],
        texts=2,
    )
    return [
        (
            "These are not further measurements. Rounds of all recorded gates of one kind are drawn at random, without "
            "putting back, and judged as a gate judges; of alike sides those of each round are also swapped at random, "
            "which changes nothing where sides are alike. Gates that share rounds are not independent, so the interval "
            "says how exact the drawing is, not how exact the rate is. A round that came after some cells were decided "
            "lacks them. Rows with more rounds tell what a larger budget would find."
        ),
        "Alike sides: gates that failed.",
        told,
        "Slow candidates: share of gates in which a cell, or a codec by its contrast, failed.",
        found,
        *(_anew_alone(study, alone) if alone else []),
    ]


def _anew_alone(study: GateStudy, found: list[Resampled]) -> list[str]:
    codec = codec_of(study, 1)
    rows = [
        [
            *_kind(one),
            str(one.rounds),
            f"{one.seconds:.0f}",
            f"{100 * one.contrast_alarms[codec] / one.gates:.0f} %",
            f"{100 * one.alarms / one.gates:.0f} %",
        ]
        for one in found
    ]
    return [
        f"`{codec}` alone slower by 1 %: share of gates in which it failed by its contrast, and that failed at all.",
        table(["load", "clock", "rounds", "seconds", f"{codec} fails", "gate fails"], rows, texts=2),
    ]


def _kind(one: Resampled) -> tuple[str, str]:
    return "busy" if one.busy else "quiet", one.clock


def _drawing(one: Resampled) -> str:
    found = rate_interval(one.alarms, one.gates)
    return f"[{percent(found.low)}, {percent(found.high)}] %"


def _found(study: GateStudy, one: Resampled, levels: list[int]) -> list[str]:
    shares = []
    for level in levels:
        own = [one.cell_alarms[cell] for cell, told in study.levels.items() if told == level]
        shares.append(f"{100 * sum(own) / len(own) / one.gates:.0f} %")
    codecs = [f"{100 * one.contrast_alarms[codec_of(study, level)] / one.gates:.0f} %" for level in (1, 2)]
    return [*_kind(one), str(one.rounds), f"{one.seconds:.0f}", *shares, *codecs]


def wall_times(study: GateStudy) -> list[str]:
    """Tell how long each tool took.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    list of str
        Paragraphs.
    """
    rows = []
    for tool in TOOLS:
        # Two that judge what another has measured.
        if tool in (GATE_LISTED, ASV_CLOSE):
            continue
        taken = [[run.seconds for run in study.of(tool, busy=busy)] for _, busy in _LOADS]
        if any(taken):
            rows.append([tool, *(_range(own) for own in taken)])
    rounds = [run.rounds for run in study.of(GATE)]
    told = f" The gates made {min(rounds)} to {max(rounds)} rounds, median {median(rounds):g}." if rounds else ""
    return [
        table(["tool", "quiet / s", "busy / s"], rows),
        f"Median, least and most of whole commands; environments and wheels were there before.{told}",
    ]


def _range(seconds: list[float]) -> str:
    return f"{median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})" if seconds else NOTHING


def injected(study: GateStudy) -> list[str]:
    """Hold what was injected against what was measured of it.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    list of str
        Paragraphs.
    """
    rows = []
    for cell, level in study.levels.items():
        counted = study.instructions.get(cell)
        told = NOTHING if counted is None else f"{100 * (counted - 1):.2f} %"
        pooled = study.pooled.get(cell)
        rows.append([cell, f"{level} %", told, NOTHING if pooled is None else _in_percent(study, cell)])
    note = f"Instructions could not all be counted: {study.note}." if study.note else ""
    return [
        (
            "Instructions are counted with callgrind in one call of each side. The times are CPU times of all rounds "
            "of quiet gates together, with intervals of 95 %."
        ),
        table(["cell", "injected", "more instructions", "more time, all rounds"], rows),
        note,
    ]


def _in_percent(study: GateStudy, cell: str) -> str:
    found = study.pooled[cell]
    middle, low, high = (100 * (value - 1) for value in (found.estimate, found.low, found.high))
    return f"{middle:.2f} % [{low:.2f}, {high:.2f}] of {found.count}"


def limits(study: GateStudy) -> list[str]:
    """Say what keeps the gate from finding smaller changes.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    list of str
        Paragraphs.
    """
    known = {name: sd for name, sd in study.spreads.items() if sd > 0}
    rounds = [run.rounds for run in study.of(GATE)]
    if not known or not rounds:
        return ["There are too few rounds to tell."]
    own = error_share(len(study.levels), groups=2)
    usual = max(3, round(median(rounds)))
    rows = [
        [
            name,
            f"{100 * sd:.2f} %",
            f"{100 * detectable_effect(sd=sd, blocks=usual, error_rate=own):.1f} %",
            f"{blocks_needed(sd=sd, effect=_AIMED, error_rate=own)}",
            f"{blocks_needed(sd=sd, effect=0.01, error_rate=own)}",
        ]
        for name, sd in known.items()
    ]
    return [
        (
            "What limits a cell is the process: two processes of the same code differ, and only more pairs of "
            "processes average that out. The table tells, for the middle cell, the standard deviation of the ratio of "
            f"one pair, the slowdown that {usual} pairs find in 95 % of gates at the error that one of "
            f"{len(study.levels)} cells has ({number(100 * own)} %, two-sided), and the pairs that 3 % and 1 % need; "
            "looking again and again costs a few per cent more."
        ),
        table(["load and clock", "one pair", "detectable", "pairs for 3 %", "pairs for 1 %"], rows),
    ]
