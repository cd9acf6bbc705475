"""What needs no process: spans of releases, words, histories as files, pages."""

import json

import numpy as np
import pytest

from zbench.errors import ResultsError, UnknownNameError
from zbench.harness.sweep.axes import AXIS_NAMES, axis_named
from zbench.harness.sweep.composition import composition
from zbench.harness.sweep.history import history_of, read_history, write_history
from zbench.harness.sweep.places import Gap, make_place
from zbench.harness.sweep.releases import Release, chosen_releases, place_releases, version_key
from zbench.harness.sweep.report import write_pages
from zbench.harness.sweep.timing import TimePlan, chosen_to_time
from zbench.harness.sweep.tools import Interpreter
from zbench.runner import RunLog

VERSIONS = ("2.16.0", "2.18.7", "3.0.8", "3.0.10", "3.1.0", "3.1.6")
CELLS = (("v2-c32", "none"), ("v3-c32-s64", "none"))
ENVIRONMENT = {
    "machine": "vm",
    "os": "Linux",
    "cpu": "some",
    "cores": 2,
    "memory_bytes": 1,
    "python": "3.12.1",
    "packages": [["numpy", "2.2.6"]],
    "threads": [],
    "filesystem": "ext4",
}


@pytest.mark.parametrize(
    ("since", "until", "each", "expected"),
    [
        pytest.param("2.18", "latest", "release", VERSIONS[1:], id="to the latest"),
        pytest.param("2.16", "3.0", "release", VERSIONS[:4], id="all of the last minor release"),
        pytest.param("3.0.9", "3.1.0", "release", ("3.0.10", "3.1.0"), id="from one to another"),
        pytest.param("2.16", "latest", "minor", ("2.16.0", "2.18.7", "3.0.10", "3.1.6"), id="the last of each minor"),
        pytest.param("4", "latest", "release", (), id="none"),
    ],
)
def test_a_span_holds_the_releases_between_its_ends(since, until, each, expected):
    assert chosen_releases(reversed(VERSIONS), since=since, until=until, each=each) == expected


def test_releases_are_sorted_by_number_and_not_by_letter():
    assert sorted(["3.0.10", "3.0.9"], key=version_key) == ["3.0.9", "3.0.10"]


def test_an_end_that_is_no_release_is_refused():
    with pytest.raises(UnknownNameError, match="release"):
        chosen_releases(VERSIONS, since="tomorrow", until="latest")


def test_the_interpreter_that_most_releases_can_have_is_taken_first(tmp_path):
    old, new = (Interpreter(f"3.{minor}.1", tmp_path / str(minor)) for minor in (11, 12))
    placed = place_releases(("1.0", "2.0", "3.0"), {old: ("1.0",), new: ("1.0", "2.0")})
    assert [release.python for release in placed] == [new, new, new]
    placed = place_releases(("1.0", "2.0"), {old: ("1.0", "2.0"), new: ("1.0", "2.0")})
    assert {release.python for release in placed} == {old}


def test_a_release_that_no_interpreter_can_have_is_a_gap_with_its_reason(tmp_path):
    place = make_place(axis_named("zarr"), Release("9.9", None), tmp_path)
    assert isinstance(place, Gap)
    assert "Python" in place.reason


@pytest.mark.parametrize("name", AXIS_NAMES)
def test_an_axis_is_held_against_fixed_versions_before_any(name):
    held = axis_named(name).held
    assert held[-1] == ()
    assert all("==" in pin for pins in held for pin in pins)


def test_an_axis_that_cannot_be_swept_is_named_with_those_that_can():
    with pytest.raises(UnknownNameError, match="tensorstore"):
        axis_named("tensorstor")


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        pytest.param({}, "none", id="nothing"),
        pytest.param({"put": 1, "get": 2}, "2 gets, 1 put", id="several"),
        pytest.param({"get_missing": 19}, "19 gets of nothing", id="of nothing"),
        pytest.param({"get_part": 1}, "1 get of a part", id="of a part"),
    ],
)
def test_requests_are_told_in_words(requests, words):
    assert composition(requests) == words


