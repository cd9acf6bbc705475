"""What a gate found, for people and programs."""

from __future__ import annotations

from zbench.report.gate.nouns import GateCell, GateContrast, GateReport, NotMeasured

__all__ = ["GateCell", "GateContrast", "GateReport", "NotMeasured"]
