"""All tests of a run together: verdicts for the list, and whether the run as a whole raises the alarm."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.model import Comparison, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zbench.stats.compare import RatioTest

__all__ = ["Finding", "error_share", "judge_family", "stepped_down", "verdict_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a run says of one benchmark, contrast or metric.

    Attributes
    ----------
    comparison
        Ratio, interval, p value and verdict; the p value is corrected for the list (Benjamini and Hochberg).
    alarm_p_value
        One-sided, of being worse, corrected so that the chance of any false alarm in the run is bounded; ``None``
        without a test.
    alarm
        Whether this alone fails the run.
    """

    comparison: Comparison
    alarm_p_value: float | None
    alarm: bool


def verdict_of(test: RatioTest, *, told: bool, min_effect: float) -> Verdict:
    """Turn a test into a verdict on a time.

    Same is an interval that lies within the smallest effect, even one that leaves 1 out: a difference, but not one that
    was asked for. Slower and faster are told apart from 1 and not known to be that small. So a change of the smallest
    effect can be found, and at an error of 1 in 1000 none is told whose estimate is below about 0.6 of it.

    Parameters
    ----------
    test
        Ratio and interval.
    told
        Whether its p value is small enough.
    min_effect
        The change that is to be found: 0.03 is 3 %.

    Returns
    -------
    Verdict
        Slower stands for a ratio above 1.
    """
    limit = 1 + min_effect
    if 1 / limit <= test.low and test.high <= limit:
        return Verdict.SAME
    if not told or test.low <= 1 <= test.high:
        return Verdict.INCONCLUSIVE
    return Verdict.SLOWER if test.ratio > 1 else Verdict.FASTER


def error_share(count: int, *, groups: int = 1, alarm_rate: float = 0.01) -> float:
    """Tell the error that one benchmark of a run may make while its blocks come in.

    Parameters
    ----------
    count
        Number of tests in its group: cells times metrics, or contrasts.
    groups
        Number of groups that share the error of the run.
    alarm_rate
        Chance of any false alarm in a run without a change.

    Returns
    -------
    float
        Two-sided, for a `SequentialRule`; only its half on the side of slower counts as an alarm.

    Raises
    ------
    InsufficientSamplesError
        If there is nothing to share with.
    """
    if count < 1 or groups < 1:
        msg = f"An error is shared among at least one test of one group: got {count} of {groups}. Choose a benchmark."
        raise InsufficientSamplesError(msg)
    return 2 * alarm_rate / (groups * count)


def judge_family(
    tests: Mapping[str, RatioTest | None],
    *,
    min_effects: Mapping[str, float],
    groups: Mapping[str, str] | None = None,
    weights: Mapping[str, float] | None = None,
    smaller_is_worse: Sequence[str] = (),
    error_rate: float = 0.05,
    alarm_rate: float = 0.01,
) -> dict[str, Finding]:
    """Judge all tests of a run together.

    Parameters
    ----------
    tests
        By name; ``None`` where one could not be made.
    min_effects
        By name, the change that is to be found: 0.03 is 3 %.
    groups
        By name, the group; each group gets a share of the chance of a false alarm, so that a few contrasts are not held
        to the standard of a thousand cells. One group where not given.
    weights
        By group, how large its share is; 0 for one that is listed and never raises the alarm. All the same where not
        given.
    smaller_is_worse
        Names of rates, of which more is better.
    error_rate
        Share of wrong ones among the differences that are listed.
    alarm_rate
        Chance of any alarm in a run without a change, whatever the tests have to do with each other.

    Returns
    -------
    dict of str to Finding
        By name, in the same order.
    """
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and most commands need no statistics

    made = {name: test for name, test in tests.items() if test is not None}
    listed = (
        dict(zip(made, stats.false_discovery_control([t.p_value for t in made.values()]), strict=True)) if made else {}
    )
    turned = set(smaller_is_worse)
    worse = {name: _worse(test, smaller=name in turned) for name, test in made.items()}
    alarms = stepped_down(worse, groups={name: groups[name] if groups else "" for name in made}, weights=weights)
    nothing = Comparison(ratio=math.nan, low=math.nan, high=math.nan, p_value=None, verdict=Verdict.INCONCLUSIVE)
    found = {name: Finding(comparison=nothing, alarm_p_value=None, alarm=False) for name in tests}
    for name, test in made.items():
        told = bool(listed[name] <= error_rate)
        verdict = verdict_of(test, told=told, min_effect=min_effects[name])
        if name in turned:
            verdict = {Verdict.SLOWER: Verdict.FASTER, Verdict.FASTER: Verdict.SLOWER}.get(verdict, verdict)
        comparison = Comparison(
            ratio=test.ratio, low=test.low, high=test.high, p_value=float(listed[name]), verdict=verdict
        )
        alarm = verdict is Verdict.SLOWER and alarms[name] <= alarm_rate
        found[name] = Finding(comparison=comparison, alarm_p_value=alarms[name], alarm=alarm)
    return found


def stepped_down(
    p_values: Mapping[str, float], *, groups: Mapping[str, str], weights: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Correct p values so that the chance of any false one is bounded.

    Holm's procedure with weights: it needs no independence.

    Parameters
    ----------
    p_values
        By name.
    groups
        By name, the group.
    weights
        By group, its share of the error, whatever its size; all the same where not given.

    Returns
    -------
    dict of str to float
        Corrected, by name: those up to an error rate are false with at most that chance. 1 in a group without a share.
    """
    sizes = Counter(groups[name] for name in p_values)
    shares = {group: (weights or {}).get(group, 1.0 if weights is None else 0.0) for group in sizes}
    whole = sum(shares.values())
    own = {name: shares[groups[name]] / whole / sizes[groups[name]] for name in p_values if shares[groups[name]]}
    order = sorted(own, key=lambda name: p_values[name] / own[name])
    left = np.cumsum([own[name] for name in reversed(order)])[::-1]
    steps = [p_values[name] / own[name] * share for name, share in zip(order, left, strict=True)]
    corrected = dict(zip(order, np.minimum(1.0, np.maximum.accumulate(steps)).tolist(), strict=True)) if order else {}
    return {name: corrected.get(name, 1.0) for name in p_values}


def _worse(test: RatioTest, *, smaller: bool) -> float:
    return test.p_value / 2 if (test.ratio < 1) == smaller else 1 - test.p_value / 2
