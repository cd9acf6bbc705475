"""Candidate against baseline: ratios with intervals that hold, verdicts, environments that belong together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from zbench.errors import InsufficientSamplesError
from zbench.harness.pairs import compared, mismatch
from zbench.harness.places import Difference, differences, matched, package_changes, place_labels
from zbench.model import Comparison, Environment, Verdict
from zbench.report.compare import (
    INTERVALS,
    PROCESSES,
    SAMPLES,
    ComparedMetric,
    ordered,
    quantity,
    ratio_text,
    verdict_text,
)
from zbench.results import Row, environment_id
from zbench.stats import Interval
from zbench.stats.compare import (
    RatioTest,
    compare_exact,
    judge,
    ratio_of_intervals,
    ratio_test,
    samples_needed,
)

FASTER, SAME, SLOWER, INCONCLUSIVE = Verdict.FASTER, Verdict.SAME, Verdict.SLOWER, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("first", "second"), [pytest.param(4, 4, id="few"), pytest.param(7, 12, id="some"), pytest.param(80, 90, id="many")]
)
def test_the_p_value_is_that_of_mann_and_whitney(rng, first, second):
    base, other = rng.lognormal(0, 0.1, first), rng.lognormal(0.05, 0.1, second)
    known = stats.mannwhitneyu(other, base, method="exact" if first < 50 else "asymptotic").pvalue
    assert ratio_test(base, other).p_value == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("count", [pytest.param(4, id="few"), pytest.param(12, id="some"), pytest.param(60, id="many")])
def test_95_of_100_intervals_hold_the_true_ratio(rng, count):
    held = 0
    for _ in range(400):
        found = ratio_test(rng.lognormal(0, 0.3, count), 1.2 * rng.lognormal(0, 0.3, count))
        held += found.low <= 1.2 <= found.high
    # Three standard errors of 400 draws below the promise; few samples hold more than is promised.
    assert held / 400 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)


def test_the_interval_leaves_out_one_just_where_the_p_value_says_so(rng):
    for shift in np.linspace(0, 0.4, 40):
        found = ratio_test(rng.lognormal(0, 0.2, 9), rng.lognormal(shift, 0.2, 9))
        assert (found.low > 1 or found.high < 1) == (found.p_value <= 0.05)


def test_a_ratio_turned_round_is_its_inverse(rng):
    base, other = rng.lognormal(0, 0.1, 11), rng.lognormal(0.1, 0.1, 8)
    there, back = ratio_test(base, other), ratio_test(other, base)
    assert (1 / back.ratio, 1 / back.high, 1 / back.low, back.p_value) == pytest.approx(
        (there.ratio, there.low, there.high, there.p_value)
    )


def test_one_wild_sample_does_not_move_the_ratio_far():
    steady = [1.0, 1.01, 1.02, 0.99, 1.0, 1.01]
    assert ratio_test(steady, [*steady[:-1], 50.0]).ratio == pytest.approx(1, abs=0.03)


def test_samples_that_are_all_alike_have_a_ratio_without_a_width():
    found = ratio_test([2.0] * 5, [3.0] * 5)
    assert (found.ratio, found.low, found.high) == (1.5, 1.5, 1.5)
    assert ratio_test([2.0] * 5, [2.0] * 5).p_value == 1


def test_thousands_of_samples_are_stood_for_by_their_quantiles(rng):
    # In an order of which no part stands for the whole.
    base, other = np.sort(rng.lognormal(0, 0.1, 20_000)), np.sort(rng.lognormal(0.02, 0.1, 20_000))[::-1]
    found = ratio_test(base, other)
    assert found.ratio == pytest.approx(math.exp(0.02), rel=0.005)
    assert found.low < math.exp(0.02) < found.high


@pytest.mark.parametrize(
    ("base", "other"),
    [
        pytest.param([1.0] * 3, [1.0] * 3, id="three"),
        pytest.param([], [1.0] * 9, id="none"),
        pytest.param([1.0, 1.0, 1.0, 0.0], [1.0] * 4, id="zero"),
        pytest.param([1.0, 1.0, 1.0, math.nan], [1.0] * 4, id="nan"),
    ],
)
def test_what_cannot_be_tested_is_refused(base, other):
    with pytest.raises(InsufficientSamplesError, match="sample"):
        ratio_test(base, other)


def test_four_samples_a_side_are_the_fewest_for_95_percent():
    assert samples_needed() == 4
    assert ratio_test([1, 2, 3, 4], [5, 6, 7, 8]).low > 1


def test_two_intervals_give_the_ratio_that_normal_logarithms_have():
    found = ratio_of_intervals(
        Interval(1.0, math.exp(-0.1), math.exp(0.1), 0), Interval(1.5, 1.5 * math.exp(-0.1), 1.5 * math.exp(0.1), 0),
        confidences=(0.99, 0.99),
    )  # fmt: skip
    error = math.sqrt(2) * 0.1 / stats.norm.ppf(0.995)
    assert found.ratio == pytest.approx(1.5)
    assert found.high == pytest.approx(1.5 * math.exp(stats.norm.ppf(0.975) * error))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(math.log(1.5) / error))


def test_an_interval_without_a_width_is_none():
    with pytest.raises(InsufficientSamplesError, match="width"):
        ratio_of_intervals(Interval(1.0, 1.0, 1.0, 0), Interval(1.0, 0.9, 1.1, 0), confidences=(0.99, 0.99))


def test_verdicts_follow_effect_and_evidence():
    tests = [
        RatioTest(1.10, 1.05, 1.15, 1e-6),
        RatioTest(0.90, 0.85, 0.95, 1e-6),
        RatioTest(1.005, 0.99, 1.02, 0.5),
        RatioTest(1.10, 0.90, 1.30, 0.4),
        RatioTest(1.02, 1.01, 1.04, 1e-6),
        RatioTest(1.01, 1.005, 1.02, 1e-6),
        None,
    ]
    found = judge(tests, min_effect=0.03, larger_is_worse=[True] * len(tests))
    assert [one.verdict for one in found] == [SLOWER, FASTER, SAME, INCONCLUSIVE, INCONCLUSIVE, SAME, INCONCLUSIVE]
    assert math.isnan(found[-1].ratio)


def test_of_a_rate_less_is_worse():
    (found,) = judge([RatioTest(0.5, 0.4, 0.6, 1e-9)], min_effect=0.03, larger_is_worse=[False])
    assert found.verdict is SLOWER


def test_p_values_are_corrected_for_the_length_of_the_list():
    # One of twenty alike pairs falls below 5 % by chance, and is not told.
    tests = [RatioTest(1.1, 1.001, 1.2, 0.04)] + [RatioTest(1.1, 0.9, 1.3, p) for p in np.linspace(0.1, 0.99, 19)]
    found = judge(tests, min_effect=0.03, larger_is_worse=[True] * 20)
    assert {one.verdict for one in found} == {INCONCLUSIVE}
    assert found[0].p_value == pytest.approx(stats.false_discovery_control([test.p_value for test in tests])[0])
    assert judge(tests[:1], min_effect=0.03, larger_is_worse=[True])[0].verdict is SLOWER


def test_an_empty_list_has_no_verdicts():
    assert judge([], min_effect=0.03, larger_is_worse=[]) == []


@pytest.mark.parametrize(
    ("pair", "larger_is_worse", "ratio", "verdict"),
    [
        pytest.param((9, 9), True, 1, SAME, id="same"),
        pytest.param((1000, 1001), True, 1.001, SLOWER, id="one-byte-more"),
        pytest.param((1000, 999), True, 0.999, FASTER, id="one-byte-less"),
        pytest.param((2.0, 1.9), False, 0.95, SLOWER, id="compresses-less"),
        pytest.param((0, 3), True, math.inf, SLOWER, id="from-nothing"),
        pytest.param((0, 0), True, 1, SAME, id="nothing"),
    ],
)
def test_exact_numbers_decide_without_tolerance(pair, larger_is_worse, ratio, verdict):
    found = compare_exact(*pair, larger_is_worse=larger_is_worse)
    assert (found.ratio, found.verdict, found.p_value) == (pytest.approx(ratio), verdict, None)


def row(samples=(), **changes):
    common = {
        "source": "zbench", "environment": "e", "dataset": "d", "engine": "zarrs", "store": "local", "layout": "v3-c8",
        "chain": "none", "pattern": "full_read", "cache_state": "warm", "metric": "wall_time", "unit": "s",
        "samples": tuple(samples), "value": float(np.median(samples)) if samples else 1.0,
    }  # fmt: skip
    return Row(**common | changes)


STEADY = (1.0, 1.01, 0.99, 1.02, 0.98)


def slower(samples, factor=1.5):
    return tuple(factor * sample for sample in samples)


def test_samples_that_share_a_process_are_said_to_do_so():
    (found,) = compared([([row(STEADY, processes=1)], [row(slower(STEADY), processes=1)])], min_effect=0.03)
    assert (found.basis, found.comparison.verdict) == (SAMPLES, SLOWER)
    assert ratio_text(found).endswith("*")


def test_samples_of_a_process_each_are_what_the_ratio_rests_on():
    (found,) = compared([([row(STEADY, processes=5)], [row(slower(STEADY), processes=5)])], min_effect=0.03)
    assert (found.basis, found.baseline_count, found.candidate_count) == (PROCESSES, 5, 5)
    assert not ratio_text(found).endswith("*")


def test_several_runs_of_a_side_count_by_their_medians():
    runs = [row([level * sample for sample in STEADY], processes=1) for level in (0.9, 1.0, 1.1, 1.0)]
    again = [row(slower(one.samples, 1.02), processes=1) for one in runs]
    (found,) = compared([(runs, again)], min_effect=0.03)
    assert (found.basis, found.baseline_count) == (PROCESSES, 4)
    # What differs between processes is 10 %: 2 % are not to be seen, though all samples together would claim it.
    assert found.comparison.verdict is INCONCLUSIVE


def test_without_samples_the_intervals_are_compared():
    base = row(value=1.0, low=0.98, high=1.02, confidence=0.99)
    (found,) = compared([([base], [replace(base, value=1.5, low=1.48, high=1.52)])], min_effect=0.03)
    assert (found.basis, found.comparison.verdict) == (INTERVALS, SLOWER)
    assert ratio_text(found).endswith("*")


def test_one_number_alone_is_inconclusive_and_says_why():
    (found,) = compared([([row()], [row(value=2.0)])], min_effect=0.03)
    assert found.comparison.verdict is INCONCLUSIVE
    assert "samples or an interval" in found.note
    assert ratio_text(found) == "n/a"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"shape": (9,)}, "shape", id="shape"),
        pytest.param({"dtype": "<f8"}, "dtype", id="dtype"),
        pytest.param({"voxel_digest": "b"}, "voxel_digest", id="digest"),
        pytest.param({"unit": "ms"}, "units", id="unit"),
    ],
)
def test_numbers_of_other_voxels_or_units_are_not_compared(changes, says):
    ours = row(shape=(8,), dtype="<f4", voxel_digest="a")
    assert says in mismatch([ours], [replace(ours, **changes)])


def test_what_one_side_does_not_say_of_the_voxels_does_not_part_them():
    assert mismatch([row(shape=(8,), dtype="<f4", voxel_digest="a")], [row()]) == ""


def test_an_exact_number_that_does_not_repeat_is_not_compared():
    ours = [row(metric="requests", unit="requests", value=value) for value in (3, 4)]
    assert "3 and 4" in mismatch(ours, ours[:1])


def metric(verdict, ratio=1.0, *, basis=SAMPLES):
    return ComparedMetric(
        benchmark="", dataset="d", engine="zarrs", store="local", layout="v3-c8", chain="none", pattern="full_read",
        cache_state="warm", environment="e", metric="wall_time", unit="s", baseline=1.0, candidate=ratio,
        baseline_count=1, candidate_count=1, basis=basis,
        comparison=Comparison(ratio=ratio, low=ratio, high=ratio, p_value=None, verdict=verdict),
    )  # fmt: skip


def test_exact_numbers_come_first_and_the_worst_at_the_top():
    exact_same, exact_worse = metric(SAME, basis="exact"), metric(SLOWER, 1.1, basis="exact")
    slow, slowest, fast = metric(SLOWER, 1.2), metric(SLOWER, 2.0), metric(FASTER, 0.5)
    unknown = metric(INCONCLUSIVE, math.nan)
    found = ordered([fast, unknown, exact_same, slow, slowest, exact_worse])
    assert found == [exact_worse, exact_same, slowest, slow, fast, unknown]


def test_exact_numbers_are_bigger_and_times_slower():
    assert [verdict_text(metric(SLOWER, basis=basis)) for basis in ("exact", SAMPLES)] == ["bigger", "slower"]
    assert verdict_text(metric(SAME, basis="exact")) == "same"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        pytest.param(0.0123, "s", "12.3 ms", id="time"),
        pytest.param(1001, "bytes", "1001 B", id="bytes-to-the-digit"),
        pytest.param(3 * 2**20, "bytes", "3.0 MiB", id="many-bytes"),
        pytest.param(9.0, "requests", "9 requests", id="count"),
        pytest.param(1.85694, "1", "1.857", id="ratio"),
    ],
)
def test_numbers_are_written_with_their_unit(value, unit, text):
    assert quantity(value, unit) == text


HERE = Environment(
    machine="box", os="Linux 6.1", cpu="some cpu", cores=8, memory_bytes=2**34, python="3.11.9",
    packages=(("zarr", "3.1.6"),), threads=(), filesystem="ext4",
)  # fmt: skip


def places(*environments):
    return {environment_id(one): one for one in environments}


def test_equal_environments_belong_together():
    other = replace(HERE, python="3.12.1")
    assert matched(places(HERE, other), places(other, HERE)) == {one: one for one in places(HERE, other)}


def test_of_several_on_another_machine_each_finds_the_one_with_its_packages():
    newer = replace(HERE, packages=(("zarr", "3.4.2"),))
    moved = [replace(one, machine="other") for one in (HERE, newer)]
    found = matched(places(HERE, newer), places(*moved))
    assert found == {environment_id(moved[0]): environment_id(HERE), environment_id(moved[1]): environment_id(newer)}


def test_the_only_ones_belong_together_whatever_their_packages():
    newer = replace(HERE, packages=(("zarr", "3.4.2"),))
    assert matched(places(HERE), places(newer)) == {environment_id(newer): environment_id(HERE)}


def test_what_has_no_counterpart_is_left_out():
    newer, newest = (replace(HERE, packages=(("zarr", version),)) for version in ("3.4.2", "3.5.0"))
    assert matched(places(HERE, newer), places(HERE, newest)) == {environment_id(HERE): environment_id(HERE)}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"machine": "other"}, "machine", id="machine"),
        pytest.param({"cpu": "other"}, "cpu", id="cpu"),
        pytest.param({"cores": 4}, "cores", id="cores"),
        pytest.param({"threads": (("BLOSC_NTHREADS", "1"),)}, "threads", id="threads"),
        pytest.param({"filesystem": "tmpfs"}, "filesystem", id="filesystem"),
        pytest.param({"python": "3.12.0"}, "python", id="python"),
    ],
)
def test_what_times_depend_on_is_told_as_a_difference(change, what):
    found, unknown = differences([(HERE, replace(HERE, **change))])
    assert [one.what for one in found] == [what]
    assert unknown == ()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"python": "3.11.1"}, id="python-patch"),
        pytest.param({"packages": (("zarr", "3.4.2"),)}, id="packages"),
        pytest.param({"os": "Linux 6.2"}, id="kernel"),
    ],
)
def test_what_may_be_compared_is_no_difference(change):
    assert differences([(HERE, replace(HERE, **change))]) == ((), ())


def test_what_a_side_does_not_say_is_told_as_unknown():
    assert differences([(HERE, replace(HERE, filesystem="", cores=0))]) == ((), ("cores", "filesystem"))


def test_packages_that_are_others_are_named():
    newer = replace(HERE, packages=(("zarr", "3.4.2"), ("zarrs", "0.2.3")), os="Linux 6.2")
    assert package_changes([(HERE, newer)]) == (
        Difference("os", "Linux 6.1", "Linux 6.2"),
        Difference("zarr", "3.1.6", "3.4.2"),
        Difference("zarrs", "none", "0.2.3"),
    )


def test_environments_of_one_name_are_told_apart_by_their_ids():
    names = place_labels(places(HERE, replace(HERE, cpu="other"), replace(HERE, python="3.12.1")))
    assert len(set(names.values())) == 3
    assert sorted(name.split(" ")[0] for name in names.values()) == [
        "py3.11-zarr3.1.6", "py3.11-zarr3.1.6", "py3.12-zarr3.1.6",
    ]  # fmt: skip
