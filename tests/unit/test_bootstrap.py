"""The median and its bootstrap interval, or the reason why there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from zbench.errors import InsufficientSamplesError
from zbench.stats.bootstrap import MedianEstimate, fewest_samples, median_estimate
from zbench.stats.intervals import Interval

SKEWED = np.random.default_rng(4).exponential(1.0, 40).tolist()


def bca(values, *, confidence, resamples, rng):
    """Efron's interval written down from its definition."""
    values = np.asarray(values)
    found = np.median(values)
    medians = np.median(rng.choice(values, (resamples, values.size)), axis=1)
    bias = special.ndtri(((medians < found).mean() + (medians <= found).mean()) / 2)
    left_out = np.array([np.median(np.delete(values, place)) for place in range(values.size)])
    pull = left_out.mean() - left_out
    skew = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    tail = special.ndtri((1 - confidence) / 2) * np.array([1, -1])
    return np.quantile(medians, special.ndtr(bias + (bias + tail) / (1 - skew * (bias + tail))))


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_is_efrons(confidence):
    expected = bca(SKEWED, confidence=confidence, resamples=20_000, rng=np.random.default_rng(1))
    found = median_estimate(SKEWED, confidence=confidence, resamples=20_000).interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=0.03)


def test_the_estimate_is_the_median_of_all_samples():
    found = median_estimate([*SKEWED, 1e9])
    assert found.median == np.median([*SKEWED, 1e9])
    assert found.interval.estimate == found.median
    assert found.interval.count == len(SKEWED) + 1
    assert found.reason == ""


def test_the_same_samples_give_the_same_interval():
    assert median_estimate(SKEWED) == median_estimate(SKEWED)


def test_another_seed_gives_nearly_the_same_interval():
    one, other = (median_estimate(SKEWED, seed=seed).interval for seed in (0, 1))
    assert (other.low, other.high) == pytest.approx((one.low, one.high), rel=0.1)


def test_the_interval_scales_with_its_unit():
    small, large = median_estimate(SKEWED), median_estimate([value * 1e6 for value in SKEWED])
    assert (large.interval.low, large.interval.high) == pytest.approx(
        (small.interval.low * 1e6, small.interval.high * 1e6)
    )
    assert large.precision == pytest.approx(small.precision)


def test_one_far_sample_hardly_moves_the_interval():
    with_far = median_estimate([*SKEWED, 1e9]).interval
    assert with_far.high < np.quantile(SKEWED, 0.8)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param([1.0], "1 samples, and an interval at 95 % needs 6", id="one"),
        pytest.param([1.0, 2.0, 3.0, 4.0], "4 samples", id="four"),
        # Smallest and largest of five enclose the median in 15 of 16 cases only.
        pytest.param([1.0, 2.0, 3.0, 4.0, 5.0], "5 samples", id="five"),
        pytest.param([2.0] * 9, "all 9 samples are equal", id="equal"),
        pytest.param([1.0] * 9 + [2.0], "BCa is degenerate: most of 10 samples are tied", id="tied"),
    ],
)
def test_where_there_is_no_interval_there_is_a_reason(values, reason):
    found = median_estimate(values)
    assert found.interval is None
    assert found.precision is None
    assert found.median == np.median(values)
    assert reason in found.reason


def test_six_samples_have_an_interval():
    assert median_estimate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).interval is not None


@pytest.mark.parametrize(("confidence", "fewest"), [(0.5, 5), (0.9, 5), (0.95, 6), (0.98, 7), (0.999, 11)])
def test_fewest_samples_are_those_whose_range_is_sure_enough(confidence, fewest):
    assert fewest_samples(confidence) == fewest
    assert 1 - 2.0 ** (1 - fewest) >= confidence


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="none"),
        pytest.param([1.0, math.nan, 2.0], id="nan"),
        pytest.param([1.0, math.inf, 2.0], id="infinite"),
    ],
)
def test_what_has_no_median_is_refused(values):
    with pytest.raises(InsufficientSamplesError, match="finite values, at least one"):
        median_estimate(values)


def test_precision_is_half_the_width_over_the_median():
    assert MedianEstimate(median=10.0, interval=Interval(10.0, 9.0, 12.0, 8)).precision == pytest.approx(0.15)


@pytest.mark.parametrize("median", [0.0, -1.0])
def test_a_median_that_is_not_positive_has_no_precision(median):
    assert MedianEstimate(median=median, interval=Interval(median, median - 1, median + 1, 8)).precision is None
