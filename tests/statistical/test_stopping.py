"""Does the interval at the stop hold the truth as often as it says? Truths are known because they were simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zbench.stats.adaptive import StoppingRule, StopReason, steady

TRIALS = 150
RULE = StoppingRule(budget_s=1e9, most=180)


def mixed(rng, count):
    """Times of which every seventh was disturbed."""
    calm = np.exp(rng.normal(0, 0.05, count))
    return np.where(rng.random(count) < 0.15, rng.uniform(1.3, 3, count), calm)


# Name: how samples are drawn, and their true median.
DRAWN = {
    "tight": (lambda rng, count: np.exp(rng.normal(0, 0.05, count)), 1.0),
    "noisy": (lambda rng, count: np.exp(rng.normal(0, 0.12, count)), 1.0),
    "skewed": (lambda rng, count: 1 + rng.exponential(0.15, count), 1 + 0.15 * math.log(2)),
    # No variance at all: one sample in a thousand is ten times the median.
    "heavy-tailed": (lambda rng, count: 1 + 0.1 * rng.pareto(1.5, count), 1 + 0.1 * (2 ** (1 / 1.5) - 1)),
    "disturbed": (mixed, float(np.median(mixed(np.random.default_rng(1), 2_000_000)))),
}


def at_most_by_chance(share, trials):
    # 3.5 standard deviations: a sound rule goes beyond once in about four thousand seeds.
    return share + 3.5 * math.sqrt(share * (1 - share) / trials)


def stop(values, rule=RULE):
    """Feed the rule one sample after the other."""
    decisions = (rule.decide(values[:count], elapsed_s=0.0) for count in rule.looks)
    return next(decision for decision in decisions if decision is not None)


@pytest.fixture(scope="module")
def stops():
    rng = np.random.default_rng(11)
    return {name: [stop(draw(rng, RULE.most).tolist()) for _ in range(TRIALS)] for name, (draw, _) in DRAWN.items()}


def missed(decisions, truth):
    return sum(not found.estimate.interval.low <= truth <= found.estimate.interval.high for found in decisions)


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_the_interval_at_the_stop_holds_the_median(stops, name):
    assert missed(stops[name], DRAWN[name][1]) / TRIALS <= at_most_by_chance(0.05, TRIALS)


@pytest.mark.slow
def test_over_all_the_interval_at_the_stop_holds_the_median(stops):
    total = sum(missed(stops[name], truth) for name, (_, truth) in DRAWN.items())
    trials = TRIALS * len(DRAWN)
    assert total / trials <= at_most_by_chance(0.05, trials)


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_what_is_called_precise_is_near_the_truth(stops, name):
    truth = DRAWN[name][1]
    precise = [found for found in stops[name] if found.reason is StopReason.PRECISE]
    assert len(precise) > 0.9 * TRIALS
    far = sum(abs(found.estimate.median / truth - 1) > 0.05 for found in precise)
    assert far / len(precise) <= at_most_by_chance(0.05, len(precise))


@pytest.mark.slow
def test_calm_samples_stop_early_and_noisy_ones_late(stops):
    counts = {name: np.mean([found.estimate.interval.count for found in stops[name]]) for name in DRAWN}
    assert counts["tight"] < 20 < counts["noisy"] < 100


def drift(rng, count):
    return np.linspace(1.0, 1.4, count) * np.exp(rng.normal(0, 0.1, count))


def step(rng, count):
    return np.where(np.arange(count) < count / 2, 1.0, 1.3) * np.exp(rng.normal(0, 0.1, count))


def bursts(rng, count):
    return np.where(np.arange(count) // 10 % 2, 1.3, 1.0) * np.exp(rng.normal(0, 0.1, count))


@pytest.mark.parametrize("disturb", [drift, step, bursts])
def test_samples_of_a_machine_that_changes_are_told(disturb):
    rng = np.random.default_rng(12)
    told = sum(not steady(disturb(rng, 60).tolist()) for _ in range(300))
    assert told / 300 > 0.95


@pytest.mark.parametrize("count", [10, 30, 100])
def test_independent_samples_are_rarely_called_unsteady(count):
    rng = np.random.default_rng(13)
    told = sum(not steady(rng.lognormal(0, 0.2, count).tolist()) for _ in range(5000))
    assert told / 5000 <= at_most_by_chance(0.001, 5000)


def test_a_drift_across_the_whole_run_is_not_called_precise():
    rng = np.random.default_rng(14)
    rule = StoppingRule(budget_s=1e9, fewest=60, most=60)
    found = [stop(drift(rng, 60).tolist(), rule) for _ in range(100)]
    assert sum(decision.reason is StopReason.PRECISE for decision in found) <= 5
    assert sum(not decision.steady for decision in found) >= 95
