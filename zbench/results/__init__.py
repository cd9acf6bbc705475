"""Results of measurements as files, and back."""

from __future__ import annotations

from zbench.results.asv_files import AsvResults, AsvRow, read_asv_results
from zbench.results.files import read_json, write_atomically

__all__ = ["AsvResults", "AsvRow", "read_asv_results", "read_json", "write_atomically"]
