"""Result files of asv as columns: every kind of missing number, older forms, and files that are none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zbench.errors import ResultsError
from zbench.results import read_asv_results
from zbench.results.asv_columns import FAILED, REFUSED, read_asv_benchmarks, read_asv_file

COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b"]
GRID = [["'zarrs'", "'tensorstore'"], ["64", "None"]]


def content(**changes):
    results = {"read.Time.time_read": [[1.5, None, float("nan"), 2], GRID, "v1", 0, 1, [1, 1, 1, float("-inf")],
                                       [2, None, None, float("inf")]]}  # fmt: skip
    return {
        "version": 2, "commit_hash": "a" * 40, "env_name": "py3.11-zarr", "date": 1000, "python": "3.11",
        "params": {"machine": "box", "cpu": "a cpu", "num_cpu": "8", "ram": None},
        "requirements": {"pip+zarr": "3.1.6"},
        "env_vars": {"OMP_NUM_THREADS": "1"}, "result_columns": COLUMNS, "results": results,
    } | changes  # fmt: skip


@pytest.fixture
def written(tmp_path):
    def written(raw):
        path = tmp_path / "results" / "box" / "aaaaaaaa-py3.11-zarr.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(raw if isinstance(raw, str) else json.dumps(raw), encoding="utf-8")
        return path

    return written


def test_a_file_tells_where_its_numbers_are_from(written):
    file = read_asv_file(written(content()))
    assert (file.machine["machine"], file.machine["ram"], file.commit, file.date_ms) == ("box", "", "a" * 40, 1000)
    assert file.requirements == (("zarr", "3.1.6"),)
    assert file.variables == (("OMP_NUM_THREADS", "1"),)


def test_a_number_that_is_missing_says_why(written):
    (column,) = read_asv_file(written(content())).columns
    assert column.values.tolist() == [1.5, FAILED, REFUSED, 2]
    assert column.cells == (("zarrs", "64"), ("zarrs", "None"), ("tensorstore", "64"), ("tensorstore", "None"))
    assert column.version == "v1"


def test_an_interval_without_an_end_is_none(written):
    (column,) = read_asv_file(written(content())).columns
    np.testing.assert_array_equal(column.low, [1, 1, 1, np.nan])
    np.testing.assert_array_equal(column.high, [2, np.nan, np.nan, np.nan])


def test_one_null_stands_for_all_cells(written):
    (column,) = read_asv_file(written(content(results={"read.time_x": [None, GRID, "v1"]}))).columns
    assert column.values.tolist() == [FAILED] * 4


def test_a_bare_number_is_of_one_cell(written):
    (column,) = read_asv_file(written(content(results={"read.time_x": 3.5}))).columns
    assert (column.values.tolist(), column.cells, column.version) == ([3.5], ((),), "")


def test_columns_and_rows_hold_the_same_numbers(written):
    path = written(content())
    benchmarks = {"read.Time.time_read": {"param_names": ["engine", "chunks"], "unit": "seconds", "version": "v1"}}
    (path.parents[1] / "benchmarks.json").write_text(json.dumps(benchmarks), encoding="utf-8")
    rows = read_asv_results(path.parents[1]).rows
    (column,) = read_asv_file(path).columns
    assert [tuple(text for _, text in row.parameters) for row in rows] == list(column.cells)
    assert [row.failed for row in rows] == (column.values == FAILED).tolist()
    assert [row.skipped for row in rows] == (column.values == REFUSED).tolist()
    assert [row.low for row in rows] == [None if np.isnan(low) else low for low in column.low]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(json.dumps(content())[:300], "whole JSON", id="cut"),
        pytest.param([1, 2], "the form that asv writes", id="list"),
        pytest.param(content(version=1), "of version 2", id="older"),
        pytest.param({"version": 2}, "the form that asv writes", id="foreign"),
        pytest.param(content(results={"x.time_y": [[1.0], GRID]}), "1 numbers for 4 cells", id="count"),
        pytest.param(content(results={"x.time_y": [["fast"], []]}), "the form that asv writes", id="word"),
    ],
)
def test_a_file_that_is_none_is_named(written, raw, says):
    path = written(raw)
    with pytest.raises(ResultsError, match=says) as caught:
        read_asv_file(path)
    assert str(path) in str(caught.value)


def test_benchmarks_tell_names_unit_and_version(tmp_path):
    path = tmp_path / "benchmarks.json"
    entry = {"param_names": ["engine"], "unit": "seconds", "type": "time", "version": "v1", "code": "..."}
    path.write_text(json.dumps({"version": 2, "read.time_x": entry, "read.track_y": {}}), encoding="utf-8")
    found = read_asv_benchmarks(path)
    assert set(found) == {"read.time_x", "read.track_y"}
    assert (found["read.time_x"].names, found["read.time_x"].kind) == (("engine",), "time")
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(ResultsError, match="form that asv writes"):
        read_asv_benchmarks(path)
