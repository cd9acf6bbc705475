"""What the search for steps promises, on many series whose steps are known."""

import numpy as np
import pytest

from zbench.stats.step_series import generated, matched
from zbench.stats.steps import repeated_steps, series_steps


def told(group, count, **options):
    hits, found, true, held = 0, 0, 0, 0
    for seed in range(count):
        truth = generated(group, seed)
        steps = {step.place: step for step in series_steps(truth.values, **options)}
        paired = matched(truth, tuple(steps))
        hits, found, true = hits + len(paired), found + len(steps), true + len(truth.steps)
        held += sum(steps[place].first <= truth.steps[number] <= steps[place].last for number, place in paired.items())
    return hits, found, true, held


def test_steps_of_five_percent_are_found_in_noise_of_three():
    hits, found, true, held = told("one step of 5 %", 150)
    assert hits / true >= 0.9
    assert hits / found >= 0.95
    assert held / hits >= 0.88


def test_no_series_steps_where_many_are_searched_together():
    assert not any(series_steps(generated("no step", seed).values, family=500) for seed in range(500))


def test_a_single_series_steps_by_chance_as_seldom_as_was_asked_for():
    false = sum(bool(series_steps(generated("no step", seed).values, error=0.05)) for seed in range(300))
    # Fifteen are to be expected; 28 come by chance once in a thousand runs.
    assert false <= 28


def test_a_small_step_is_not_found_where_noise_hides_it():
    rng = np.random.default_rng(0)
    found = sum(
        bool(series_steps(np.exp(0.03 * rng.normal(size=60) + 0.005 * (np.arange(60) > 30)))) for _ in range(50)
    )
    assert found <= 3


@pytest.mark.parametrize("noise", [pytest.param("normal"), pytest.param("heavy")])
def test_rounds_without_a_step_tell_none(noise):
    rng = np.random.default_rng(1)
    draw = rng.normal if noise == "normal" else (lambda size: rng.standard_t(4, size) / np.sqrt(2))
    false = sum(bool(repeated_steps(np.exp(0.05 * draw(size=(6, 13))), error=0.05)) for _ in range(200))
    # Ten are to be expected; 22 come by chance once in a thousand runs.
    assert false <= 22
