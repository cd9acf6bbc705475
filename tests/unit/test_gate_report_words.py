"""The sentences of a gate: the cause first, and no word that the numbers do not carry."""

from __future__ import annotations

import math

import pytest
from gate_reports import ENVIRONMENT, compared, counted, pooled_over, report, timed

from zbench.model import Comparison, Verdict
from zbench.report.gate import NotMeasured
from zbench.report.gate.costs import cost, detectable, undecided
from zbench.report.gate.strips import reach, strip, strip_head
from zbench.report.gate.words import change, headline, numbers, ordered, pooled, ratio, verdict

NOTHING = Comparison(ratio=math.nan, low=math.nan, high=math.nan, p_value=None, verdict=Verdict.INCONCLUSIVE)
FAILED = NotMeasured(cell="read.Planes.time_read(none)", environment=ENVIRONMENT, reason="TypeError: no")


def test_a_gate_that_passed_counts_its_verdicts():
    found = report(timed(1.0, "same"), timed(1.0, "same"), timed(1.0, "inconclusive"))
    assert headline(found) == "Passed: nothing is slower, bigger or chattier; 1 inconclusive and 2 same."


def test_a_gate_that_passed_does_not_deny_what_it_could_not_be_sure_of():
    found = report(timed(1.03, alarm=False))
    assert headline(found) == "Passed: nothing is certain to be slower, bigger or chattier; 1 slower?."


def test_exact_changes_are_named_before_causes_and_causes_before_cells():
    found = report(timed(1.2), counted(3, 4), contrasts=(pooled_over(),))
    assert headline(found) == (
        f"Regression: read.Planes.track_requests(zstd-5) in {ENVIRONMENT} is chattier, 3 requests before and "
        "4 requests now; codec = zstd-5 is 5 % slower [4, 6] over 24 cells; read.Planes.time_read(zstd-5) in "
        f"{ENVIRONMENT} is 20 % slower [19, 21]."
    )


def test_the_cause_is_what_explains_most_where_something_explains():
    found = report(
        contrasts=(pooled_over("chunks = 64", 1.09), pooled_over()),
        explanation=(pooled_over(alarm=False),),
    )
    assert headline(found).startswith("Regression: codec = zstd-5 is 5 % slower")


def test_all_cells_are_many():
    assert "all cells are 5 % slower" in headline(report(contrasts=(pooled_over(""),)))


def test_memory_is_bigger_and_not_slower():
    found = report(timed(1.1, metric="peak_memory", unit="bytes"))
    assert "is 10 % bigger [8.9, 11]" in headline(found)


def test_a_gate_without_an_answer_names_what_failed():
    assert headline(report(failed=(FAILED,))) == ("Could not answer: 1 failed, first read.Planes.time_read(none).")


def test_a_gate_that_decided_nothing_says_so():
    found = report(timed(1.0, "inconclusive"))
    assert (found.status, headline(found)) == (
        2, "Could not answer: nothing was decided in 8 rounds; 1 inconclusive."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param(compared(1.031, 1.024, 1.039), "3.1 % slower [2.4, 3.9]", id="slower"),
        pytest.param(compared(0.9, 0.88, 1.02), "10 % faster [-2, 12]", id="faster with an end beyond 1"),
        pytest.param(compared(2.5, 2.0, 3.0), "150 % slower [100, 200]", id="a lot"),
        pytest.param(compared(1.05, 1.05, 1.05), "5 % slower", id="without an interval"),
        pytest.param(compared(1.05, 0.0, math.inf), "5 % slower", id="interval without bound"),
        pytest.param(NOTHING, "n/a", id="nothing"),
    ],
)
def test_a_change_is_told_in_per_cent(found, told):
    assert change(found) == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param(timed(1.031), "1.031 [1.021, 1.041]", id="interval"),
        pytest.param(counted(4, 6), "1.5", id="exact"),
        pytest.param(counted(0, 6), "inf", id="from nothing"),
        pytest.param(timed(comparison=NOTHING), "n/a", id="unknown"),
        pytest.param(timed(comparison=compared(1.0, 0.0, math.inf)), "1.000 [?]", id="too few pairs"),
    ],
)
def test_a_ratio_is_told_with_what_is_known_of_it(found, told):
    assert ratio(found) == told


