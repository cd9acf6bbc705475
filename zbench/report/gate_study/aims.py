"""Which aims of the gate are reached, and which are not."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from zbench.report.gate_study.nouns import ASV, GATE, GATE_ALONE
from zbench.report.gate_study.scores import codec_of, detection, rate, suite_alarms
from zbench.report.gate_study.words import share
from zbench.report.text import number

if TYPE_CHECKING:
    from zbench.report.gate_study.nouns import GateStudy, Resampled
    from zbench.stats import Interval

__all__ = ["aims", "alone_found", "contrast_found"]

_FOUND, _FALSE = 0.95, 0.01


def aims(study: GateStudy) -> str:
    """List the aims, each with what was measured.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    str
        Markdown.
    """
    cell = detection(study, GATE, 3, busy=False)
    lines = [
        _line(
            "a slowdown of 3 % of one cell is found in 95 % of gates",
            _found(cell),
            f"quiet, {share(cell)}",
            unsure=_unsure(cell),
        ),
        _contrast_line(study),
        *(_alarm_line(study, busy=busy) for busy in (False, True)),
        _time_line(study),
    ]
    return "\n".join(["Aims:", "", *lines])


def contrast_found(study: GateStudy, level: int, *, busy: bool | None) -> Interval | None:
    """Tell how often a codec failed the gate by its cells together, where others were slower, too.

    Parameters
    ----------
    study
        What was recorded.
    level
        Per cent that was injected into the codec.
    busy
        Whether another load kept a core busy; both unless given.

    Returns
    -------
    Interval or None
        Over gates of slow candidates.
    """
    codec = codec_of(study, level)
    gates = study.of(GATE, injected=True, busy=busy)
    return rate(run.contrasts[codec].alarm for run in gates if codec in run.contrasts)


def alone_found(study: GateStudy, *, busy: bool | None) -> Interval | None:
    """Tell how often a codec that alone was slower by 1 % failed the gate, its cells together being told slower.

    Parameters
    ----------
    study
        What was recorded.
    busy
        Whether another load kept a core busy; both unless given.

    Returns
    -------
    Interval or None
        Over gates of that candidate.
    """
    codec = codec_of(study, 1)
    gates = study.of(GATE_ALONE, busy=busy)
    return rate(run.alarm and run.contrasts[codec].listed for run in gates if codec in run.contrasts)


def _line(aim: str, reached: bool | None, told: str, *, unsure: bool = False) -> str:  # noqa: FBT001 - private
    word = "not measured" if reached is None else "reached" if reached else "**NOT reached**"
    if reached and unsure:
        word += ", as far as so few can tell"
    return f"- {aim}: {word} ({told})"


def _found(found: Interval | None) -> bool | None:
    return None if found is None else found.estimate >= _FOUND


def _unsure(found: Interval | None) -> bool:
    return found is not None and found.low < _FOUND


def _contrast_line(study: GateStudy) -> str:
    found = alone_found(study, busy=False)
    told = f"quiet, {share(found)}"
    longer = [one for one in study.resampled if one.alone and not one.busy and one.clock == "cpu"]
    if found is not None and longer:
        most = max(longer, key=lambda one: one.rounds)
        seen = most.alarms / most.gates
        told += f"; {100 * seen:.0f} % of gates of {most.seconds:.0f} s, made anew from the rounds"
    return _line(
        "a slowdown of 1 % of one codec fails the gate and is told by its contrast in 95 % of gates",
        _found(found),
        told,
        unsure=_unsure(found),
    )


def _alarm_line(study: GateStudy, *, busy: bool) -> str:
    own = suite_alarms(study, GATE, busy=busy)
    made = _made_anew(study, busy=busy)
    told = f"{share(own)}"
    reached = None if own is None else own.estimate <= _FALSE
    if made is not None:
        told += f"; made anew from the rounds {made.alarms} of {made.gates:,}"
        reached = bool(reached) and made.alarms / made.gates <= _FALSE
    word = "with a core kept busy" if busy else "on a quiet machine"
    unsure = own is not None and own.high > _FALSE
    return _line(f"at most 1 % of suites of alike sides fail {word}", reached, told, unsure=unsure)


def _made_anew(study: GateStudy, *, busy: bool) -> Resampled | None:
    alike = (one for one in study.resampled if not one.injected and one.busy is busy and one.clock == "cpu")
    return next(alike, None)


def _time_line(study: GateStudy) -> str:
    both = [[run.seconds for run in study.of(tool)] for tool in (GATE, ASV)]
    aim = "less wall time than `asv continuous`"
    if not all(both):
        return _line(aim, None, "one of them did not run")
    ours, theirs = map(median, both)
    return _line(aim, ours < theirs, f"median {number(ours)} s and {number(theirs)} s")
