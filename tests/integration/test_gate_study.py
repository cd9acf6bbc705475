"""The study of the gate, with one repetition of few seconds."""

from __future__ import annotations

import json

import pytest

from zbench.errors import ResultsError
from zbench.harness.gate_study import GateStudyPlan, study_gate
from zbench.report.gate_study import GATE, PYTEST

pytestmark = pytest.mark.long


@pytest.fixture
def plan():
    """The gate and one other program, once, for two seconds each."""
    return GateStudyPlan(repetitions=1, budget_s=2.0, programs=(GATE, PYTEST), instructions=False)


def test_a_study_is_measured_once_and_told_again(tmp_path, plan, monkeypatch):
    # Other tests may measure at the same time: nothing here depends on a few per cent.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    work, output = tmp_path / "work", tmp_path / "out"
    try:
        written = study_gate(output, work=work, plan=plan, report=lambda _: None)
    except ResultsError as error:
        if "dns error" in str(error).lower():
            pytest.skip("no package registry answers")
        raise
    assert {path.name for path in written} == {"gate.md", "gate.csv", "gate-power.svg", "gate-power.png"}
    entries = [json.loads(line) for line in (work / "record.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {entry["program"] for entry in entries if entry["kind"] == "run"} == {GATE, PYTEST}
    before = (work / "record.jsonl").read_bytes()
    study_gate(output, work=work, plan=plan, report=lambda _: None)
    assert (work / "record.jsonl").read_bytes() == before
