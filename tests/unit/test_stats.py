"""Intervals, against scipy and against truths that are known because they were simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.stats import Interval, mean_interval, ratio_interval

TRUTH = 12.5
TRIALS = 500


def coverage(make, *, truth, trials=TRIALS):
    """Share of intervals that hold the truth."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(trials):
        found = make(rng)
        held += found.low <= truth <= found.high
    return held / trials


def within_binomial(share, expected, trials=TRIALS):
    # 3.5 standard deviations: a sound interval fails once in about two thousand seeds.
    return abs(share - expected) < 3.5 * math.sqrt(expected * (1 - expected) / trials)


@pytest.mark.parametrize(("count", "confidence"), [(3, 0.95), (6, 0.95), (6, 0.8), (20, 0.95)])
def test_mean_interval_holds_the_truth_as_often_as_it_says(count, confidence):
    share = coverage(
        lambda rng: mean_interval((TRUTH * rng.lognormal(0, 0.1, count)).tolist(), confidence=confidence), truth=TRUTH
    )
    assert within_binomial(share, confidence)


def test_mean_interval_covers_worse_when_samples_of_a_process_pass_for_processes():
    # Why the unit is the process: five samples share a process's own offset, and count as one.
    def pretended(rng):
        offsets = rng.normal(0, 0.1, 6)
        values = TRUTH * np.exp(np.repeat(offsets, 5) + rng.normal(0, 0.02, 30))
        return mean_interval(values.tolist())

    def honest(rng):
        offsets = rng.normal(0, 0.1, 6)
        samples = offsets[:, None] + rng.normal(0, 0.02, (6, 5))
        return mean_interval((TRUTH * np.exp(np.median(samples, axis=1))).tolist())

    assert within_binomial(coverage(honest, truth=TRUTH), 0.95)
    assert coverage(pretended, truth=TRUTH) < 0.7


@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_ratio_interval_holds_the_truth_whatever_the_machine_drifts(drift):
    def make(rng):
        common = rng.normal(0, drift, 6)
        baseline = np.exp(common + rng.normal(0, 0.03, 6))
        candidate = 1.5 * np.exp(common + rng.normal(0, 0.03, 6))
        return ratio_interval(baseline.tolist(), candidate.tolist())

    assert within_binomial(coverage(make, truth=1.5), 0.95)


def test_the_same_on_both_sides_is_told_apart_as_rarely_as_said():
    rng = np.random.default_rng(3)
    told = sum(
        ratio_interval(rng.lognormal(0, 0.05, 6).tolist(), rng.lognormal(0, 0.05, 6).tolist()).excludes_one
        for _ in range(TRIALS)
    )
    assert within_binomial(told / TRIALS, 0.05)


def test_mean_interval_is_students_on_logarithms():
    values = [1.0, 1.2, 0.9, 1.4]
    logs = np.log(values)
    half = stats.t.ppf(0.975, 3) * stats.sem(logs)
    found = mean_interval(values)
    assert found.estimate == pytest.approx(stats.gmean(values))
    assert (found.low, found.high) == pytest.approx((np.exp(logs.mean() - half), np.exp(logs.mean() + half)))
    assert found.count == 4


def test_mean_interval_scales_with_its_unit():
    values = [3.0, 4.0, 6.0]
    small, large = mean_interval(values), mean_interval([value * 1e6 for value in values])
    assert (large.estimate, large.low, large.high) == pytest.approx(
        (small.estimate * 1e6, small.low * 1e6, small.high * 1e6)
    )


def test_swapping_the_sides_inverts_a_ratio():
    baseline, candidate = [1.0, 1.1, 0.9, 1.3], [1.6, 1.4, 1.5, 1.7]
    there, back = ratio_interval(baseline, candidate), ratio_interval(candidate, baseline)
    assert (there.estimate, there.low, there.high) == pytest.approx((1 / back.estimate, 1 / back.high, 1 / back.low))


def test_a_factor_that_a_round_has_in_common_falls_out_of_a_ratio():
    baseline, candidate, drift = [1.0, 1.1, 0.9], [1.6, 1.4, 1.5], [1.0, 7.0, 0.2]
    still = ratio_interval(baseline, candidate)
    moved = ratio_interval(
        [a * d for a, d in zip(baseline, drift, strict=True)], [b * d for b, d in zip(candidate, drift, strict=True)]
    )
    assert (moved.estimate, moved.low, moved.high) == pytest.approx((still.estimate, still.low, still.high))


def test_more_confidence_makes_a_wider_interval():
    values = [1.0, 1.2, 0.9, 1.4]
    narrow, wide = (mean_interval(values, confidence=confidence) for confidence in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.estimate == narrow.estimate


def test_equal_values_give_an_interval_of_one_point():
    assert mean_interval([2.0, 2.0, 2.0]) == Interval(2.0, 2.0, 2.0, 3)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="none"),
        pytest.param([1.0, 2.0], id="two"),
        pytest.param([1.0, 2.0, 0.0], id="zero"),
        pytest.param([1.0, 2.0, -1.0], id="negative"),
        pytest.param([1.0, 2.0, math.nan], id="nan"),
        pytest.param([1.0, 2.0, math.inf], id="infinite"),
    ],
)
def test_what_has_no_interval_is_refused(values):
    with pytest.raises(InsufficientSamplesError, match="at least 3 positive values"):
        mean_interval(values)


def test_a_ratio_needs_both_sides_of_every_round():
    with pytest.raises(InsufficientSamplesError, match="baseline has 3, the candidate 4"):
        ratio_interval([1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_ratio_to_nothing_is_refused():
    with pytest.raises(InsufficientSamplesError, match="positive"):
        ratio_interval([1.0, 0.0, 1.0], [1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("low", "high", "told"), [(1.01, 1.2, True), (0.8, 0.99, True), (0.99, 1.01, False), (1.0, 1.2, False)]
)
def test_a_ratio_is_told_apart_from_one_only_without_one_in_it(low, high, told):
    assert Interval((low + high) / 2, low, high, 6).excludes_one is told
