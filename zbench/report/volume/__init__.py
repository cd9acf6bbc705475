"""The report on one volume: which way of storing it is fast, which is small, and how sure that is."""

from __future__ import annotations

from zbench.report.volume.facts import ReportInfo, VolumeFacts, volume_facts
from zbench.report.volume.written import write_report

__all__ = ["ReportInfo", "VolumeFacts", "volume_facts", "write_report"]
