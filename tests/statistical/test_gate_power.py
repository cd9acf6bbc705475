"""How many blocks find what: held against published figures, scipy and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.stats.paired import p_values
from zbench.stats.power import blocks_needed, detectable_effect, power_of
from zbench.stats.rates import rate_interval


# One-sample t test, two-sided: Cohen's effect sizes as G*Power 3.1 gives them.
@pytest.mark.parametrize(
    ("size", "power", "error", "blocks"),
    [
        pytest.param(0.5, 0.80, 0.05, 34, id="medium"),
        pytest.param(0.2, 0.80, 0.05, 199, id="small"),
        pytest.param(0.8, 0.80, 0.05, 15, id="large"),
        pytest.param(0.5, 0.95, 0.05, 54, id="more power"),
    ],
)
def test_blocks_needed_are_those_that_are_published(size, power, error, blocks):
    assert blocks_needed(sd=1.0, effect=math.expm1(size), power=power, error_rate=error) == blocks


def test_power_is_that_of_the_noncentral_t_distribution():
    limit = stats.t.isf(0.0005, 29)
    expected = stats.nct.sf(limit, 29, math.log(1.03) / 0.05 * math.sqrt(30))
    assert power_of(sd=0.05, effect=0.03, blocks=30, error_rate=0.001) == pytest.approx(expected, rel=1e-6)


def test_a_speed_up_is_found_as_well_as_the_slowdown_that_undoes_it():
    ahead = power_of(sd=0.05, effect=0.03, blocks=30)
    assert power_of(sd=0.05, effect=1 / 1.03 - 1, blocks=30) == pytest.approx(ahead)


@pytest.mark.parametrize("error", [0.05, 1e-3, 1e-5])
@pytest.mark.parametrize("blocks", [9, 20, 100])
def test_the_detectable_effect_is_found_as_often_as_was_asked_for(blocks, error):
    effect = detectable_effect(sd=0.04, blocks=blocks, power=0.9, error_rate=error)
    assert power_of(sd=0.04, effect=effect, blocks=blocks, error_rate=error) == pytest.approx(0.9, abs=1e-4)


@pytest.mark.parametrize("sd", [0.02, 0.05])
def test_so_many_blocks_find_three_per_cent_in_simulation(rng, sd):
    blocks = blocks_needed(sd=sd, effect=0.03, error_rate=1e-3)
    values = rng.normal(math.log(1.03), sd, (4000, blocks))
    # The ranks are not quite as sharp as Student's test, for which the number is right.
    assert 0.92 <= np.mean(p_values(values) <= 1e-3) <= 0.97


def test_one_block_less_is_not_enough():
    blocks = blocks_needed(sd=0.05, effect=0.03)
    assert power_of(sd=0.05, effect=0.03, blocks=blocks) >= 0.95 > power_of(sd=0.05, effect=0.03, blocks=blocks - 1)


def test_too_few_blocks_find_nothing():
    assert detectable_effect(sd=0.01, blocks=4, error_rate=1e-6) == math.inf
    assert power_of(sd=0.01, effect=10.0, blocks=4, error_rate=1e-6) == 0.0


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"sd": 0.0, "effect": 0.03}, id="no noise"),
        pytest.param({"sd": 0.05, "effect": 0.0}, id="no effect"),
        pytest.param({"sd": 0.05, "effect": -1.0}, id="no time at all"),
        pytest.param({"sd": 0.05, "effect": 0.03, "power": 0.01, "error_rate": 0.05}, id="less power than error"),
    ],
)
def test_power_of_what_makes_no_sense_is_refused(asked):
    with pytest.raises(InsufficientSamplesError, match="noise above 0"):
        blocks_needed(**asked)


def test_an_effect_that_nobody_could_measure_is_refused():
    with pytest.raises(InsufficientSamplesError, match="No number of blocks"):
        blocks_needed(sd=0.5, effect=1e-5)


# Clopper and Pearson (1934), by way of the beta distribution.
@pytest.mark.parametrize(("seen", "tries"), [(0, 40), (3, 40), (38, 40), (40, 40)])
def test_the_interval_of_a_rate_is_exact(seen, tries):
    found = rate_interval(seen, tries)
    low = stats.beta.ppf(0.025, seen, tries - seen + 1) if seen else 0.0
    high = stats.beta.ppf(0.975, seen + 1, tries - seen) if seen < tries else 1.0
    assert (found.estimate, found.low, found.high) == pytest.approx((seen / tries, low, high), abs=1e-9)


@pytest.mark.parametrize(("seen", "tries"), [(0, 0), (3, 2), (-1, 5)])
def test_a_rate_of_nothing_is_refused(seen, tries):
    with pytest.raises(InsufficientSamplesError, match="at least one try"):
        rate_interval(seen, tries)
