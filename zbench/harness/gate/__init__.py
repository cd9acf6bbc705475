"""The gate: two sides measured side by side, and a verdict that a pull request can fail by."""

from __future__ import annotations

from zbench.harness.gate.prepare import GateStatus
from zbench.harness.gate.question import GateQuestion, SideWanted, requirements_of
from zbench.harness.gate.run import gate
from zbench.harness.gate.settings import read_settings

__all__ = ["GateQuestion", "GateStatus", "SideWanted", "gate", "read_settings", "requirements_of"]
