"""The page on what the gate finds, beside other tools: docs/results/gate.md."""

from __future__ import annotations

from zbench.report.gate_study.nouns import (
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
    Resampled,
    ToolRun,
)

__all__ = [
    "ASV",
    "ASV_CLOSE",
    "GATE",
    "GATE_ALONE",
    "GATE_LISTED",
    "PYPERF",
    "PYTEST",
    "TOOLS",
    "GateStudy",
    "Pooled",
    "Resampled",
    "ToolRun",
]
