"""Results of measurements as files, and back."""

from __future__ import annotations

from zbench.results.asv_files import AsvResults, AsvRow, read_asv_results
from zbench.results.asv_table import read_asv_table
from zbench.results.files import read_json, write_atomically
from zbench.results.heftie import is_heftie, read_heftie
from zbench.results.pytest_benchmark import EXTRA_KEY, benchmark_file, read_pytest_benchmark
from zbench.results.schema import environment_fields, results_schema
from zbench.results.table import (
    EXACT_METRICS,
    SCHEMA_VERSION,
    Results,
    Row,
    Table,
    engine_package,
    environment_id,
    merged,
    python_minor,
)
from zbench.results.tables import FORMATS, read_table, table_files, write_table, write_tables

__all__ = [
    "EXACT_METRICS", "EXTRA_KEY", "FORMATS", "SCHEMA_VERSION", "AsvResults", "AsvRow", "Results", "Row", "Table",
    "benchmark_file", "engine_package", "environment_fields", "environment_id", "is_heftie", "merged", "python_minor",
    "read_asv_results", "read_asv_table", "read_heftie", "read_json", "read_pytest_benchmark", "read_table",
    "results_schema", "table_files", "write_atomically", "write_table", "write_tables",
]  # fmt: skip
