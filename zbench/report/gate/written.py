"""The files of a gate: gate.json for programs, JUnit XML for CI systems, Markdown and a picture for the pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.results import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.report.gate.nouns import GateReport

__all__ = ["write_reports"]


def write_reports(report: GateReport, folder: Path) -> tuple[Path, ...]:
    """Write all files of a gate."""
    raise NotImplementedError
