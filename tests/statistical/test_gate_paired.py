"""One value a block: does the test keep its error, and find what is there? Truths are known because they were made."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.stats.paired import block_ratio, fewest_blocks, p_values, paired_test, spread

# How the values of blocks scatter when nothing changed: all symmetric, as the exchange of both sides makes them.
NOISES = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(3, size=shape),
    "bursts": lambda rng, shape: rng.normal(size=shape) * np.where(rng.random(shape) < 0.1, 5, 1),
    "drift": lambda rng, shape: rng.normal(size=shape) * np.exp(np.cumsum(rng.normal(size=shape) * 0.25, axis=1)),
    # Each process falls into one of two or four layouts.
    "two layouts": lambda rng, shape: (
        rng.integers(0, 2, shape) - rng.integers(0, 2, shape) + rng.normal(size=shape) / 4
    ),
    "four layouts": lambda rng, shape: (
        rng.integers(0, 4, shape) - rng.integers(0, 4, shape) + rng.normal(size=shape) / 10
    ),
}


def at_most_by_chance(share, trials):
    # 3.5 standard deviations: a sound test goes beyond once in about four thousand seeds.
    return share + 3.5 * math.sqrt(share * (1 - share) / trials)


@pytest.fixture(scope="module")
def quiet():
    """P values of 60 000 samples without a change, by noise and number of blocks."""
    rng = np.random.default_rng(7)
    return {
        (name, count): np.concatenate([p_values(draw(rng, (15_000, count))) for _ in range(4)])
        for name, draw in NOISES.items()
        for count in (5, 8, 12, 20)
    }


@pytest.mark.parametrize("error", [0.05, 0.01, 0.001, 1e-4])
@pytest.mark.parametrize("count", [5, 8, 12, 20])
@pytest.mark.parametrize("noise", NOISES)
def test_false_alarms_are_as_rare_as_the_p_value_says(quiet, noise, count, error):
    found = quiet[noise, count]
    # Student's test of lumpy values is off by a little, which matters at no error that is divided by many benchmarks.
    allowed = error * (1.3 if "layouts" in noise else 1.0)
    assert np.mean(found <= error) <= at_most_by_chance(allowed, found.size)


@pytest.mark.parametrize("count", [12, 20])
def test_the_error_that_may_be_made_is_used(quiet, count):
    assert np.mean(quiet["normal", count] <= 0.05) >= 0.04


def found_share(test, values):
    return float(np.mean(test(values) <= 1e-3))


def students(values):
    return stats.ttest_1samp(values, 0.0, axis=1).pvalue


def test_bursts_cost_less_than_they_cost_students_test(rng):
    values = NOISES["bursts"](rng, (4000, 30)) + 1.0
    assert found_share(p_values, values) > found_share(students, values) + 0.2


def test_normal_noise_costs_little_more_than_with_students_test(rng):
    values = rng.normal(0.9, 1.0, (4000, 30))
    assert found_share(p_values, values) > found_share(students, values) - 0.03


@pytest.mark.parametrize("count", [12, 20, 40])
def test_the_p_value_is_that_of_wilcoxons_exact_test(rng, count):
    values = rng.normal(0.1, 1.0, count)
    assert paired_test(values.tolist()).p_value == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


def test_among_few_blocks_the_p_value_is_that_of_students_test(rng):
    values = rng.normal(1.0, 1.0, 6)
    assert paired_test(values.tolist()).p_value == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)


def test_what_is_too_clear_for_ranks_is_told_by_students_test(rng):
    values = rng.normal(1.0, 0.4, 12)
    assert paired_test(values.tolist()).p_value == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)


def test_the_ratio_is_the_median_of_the_means_of_two():
    logs = [0.0, 0.01, 0.05, 0.02]
    means = [(a + b) / 2 for place, a in enumerate(logs) for b in logs[place:]]
    assert math.log(paired_test(logs).ratio) == pytest.approx(float(np.median(means)))


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999, 0.99999])
@pytest.mark.parametrize("count", [5, 9, 14, 30])
def test_the_interval_holds_the_ratios_that_are_not_rejected(rng, count, confidence):
    values = rng.normal(0.02, 0.05, count).tolist()
    test = paired_test(values, confidence=confidence)
    if confidence > 1 - 2 * 4.0**-count:
        assert (test.low, test.high) == (0.0, math.inf)
        return
    for end, inward in ((test.low, 1e-9), (test.high, -1e-9)):
        within = paired_test(values, null=math.log(end) + inward).p_value
        outside = paired_test(values, null=math.log(end) - inward).p_value
        assert within > 1 - confidence - 1e-9
        assert outside <= 1 - confidence + 1e-6


def test_turning_the_sides_round_turns_the_ratio_round(rng):
    values = rng.normal(0.02, 0.05, 15)
    ahead, back = paired_test(values.tolist()), paired_test((-values).tolist())
    assert (back.ratio, back.low, back.high) == pytest.approx((1 / ahead.ratio, 1 / ahead.high, 1 / ahead.low))
    assert back.p_value == pytest.approx(ahead.p_value)


def test_few_blocks_that_agree_to_the_digit_are_not_certain():
    test = paired_test([0.05] * 5)
    assert test.p_value == 2 * 4.0**-5
    assert test.low == test.high == pytest.approx(math.exp(0.05))


def test_blocks_without_any_difference_are_no_evidence():
    assert paired_test([0.0] * 20).p_value == 1.0


def test_fewest_blocks_can_be_that_sure():
    count = fewest_blocks(1e-4)
    assert paired_test([0.05] * count).p_value <= 1e-4 < paired_test([0.05] * (count - 1)).p_value


def test_blocks_without_a_value_are_left_out():
    logs = [0.01, 0.03, -0.02, 0.04, 0.0]
    assert paired_test([math.nan, *logs[:2], math.nan, *logs[2:]]) == paired_test(logs)


def test_two_blocks_are_refused():
    with pytest.raises(InsufficientSamplesError, match="at least 3 blocks: got 2"):
        paired_test([0.1, 0.2, math.nan])


def test_the_spread_is_the_standard_deviation_of_normal_noise(rng):
    found = [spread(rng.normal(0.01, 0.05, 24).tolist()) for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.05, rel=0.05)


def test_one_burst_hardly_moves_the_spread(rng):
    values = rng.normal(0.0, 0.05, 24)
    calm = spread(values.tolist())
    values[5] = 3.0
    assert spread(values.tolist()) < 1.3 * calm


def test_a_block_is_the_mean_of_the_pairs_in_the_middle():
    baseline = [1.0] * 8
    candidate = [math.exp(log) for log in (0.9, 0.01, 0.02, 0.03, 0.04, 0.05, -3.0, 0.06)]
    assert block_ratio(baseline, candidate) == pytest.approx((0.02 + 0.03 + 0.04 + 0.05) / 4)


@pytest.mark.parametrize(
    ("logs", "middle"),
    [
        pytest.param([0.2], 0.2, id="one pair"),
        pytest.param([0.1, 0.3], 0.2, id="two pairs"),
        pytest.param([0.1, 5.0, 0.2], 0.2, id="three pairs"),
        pytest.param([0.1, 5.0, 0.2, 0.4], 0.3, id="four pairs"),
    ],
)
def test_few_pairs_give_their_median(logs, middle):
    assert block_ratio([2.0] * len(logs), [2.0 * math.exp(log) for log in logs]) == pytest.approx(middle)


def test_the_middle_of_the_pairs_beats_mean_and_median(rng):
    # Eight pairs of one visit, of which now and then one is disturbed.
    noise = rng.normal(0, 0.1, (1500, 8)) + np.where(rng.random((1500, 8)) < 0.05, rng.exponential(0.5, (1500, 8)), 0.0)
    found = np.array([block_ratio(np.ones(8), np.exp(row)) for row in noise])
    assert found.std() < noise.mean(axis=1).std()
    assert found.std() < np.median(noise, axis=1).std()


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        pytest.param([], [], id="no pair"),
        pytest.param([1.0, 2.0], [1.0], id="a time without its other"),
        pytest.param([1.0, 0.0], [1.0, 1.0], id="a time of zero"),
        pytest.param([1.0, 1.0], [1.0, math.nan], id="no number"),
    ],
)
def test_a_block_without_sound_pairs_is_refused(baseline, candidate):
    with pytest.raises(InsufficientSamplesError, match="pairs of positive times"):
        block_ratio(baseline, candidate)
