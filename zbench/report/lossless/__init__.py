"""The study of lossless storage: from a run's record to a page, its figures and a table."""

from __future__ import annotations

from zbench.report.lossless.figures import Figure, draw
from zbench.report.lossless.page import PageInfo, VolumeNote, page
from zbench.report.lossless.record import Record, read_record
from zbench.report.lossless.table import rows_of, written

__all__ = ["Figure", "PageInfo", "Record", "VolumeNote", "draw", "page", "read_record", "rows_of", "written"]
