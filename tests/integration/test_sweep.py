"""Counting and timing releases in processes of their own; both "releases" are the zarr that is installed here."""

import fcntl
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from zbench.cli import main
from zbench.errors import RefusedError
from zbench.grid import CellSpec
from zbench.harness.sweep.axes import axis_named
from zbench.harness.sweep.counts import CountPlan, count_releases, open_log
from zbench.harness.sweep.places import Made
from zbench.results.traces import read_trace
from zbench.runner import RunLog
from zbench.runner.requests import OPERATIONS, SIZE, count_operations
from zbench.runner.rounds import ReleaseRounds, Timed

PYTHON = Path(sys.executable)
CHAIN = "blosc-lz4-5-shuffle"


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    path = tmp_path_factory.mktemp("volume") / "small.npy"
    values = np.arange(SIZE**3, dtype="uint32").reshape((SIZE,) * 3)
    np.save(path, values.astype("uint16"))
    return path


@pytest.fixture(scope="module")
def counted(volume, tmp_path_factory):
    """What each operation asks for, by layout and chain."""
    folder = tmp_path_factory.mktemp("counted")
    values = np.load(volume)
    return {
        (engine, layout): count_operations(CellSpec("small", engine, layout, chain), values, folder)
        for engine in ("zarr-python", "tensorstore")
        for layout, chain in (("v2-c32", "none"), ("v3-c32", CHAIN), ("v3-c32-s64", "none"))
    }


def requests(found, engine, layout, operation):
    return {
        kind: count
        for kind, count in found[engine, layout]["operations"][operation].items()
        if not kind.startswith("bytes_")
    }


def test_every_operation_is_counted_in_its_order(counted):
    assert all(tuple(found["operations"]) == OPERATIONS for found in counted.values())


def test_counts_repeat_to_the_digit(counted):
    assert {key: found["unsteady"] for key, found in counted.items() if found["unsteady"]} == {}


def test_a_whole_read_asks_for_each_chunk_once(counted):
    assert requests(counted, "zarr-python", "v2-c32", "read_whole") == {"get": 27}
    assert requests(counted, "zarr-python", "v3-c32", "read_whole") == {"get": 27}


def test_a_chunk_of_a_shard_is_asked_for_by_its_index_and_its_bytes(counted):
    assert requests(counted, "zarr-python", "v3-c32-s64", "read_chunk") == {"get_part": 2}


def test_the_bytes_of_a_whole_read_are_those_that_are_stored(counted):
    found = counted["zarr-python", "v2-c32"]
    assert found["operations"]["read_whole"]["bytes_fetched"] == 27 * 32**3 * 2
    assert found["objects"] == found["operations"]["write_whole"]["put"] + found["operations"]["create"]["put"]


def test_an_engine_in_native_code_is_counted_at_a_server(counted):
    assert requests(counted, "tensorstore", "v3-c32", "read_patch")["get"] == 8
    assert requests(counted, "tensorstore", "v3-c32", "write_whole")["put"] == 27


def test_a_part_of_a_chunk_is_written_by_reading_it_first(counted):
    assert requests(counted, "zarr-python", "v2-c32", "write_part") == {"get": 1, "put": 1}


def test_another_size_than_that_of_the_counts_is_refused(tmp_path):
    spec = CellSpec("small", "zarr-python", "v2-c32", "none")
    with pytest.raises(RefusedError, match="cube"):
        count_operations(spec, np.zeros((8, 8, 8), "uint8"), tmp_path)


