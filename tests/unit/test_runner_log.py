"""The record of a run survives what happens to runs."""

from __future__ import annotations

import json

import pytest

from zbench.errors import ResultsError
from zbench.runner import RunLog

HEAD = {"preset": "full", "environments": ["a", "b"], "rounds": 6}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new folder" / "run.jsonl"


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_new_record_begins_with_what_the_run_is(path):
    RunLog(path, head=HEAD)
    (head,) = lines_of(path)
    assert head["kind"] == "head"
    assert {name: head[name] for name in HEAD} == HEAD
    assert "schema" in head


def test_an_entry_is_on_disk_when_add_returns(path):
    log = RunLog(path, head=HEAD)
    log.add("samples", task="t", round=0, samples=[[1, 2]])
    assert lines_of(path)[-1] == {"kind": "samples", "task": "t", "round": 0, "samples": [[1, 2]]}


def test_entries_of_a_sort_come_in_their_order(path):
    log = RunLog(path, head=HEAD)
    for number in range(3):
        log.add("samples", number=number)
        log.add("stored", number=number)
    assert [entry["number"] for entry in log.of("samples")] == [0, 1, 2]
    assert list(log.of("nothing")) == []


def test_a_run_goes_on_with_what_is_there(path):
    RunLog(path, head=HEAD).add("samples", number=1)
    again = RunLog(path, head=HEAD)
    again.add("samples", number=2)
    assert [entry["number"] for entry in again.of("samples")] == [1, 2]
    assert [line["kind"] for line in lines_of(path)] == ["head", "samples", "samples"]


def test_a_head_with_tuples_is_the_same_run_as_with_lists(path):
    RunLog(path, head=HEAD | {"environments": ("a", "b")})
    assert list(RunLog(path, head=HEAD).of("samples")) == []


@pytest.mark.parametrize("cut", [1, 10, 25])
def test_a_line_that_a_killed_run_left_unfinished_is_cut_off(path, cut):
    log = RunLog(path, head=HEAD)
    log.add("samples", number=1)
    whole = path.read_bytes()
    log.add("samples", number=2)
    path.write_bytes(path.read_bytes()[:-cut])
    again = RunLog(path, head=HEAD)
    assert path.read_bytes() == whole
    again.add("samples", number=3)
    assert [line.get("number") for line in lines_of(path)] == [None, 1, 3]


def test_a_head_that_was_cut_off_begins_anew(path):
    RunLog(path, head=HEAD)
    path.write_bytes(path.read_bytes()[:20])
    RunLog(path, head=HEAD)
    assert [line["kind"] for line in lines_of(path)] == ["head"]


@pytest.mark.parametrize("change", [{"rounds": 7}, {"environments": ["a"]}, {"more": 1}])
def test_the_record_of_another_run_is_refused_and_kept(path, change):
    RunLog(path, head=HEAD).add("samples", number=1)
    before = path.read_bytes()
    with pytest.raises(ResultsError, match="goes on only as it began"):
        RunLog(path, head=HEAD | change)
    assert path.read_bytes() == before


def test_a_line_damaged_in_the_middle_is_named_and_kept(path):
    log = RunLog(path, head=HEAD)
    log.add("samples", number=1)
    log.add("samples", number=2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"kind": "samp\n' + lines[2])
    before = path.read_bytes()
    with pytest.raises(ResultsError, match=r"line 2 of .*run\.jsonl"):
        RunLog(path, head=HEAD)
    assert path.read_bytes() == before
