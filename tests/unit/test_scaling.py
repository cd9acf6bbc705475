"""A law of growth: what it is fitted to, how sure it says it is, and whether that is so for laws that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.stats.scaling import fit_power_law

SIZES = (64, 128, 256, 512)
TRIALS = 400


def law(size, factor=2e-7, exponent=2.9):
    return factor * size**exponent


def trials(rng, *, sizes=SIZES, values=3, noise=0.05, off=0.0):
    """Fits of many campaigns: values scatter by processes, and each size lies off the law by its own."""
    for _ in range(TRIALS):
        places = [law(size) * math.exp(rng.normal(0, off)) if off else law(size) for size in sizes]
        samples = [place * np.exp(rng.normal(0, noise, values)) for place in places]
        yield fit_power_law(sizes, samples)


def test_a_law_without_noise_is_found():
    found = fit_power_law(SIZES, [[law(size)] for size in SIZES])
    assert found.factor == pytest.approx(2e-7)
    assert found.exponent.estimate == pytest.approx(2.9)
    assert found.exponent.high - found.exponent.low == pytest.approx(0, abs=1e-9)
    assert found.residuals == pytest.approx([1.0] * 4)
    assert found.at(2048).estimate == pytest.approx(law(2048))


def test_slope_and_interval_are_those_of_linear_regression(rng):
    values = [law(size) * math.exp(rng.normal(0, 0.2)) for size in SIZES]
    found = fit_power_law(SIZES, [[value] for value in values], confidence=0.9)
    expected = stats.linregress(np.log(SIZES), np.log(values))
    reach = stats.t.ppf(0.95, 2) * expected.stderr
    assert found.exponent.estimate == pytest.approx(expected.slope)
    assert (found.exponent.low, found.exponent.high) == pytest.approx((expected.slope - reach, expected.slope + reach))
    assert found.factor == pytest.approx(math.exp(expected.intercept))


def test_residuals_are_measured_by_law():
    found = fit_power_law(SIZES, [[law(size) * (2 if size == 128 else 1)] for size in SIZES])
    for size, residual in zip(SIZES, found.residuals, strict=True):
        assert residual * found.factor * size**found.exponent.estimate == pytest.approx(
            law(size) * (2 if size == 128 else 1)
        )
    assert max(found.residuals) == found.residuals[1] > 1


def test_the_median_of_a_size_counts():
    samples = [[law(size), law(size), 50 * law(size)] for size in SIZES]
    assert fit_power_law(SIZES, samples).exponent.estimate == pytest.approx(2.9)


@pytest.mark.parametrize(
    ("sizes", "values", "off"),
    [
        pytest.param((64, 128, 256), 3, 0.0, id="three sizes"),
        pytest.param(SIZES, 3, 0.0, id="four sizes"),
        pytest.param(SIZES, 3, 0.1, id="sizes off the law"),
        pytest.param((64, 96, 128, 192, 256, 512), 6, 0.05, id="six sizes"),
        pytest.param(SIZES, 1, 0.1, id="one value a size"),
    ],
)
def test_intervals_hold_the_true_law(rng, sizes, values, off):
    found = list(trials(rng, sizes=sizes, values=values, off=off))
    held = np.mean([one.exponent.low <= 2.9 <= one.exponent.high for one in found])
    # Binomial: of 95 % that hold, fewer than 91.5 % of 400 would be found in one of a thousand tests.
    assert held >= 0.915


@pytest.mark.parametrize(("values", "off"), [(3, 0.0), (3, 0.1), (1, 0.1)])
def test_extrapolations_hold_what_one_more_size_would_give(rng, values, off):
    held = []
    for found in trials(rng, values=values, off=off):
        new = law(2048) * math.exp(rng.normal(0, off)) if off else law(2048)
        seen = float(np.median(new * np.exp(rng.normal(0, 0.05, values))))
        ahead = found.at(2048)
        held.append(ahead.low <= seen <= ahead.high)
    assert np.mean(held) >= 0.915


def test_intervals_are_not_wide_for_nothing(rng):
    found = list(trials(rng, values=1, off=0.1, noise=1e-9))
    held = np.mean([one.exponent.low <= 2.9 <= one.exponent.high for one in found])
    assert held <= 0.98


def test_sizes_on_a_line_by_chance_do_not_look_sure(rng):
    # The medians lie on the law exactly, the values of each size scatter by 20 %.
    samples = [[law(size) * 0.8, law(size), law(size) * 1.2] for size in SIZES]
    found = fit_power_law(SIZES, samples)
    assert found.spread == pytest.approx(0, abs=1e-9)
    assert found.exponent.high - found.exponent.low > 0.1
    assert found.at(2048).high / found.at(2048).low > 1.5


def test_extrapolations_are_wider_than_what_lies_between_the_sizes(rng):
    found = next(trials(rng))
    widths = [found.at(size).high / found.at(size).low for size in (181, 1024, 4096)]
    assert widths == sorted(widths)


def test_what_bends_is_told_apart_from_a_law(rng):
    bent = [(0.01 + law(size)) * np.exp(rng.normal(0, 0.02, 5)) for size in SIZES]
    assert fit_power_law(SIZES, bent).is_rough


def test_a_true_law_is_rarely_called_rough(rng):
    rough = np.mean([one.is_rough for one in trials(rng, values=5)])
    # Binomial: of 5 %, more than 9 % of 400 would be found in one of a thousand tests.
    assert rough < 0.09


def test_one_value_a_size_tells_nothing_of_a_misfit():
    found = fit_power_law(SIZES, [[law(size)] for size in SIZES])
    assert found.misfit_p is None
    assert not found.is_rough


def test_an_interval_beyond_all_numbers_is_infinite():
    found = fit_power_law((64, 65, 66), [[1.0], [1e9], [1.0]])
    assert found.at(1e6).high == math.inf


@pytest.mark.parametrize(
    ("sizes", "samples"),
    [
        pytest.param((64, 128), [[1.0], [2.0]], id="two sizes"),
        pytest.param((64, 64, 128), [[1.0], [1.0], [2.0]], id="a size twice"),
        pytest.param(SIZES, [[1.0], [2.0], [0.0], [3.0]], id="zero"),
        pytest.param(SIZES, [[1.0], [2.0], [], [3.0]], id="no value"),
        pytest.param(SIZES, [[1.0], [2.0], [math.nan], [3.0]], id="no number"),
        pytest.param((0, 1, 2), [[1.0], [2.0], [3.0]], id="no size"),
    ],
)
def test_what_has_no_law_is_refused(sizes, samples):
    with pytest.raises(InsufficientSamplesError, match="at least 3 sizes, each once, with positive values"):
        fit_power_law(sizes, samples)
