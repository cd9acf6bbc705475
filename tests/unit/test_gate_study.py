"""The study of the gate: its order, what other tools said, gates made anew from rounds, and its page."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from zbench.errors import ResultsError
from zbench.harness.gate_study import GateStudyPlan, study_gate
from zbench.harness.gate_study.kept import study_of
from zbench.harness.gate_study.others import pyperf_decisions, pytest_decisions
from zbench.harness.gate_study.plan import COUNTS, LEVELS, SIZES, cells, repetitions
from zbench.harness.gate_study.project import ALIKE, BASE, LONE, SLOW, make_project
from zbench.harness.gate_study.rounds import pooled_ratios, read_rounds, resampled
from zbench.model import Environment
from zbench.report.gate_study import (
    ASV,
    ASV_CLOSE,
    GATE,
    GATE_ALONE,
    GATE_LISTED,
    PYPERF,
    PYTEST,
    TOOLS,
    GateStudy,
    Pooled,
    ToolRun,
)
from zbench.report.gate_study.figure import draw_power
from zbench.report.gate_study.page import gate_page
from zbench.report.gate_study.scores import cell_alarms, detection, suite_alarms
from zbench.report.gate_study.table import rates_table
from zbench.runner.log import RunLog

_MACHINE = Environment(
    machine="m", os="Linux", cpu="a processor", cores=2, memory_bytes=2**30, python="3.11.7", packages=(), threads=(),
    filesystem="ext4",
)  # fmt: skip


def run(tool, number, *, injected, busy=False, found=(), seconds=10.0):
    """One run of a tool that told the cells of some levels slower."""
    slower = {cell: level in found for cell, level in cells().items()}
    contrasts = {
        codec: Pooled(ratio=1 + level / 100 * injected, alarm=level in found, listed=level in found)
        for codec, level in LEVELS.items()
    }
    return ToolRun(
        tool=tool,
        repetition=number,
        injected=injected,
        busy=busy,
        seconds=seconds,
        alarm=any(slower.values()),
        slower=slower,
        contrasts=contrasts if tool in (GATE, GATE_ALONE) else {},
        causes=("codec = blosc-zlib",) if found else (),
        rounds=20 if tool in (GATE, GATE_ALONE) else 0,
    )


@pytest.fixture
def study():
    """Two slow and two alike repetitions: the gate finds 3 % and more, asv nothing, pytest-benchmark is wrong."""
    runs = []
    for number, (injected, busy) in enumerate(((True, False), (True, True), (False, False), (False, True))):
        runs += [
            run(GATE, number, injected=injected, busy=busy, found=(3, 5, 10) if injected else ()),
            run(ASV, number, injected=injected, busy=busy, seconds=20.0),
            run(ASV_CLOSE, number, injected=injected, busy=busy, seconds=20.0),
            run(PYTEST, number, injected=injected, busy=busy, found=(0,)),
            run(PYPERF, number, injected=injected, busy=busy, found=(10,) if injected else ()),
        ]
    runs += [run(GATE_ALONE, number, injected=True, busy=number == 1, found=(1,)) for number in (0, 1)]
    return GateStudy(
        runs=tuple(runs), levels=cells(), instructions={"lz4-4096": 1.0297}, pooled={}, spreads={"quiet cpu": 0.02},
        resampled=(), budget_s=30.0, machine=_MACHINE, versions={"asv": "0.6.6"}, date="2026-01-01",
    )  # fmt: skip


def page(study):
    return gate_page(study, figure="gate-power.svg", table_name="gate.csv")


def test_every_injected_share_is_a_whole_number_of_chunks():
    assert set(COUNTS) == {(codec, size) for codec in LEVELS for size in SIZES}
    assert all(COUNTS[codec, size] * level % 100 == 0 for codec, level in LEVELS.items() for size in SIZES)


def test_six_repetitions_hold_every_kind_as_often_as_wanted():
    kinds = Counter((one.injected, one.busy) for one in repetitions(GateStudyPlan(repetitions=12)))
    assert kinds == {(True, False): 4, (True, True): 4, (False, False): 2, (False, True): 2}


def test_more_repetitions_begin_as_fewer_do():
    assert repetitions(GateStudyPlan(repetitions=20))[:7] == repetitions(GateStudyPlan(repetitions=7))


def test_the_order_of_programs_changes_from_repetition_to_repetition():
    orders = {one.programs for one in repetitions(GateStudyPlan(repetitions=20))}
    assert len(orders) > 5


def test_the_project_has_two_alike_commits_and_a_slow_one(tmp_path):
    made = make_project(tmp_path)
    code = {name: (made.sides[name] / "shelf" / "more.py").read_text(encoding="utf-8") for name in made.sides}
    assert code[BASE] == code[ALIKE] != code[SLOW] != code[LONE] != code[BASE]
    text = {name: (made.sides[name] / "shelf" / "__init__.py").read_text(encoding="utf-8") for name in made.sides}
    assert text[BASE] == text[SLOW] != text[ALIKE]
    assert text[ALIKE].startswith(text[BASE])
    assert len(set(made.commits.values())) == 4


def test_a_project_made_again_has_the_same_commits(tmp_path):
    assert make_project(tmp_path).commits == make_project(tmp_path).commits


def test_more_than_five_per_cent_of_the_median_is_slower_for_pytest_benchmark():
    def saved(medians):
        return {
            "benchmarks": [
                {"extra_info": {"cell": cell}, "stats": {"median": medians.get(cell, 0.01)}} for cell in cells()
            ]
        }

    after = saved({"zlib-1024": 0.01051, "lz4-4096": 0.01049, "zstd-1024": 0.009})
    slower, ratios = pytest_decisions(saved({}), after, percent=5)
    assert [cell for cell in slower if slower[cell]] == ["zlib-1024"]
    assert ratios["zstd-1024"] == pytest.approx(0.9)


def test_what_pyperf_hides_or_calls_faster_is_not_slower():
    text = (
        "zlib-1024: Mean +- std dev: [base] 10.0 ms +- 0.1 ms -> [head] 10.4 ms +- 0.1 ms: 1.04x slower\n"
        "zstd-1024: Mean +- std dev: [base] 10.0 ms +- 0.1 ms -> [head] 8.0 ms +- 0.1 ms: 1.25x faster\n"
        "\n"
        "Benchmark hidden because not significant (10): zlib-4096, lz4-1024\n"
        "\n"
        "Geometric mean: 1.01x slower\n"
    )
    slower, ratios = pyperf_decisions(text)
    assert [cell for cell in slower if slower[cell]] == ["zlib-1024"]
    assert ratios == {"zlib-1024": 1.04, "zstd-1024": pytest.approx(0.8)}


def test_a_detection_counts_the_cells_of_its_level_alone(study):
    found = detection(study, GATE, 3, busy=False)
    assert (found.estimate, found.count) == (1.0, 2)
    assert detection(study, GATE, 2).estimate == 0
    assert detection(study, PYTEST, 0).count == 4


def test_false_alarms_are_counted_of_alike_sides_alone(study):
    assert cell_alarms(study, GATE).estimate == 0
    assert cell_alarms(study, PYTEST).estimate == pytest.approx(2 / 12)
    assert suite_alarms(study, PYTEST, busy=True).estimate == 1


def test_aims_that_are_not_reached_are_told_so(study):
    told = page(study)
    assert "- a slowdown of 3 % of one cell is found in 95 % of gates: reached, as far as so few can tell (" in told
    by_contrast = "- a slowdown of 1 % of one codec fails the gate and is told by its contrast in 95 % of gates: "
    assert f"{by_contrast}reached, as far as so few can tell (" in told
    missed = tuple(replace(one, contrasts=study.runs[0].contrasts) for one in study.runs if one.tool == GATE_ALONE)
    assert f"{by_contrast}**NOT reached**" in page(replace(study, runs=(*study.runs[:20], *missed)))
    assert "- less wall time than `asv continuous`: reached (median 10.0 s and 20.0 s)" in told


def test_a_codec_that_alone_is_slower_has_a_table_of_its_own(study):
    told = page(study)
    assert "Of the other codecs 0 % of 10 [0, 30.8] failed." in told
    assert "| `zstd` | 100 % of 1 [2.5, 100] | 100 % of 1 [2.5, 100] | 100 % of 2 [15.8, 100] |" in told


def test_one_false_alarm_is_an_aim_not_reached(study):
    runs = [replace(one, alarm=True) if one.tool == GATE and not one.injected else one for one in study.runs]
    assert "on a quiet machine: **NOT reached**" in page(replace(study, runs=tuple(runs)))


def test_a_gate_slower_than_asv_is_told_so(study):
    runs = tuple(replace(one, seconds=30.0) if one.tool == GATE else one for one in study.runs)
    assert "`asv continuous`: **NOT reached** (median 30.0 s and 20.0 s)" in page(replace(study, runs=runs))


def test_a_page_of_one_kind_alone_claims_nothing_of_the_other(study):
    alike = tuple(one for one in study.runs if not one.injected)
    told = page(replace(study, runs=alike))
    assert "found in 95 % of gates: not measured (quiet, n/a)" in told
    assert "No gate of a slow candidate was recorded." in told


def test_the_table_holds_every_rate_with_its_interval(study):
    rows = list(csv.DictReader(io.StringIO(rates_table(study))))
    own = [row for row in rows if (row["what"], row["tool"], row["load"]) == ("cell", GATE, "both")]
    assert {row["level_percent"]: row["seen"] for row in own} == {
        "0": "0", "1": "0", "2": "0", "3": "4", "5": "4", "10": "4",
    }  # fmt: skip
    assert all(float(row["low"]) <= float(row["rate"]) <= float(row["high"]) for row in rows)


def test_the_figure_names_every_tool(study):
    drawn = draw_power(study)
    assert drawn["png"].startswith(b"\x89PNG")
    assert all(f"<!-- {tool}" in drawn["svg"].decode() for tool in TOOLS if tool != GATE_LISTED)


def record(path, *, rounds, level, rng, last=None):
    """Write the record of a gate whose candidate is slower by a share, by codec; noise of 1 %."""
    lines = [json.dumps({"kind": "head", "schema": 1, "gate": "shelf"})]
    for place in range(rounds):
        found = {}
        for codec in LEVELS:
            for size in SIZES:
                if last is not None and codec == "zlib" and place >= last:
                    continue
                base = 1e7 * np.exp(rng.normal(0, 0.005, 4))
                other = 1e7 * (1 + level(codec)) * np.exp(rng.normal(0, 0.005, 4) + rng.normal(0, 0.01))
                sides = [base.tolist(), other.tolist()]
                found[f"py3.11|decode.Decode.time_decode({codec}, {size})"] = {
                    "wall": sides, "cpu": sides, "number": 1,
                }  # fmt: skip
        lines.append(json.dumps({"kind": "round", "round": place, "seconds": 1.5, "whole": True, "found": found}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def slow(codec):
    return LEVELS[codec] / 100


def alike(_):
    return 0.0


def test_rounds_are_read_with_what_was_left_out_of_the_later_ones(tmp_path):
    path = record(tmp_path / "0.jsonl", rounds=4, level=alike, rng=np.random.default_rng(1), last=2)
    rounds, seconds = read_rounds(path)
    assert [len(one) for one in rounds] == [12, 12, 10, 10]
    assert seconds == 6


def test_all_rounds_together_tell_what_was_injected(tmp_path):
    path = record(tmp_path / "0.jsonl", rounds=40, level=slow, rng=np.random.default_rng(1))
    found = pooled_ratios(read_rounds(path)[0], clock="cpu")
    assert found["blosc-zlib-1024"].estimate == pytest.approx(1.10, abs=0.01)
    assert found["zlib-4096"].low < 1 < found["zlib-4096"].high


def made_anew(rounds, *, injected, gates=12):
    return resampled(rounds, clock="cpu", rounds=20, seconds=1.5, gates=gates, injected=injected, busy=False)


def test_gates_made_of_slow_rounds_find_what_is_large_and_not_what_is_nothing(tmp_path):
    path = record(tmp_path / "0.jsonl", rounds=40, level=slow, rng=np.random.default_rng(1))
    found = made_anew(read_rounds(path)[0], injected=True)
    assert found.cell_alarms["blosc-zlib-1024"] == found.gates
    assert found.cell_alarms["zlib-1024"] == 0
    assert (found.rounds, found.seconds) == (20, 30.0)


def test_gates_made_of_alike_rounds_are_turned_at_random(tmp_path):
    # Sides that are not alike, called alike: turned round by round, no side is the slower one.
    path = record(tmp_path / "0.jsonl", rounds=40, level=slow, rng=np.random.default_rng(1))
    found = made_anew(read_rounds(path)[0], injected=False)
    assert found.alarms == 0


def kept(folder, *, slow_gates=1, alike_gates=1):
    """A record of the study with gates of both kinds, all quiet."""
    rng = np.random.default_rng(2)
    log = RunLog(folder / "record.jsonl", head={"study": "gate", "budget_s": 30.0, "pins": ["numpy==2"]})
    log.add("machine", **{field: getattr(_MACHINE, field) for field in _MACHINE.__slots__})
    for number in range(slow_gates + alike_gates):
        injected = number < slow_gates
        record(folder / "rounds" / f"{number}.jsonl", rounds=12, level=slow if injected else alike, rng=rng)
        said = {"alarm": injected, "slower": dict.fromkeys(cells(), False), "ratios": {}, "seconds": 20.0, "rounds": 12}
        log.add("run", repetition=number, program=GATE, injected=injected, busy=False, load=1.0, tools={GATE: said})
    return log


def test_a_record_is_told_with_gates_made_anew(tmp_path):
    found = study_of(kept(tmp_path), tmp_path / "rounds", gates=5)
    assert found.budget_s == 30
    assert {(one.injected, one.clock) for one in found.resampled} == {
        (True, "cpu"), (True, "wall"), (False, "cpu"), (False, "wall"),
    }  # fmt: skip
    assert "These are not further measurements" in page(found)


def test_gates_of_one_codec_alone_are_made_anew_apart(tmp_path):
    log = kept(tmp_path)
    record(
        tmp_path / "rounds" / "0-one.jsonl",
        rounds=12,
        level=lambda codec: 0.01 if codec == "zstd" else 0.0,
        rng=np.random.default_rng(3),
    )
    said = {"alarm": True, "slower": dict.fromkeys(cells(), False), "ratios": {}, "seconds": 20.0, "rounds": 12}
    log.add("run", repetition=0, program=GATE_ALONE, injected=True, busy=False, load=1.0, tools={GATE_ALONE: said})
    found = study_of(log, tmp_path / "rounds", gates=5)
    assert [one.alone for one in found.resampled if one.clock == "cpu"] == [False, False, True]
    assert "`zstd` alone slower by 1 %: share of gates" in page(found)


def test_longer_gates_are_made_where_there_are_rounds_enough(tmp_path):
    found = study_of(kept(tmp_path, slow_gates=4, alike_gates=0), tmp_path / "rounds", gates=2)
    assert [one.rounds for one in found.resampled if one.clock == "cpu"] == [12, 24]


def test_a_record_without_a_run_is_no_page(tmp_path):
    log = RunLog(tmp_path / "record.jsonl", head={"study": "gate", "budget_s": 30.0, "pins": ["numpy==2"]})
    with pytest.raises(ResultsError, match="one repetition"):
        study_of(log, tmp_path)


def test_a_page_without_a_record_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="record"):
        study_gate(tmp_path, work=tmp_path, plan=GateStudyPlan(), report=lambda _: None, report_only=True)
