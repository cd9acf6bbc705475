"""The answers: what to take for viewing, for analysis and for storage, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.report.text import NOTHING, listed, number
from zbench.report.volume.choice import EQUAL_TIME, chosen, smallest
from zbench.report.volume.words import amount, asked, code, counted, duration, named, names, ratio, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbench.report.volume.choice import Choice, Chosen, Smallest
    from zbench.report.volume.evidence import Condition, Evidence
    from zbench.report.volume.facts import VolumeFacts

__all__ = ["answers", "workload_sentences"]

_PURPOSES = ("viewing slices", "analysis of patches")


def answers(evidence: Evidence, volume: VolumeFacts) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Answer what to take for which purpose.

    Parameters
    ----------
    evidence
        The rows of the volume.
    volume
        The volume.

    Returns
    -------
    tuple
        Purpose and sentences.
    """
    found = []
    for purpose in _PURPOSES:
        told = [
            sentence
            for condition in evidence.conditions
            for sentence in _purpose(evidence, volume, condition, evidence.purposes(condition).get(purpose, ()))
        ]
        found.append((f"For {purpose}", tuple(told) or (f"Nothing that stands for {purpose} was measured.",)))
    # Those who only copy and keep the volume read it whole, so that is the time that storage costs.
    conditions = evidence.conditions[:1] or tuple(dict.fromkeys(_without_times(evidence)))
    told = [sentence for condition in conditions for sentence in _storage(evidence, volume, condition)]
    found.append(("For storage", tuple(told) or ("No compression ratio was measured.",)))
    return tuple(found)


def _without_times(evidence: Evidence) -> Iterator[Condition]:
    """Let stores stand for conditions where only sizes are known."""
    from zbench.report.volume.evidence import Condition  # noqa: PLC0415 - at run time only here

    yield from (Condition(store, "") for store, _, _, _ in evidence.exact)


def _purpose(evidence: Evidence, volume: VolumeFacts, condition: Condition, patterns: Sequence[str]) -> Iterator[str]:
    choice = chosen(evidence, condition, patterns) if patterns else None
    if choice is None:
        if patterns:
            yield f"With a {condition.text} no configuration was read by all of {_patterns(patterns)}."
        return
    engines = len(evidence.engines)
    fast = choice.fastest
    time = f"{duration(fast.time)}{_mean_of(patterns)}"
    yield (
        f"With a {condition.text}, fastest is {spoken(fast.configuration, volume.shape)}: {time}, at a compression "
        f"ratio of {_ratio(fast)}."
    )
    yield _sureness(choice, engines=engines)
    if choice.compromise is None:
        return
    between = choice.compromise
    if between.configuration == fast.configuration:
        yield "By the estimates it is the best compromise of time and size too."
        return
    yield (
        f"The best compromise of time and size is {spoken(between.configuration, volume.shape)}: "
        f"{duration(between.time)}, ratio {_ratio(between)}{_ties(between, engines=engines)}."
    )


def _patterns(patterns: Sequence[str]) -> str:
    return listed([code(pattern) for pattern in patterns])


def _mean_of(patterns: Sequence[str]) -> str:
    if len(patterns) == 1:
        return f" for {asked(patterns[0])} ({code(patterns[0])})"
    return f" as the geometric mean over {_patterns(patterns)}"


def _ratio(choice: Choice) -> str:
    return NOTHING if choice.ratio is None else number(choice.ratio)


def _confidence(choice: Choice) -> str:
    return f"{100 * choice.time.confidence:.3g}\N{NO-BREAK SPACE}%"


def _sureness(choice: Chosen, *, engines: int) -> str:
    fast = choice.fastest
    others = choice.compared - 1
    if not fast.time.is_known:
        return "How sure: not at all, for its time has no interval; more samples are needed."
    if not others:
        return "How sure: it was the only configuration that was read so, so there was nothing to choose from."
    if not fast.tied:
        rest = "the other" if others == 1 else f"all {others} others"
        return f"How sure: {_confidence(fast)} that it is faster than {rest}."
    apart = others - len(fast.tied)
    if not apart:
        return f"How sure: not at all, for none of {counted(others, 'other')} can be told apart from it."
    rest = f"the remaining {'one is' if apart == 1 else f'{apart} are'} slower with {_confidence(fast)} confidence"
    return (
        f"How sure: of {counted(others, 'other')}, {len(fast.tied)} cannot be told apart from it "
        f"({names(fast.tied, engines=engines)}); {rest}."
    )