def made(version):
    return Made(version=version, python=PYTHON, python_version="3.11.0", pins=(), packages=(("zarr", version),))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder of sweeps in which two releases were counted."""
    work = tmp_path_factory.mktemp("sweeps")
    plan = CountPlan(axis=axis_named("zarr"), chains=("none",))
    log = open_log(work / "zarr" / "counts.jsonl", plan)
    told = []
    both, traces = {"3.0.0": made("3.0.0"), "3.0.1": made("3.0.1")}, work / "traces"
    count_releases(plan, both, log, work / "stores", traces=traces, report=told.append)
    return work, plan, told


def test_each_release_is_counted_in_a_process_of_its_own(swept):
    work, plan, told = swept
    log = open_log(work / "zarr" / "counts.jsonl", plan)
    assert [entry["release"] for entry in log.of("place")] == ["3.0.0", "3.0.1"]
    assert {entry["release"] for entry in log.of("requests")} == {"3.0.0", "3.0.1"}
    assert len(list(log.of("requests"))) == 2 * len(plan.cells())
    assert [status.done for status in told] == [1, 2]


def test_what_was_counted_is_not_counted_again(swept):
    work, plan, _ = swept
    path = work / "zarr" / "counts.jsonl"
    before = path.read_bytes()
    one, log = {"3.0.0": made("3.0.0")}, open_log(path, plan)
    count_releases(plan, one, log, work / "stores", traces=work / "traces", report=lambda _: None)
    assert path.read_bytes() == before


def test_the_requests_themselves_are_kept_and_are_those_that_were_counted(swept):
    work, plan, _ = swept
    (entry,) = (
        entry
        for entry in open_log(work / "zarr" / "counts.jsonl", plan).of("requests")
        if entry["release"] == "3.0.1" and "-v3-c32-s64-" in entry["cell"].replace("|", "-")
    )
    for operation, numbers in entry["operations"].items():
        stored = read_trace(work / "traces" / "3.0.1" / f"v3-c32-s64--none--{operation}.trace.json")
        assert (stored.position, stored.cell["pattern"]) == ("3.0.1", operation)
        requests = stored.trace.requests
        asked = sum(count for kind, count in numbers.items() if not kind.startswith("bytes"))
        assert len(requests) == asked
        assert sum(request.size_bytes for request in requests) == sum(
            count for kind, count in numbers.items() if kind.startswith("bytes")
        )
        assert all(0 <= request.offset_ns < 60e9 for request in requests)


def test_a_sweep_is_told_of_again_without_measuring(swept, tmp_path):
    work, _, _ = swept
    arguments = ["sweep", "zarr", "--report-only", "--work", str(work), "--output", str(tmp_path)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "2 releases of zarr, 3.0.0 to 3.0.1" in (tmp_path / "zarr-requests.md").read_text()
    assert json.loads((work / "zarr" / "history" / "history.json").read_text())["axis"] == "zarr"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["zarr", "numcodecs", "--since", "2.16"], "one package", id="a span of two packages"),
        pytest.param(["zarr", "--budget", "soon"], "duration", id="a budget that is none"),
        pytest.param(["zarr", "--report-only", "--since", "3"], "record", id="nothing to tell of"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_with_status_two(arguments, said, tmp_path):
    done = CliRunner().invoke(main, ["sweep", *arguments, "--work", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert said in done.output


def test_a_second_sweep_in_the_same_folder_is_refused(tmp_path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = CliRunner().invoke(main, ["sweep", "zarr", "--counts-only", "--work", str(tmp_path)])
    assert done.exit_code == 2
    assert "One sweep at a time" in done.output


class Clock:
    """Seconds that pass by one each time they are asked for."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def rounds(volume, folder, path, **options):
    cell = CellSpec("small", "zarr-python", "v3-c32", CHAIN)
    shards = CellSpec("small", "zarr-python", "v2-c32-s64", CHAIN)
    timed = Timed(PYTHON, ((cell, ("write", "full_read")),))
    return ReleaseRounds(
        releases={"1.0": timed, "2.0": Timed(PYTHON, (*timed.cells, (shards, ("full_read",))))},
        volume=volume,
        log=RunLog(path, head={"test": "rounds"}),
        folder=folder,
        **{"rounds": 2, "budget_s": 100.0, "memory_rounds": 1, "memory_of": ((cell.text, "full_read"),)} | options,
    )


@pytest.fixture(scope="module")
def timed(volume, tmp_path_factory):
    folder = tmp_path_factory.mktemp("timed")
    run = rounds(volume, folder / "stores", folder / "times.jsonl")
    return folder, run, run.run()


def test_each_release_has_a_value_of_each_task_in_each_round(timed):
    _, run, whole = timed
    assert whole
    keys = [(entry["release"], entry["operation"], entry["round"]) for entry in run.log.of("samples")]
    assert sorted(keys) == sorted(
        (release, operation, number)
        for release in ("1.0", "2.0")
        for operation in ("write", "full_read")
        for number in (0, 1)
    )


def test_the_tasks_of_releases_come_mixed(timed):
    _, run, _ = timed
    orders = [tuple((entry["release"], entry["operation"]) for entry in run.log.of("samples"))[:4]]
    orders.append(tuple((entry["release"], entry["operation"]) for entry in run.log.of("samples"))[4:])
    assert len(set(orders)) == 2


def test_a_cell_that_is_refused_keeps_no_other_from_its_times(timed):
    _, run, _ = timed
    (refused,) = run.log.of("refused")
    assert (refused["release"], refused["error"]) == ("2.0", "LayoutError")


def test_peak_memory_is_found_for_each_release(timed):
    _, run, _ = timed
    found = {entry["release"]: entry["added_bytes"] for entry in run.log.of("peak")}
    assert set(found) == {"1.0", "2.0"}
    assert all(entry["peak_bytes"] > 0 for entry in run.log.of("peak"))


def test_nothing_is_left_of_the_stores(timed):
    folder, _, _ = timed
    assert not (folder / "stores").exists()


def test_a_whole_run_measures_nothing_again(timed, volume):
    folder, _, _ = timed
    before = (folder / "times.jsonl").read_bytes()
    assert rounds(volume, folder / "stores", folder / "times.jsonl").run()
    assert (folder / "times.jsonl").read_bytes() == before


def test_a_run_whose_budget_ends_goes_on_where_it_was(volume, tmp_path):
    cut = rounds(volume, tmp_path / "stores", tmp_path / "times.jsonl", budget_s=4.0, clock=Clock(), memory_rounds=0)
    assert not cut.run()
    taken = len(list(cut.log.of("samples")))
    assert 0 < taken < 8
    assert rounds(volume, tmp_path / "stores", tmp_path / "times.jsonl", memory_rounds=0).run()
    assert len((tmp_path / "times.jsonl").read_text().split('"samples", "release"')) - 1 == 8


@pytest.mark.network
def test_the_index_lists_the_releases_that_an_interpreter_can_have():
    from zbench.harness.sweep.releases import released

    old, new = released("zarr", "3.11"), released("zarr", "3.12")
    assert "2.18.7" in old
    assert set(old) < set(new)
