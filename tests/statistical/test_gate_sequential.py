"""Looking again and again: are the errors what they are said to be, and is what is there found?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.model import Verdict
from zbench.stats.paired import p_values
from zbench.stats.power import blocks_needed
from zbench.stats.sequential import Outcome, SequentialRule
from zbench.stats.spending import Spending, bounds, repeated_p_value

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
RULE = SequentialRule(error_rate=1e-3, min_effect=0.03)


def at_most_by_chance(share, trials):
    # 3.5 standard deviations: a sound rule goes beyond once in about four thousand seeds.
    return share + 3.5 * math.sqrt(share * (1 - share) / trials)


# Lan and DeMets's bounds at a two-sided error of 5 %, as Reboussin, DeMets, Kim and Lan (2000) print them.
@pytest.mark.parametrize(
    ("spending", "published"),
    [
        pytest.param(Spending.OBRIEN_FLEMING, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310), id="O'Brien and Fleming"),
        pytest.param(Spending.POCOCK, (2.4380, 2.4268, 2.4101, 2.3966, 2.3859), id="Pocock"),
    ],
)
def test_bounds_are_those_that_are_published(spending, published):
    assert bounds(FIFTHS, error_rate=0.05, spending=spending) == pytest.approx(published, abs=5e-4)


def test_a_single_look_is_an_ordinary_test():
    assert bounds((1.0,), error_rate=0.01, spending=Spending.SQUARE)[0] == pytest.approx(
        stats.norm.isf(0.005), abs=1e-6
    )


@pytest.mark.parametrize("error", [0.05, 0.002])
@pytest.mark.parametrize("spending", Spending)
@pytest.mark.parametrize(
    ("fractions", "times"),
    [
        pytest.param((0.1, 0.13, 0.2, 0.5, 0.9, 1.0), None, id="whole plan"),
        pytest.param((0.1, 0.15, 0.4), (0.1, 0.15, 1.0), id="cut short"),
    ],
)
def test_the_walk_leaves_with_the_error_that_was_allowed(rng, fractions, times, spending, error):
    limits = np.array(bounds(fractions, error_rate=error, spending=spending, times=times))
    steps = np.sqrt(np.diff((0.0, *fractions)))
    walks = np.cumsum(rng.normal(size=(150_000, len(fractions))) * steps, axis=1) / np.sqrt(fractions)
    left = np.mean((np.abs(walks) >= limits).any(axis=1))
    assert left == pytest.approx(error, abs=3.5 * math.sqrt(error / 150_000))


@pytest.mark.parametrize("spending", Spending)
@pytest.mark.parametrize("error", [0.2, 0.01, 1e-6])
def test_the_repeated_p_value_is_the_error_at_which_a_look_just_rejects(error, spending):
    limits = bounds(FIFTHS, error_rate=error, spending=spending)
    for look in (look for look in range(len(FIFTHS)) if limits[look] < math.inf):
        statistics = [0.0] * look + [-limits[look]]
        assert repeated_p_value(statistics, FIFTHS, spending=spending) == pytest.approx(error, rel=0.01)


def test_a_look_that_has_next_to_nothing_to_spend_rejects_nothing():
    limits = bounds(FIFTHS, error_rate=1e-6, spending=Spending.OBRIEN_FLEMING)
    assert limits[0] == math.inf
    assert max(limits[1:]) < math.inf
    # The smallest error at which such a look says anything at all.
    assert repeated_p_value([30.0], FIFTHS, spending=Spending.OBRIEN_FLEMING) > 1e-6


def test_the_repeated_p_value_never_rises_with_more_looks():
    seen = [
        repeated_p_value([1.0, 3.5, 2.0, 0.5, 3.0][:look], FIFTHS, spending=Spending.POCOCK) for look in range(1, 6)
    ]
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("fractions", [(), (0.5, 0.5), (0.5, 0.2), (0.5, 1.2)])
def test_looks_that_do_not_ascend_are_refused(fractions):
    with pytest.raises(InsufficientSamplesError, match="ascending"):
        bounds(fractions, error_rate=0.05, spending=Spending.POCOCK)


@pytest.mark.parametrize("error", [0.05, 0.01, 0.001])
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda rng, shape: rng.normal(size=shape), id="normal"),
        pytest.param(lambda rng, shape: rng.normal(size=shape) * np.where(rng.random(shape) < 0.1, 5, 1), id="bursts"),
        pytest.param(lambda rng, shape: rng.standard_t(3, size=shape), id="heavy-tailed"),
    ],
)
def test_looking_often_alarms_no_more_often_than_was_allowed(rng, draw, error):
    looks = SequentialRule(error_rate=error, min_effect=0.03, most_blocks=30).looks
    limits = bounds(tuple(look / 30 for look in looks), error_rate=error, spending=Spending.SQUARE)
    values = draw(rng, (12_000, 30))
    levels = 2 * stats.norm.sf(limits)
    rejected = np.any([p_values(values[:, :look]) <= level for look, level in zip(looks, levels, strict=True)], axis=0)
    # Rank and Student's tests take turns; where one follows the other the looks are a little less alike than planned.
    assert rejected.mean() <= at_most_by_chance(1.1 * error, 12_000)


def stop(logs, rule):
    """Feed the rule one block after the other."""
    stages = (rule.decide(logs[:look], blocks_left=rule.most_blocks - look) for look in rule.looks)
    return next(stage for stage in stages if stage.outcome is not Outcome.UNDECIDED or stage.blocks == rule.most_blocks)


def stops(rng, *, effect, sd, rule, trials):
    logs = rng.normal(math.log1p(effect), sd, (trials, rule.most_blocks))
    return [stop(row.tolist(), rule) for row in logs]


@pytest.fixture(scope="module")
def slowdowns():
    """What becomes of a slowdown of just the smallest effect."""
    rule = SequentialRule(error_rate=1e-3, min_effect=0.03, most_blocks=60)
    return stops(np.random.default_rng(3), effect=0.03, sd=0.03, rule=rule, trials=250)


def share(stages, outcome):
    return sum(stage.outcome is outcome for stage in stages) / len(stages)


@pytest.mark.slow
def test_a_slowdown_of_three_per_cent_is_found(slowdowns):
    assert share(slowdowns, Outcome.SLOWER) >= 0.95


@pytest.mark.slow
def test_a_slowdown_of_the_smallest_effect_is_hardly_ever_told_the_same(slowdowns):
    assert share(slowdowns, Outcome.SAME) <= at_most_by_chance(0.025, 250)


@pytest.mark.slow
def test_a_slowdown_is_found_before_the_plan_ends(slowdowns):
    assert np.mean([stage.blocks for stage in slowdowns]) < 40


@pytest.mark.slow
def test_the_interval_at_the_stop_holds_the_truth(slowdowns):
    missed = sum(not stage.test.low <= 1.03 <= stage.test.high for stage in slowdowns)
    assert missed / len(slowdowns) <= at_most_by_chance(0.05, 250)


@pytest.mark.slow
def test_no_change_is_told_the_same_with_a_part_of_the_blocks(rng):
    found = stops(rng, effect=0.0, sd=0.03, rule=RULE, trials=100)
    assert share(found, Outcome.SAME) >= 0.98
    assert np.mean([stage.blocks for stage in found]) < 25


@pytest.mark.slow
def test_what_noise_hides_is_given_up(rng):
    found = stops(rng, effect=0.0, sd=0.3, rule=RULE, trials=60)
    assert share(found, Outcome.FUTILE) >= 0.9
    assert np.mean([stage.blocks for stage in found]) < 35


@pytest.mark.slow
def test_what_can_still_be_found_is_not_given_up(rng):
    found = stops(rng, effect=0.05, sd=0.05, rule=RULE, trials=60)
    assert share(found, Outcome.FUTILE) <= 0.03


def scattered(centre, sd, count):
    """Values that scatter just as normal ones should, mixed."""
    quantiles = stats.norm.ppf((np.arange(count) + 0.5) / count)
    return (centre + sd * np.random.default_rng(1).permutation(quantiles)).tolist()


@pytest.mark.parametrize(
    ("centre", "outcome", "verdict"),
    [
        pytest.param(0.10, Outcome.SLOWER, Verdict.SLOWER, id="slower"),
        pytest.param(-0.10, Outcome.FASTER, Verdict.FASTER, id="faster"),
        pytest.param(0.0, Outcome.SAME, Verdict.SAME, id="same"),
        pytest.param(0.029, Outcome.UNDECIDED, Verdict.INCONCLUSIVE, id="at the edge"),
    ],
)
def test_the_outcome_follows_the_blocks(centre, outcome, verdict):
    stage = RULE.decide(scattered(centre, 0.02, 15), blocks_left=45)
    assert stage.outcome is outcome
    assert stage.outcome.verdict is verdict


def test_a_difference_that_is_certain_but_smaller_than_asked_for_is_the_same():
    stage = RULE.decide(scattered(0.01, 0.002, 20), blocks_left=0)
    assert stage.test.low > 1
    assert stage.outcome is Outcome.SAME


def test_before_the_first_look_nothing_is_known():
    stage = RULE.decide([0.5] * (RULE.fewest - 1), blocks_left=10)
    assert (stage.outcome, stage.test) == (Outcome.UNDECIDED, None)


def test_between_two_looks_the_earlier_one_stands():
    logs = scattered(0.02, 0.05, 12)
    assert RULE.looks[3:5] == (10, 12)
    assert RULE.decide(logs[:11], blocks_left=5) == RULE.decide(logs[:10], blocks_left=6)


def test_a_budget_that_ends_early_spends_what_is_left_of_the_error():
    logs = scattered(0.03, 0.03, 27)
    going_on, ended = (RULE.decide(logs, blocks_left=left).test for left in (33, 0))
    assert ended.p_value < going_on.p_value
    assert ended.ratio == going_on.ratio


def test_blocks_beyond_the_plan_change_nothing():
    logs = scattered(0.02, 0.05, 60)
    assert RULE.decide([*logs, 5.0, 5.0], blocks_left=0) == RULE.decide(logs, blocks_left=0)


def test_blocks_without_a_value_do_not_count():
    logs = scattered(0.02, 0.05, 10)
    assert RULE.decide([math.nan, *logs], blocks_left=3) == RULE.decide(logs, blocks_left=3)


def test_an_undecided_stage_says_what_deciding_costs():
    logs = scattered(0.02, 0.05, 18)
    stage = RULE.decide(logs, blocks_left=42)
    assert stage.needed == pytest.approx(blocks_needed(sd=0.05, effect=0.03, error_rate=1e-3), rel=0.25)
    assert 0.03 < stage.detectable < 0.1


def test_noise_that_no_number_of_blocks_could_average_out_has_no_cost():
    rule = SequentialRule(error_rate=1e-3, min_effect=1e-5)
    assert rule.decide(scattered(0.0, 0.5, 20), blocks_left=40).needed is None


def test_values_without_noise_are_decided_at_the_first_look_that_can():
    rule = SequentialRule(error_rate=1e-4, min_effect=0.005)
    assert stop([0.0] * 60, rule).blocks == 5
    slower = stop([0.02] * 60, rule)
    assert (slower.outcome, slower.blocks) == (Outcome.SLOWER, 12)


def test_looks_ascend_to_the_end_of_the_plan():
    assert RULE.looks[0] == RULE.fewest
    assert RULE.looks[-1] == RULE.most_blocks
    assert list(RULE.looks) == sorted(set(RULE.looks))


def test_a_plan_of_one_look_is_possible():
    assert SequentialRule(error_rate=0.01, min_effect=0.03, fewest=8, most_blocks=8).looks == (8,)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"error_rate": 0.0}, id="no error"),
        pytest.param({"error_rate": 0.5}, id="an error like a coin's"),
        pytest.param({"min_effect": 0.0}, id="no effect"),
        pytest.param({"confidence": 1.0}, id="certainty"),
        pytest.param({"fewest": 2}, id="two blocks"),
        pytest.param({"fewest": 10, "most_blocks": 9}, id="most below fewest"),
    ],
)
def test_a_rule_that_nothing_satisfies_is_refused(wrong):
    with pytest.raises(InsufficientSamplesError, match="A rule needs"):
        SequentialRule(**{"error_rate": 0.01, "min_effect": 0.03} | wrong)