def _ties(choice: Choice, *, engines: int) -> str:
    if not choice.tied:
        return ""
    return f"; as a compromise it cannot be told apart from {names(choice.tied, engines=engines, most=2)}"


def _storage(evidence: Evidence, volume: VolumeFacts, condition: Condition) -> Iterator[str]:
    found = smallest(evidence, condition)
    if found is None:
        return
    facts = [
        f"a compression ratio of {number(found.ratio)}",
        *([amount(found.stored_bytes, "bytes")] if found.stored_bytes is not None else []),
        *([counted(int(found.objects), "object")] if found.objects is not None else []),
    ]
    yield f"Smallest is {spoken(found.configuration, volume.shape)}: {listed(facts)}."
    exact = "How sure: sizes are exact for this volume"
    if found.equals:
        yield f"{exact}; {names(found.equals, engines=len(evidence.engines), most=2)} {_are(found)} just as small."
    else:
        yield f"{exact}."
    if found.cost is not None:
        told = f"reading it whole with a {condition.text}"
        if found.cost.excludes_one:
            yield f"In time, {told} takes {ratio(found.cost)} times as long as with the fastest configuration."
        else:
            yield f"In time, {told} cannot be told apart from the fastest configuration: ratio {ratio(found.cost)}."


def _are(found: Smallest) -> str:
    return "is" if len(found.equals) == 1 else "are"


def workload_sentences(evidence: Evidence, condition: Condition) -> tuple[str, ...]:
    """Say for each access pattern what is fastest, what is smallest at equal time, and what lies between.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Returns
    -------
    tuple of str
        One entry for each pattern.
    """
    told = []
    for pattern in evidence.patterns(condition):
        choice = chosen(evidence, condition, (pattern,))
        if choice is not None:
            told.append(_workload(evidence, choice, pattern))
    return tuple(told)


def _workload(evidence: Evidence, choice: Chosen, pattern: str) -> str:
    engines = len(evidence.engines)
    fast = choice.fastest
    head = f"{code(pattern)} ({asked(pattern)}), {choice.condition.text}"
    best = f"{named(fast.configuration, engines=engines)} at {duration(fast.time)}"
    first = (
        f"{head}: fastest of {counted(choice.compared, 'configuration')} is {best}"
        f"{_told_apart(choice, engines=engines)}."
    )
    parts = [first]
    if choice.equal is not None:
        parts.append(_equal(choice, engines=engines))
    if choice.compromise is not None:
        between = choice.compromise
        if between.configuration == fast.configuration:
            parts.append("By the estimates the fastest is the best compromise too.")
        else:
            parts.append(
                f"Best compromise is {named(between.configuration, engines=engines)} at {duration(between.time)} and "
                f"ratio {_ratio(between)}{_ties(between, engines=engines)}."
            )
    return " ".join(parts)


def _told_apart(choice: Chosen, *, engines: int) -> str:
    if choice.compared == 1:
        return ""
    if not choice.fastest.time.is_known:
        return ", but its time has no interval, so it cannot be told apart from any other"
    if not choice.fastest.tied:
        return ", told apart from every other"
    if len(choice.fastest.tied) == choice.compared - 1:
        return ", but none of the others can be told apart from it"
    return f"; {names(choice.fastest.tied, engines=engines)} cannot be told apart from it"


def _equal(choice: Chosen, *, engines: int) -> str:
    share = f"{100 * (EQUAL_TIME - 1):.0f} %"
    equal = choice.equal
    if equal is None or choice.equal_cost is None:
        return f"None within {share} of its time is smaller; its ratio is {_ratio(choice.fastest)}."
    return (
        f"Smallest within {share} of its time is {named(equal.configuration, engines=engines)} with ratio "
        f"{_ratio(equal)} against {_ratio(choice.fastest)}; it takes {ratio(choice.equal_cost)} times as long."
    )
