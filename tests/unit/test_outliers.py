"""Samples far from the others are marked with what the counters know of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from zbench.errors import InsufficientSamplesError
from zbench.stats.outliers import Cause, mark_outliers

MS = 1_000_000


@dataclass(frozen=True)
class Counted:
    collection_ns: int | None = 0
    major_faults: int | None = 0
    minor_faults: int | None = 100
    disk_read_bytes: int | None = 0
    steal_ns: int | None = 0
    involuntary_switches: int | None = 2
    waited_ns: int | None = 50_000
    throttled_ns: int | None = 0


USUAL = Counted()
NOTHING = Counted(*[None] * 8)
TIMES = (10 * MS * np.exp(np.random.default_rng(1).normal(0, 0.02, 20))).tolist()


def marked(ratio, counted, *, usual=USUAL):
    """Mark one far sample among twenty that agree."""
    return mark_outliers([*TIMES[:12], 10 * MS * ratio, *TIMES[12:]], [usual] * 12 + [counted] + [usual] * 8)


def test_a_far_sample_is_marked_where_it_is():
    (found,) = marked(3.0, USUAL)
    assert found.index == 12
    assert found.ratio == pytest.approx(3.0, rel=0.02)


def test_samples_that_agree_have_no_outliers():
    assert mark_outliers(TIMES, [USUAL] * 20) == ()


def test_far_is_meant_on_logarithms():
    (slow,) = marked(1.5, USUAL)
    (fast,) = marked(1 / 1.5, USUAL)
    assert slow.ratio * fast.ratio == pytest.approx(1.0, rel=0.03)


def test_a_limit_says_what_far_is():
    assert mark_outliers(TIMES, [USUAL] * 20, limit=0.5) != ()


@pytest.mark.parametrize(
    ("counted", "cause"),
    [
        pytest.param({"collection_ns": 15 * MS}, Cause.COLLECTION, id="collection"),
        pytest.param({"major_faults": 200}, Cause.MAJOR_FAULTS, id="major-faults"),
        pytest.param({"minor_faults": 30_000}, Cause.MINOR_FAULTS, id="minor-faults"),
        pytest.param({"disk_read_bytes": 30_000_000}, Cause.DISK_READS, id="disk"),
        pytest.param({"steal_ns": 20 * MS}, Cause.STEAL, id="steal"),
        pytest.param({"involuntary_switches": 8, "waited_ns": 15 * MS}, Cause.SWITCHES, id="switches"),
        pytest.param({"throttled_ns": 20 * MS}, Cause.THROTTLING, id="throttling"),
    ],
)
def test_what_accounts_for_the_excess_is_its_cause(counted, cause):
    (found,) = marked(3.0, replace(USUAL, **counted))
    assert found.causes == (cause,)


def test_several_causes_come_in_the_order_of_their_part():
    (found,) = marked(4.0, replace(USUAL, steal_ns=10 * MS, collection_ns=15 * MS))
    assert found.causes == (Cause.COLLECTION, Cause.STEAL)


@pytest.mark.parametrize(
    "counted",
    [
        pytest.param(USUAL, id="nothing-unusual"),
        pytest.param(NOTHING, id="nothing-counted"),
        pytest.param(replace(USUAL, minor_faults=1000), id="too-little"),
        pytest.param(replace(USUAL, waited_ns=15 * MS), id="waited-without-a-switch"),
        pytest.param(replace(USUAL, involuntary_switches=8), id="switched-without-waiting"),
    ],
)
def test_what_nothing_accounts_for_is_unknown(counted):
    (found,) = marked(3.0, counted)
    assert found.causes == (Cause.UNKNOWN,)


def test_what_all_samples_have_is_no_cause():
    busy = replace(USUAL, minor_faults=30_000, steal_ns=20 * MS)
    (found,) = marked(3.0, busy, usual=busy)
    assert found.causes == (Cause.UNKNOWN,)


def test_switches_count_a_slice_each_where_waiting_is_not_told():
    silent = replace(USUAL, waited_ns=None)
    (few,) = marked(3.0, replace(silent, involuntary_switches=4), usual=silent)
    (many,) = marked(3.0, replace(silent, involuntary_switches=12), usual=silent)
    assert (few.causes, many.causes) == ((Cause.UNKNOWN,), (Cause.SWITCHES,))


def test_no_cause_makes_a_sample_fast():
    (found,) = marked(0.3, replace(USUAL, collection_ns=15 * MS))
    assert found.causes == (Cause.UNKNOWN,)


def test_a_counter_that_only_the_far_sample_has_is_no_cause():
    (found,) = marked(3.0, replace(USUAL, steal_ns=20 * MS), usual=NOTHING)
    assert found.causes == (Cause.UNKNOWN,)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([], id="none"),
        pytest.param([1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 50.0], id="seven"),
        pytest.param([1.0] * 10 + [50.0], id="most-are-equal"),
    ],
)
def test_nothing_is_far_where_nothing_can_be_told(times):
    assert mark_outliers(times, [USUAL] * len(times)) == ()


@pytest.mark.parametrize(
    ("times", "counters"),
    [
        pytest.param([1.0, 2.0], [USUAL], id="a-time-without-counters"),
        pytest.param([1.0, 0.0], [USUAL] * 2, id="zero"),
        pytest.param([1.0, float("nan")], [USUAL] * 2, id="nan"),
    ],
)
def test_times_without_counters_and_times_that_are_none_are_refused(times, counters):
    with pytest.raises(InsufficientSamplesError, match="positive times with counters"):
        mark_outliers(times, counters)
