"""The rule that says when there are samples enough."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from zbench.errors import InsufficientSamplesError
from zbench.stats.adaptive import StoppingRule, StopReason, steady

RULE = StoppingRule(budget_s=60.0, most=100)
TIGHT = (100 + np.random.default_rng(2).normal(0, 1, 200)).tolist()
WIDE = np.exp(np.random.default_rng(2).normal(0, 1, 200)).tolist()
# Narrow enough for the precision, and plainly not independent of its order.
RAMP = np.linspace(1.0, 1.1, 200).tolist()


def test_samples_that_agree_are_enough_at_the_first_look():
    found = RULE.decide(TIGHT[:10], elapsed_s=0.1)
    assert found.reason is StopReason.PRECISE
    assert found.steady
    assert found.estimate.precision < 0.05


def test_nothing_is_known_well_enough_before_the_first_look():
    assert all(RULE.decide(TIGHT[:count], elapsed_s=0.1) is None for count in range(10))


def test_samples_that_disagree_ask_for_more():
    assert all(RULE.decide(WIDE[:count], elapsed_s=0.1) is None for count in range(100))


def test_nothing_is_decided_between_two_looks():
    assert [count for count in range(100) if RULE.decide(TIGHT[:count], elapsed_s=0.1)] == [10, 15, 23, 35, 53, 80]


def test_looks_grow_so_that_there_are_few():
    looks = StoppingRule(budget_s=1.0, most=10_000).looks
    assert looks[0] == 10
    assert looks[-1] == 10_000
    assert len(looks) < 20
    assert all(later >= 1.5 * earlier for earlier, later in pairwise(looks[:-1]))


@pytest.mark.parametrize("count", [1, 7, 11, 60])
def test_the_budget_ends_it_at_any_number_of_samples(count):
    found = RULE.decide(WIDE[:count], elapsed_s=60.0)
    assert found.reason is StopReason.BUDGET
    assert found.estimate.median == np.median(WIDE[:count])
    assert (found.estimate.interval is None) == (count < 7)


def test_there_is_at_least_one_sample_whatever_the_budget():
    assert RULE.decide([], elapsed_s=1e9) is None


def test_enough_samples_end_it_whatever_is_known():
    assert RULE.decide(WIDE[:100], elapsed_s=0.1).reason is StopReason.MOST_SAMPLES


def test_what_is_known_well_enough_when_the_budget_ends_counts_as_known():
    assert RULE.decide(TIGHT[:11], elapsed_s=61.0).reason is StopReason.PRECISE


def test_too_few_samples_are_never_known_well_enough():
    assert RULE.decide(TIGHT[:9], elapsed_s=61.0).reason is StopReason.BUDGET


def test_samples_that_drift_are_not_known_well_enough():
    found = RULE.decide(RAMP[:100], elapsed_s=0.1)
    assert found.estimate.precision < 0.05
    assert found.reason is StopReason.MOST_SAMPLES
    assert not found.steady


def test_a_wider_precision_stops_earlier():
    loose = StoppingRule(budget_s=60.0, precision=0.9)
    assert loose.decide(WIDE[:53], elapsed_s=0.1).reason is StopReason.PRECISE
    assert RULE.decide(WIDE[:53], elapsed_s=0.1) is None


def test_more_confidence_makes_a_wider_interval():
    sure = StoppingRule(budget_s=0.0, confidence=0.99).decide(WIDE[:50], elapsed_s=0.1).estimate.interval
    usual = StoppingRule(budget_s=0.0).decide(WIDE[:50], elapsed_s=0.1).estimate.interval
    assert sure.low < usual.low < usual.high < sure.high


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"precision": 0.0}, id="precision"),
        pytest.param({"confidence": 1.0}, id="sure"),
        pytest.param({"confidence": 0.0}, id="unsure"),
        pytest.param({"fewest": 0}, id="none"),
        pytest.param({"fewest": 20, "most": 19}, id="crossed"),
    ],
)
def test_a_rule_that_nothing_satisfies_is_refused(wrong):
    with pytest.raises(InsufficientSamplesError, match="stopping rule"):
        StoppingRule(budget_s=1.0, **wrong)


@pytest.mark.parametrize(
    ("values", "is_steady"),
    [
        pytest.param(TIGHT, True, id="independent"),
        pytest.param([1.0, 2.0] * 20, True, id="alternating"),
        pytest.param([3.0] * 40, True, id="equal"),
        pytest.param(RAMP[:9], True, id="too-few-to-tell"),
        pytest.param(RAMP[:10], False, id="ramp"),
        pytest.param(RAMP[::-1], False, id="ramp-down"),
        pytest.param(TIGHT[:30] + [value + 10 for value in TIGHT[30:60]], False, id="step"),
        pytest.param([100 + 5 * math.sin(place / 5) for place in range(60)], False, id="wave"),
        pytest.param([1.0] * 20 + [2.0] * 20, False, id="step-with-ties"),
    ],
)
def test_samples_that_depend_on_their_order_are_not_steady(values, is_steady):
    assert steady(values) is is_steady


def test_steadiness_asks_for_the_order_alone():
    assert steady(np.exp(np.array(RAMP)).tolist()) == steady(RAMP)
    shuffled = np.random.default_rng(5).permutation(RAMP).tolist()
    assert steady(shuffled)
