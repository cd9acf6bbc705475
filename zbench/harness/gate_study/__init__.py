"""The study of the gate: known slowdowns and none, found or not, beside other tools on the same suite."""

from __future__ import annotations

from zbench.harness.gate_study.plan import GateStudyPlan
from zbench.harness.gate_study.run import study_gate

__all__ = ["GateStudyPlan", "study_gate"]
