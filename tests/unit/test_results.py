"""Result files: read whole or named and kept, written whole or not at all."""

from __future__ import annotations

import json
import math

import pytest

from zbench.errors import ResultsError
from zbench.results import read_asv_results, read_json, write_atomically

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path):
    """An asv result folder: one benchmark, two parameters, four combinations."""
    results = tmp_path / "results"
    (results / "box").mkdir(parents=True)
    benchmark = {"param_names": ["engine", "chain"], "unit": "seconds", "version": "1"}
    (results / "benchmarks.json").write_text(json.dumps({"read.Chains.time_full_read": benchmark, "version": 2}))
    (results / "box" / "machine.json").write_text("{}")
    (results / "box" / "01234567-py3.11-zarr3.1.6.json").write_text(json.dumps(asv_file()))
    return results


def asv_file(**changes):
    combinations = [["'zarr-python'", "'zarrs'"], ["'none'", "'zstd-3'"]]
    entry = [
        [0.5, math.nan, None, 0.25],
        combinations,
        "1",
        1700000000000,
        1.5,
        [0.4, None, None, -math.inf],
        [0.6, None, None, math.inf],
        [0.45, None, None, 0.2],
        [0.55, None, None, 0.3],
        [1, None, None, 1],
        [5, None, None, 2],
        [[0.5, 0.49], None, None, [0.25]],
    ]
    return {
        "commit_hash": COMMIT,
        "env_name": "py3.11-zarr3.1.6",
        "date": 1700000000000,
        "params": {"machine": "box", "python": "3.11"},
        "python": "3.11",
        "requirements": {"pip+zarr": "3.1.6"},
        "env_vars": {},
        "result_columns": [
            "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
            "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
        ],
        "results": {"read.Chains.time_full_read": entry},
        "durations": {},
        "version": 2,
    } | changes  # fmt: skip


def test_each_combination_becomes_a_row_with_its_interval_and_samples(folder):
    rows = read_asv_results(folder).rows
    assert [dict(row.parameters) for row in rows] == [
        {"engine": engine, "chain": chain} for engine in ("zarr-python", "zarrs") for chain in ("none", "zstd-3")
    ]
    first = rows[0]
    assert (first.value, first.low, first.high, first.samples) == (0.5, 0.4, 0.6, (0.5, 0.49))
    assert dict(first.requirements) == {"python": "3.11", "zarr": "3.1.6"}


def test_skips_failures_and_infinite_intervals_stay_apart(folder):
    _, skipped, failed, few = read_asv_results(folder).rows
    assert (skipped.skipped, skipped.failed) == (True, False)
    assert (failed.skipped, failed.failed) == (False, True)
    assert (few.value, few.low, few.high) == (0.25, None, None)


def test_a_benchmark_that_failed_whole_fails_in_every_combination(folder):
    raw = asv_file()
    raw["results"]["read.Chains.time_full_read"] = [None, raw["results"]["read.Chains.time_full_read"][1], "1"]
    (folder / "box" / "01234567-py3.11-zarr3.1.6.json").write_text(json.dumps(raw))
    assert [row.failed for row in read_asv_results(folder).rows] == [True] * 4


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('{"version": 2, "resul', id="truncated"),
        pytest.param('{"version": 2}', id="foreign"),
        pytest.param("[1, 2]", id="list"),
        pytest.param(json.dumps(asv_file(version=1)), id="old"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_kept_and_the_others_are_read(folder, content):
    bad = folder / "box" / "01234567-bad.json"
    bad.write_text(content)
    found = read_asv_results(folder)
    assert len(found.rows) == 4
    assert [str(bad) in problem for problem in found.problems] == [True]
    assert bad.read_text() == content


def test_one_commit_can_be_kept(folder):
    assert len(read_asv_results(folder, commit=COMMIT).rows) == 4
    assert not read_asv_results(folder, commit="f" * 40).rows


def test_results_of_a_benchmark_that_is_gone_are_left_out(folder):
    (folder / "benchmarks.json").write_text(json.dumps({"version": 2}))
    assert not read_asv_results(folder).rows


def test_a_folder_without_results_says_what_to_run(tmp_path):
    with pytest.raises(ResultsError, match="make bench"):
        read_asv_results(tmp_path)


def test_writing_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new folder" / "file.json"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_a_write_that_fails_keeps_the_old_file_and_cleans_up(tmp_path):
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(ResultsError, match="written whole"):
        write_atomically(path, "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_write_that_is_interrupted_cleans_up(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr("zbench.results.files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("file", "old")]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="file"):
        write_atomically(tmp_path / "file" / "below", "text")


def test_json_that_is_cut_is_named(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text('{"a": ')
    with pytest.raises(ResultsError, match=r"cut\.json"):
        read_json(path)
    with pytest.raises(ResultsError, match="readable"):
        read_json(tmp_path / "absent.json")