def test_the_ends_of_each_minor_release_are_timed_unless_others_are_named():
    made = dict.fromkeys(("2.16.0", "3.0.8", "3.0.9", "3.0.10"))
    assert list(chosen_to_time(TimePlan(), made)) == ["2.16.0", "3.0.8", "3.0.10"]
    assert list(chosen_to_time(TimePlan(versions=("3.0.9",)), made)) == ["3.0.9"]


def test_a_release_to_time_must_be_swept():
    with pytest.raises(ResultsError, match="swept"):
        chosen_to_time(TimePlan(versions=("9.9",)), {"3.0.8": None})


def counted(**operations):
    return {
        "operations": {name: {"bytes_fetched": 100, **numbers} for name, numbers in operations.items()},
        "unsteady": [],
        "objects": 28,
        "stored_bytes": 1000,
    }


@pytest.fixture
def logs(tmp_path):
    """The records of a sweep: 2.16.0 lacks shards, 3.1.6 cannot be had, and 3.0.8 asks less to open."""
    counts = RunLog(tmp_path / "counts.jsonl", head={"sweep": "zarr", "of": "requests"})
    counts.add("asked", command="zbench sweep zarr --since 2.16")
    for version, gets in (("2.16.0", 3), ("3.0.8", 1), ("3.1.0", 1)):
        numpy = "2.4.6" if version == "3.1.0" else "2.2.6"
        environment = {**ENVIRONMENT, "packages": [["numpy", numpy], ["zarr", version]]}
        counts.add("place", release=version, python="3.12.1", pins=[f"numpy=={numpy}"], environment=environment)
        for layout, chain in CELLS:
            cell = f"phantom@80|zarr-python|{layout}|{chain}"
            if version.startswith("2") and layout.startswith("v3"):
                counts.add("refused", release=version, cell=cell, error="RefusedError", message=f"{version} cannot")
            else:
                counts.add(
                    "requests", release=version, cell=cell, **counted(open={"get": gets}, read_whole={"get": 27})
                )
    counts.add("gap", release="3.1.6", reason="it does not install")
    times = RunLog(tmp_path / "times.jsonl", head={"sweep": "zarr", "of": "times"})
    rng = np.random.default_rng(0)
    environment = {**ENVIRONMENT, "packages": [["tensorstore", "0.1"]]}
    times.add("place", release="tensorstore 0.1", python="3.12.1", pins=[], environment=environment)
    for layout in ("v2-c32", "v3-c32", "v3-c32-s128"):
        for version, level in (("2.16.0", 1.0), ("3.0.8", 2.0), ("3.1.0", 1.0), ("tensorstore 0.1", 0.5)):
            if version.startswith("2") and layout.startswith("v3"):
                continue
            engine = "tensorstore" if version.startswith("t") else "zarr-python"
            cell = f"tomogram|{engine}|{layout}|none"
            for operation in ("write", "full_read"):
                for place in range(6):
                    taken = int(1e6 * level * np.exp(0.02 * rng.normal()))
                    common = {"release": version, "cell": cell, "operation": operation, "round": place}
                    times.add("samples", **common, samples=[[taken, taken]])
                    times.add("peak", **common, peak_bytes=10_000_000, added_bytes=taken)
    return counts, times


@pytest.fixture
def history(logs):
    return history_of("zarr", logs, dataset="phantom", date="2026-01-01")


def test_a_history_has_its_releases_in_order_and_gaps_with_their_reason(history):
    assert [(point.release, bool(point.gap)) for point in history.points] == [
        ("2.16.0", False), ("3.0.8", False), ("3.1.0", False), ("3.1.6", True),
    ]  # fmt: skip
    assert [point.run for point in history.references] == ["tensorstore==0.1"]


