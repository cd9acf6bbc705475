"""All tests of a run together: how often does a run without a change raise the alarm, and what is listed?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.model import Verdict
from zbench.stats.compare import RatioTest
from zbench.stats.family import error_share, judge_family, stepped_down, verdict_of
from zbench.stats.paired import p_values


def at_most_by_chance(share, trials):
    # 3.5 standard deviations: a sound rule goes beyond once in about four thousand seeds.
    return share + 3.5 * math.sqrt(share * (1 - share) / trials)


def told(ratio, p_value, *, half=0.01):
    return RatioTest(ratio=ratio, low=ratio - half, high=ratio + half, p_value=p_value)


def judged(tests, **how):
    return judge_family(tests, min_effects=dict.fromkeys(tests, 0.03), **how)


@pytest.mark.parametrize(
    ("low", "ratio", "high", "told_apart", "verdict"),
    [
        pytest.param(1.02, 1.03, 1.04, True, Verdict.SLOWER, id="slower"),
        pytest.param(0.92, 0.95, 0.98, True, Verdict.FASTER, id="faster"),
        pytest.param(0.98, 1.00, 1.02, False, Verdict.SAME, id="same"),
        pytest.param(1.005, 1.01, 1.02, True, Verdict.SAME, id="a difference, but smaller than asked for"),
        pytest.param(1.02, 1.03, 1.04, False, Verdict.INCONCLUSIVE, id="not told apart"),
        pytest.param(0.99, 1.03, 1.07, True, Verdict.INCONCLUSIVE, id="interval around 1"),
        pytest.param(0.96, 1.00, 1.04, False, Verdict.INCONCLUSIVE, id="too wide"),
    ],
)
def test_the_verdict_follows_the_interval(low, ratio, high, told_apart, verdict):
    test = RatioTest(ratio=ratio, low=low, high=high, p_value=0.5)
    assert verdict_of(test, told=told_apart, min_effect=0.03) is verdict


def test_p_values_of_the_list_are_those_of_benjamini_and_hochberg(rng):
    tests = {f"cell {place}": told(1.05, p) for place, p in enumerate(rng.uniform(0, 0.1, 30).tolist())}
    found = [one.comparison.p_value for one in judged(tests).values()]
    assert found == pytest.approx(stats.false_discovery_control([test.p_value for test in tests.values()]))


# Holm (1979) by hand: 4 times 0.01, 3 times 0.02, twice 0.03 and 0.04 in their order, never falling.
def test_alarms_are_corrected_by_holms_steps():
    found = stepped_down({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02}, groups=dict.fromkeys("abcd", "cells"))
    assert found == pytest.approx({"a": 0.06, "b": 0.04, "c": 0.06, "d": 0.06})


def test_a_few_contrasts_are_not_held_to_the_standard_of_many_cells():
    chances = dict.fromkeys((f"cell {place}" for place in range(98)), 0.5) | {"chain=zstd": 0.001, "layout=64": 0.4}
    groups = {name: "cells" if name.startswith("cell") else "contrasts" for name in chances}
    assert stepped_down(chances, groups=groups)["chain=zstd"] == pytest.approx(0.004)
    assert stepped_down(chances, groups=dict.fromkeys(chances, ""))["chain=zstd"] == pytest.approx(0.1)


def test_a_group_without_a_share_is_listed_and_raises_no_alarm():
    tests = {"cell": told(1.05, 1e-4), "contrast": told(1.05, 1e-9)}
    groups = {"cell": "cells", "contrast": "contrasts"}
    found = judged(tests, groups=groups, weights={"cells": 1.0})
    assert found["contrast"].comparison.verdict is Verdict.SLOWER
    assert (found["contrast"].alarm, found["contrast"].alarm_p_value) == (False, 1.0)
    assert found["cell"].alarm_p_value == pytest.approx(5e-5)


def test_a_larger_share_of_the_error_is_a_smaller_correction():
    found = stepped_down({"a": 0.01, "b": 0.9}, groups={"a": "x", "b": "y"}, weights={"x": 3.0, "y": 1.0})
    assert found["a"] == pytest.approx(0.01 * 4 / 3)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("common", [0.0, 0.9], ids=["apart", "together"])
def test_a_run_without_a_change_hardly_ever_alarms(rng, common, grouped):
    # 30 cells of 20 blocks in 1500 runs; what the cells of a run have in common may be most of their noise.
    trials, cells = 1500, 30
    shape = (trials, cells, 20)
    values = math.sqrt(1 - common) * rng.normal(size=shape) + math.sqrt(common) * rng.normal(size=(trials, 1, 20))
    chances = p_values(values.reshape(-1, 20)).reshape(trials, cells)
    ratios = np.exp(values.mean(axis=2) * 0.05)
    names = [f"cell {place}" for place in range(cells)]
    groups = {name: "few" if place < 3 else "many" for place, name in enumerate(names)} if grouped else None
    alarms = 0
    for run in range(trials):
        worse = np.where(ratios[run] > 1, chances[run] / 2, 1 - chances[run] / 2)
        found = stepped_down(dict(zip(names, worse.tolist(), strict=True)), groups=groups or dict.fromkeys(names, ""))
        alarms += min(found.values()) <= 0.05
    assert alarms / trials <= at_most_by_chance(0.05, trials)
    if not common:
        assert alarms / trials >= 0.03


def test_a_clear_slowdown_raises_the_alarm():
    found = judged({"slow": told(1.05, 1e-8)} | {f"cell {place}": told(1.0, 0.5) for place in range(200)})
    assert found["slow"].alarm
    assert found["slow"].comparison.verdict is Verdict.SLOWER
    assert not any(one.alarm for name, one in found.items() if name != "slow")


def test_a_speed_up_raises_no_alarm():
    found = judged({"fast": told(0.9, 1e-8)})["fast"]
    assert (found.comparison.verdict, found.alarm) == (Verdict.FASTER, False)
    assert found.alarm_p_value > 0.99


def test_what_the_list_tells_need_not_raise_the_alarm():
    found = judged({"perhaps": told(1.05, 0.03)})["perhaps"]
    assert (found.comparison.verdict, found.alarm) == (Verdict.SLOWER, False)


def test_of_a_rate_less_is_worse():
    found = judged({"GiB/s": told(0.9, 1e-8)}, smaller_is_worse=["GiB/s"])["GiB/s"]
    assert (found.comparison.verdict, found.alarm) == (Verdict.SLOWER, True)
    assert found.comparison.ratio == 0.9


def test_each_test_has_the_smallest_effect_of_its_own():
    tests = {"cell": told(1.015, 1e-8, half=0.003), "contrast": told(1.015, 1e-8, half=0.003)}
    found = judge_family(tests, min_effects={"cell": 0.03, "contrast": 0.01})
    assert [one.comparison.verdict for one in found.values()] == [Verdict.SAME, Verdict.SLOWER]


def test_without_a_test_there_is_no_verdict():
    found = judged({"broken": None, "slow": told(1.05, 1e-8)})
    assert list(found) == ["broken", "slow"]
    assert found["broken"].comparison.verdict is Verdict.INCONCLUSIVE
    assert math.isnan(found["broken"].comparison.ratio)
    assert (found["broken"].alarm, found["broken"].alarm_p_value) == (False, None)
    # It takes no share of the error.
    assert found["slow"].alarm_p_value == pytest.approx(5e-9)


def test_nothing_to_judge_is_nothing_found():
    assert judged({}) == {}


def test_the_error_of_a_run_is_shared():
    assert error_share(50, groups=2, alarm_rate=0.01) == pytest.approx(0.0002)


@pytest.mark.parametrize(("count", "groups"), [(0, 1), (5, 0)])
def test_an_error_of_nothing_is_refused(count, groups):
    with pytest.raises(InsufficientSamplesError, match="at least one test"):
        error_share(count, groups=groups)