def test_numbers_have_units_and_what_is_none_is_not_told_as_one():
    assert numbers(timed(1.5)) == ("12 ms", "18 ms")
    assert numbers(counted(math.nan, 3)) == ("n/a", "3 requests")


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        pytest.param(timed(), "slower", id="fails"),
        pytest.param(timed(alarm=False), "slower?", id="listed alone"),
        pytest.param(timed(accepted="wanted"), "accepted", id="accepted"),
        pytest.param(timed(1.0, "same"), "same", id="same"),
    ],
)
def test_a_verdict_says_whether_it_fails_the_gate(cell, word):
    assert verdict(cell) == word


def test_what_fails_the_gate_comes_first_and_exact_numbers_before_times():
    cells = [timed(0.9, "faster"), timed(1.05), timed(1.2), counted(3, 4), timed(1.5, decides=False)]
    assert ordered(cells) == [cells[3], cells[2], cells[1], cells[0], cells[4]]


def test_factor_levels_that_explain_come_before_those_that_only_moved():
    moved, cause, calm = pooled_over("chunks = 64"), pooled_over(), pooled_over("codec = none", 1.0, "same")
    assert pooled(report(contrasts=(calm, moved, cause), explanation=(cause,))) == [cause, moved, calm]


def test_a_time_without_a_test_is_not_exact():
    cell = timed(comparison=NOTHING, blocks=3, detectable=None, needed=None)
    assert not cell.exact
    assert undecided(cell, report()) == "3 pairs are too few for a test"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, "3 % takes 20 pairs, up to 5 min", id="at the pace of the gate"),
        pytest.param({"needed": 9}, "3 % takes 9 pairs, up to 3 min", id="a little"),
        pytest.param({"needed": 6}, "the ratio lies near the smallest change that counts", id="enough already"),
        pytest.param({"needed": None}, "", id="unknown"),
        pytest.param({"metric": "peak_memory"}, "5 % takes 20 pairs, up to 5 min", id="memory"),
        pytest.param({"needed": 900}, "3 % takes 900 pairs, more than the 120 that", id="never"),
    ],
)
def test_what_deciding_would_cost_is_told(changes, told):
    cell = timed(1.0, "inconclusive", **changes)
    assert cost(cell, report(cell, most_rounds=120)).startswith(told)
    assert bool(cost(cell, report(cell))) == bool(told)


def test_a_long_budget_is_told_in_hours():
    cell = timed(1.0, "inconclusive", needed=900)
    assert cost(cell, report(cell)) == "3 % takes 900 pairs, up to 4 h"
    assert cost(cell, report(cell, rounds=0)) == "3 % takes 900 pairs"


def test_what_so_many_pairs_can_see_is_told_with_what_more_would_cost():
    cell = timed(1.0, "inconclusive")
    assert undecided(cell, report(cell)) == ("8 pairs find a change of 4.1 % or more; 3 % takes 20 pairs, up to 5 min")
    assert undecided(timed(note="it is no number"), report()) == "it is no number"
    assert detectable(timed(detectable=80.0)) == "more than tenfold"


@pytest.mark.parametrize(
    ("found", "drawn"),
    [
        pytest.param(compared(1.0, 0.97, 1.03), "·······├──●──┤·······", id="same"),
        pytest.param(compared(1.05, 1.02, 1.08), "··········│·├──●──┤··", id="slower"),
        pytest.param(compared(1.05, 0.95, 1.2), "·····├────┼────●────▸", id="interval over the edge"),
        pytest.param(compared(2.0, 1.9, 2.1), "··········│·········▸", id="all over the edge"),
        pytest.param(compared(0.3, 0.0, 0.5), "◂·········│··········", id="under the edge"),
        pytest.param(compared(math.inf, math.inf, math.inf), "··········│·········▸", id="without bound"),
        pytest.param(compared(1.05, 1.05, 1.05), "··········│····●·····", id="exact"),
        pytest.param(NOTHING, "", id="nothing"),
    ],
)
def test_a_strip_shows_ratio_and_interval(found, drawn):
    assert strip(found, 0.1) == drawn


def test_strips_reach_as_far_as_most_intervals_and_no_farther():
    near = [compared(1.0, 0.99, 1.015)] * 3
    assert reach(near) == 0.02
    assert reach([*near, compared(3.0)]) == 0.02
    assert reach([NOTHING]) == 0.01
    assert reach([compared(9.0)] * 2) == 1.0
    assert strip_head(0.25) == "0.80 … 1 … 1.25"