def test_a_history_says_what_each_request_was(history):
    notes = {row.run: row.note for row in history.table.rows if row.pattern == "open" and row.metric == "requests"}
    assert notes == {"zarr==2.16.0": "3 gets", "zarr==3.0.8": "1 get", "zarr==3.1.0": "1 get"}


def test_a_refused_array_is_a_row_without_a_number_and_with_its_reason(history):
    (row,) = (row for row in history.table.rows if row.value is None)
    assert (row.run, row.layout) == ("zarr==2.16.0", "v3-c32-s64")
    assert row.note.startswith("refused: ")


def test_a_time_keeps_the_rounds_that_it_is_from(history):
    rows = [row for row in history.table.rows if row.metric == "wall_time"]
    assert {row.note for row in rows} == {"rounds 0 1 2 3 4 5"}
    assert all(row.low <= row.value <= row.high for row in rows)


def test_a_stored_history_is_read_as_it_was_written(history, tmp_path):
    write_history(tmp_path / "history", history)
    found = read_history(tmp_path / "history")
    assert found.points == history.points
    assert found.references == history.references
    assert found.command == history.command
    assert {(row.run, row.metric, row.value) for row in found.table.rows} == {
        (row.run, row.metric, row.value) for row in history.table.rows
    }


def test_a_folder_without_a_history_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="history"):
        read_history(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: raw | {"schema_version": 99}, id="another version"),
        pytest.param(lambda raw: {name: raw[name] for name in raw if name != "points"}, id="no points"),
    ],
)
def test_a_damaged_history_is_refused(history, tmp_path, change):
    write_history(tmp_path, history)
    path = tmp_path / "history.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ResultsError, match="history"):
        read_history(tmp_path)


@pytest.fixture
def pages(history, tmp_path):
    write_history(tmp_path / "history", history)
    write_pages(tmp_path / "pages", tmp_path / "history")
    return {path.name: path.read_text() for path in (tmp_path / "pages").glob("*.md")}


def test_the_page_of_requests_names_each_change_between_its_releases(pages):
    page = pages["zarr-requests.md"]
    assert "### 2.16.0 → 3.0.8" in page
    assert "| v2-c32 | open | 3 gets | 1 get | -2 | 100 |" in page
    assert "### 3.0.8 → 3.1.0" not in page


def test_the_page_of_requests_tells_every_gap_with_its_reason(pages):
    page = pages["zarr-requests.md"]
    assert "| 3.1.6 | all | it does not install |" in page
    assert "| 2.16.0 | `v3-c32-s64` | refused: … cannot |" in page


def test_the_page_of_times_holds_releases_against_the_last_of_the_oldest_major(pages):
    page = pages["zarr-sweep.md"]
    assert "## Format 2 without shards, against 2.16.0" in page
    assert "## Shards, against 3.0.8" in page
    line = next(line for line in page.splitlines() if line.startswith("| 3.0.8 |"))
    assert 1.9 < float(line.split("|")[2].split()[0]) < 2.1


def test_the_page_of_times_tells_how_another_library_fared_in_the_same_rounds(pages):
    page = pages["zarr-sweep.md"]
    assert "times as long as tensorstore 0.1" in page


def test_the_page_of_times_tells_what_else_moved(pages):
    told = "may be a cause beside zarr: 2.16.0 to 3.0.8 beside numpy 2.2.6; 3.1.0 beside numpy 2.4.6."
    assert told in pages["zarr-sweep.md"]
    assert told in pages["zarr-requests.md"]
    # Between the two releases that changed nothing moved beside them.
    assert pages["zarr-requests.md"].count("may be a cause") == 1


def test_the_page_of_times_lists_the_steps(pages):
    steps = pages["zarr-sweep.md"].split("## Steps")[1]
    assert "| 2.16.0 → 3.0.8 | wall_time | slower |" in steps
    assert "| 3.0.8 → 3.1.0 | wall_time | faster |" in steps
