"""Verdicts of the gate from measurements that are made up, so that the truth is known."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest

from zbench.errors import ResultsError
from zbench.harness.gate.factors import levels_of
from zbench.harness.gate.judge import in_doubt, judge
from zbench.harness.gate.question import requirements_of
from zbench.harness.gate.run import _Gate
from zbench.harness.gate.settings import Accepted, GateSettings, read_settings
from zbench.model import Verdict
from zbench.runner.log import RunLog
from zbench.runner.pairs import Item, Kind, Turn
from zbench.runner.pairs.rounds import Measured

CHAINS = ("none", "zstd-3", "blosc-lz4-5-shuffle")
LAYOUTS = ("v2-c32", "v3-c32", "v3-c32-s128", "v3-c64")
ROUNDS = 24


def item(chain="none", layout="v3-c32", *, kind=Kind.TIME, name="read.Patterns.time_read", larger_is_better=False):
    return Item(
        environment="py3.11",
        name=name,
        index=0,
        parameters=(("layout", layout), ("chain", chain)),
        kind=kind,
        unit="seconds",
        cache_key=None,
        timeout_s=60,
        larger_is_better=larger_is_better,
    )


def turn_of(rng, effect, noise):
    """Make up a turn: the log ratio is an effect plus noise of the pair and of the samples."""
    pair = rng.normal(0, noise)
    base = 1e7 * np.exp(rng.normal(0, 0.01, 4))
    other = 1e7 * np.exp(effect + pair + rng.normal(0, 0.01, 4))
    return Turn(wall_ns=(tuple(base), tuple(other)), cpu_ns=(tuple(base), tuple(other)))


def timed(rng, items, effects, *, rounds=ROUNDS, noise=0.02):
    """Make up rounds."""
    found = Measured(rounds=rounds)
    for one in items:
        found.turns[one.key] = {place: turn_of(rng, effects(one), noise) for place in range(rounds)}
    return found


class MadeUpRounds:
    """Rounds of a second each, which are not measured."""

    def __init__(self, rng, effects):
        self._rng, self._effects = rng, effects
        self.measured = Measured(last_round_s=1.0)

    def round(self, items):
        for one in items:
            found = self.measured.turns.setdefault(one.key, {})
            found[self.measured.rounds] = turn_of(self._rng, self._effects(one), 0.02)
        self.measured.rounds += 1
        self.measured.seconds += 1.0


def judged(items, measured, **settings):
    return judge(items, measured, GateSettings(**settings), most_blocks=measured.rounds, blocks_left=0)


def deciding(found):
    return {cell.parameters["layout"] + ":" + cell.parameters["chain"]: cell for cell in found.cells if cell.decides}


@pytest.fixture
def grid():
    return [item(chain, layout) for chain in CHAINS for layout in LAYOUTS]


def test_alike_sides_raise_no_alarm(grid, rng):
    found = judged(grid, timed(rng, grid, lambda _: 0.0))
    assert not any(cell.alarm for cell in found.cells)
    assert not any(one.alarm for one in found.contrasts)
    assert not found.explanation
    assert {cell.comparison.verdict for cell in found.cells if cell.decides} <= {Verdict.SAME, Verdict.INCONCLUSIVE}


def test_one_slower_cell_is_the_only_alarm_among_cells(grid, rng):
    found = judged(grid, timed(rng, grid, lambda one: 0.06 if one is grid[0] else 0.0))
    assert [name for name, cell in deciding(found).items() if cell.alarm] == ["v2-c32:none"]


def test_a_codec_that_is_a_little_slower_is_named_as_the_cause(grid, rng):
    slower = timed(rng, grid, lambda one: 0.025 if dict(one.parameters)["chain"] == "zstd-3" else 0.0, noise=0.01)
    found = judged(grid, slower)
    assert found.explanation[0].what == "chain = zstd-3"
    assert found.explanation[0].alarm
    assert found.explanation[0].comparison.low < 1.0253 < found.explanation[0].comparison.high


@pytest.mark.parametrize(
    ("effect", "doubt"),
    [
        pytest.param(0.0, False, id="nothing is slower"),
        pytest.param(-0.03, False, id="faster"),
        pytest.param(0.009, True, id="slower and not sure of it"),
        pytest.param(0.06, False, id="sure of it"),
    ],
)
def test_a_gate_is_in_doubt_while_something_is_slower_and_nothing_fails_it(grid, effect, doubt):
    slower = timed(
        np.random.default_rng(5), grid, lambda one: effect * (dict(one.parameters)["chain"] == "zstd-3"), noise=0.02
    )
    assert in_doubt(judged(grid, slower)) is doubt


@pytest.mark.parametrize("effect", [0.0, 0.008, 0.01, 0.012])
def test_a_gate_goes_on_until_it_is_sure_of_what_it_tells_slower_or_the_budget_ends(grid, tmp_path, effect):
    rounds = MadeUpRounds(np.random.default_rng(7), lambda one: effect * (dict(one.parameters)["chain"] == "zstd-3"))
    run = SimpleNamespace(items=grid, log=RunLog(tmp_path / "run.jsonl", head={}))
    asked = _Gate(SimpleNamespace(budget_s=40.0), GateSettings(), run, report=lambda _: None)
    found = asked._time(grid, rounds)
    assert not in_doubt(found) or rounds.measured.seconds >= 40


def test_what_is_accepted_leaves_no_doubt(grid, rng):
    slower = timed(rng, grid, lambda one: 0.06 if one is grid[0] else 0.0)
    accepted = Accepted(benchmark=r"v2-c32, none", reason="it is worth it")
    found = judged(grid, slower, accepted=(accepted,))
    assert any(cell.accepted for cell in found.cells)
    assert not in_doubt(found)


def test_a_faster_candidate_is_no_alarm(grid, rng):
    found = judged(grid, timed(rng, grid, lambda _: -0.1))
    assert {cell.comparison.verdict for cell in found.cells if cell.decides} == {Verdict.FASTER}
    assert not any(cell.alarm for cell in found.cells)


def test_too_much_noise_is_inconclusive_and_says_what_could_have_been_seen(grid, rng):
    found = judged(grid, timed(rng, grid, lambda _: 0.0, noise=0.4))
    cells = [cell for cell in found.cells if cell.decides]
    assert {cell.comparison.verdict for cell in cells} == {Verdict.INCONCLUSIVE}
    assert all(cell.detectable > 0.1 for cell in cells)
    assert all(cell.needed > ROUNDS for cell in cells)


def test_the_clock_of_the_settings_decides(rng):
    cells = [item(), item("zstd-3")]
    measured = timed(rng, cells, lambda _: 0.0)
    found = judged(cells, measured, cpu_benchmarks=("time_read",))
    assert {cell.metric for cell in found.cells if cell.decides} == {"cpu_time"}


@pytest.mark.parametrize(
    ("values", "larger_is_better", "verdict", "alarm"),
    [
        pytest.param((3, 3), False, Verdict.SAME, False, id="same"),
        pytest.param((3, 4), False, Verdict.SLOWER, True, id="one more request"),
        pytest.param((4, 3), False, Verdict.FASTER, False, id="one request less"),
        pytest.param((1.2, 1.1), True, Verdict.SLOWER, True, id="compresses less"),
        pytest.param((0, 0), False, Verdict.SAME, False, id="both zero"),
    ],
)
def test_exact_numbers_decide_with_one_sample(values, larger_is_better, verdict, alarm):
    one = item(kind=Kind.VALUE, larger_is_better=larger_is_better)
    found = judged([one], Measured(values={one.key: [values]}))
    assert (found.cells[0].comparison.verdict, found.cells[0].alarm) == (verdict, alarm)


def test_a_number_that_does_not_repeat_is_not_taken_for_exact():
    one = item(kind=Kind.VALUE)
    found = judged([one], Measured(values={one.key: [(3, 4), (3, 3)]}))
    assert found.cells[0].comparison.verdict is Verdict.INCONCLUSIVE
    assert "not exact" in found.cells[0].note


def test_more_memory_is_an_alarm(rng):
    one = item(kind=Kind.PEAK)
    peaks = {place: (1e8 * (1 + rng.normal(0, 0.001)), 1.2e8 * (1 + rng.normal(0, 0.001))) for place in range(12)}
    found = judged([one], Measured(rounds=12, peaks={one.key: peaks}))
    assert found.cells[0].alarm
    assert found.cells[0].comparison.ratio == pytest.approx(1.2, rel=0.01)


def test_an_accepted_change_is_told_and_does_not_fail():
    one = item(kind=Kind.VALUE)
    accepted = (Accepted(benchmark="time_read", reason="a checksum costs a request"),)
    found = judged([one], Measured(values={one.key: [(3, 4)]}), accepted=accepted)
    assert found.cells[0].accepted == "a checksum costs a request"
    assert not found.cells[0].is_regression


def test_an_accepted_change_ends_with_its_last_day():
    accepted = Accepted(benchmark="read", reason="why", until=dt.date(2026, 1, 31))
    assert accepted.covers("time_read", today=dt.date(2026, 1, 31))
    assert not accepted.covers("time_read", today=dt.date(2026, 2, 1))


def test_a_layout_is_taken_apart_into_its_factors():
    levels = levels_of(item("zstd-3", "v3-c32-s128"))
    assert (levels["format"], levels["chunks"], levels["shards"]) == ("3", "32", "128")
    assert levels["chain"] == "zstd-3"


def test_a_parameter_that_is_only_called_layout_is_left_whole():
    levels = levels_of(item(layout="columns"))
    assert levels["layout"] == "columns"
    assert "chunks" not in levels


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("zarr==3.1.6", (("zarr", "==3.1.6"),), id="one"),
        pytest.param("zarr==3.1.6 numcodecs>=0.16", (("zarr", "==3.1.6"), ("numcodecs", ">=0.16")), id="blank"),
        pytest.param("zarr == 3.1.6, python==3.12", (("zarr", "==3.1.6"), ("python", "==3.12")), id="comma"),
    ],
)
def test_packages_of_a_side_are_read(text, found):
    assert requirements_of(text) == found


@pytest.mark.parametrize("text", ["zarr", "==3", "", "zarr==3.1.6 numcodecs", "zarr[remote]==3"])
def test_a_side_without_versions_is_refused(text):
    with pytest.raises(ResultsError, match="packages with versions"):
        requirements_of(text)


def settings_of(folder, text):
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return read_settings(folder)


def test_a_project_without_settings_has_the_usual_ones(tmp_path):
    assert read_settings(tmp_path) == GateSettings()


def test_settings_are_read(tmp_path):
    found = settings_of(
        tmp_path,
        """
        [tool.zbench.gate]
        clock = "cpu"
        error_rate = "0.5%"
        larger_is_better = ["hit_rate"]
        min_effect = { time = "2%", instructions = 0.001 }
        accepted = [{ benchmark = "read", reason = "a checksum", until = 2027-01-31 }]
        """,
    )
    assert found.clock == "cpu"
    assert found.error_rate == pytest.approx(0.005)
    assert found.larger_is_better("cache.track_hit_rate", "1")
    assert (found.min_effects["time"], found.min_effects["instructions"]) == (0.02, 0.001)
    assert found.accepted[0].until == dt.date(2027, 1, 31)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[tool.zbench.gate]\nmin_efect = 0.03", "no key 'min_efect'", id="unknown key"),
        pytest.param("[tool.zbench.gate]\nmin_effect = {size = 0.03}", "no min_effect 'size'", id="unknown metric"),
        pytest.param("[tool.zbench.gate]\nmin_effect = 3", "share is below 1", id="no share"),
        pytest.param("[tool.zbench.gate]\nclock = 'sun'", "wall or cpu", id="unknown clock"),
        pytest.param("[tool.zbench.gate]\ncpu_benchmarks = ['(']", "regular expressions", id="no expression"),
        pytest.param("[tool.zbench.gate]\naccepted = [{benchmark = 'x'}]", "has benchmark and reason", id="no reason"),
        pytest.param(
            "[tool.zbench.gate]\naccepted = [{benchmark = 'x', reason = 'y', until = 'soon'}]",
            "ends on a day",
            id="no day",
        ),
        pytest.param("[tool.zbench]\ngate = 3", "is a table", id="no table"),
        pytest.param("[tool", "are TOML", id="no TOML"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path, text, message):
    with pytest.raises(ResultsError, match=message):
        settings_of(tmp_path, text)


def test_what_the_budget_left_unmeasured_is_told_and_not_passed(rng):
    asked, left = item(kind=Kind.VALUE, name="layout.track_requests"), item("zstd-3")
    found = judged([asked, left], Measured(values={asked.key: [(3, 3)]}))
    (unknown,) = (cell for cell in found.cells if cell.benchmark == left.name)
    assert unknown.comparison.verdict is Verdict.INCONCLUSIVE
    assert "before it was measured" in unknown.note


def test_an_accepted_slowdown_does_not_fail_through_what_it_is_pooled_with(grid, rng):
    slow = {one.key for one in grid if dict(one.parameters)["chain"] == "zstd-3"}
    measured = timed(rng, grid, lambda one: 0.3 if one.key in slow else 0.0)
    accepted = (Accepted(benchmark="zstd-3", reason="it checks its input now"),)
    found = judged(grid, measured, accepted=accepted)
    assert not any(cell.is_regression for cell in found.cells)
    assert not any(one.is_regression for one in (*found.contrasts, *found.explanation))
