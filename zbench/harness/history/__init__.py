"""Numbers over releases and commits: series, their steps, and the list of what got worse."""

from __future__ import annotations

from zbench.harness.history.export import export_history, step_fields
from zbench.harness.history.found import FoundStep, Regressions, find_steps, regressions
from zbench.harness.history.series import Label, Series, SeriesSet, read_series

__all__ = [
    "FoundStep", "Label", "Regressions", "Series", "SeriesSet", "export_history", "find_steps", "read_series",
    "regressions", "step_fields",
]  # fmt: skip
