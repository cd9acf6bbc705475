import math

import numpy as np
import pytest

from zbench.stats.step_series import GROUPS, generated, matched
from zbench.stats.steps import exact_steps, repeated_steps, series_steps


def noisy(levels, *, seed=0, noise=0.03):
    rng = np.random.default_rng(seed)
    return list(np.exp(np.log(levels) + noise * rng.normal(size=len(levels))))


def rounds_of(levels, *, rounds=6, seed=0, noise=0.03, drift=0.0):
    rng = np.random.default_rng(seed)
    return [
        list(np.exp(np.log(levels) + drift * number + noise * rng.normal(size=len(levels)))) for number in range(rounds)
    ]


def test_exact_numbers_step_where_they_change():
    steps = exact_steps([3, 3, 5, 5, 4])
    assert [(step.place, step.before, step.after) for step in steps] == [(2, 3, 5), (4, 5, 4)]
    assert steps[0].ratio.estimate == pytest.approx(5 / 3)


def test_exact_numbers_that_stay_have_no_step():
    assert exact_steps([7, None, 7, math.nan, 7]) == ()


def test_a_step_across_a_gap_may_lie_anywhere_in_it():
    (step,) = exact_steps([1, None, math.nan, 2])
    assert (step.first, step.place, step.last) == (1, 3, 3)


def test_a_number_that_comes_from_nothing_has_no_finite_ratio():
    (step,) = exact_steps([0, 2])
    assert math.isinf(step.ratio.estimate)


@pytest.mark.parametrize("size", [pytest.param(1.2, id="up"), pytest.param(1 / 1.2, id="down")])
def test_a_step_is_found_with_its_size_and_its_place(size):
    (step,) = series_steps(noisy([1.0] * 40 + [size] * 40))
    assert step.first <= 40 <= step.last
    assert step.ratio.low < step.ratio.estimate < step.ratio.high
    assert step.ratio.estimate == pytest.approx(size, rel=0.02)
    assert step.after / step.before == pytest.approx(step.ratio.estimate)
    assert step.p_value < 0.01


def test_two_steps_that_cancel_each_other_are_both_found():
    steps = series_steps(noisy([1.0] * 40 + [1.2] * 20 + [1.0] * 40))
    assert [step.place for step in steps] == [pytest.approx(40, abs=2), pytest.approx(60, abs=2)]


def test_outliers_are_no_steps():
    values = noisy([1.0] * 80)
    for place in (10, 11, 12, 40, 78, 79):
        values[place] *= 3
    assert series_steps(values) == ()


def test_a_drift_is_no_step():
    assert series_steps(noisy(np.exp(np.linspace(0, 0.15, 150)))) == ()


def test_a_step_is_found_on_top_of_a_drift():
    levels = np.exp(np.linspace(0, 0.15, 150))
    levels[70:] *= 1.2
    (step,) = series_steps(noisy(levels))
    assert step.place == pytest.approx(70, abs=3)
    assert step.ratio.estimate == pytest.approx(1.2, abs=0.05)


def test_the_place_is_told_on_the_axis_with_its_gaps():
    values = noisy([1.0] * 40 + [2.0] * 40)
    values[30:50] = [None] * 20
    (step,) = series_steps(values)
    assert (step.first, step.place, step.last) == (30, 50, 50)


def test_a_step_below_the_smallest_effect_is_not_told():
    values = noisy([1.0] * 100 + [1.05] * 100, noise=0.01)
    assert len(series_steps(values)) == 1
    assert series_steps(values, min_effect=0.08) == ()


def test_a_step_among_many_series_needs_more_evidence():
    values = noisy([1.0] * 40 + [1.04] * 40)
    assert len(series_steps(values)) == 1
    assert series_steps(values, family=1_000_000) == ()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="nothing"),
        pytest.param([1.0, 2.0, 1.0], id="three"),
        pytest.param([None] * 50, id="gaps alone"),
        pytest.param([1.0] * 50, id="constant"),
    ],
)
def test_a_series_without_a_change_that_could_be_told_has_no_step(values):
    assert series_steps(values) == ()


def test_a_series_without_noise_steps_where_it_changes():
    (step,) = series_steps([1.0] * 10 + [1.1] * 10)
    assert step.place == 10


def test_rounds_tell_a_step_at_a_single_release():
    steps = repeated_steps(rounds_of([1.0, 1.0, 1.0, 2.0, 1.0, 1.0]))
    assert [step.place for step in steps] == [3, 4]
    assert steps[0].ratio.low <= 2 <= steps[0].ratio.high


def test_a_round_that_was_slow_as_a_whole_makes_no_step():
    assert repeated_steps(rounds_of([1.0] * 8, drift=0.5)) == ()


def test_a_release_without_values_is_passed_over():
    rounds = rounds_of([1.0, 1.0, 1.0, 1.5, 1.5])
    for row in rounds:
        row[2] = None
    (step,) = repeated_steps(rounds)
    assert (step.first, step.place, step.last) == (2, 3, 3)


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param([], id="no round"),
        pytest.param([[1.0, 2.0, 3.0]], id="one round"),
        pytest.param([[1.0], [2.0]], id="one release"),
        pytest.param([[None, None], [None, None]], id="no value"),
    ],
)
def test_rounds_that_tell_no_noise_tell_no_step(rounds):
    assert repeated_steps(rounds) == ()


def test_rounds_that_are_all_alike_step_where_they_change():
    (step,) = repeated_steps([[1.0, 1.0, 2.0]] * 3)
    assert step.place == 2


@pytest.mark.parametrize("group", GROUPS)
def test_a_generated_series_has_the_steps_that_its_group_says(group):
    truth = generated(group, 3)
    assert len(truth.steps) == {"no step": 0, "drift": 0, "three steps": 3}.get(group, 1)
    assert all(later - earlier >= 15 for earlier, later in zip(truth.steps, truth.steps[1:], strict=False))
    assert truth == generated(group, 3) or any(math.isnan(value) for value in truth.values)


def test_a_found_step_counts_for_one_true_step_only():
    truth = next(one for seed in range(50) if not np.isnan((one := generated("three steps", seed)).values).any())
    first, second, third = truth.steps
    assert matched(truth, (first + 2, third + 8, second)) == {0: first + 2, 1: second}
    assert matched(truth, (first, first + 1)) == {0: first}


def test_a_series_whose_outliers_are_drawn_in_to_nothing_is_still_searched():
    values = [0.9886, 1.0004, 0.9978, 0.9925, 1.0291, 1.1187, 1.1114, 1.1144, 1.0759, 1.1208]
    rng = [np.exp(0.02 * np.random.default_rng(seed).normal(size=10)) for seed in range(200)]
    for series in [values, *([*drawn[:5], *(1.1 * drawn[5:])] for drawn in rng)]:
        assert len(series_steps(series)) <= 1
