"""What a campaign decides without measuring: when a time is known, what fits the disk, which crop and cells."""

from __future__ import annotations

import errno
import os
import shlex
from dataclasses import replace

import numpy as np
import pytest

from zbench.errors import DataError, LayoutError, PresetError, RefusedError, ResultsError, UnknownNameError
from zbench.grid import CellSpec
from zbench.harness.cryoet.crop import VolumeRequest, crop_box
from zbench.harness.cryoet.folder import begun_head, opened, room_told
from zbench.harness.cryoet.memory import memory_limit
from zbench.harness.cryoet.outputs import rerun_script
from zbench.harness.cryoet.request import CryoetRequest, arguments, options_of, resumed
from zbench.harness.cryoet.selection import TEST_CONFIGS, Selection, fitted_layout, select
from zbench.harness.cryoet.source import find_volume
from zbench.layouts import resolve_layout
from zbench.model import Box
from zbench.runner import RunLog
from zbench.runner.disk import bound_bytes, is_disk_full, used_bytes
from zbench.runner.ledger import MOST_ROUNDS, Ledger, Timing, half_width, time_interval
from zbench.runner.standing import Pace

CELL = CellSpec("volume", "zarr-python", "v3-c16", "none")
TASK = Timing(CELL, "full_read", "warm")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(RunLog(tmp_path / "run.jsonl", head={"study": "test"}))


def add_values(ledger, times, task=TASK):
    for place, time in enumerate(times, start=len(ledger.values(task))):
        ledger.add("value", task=task.key, round=place, samples=[[time - 1, 1], [time, 1], [time + 1, 1]])


def spread(count, *, by, rng):
    return [round(value) for value in 1e6 * np.exp(rng.normal(0, by, count))]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_processes_give_no_interval(count):
    assert time_interval([1e6, 1.1e6][:count]) is None


@pytest.mark.parametrize("count", [3, 9, 10, 30])
def test_an_interval_holds_the_median_of_the_processes(count, rng):
    values = spread(count, by=0.1, rng=rng)
    interval = time_interval(values)
    assert interval.estimate == np.median(values)
    assert interval.low <= interval.estimate <= interval.high
    assert interval.count == count


def test_one_slow_process_moves_neither_median_nor_interval_once_there_are_ten(rng):
    values = spread(19, by=0.01, rng=rng)
    assert half_width(time_interval([*values, 5e6])) < 0.02
    assert half_width(time_interval([*values[:4], 5e6])) > 0.05


def test_equal_times_are_known(ledger):
    add_values(ledger, [1000] * 12)
    assert ledger.is_decided(TASK)


def test_rounds_that_stop_when_the_interval_is_narrow_still_hold_the_truth(rng):
    held = []
    for _ in range(100):
        values = spread(MOST_ROUNDS, by=0.05, rng=rng)
        looks = (time_interval(values[:count]) for count in (3, 4, 5, 6, 7, 8, 9))
        found = next((look for look in looks if half_width(look) <= 0.05), None)
        if found is not None:
            held.append(found.low <= 1e6 <= found.high)
    assert len(held) > 30
    # Binomial: of 95 % that hold, fewer than 85 % would be found in one of a thousand tests.
    assert np.mean(held) > 0.85


def test_a_task_is_open_until_it_is_known(ledger):
    add_values(ledger, [1_000_000, 1_001_000])
    assert ledger.open_tasks([TASK]) == [TASK]
    add_values(ledger, [1_000_500])
    assert ledger.open_tasks([TASK]) == []
    assert ledger.is_decided(TASK)


def test_a_task_that_never_settles_ends_at_the_most_rounds(ledger):
    add_values(ledger, [1_000_000, 3_000_000] * (MOST_ROUNDS // 2))
    assert not ledger.is_decided(TASK)
    assert ledger.open_tasks([TASK]) == []


def test_the_value_of_a_process_is_the_median_of_its_samples(ledger):
    ledger.add("value", task=TASK.key, round=0, samples=[[900, 1], [100, 1], [200, 1]])
    assert ledger.values(TASK) == [200]
    assert ledger.medians("|full_read|warm") == {TASK.key: 200}


def test_a_record_is_taken_up_where_it_was_left(ledger, tmp_path):
    add_values(ledger, [1_000_000, 1_001_000, 1_000_500])
    ledger.add("refused", cell="other", error="RefusedError", message="no")
    again = Ledger(RunLog(tmp_path / "run.jsonl", head={"study": "test"}))
    assert again.values(TASK) == ledger.values(TASK)
    assert again.refused.keys() == {"other"}
    assert again.count == 3


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(("refused", {"cell": CELL.text}), id="refused or wrong cell"),
        pytest.param(("failed", {"task": TASK.key}), id="failed time"),
        pytest.param(("stored", {"cell": CELL.text, "uncounted": {"full_read": {}}}), id="uncounted pattern"),
    ],
)
def test_what_failed_once_is_not_timed(ledger, entry):
    kind, fields = entry
    assert ledger.is_possible(TASK)
    ledger.add(kind, **fields)
    assert not ledger.is_possible(TASK)
    assert ledger.open_tasks([TASK]) == []


def test_more_rounds_are_foreseen_for_wider_intervals(ledger):
    noisy = Timing(CELL, "xy_plane", "warm")
    add_values(ledger, [1_000_000, 1_060_000, 940_000, 1_010_000])
    add_values(ledger, [1_000_000, 1_300_000, 740_000, 1_010_000], noisy)
    assert 1 <= ledger.rounds_left(TASK) < ledger.rounds_left(noisy)


def test_what_is_left_is_bounded_by_the_budget_but_for_what_must_be():
    pace = Pace()
    assert pace.left_s(cells=2, least=3, likely=9, budget_s=60) is None
    pace.store(2.0)
    pace.sample(1.0)
    assert pace.left_s(cells=2, least=3, likely=9, budget_s=60) == 13
    assert pace.left_s(cells=2, least=3, likely=90, budget_s=60) == 60
    assert pace.left_s(cells=2, least=3, likely=90, budget_s=-5) == 7


@pytest.mark.parametrize("layout", ["v2-c16", "v3-c16x8x32", "v3-c8-s32", "v3-c40"])
def test_a_bound_holds_for_noise_that_cannot_be_compressed(tmp_path, layout, rng):
    import zarr

    shape = (40, 33, 47)
    values = rng.integers(0, 2**32, shape, dtype=np.uint32)
    found = resolve_layout(layout, shape)
    zarr.create_array(
        tmp_path / "a.zarr", data=values, chunks=found.chunks, shards=found.shards, zarr_format=found.zarr_format
    )
    used = used_bytes(tmp_path / "a.zarr")
    assert values.nbytes < used <= bound_bytes(shape, found, 4) < 5 * used


def test_used_bytes_counts_blocks_of_files_that_are_there(tmp_path):
    before = used_bytes(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x" * 100_000)
    assert 100_000 <= used_bytes(tmp_path) - before <= 120_000
    assert used_bytes(tmp_path / "nothing") == 0


def wrapped(cause):
    error = ValueError("wrong voxels")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        pytest.param(OSError(errno.ENOSPC, "x"), True, id="no space"),
        pytest.param(OSError(errno.EDQUOT, "x"), True, id="quota"),
        pytest.param(wrapped(OSError(errno.ENOSPC, "x")), True, id="wrapped by a library"),
        pytest.param(ValueError("RESOURCE_EXHAUSTED: [OS error 28: ENOSPC No space left on device]"), True, id="words"),
        pytest.param(wrapped(OSError(errno.EACCES, "x")), False, id="rights"),
        pytest.param(ValueError("voxels differ"), False, id="voxels"),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error, is_full):
    assert is_disk_full(error) is is_full


@pytest.mark.parametrize(
    ("size", "at", "start", "stop"),
    [
        pytest.param(None, None, (0, 0, 0), (40, 100, 120), id="whole"),
        pytest.param(64, None, (0, 18, 28), (40, 82, 92), id="middle"),
        pytest.param(64, (3, 32, 88), (0, 0, 56), (40, 64, 120), id="corner, thin axis whole"),
        pytest.param(1, (39, 99, 119), (39, 99, 119), (40, 100, 120), id="last voxel"),
        pytest.param(None, (0, 0, 0), (0, 0, 0), (40, 100, 120), id="whole around a corner"),
    ],
)
def test_a_crop_is_laid_around_its_middle(size, at, start, stop):
    assert crop_box((40, 100, 120), size, at) == Box(start, stop)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        pytest.param((3, 31, 60), "z 0 to 39, y 32 to 68, x 32 to 88", id="too near to the edge"),
        pytest.param((40, 50, 60), "z 0 to 39", id="outside on an axis that is whole"),
        pytest.param((3, 50), "around 3,50", id="two numbers"),
    ],
)
def test_a_crop_that_leaves_the_volume_is_refused_with_where_it_can_be(at, says):
    with pytest.raises(LayoutError, match=f"inside its volume.*{says}"):
        crop_box((40, 100, 120), 64, at)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        pytest.param({"source": "no-such-volume"}, UnknownNameError, "Unknown dataset 'no-such-volume'", id="name"),
        pytest.param({"source": "/nowhere/a.mrc"}, DataError, "there is no '/nowhere/a.mrc'", id="path"),
        pytest.param({"source": "ftp://host/a.zarr"}, RefusedError, "from this machine", id="address"),
        pytest.param({"run": "TS_1"}, DataError, "dataset of the portal.*got run", id="run without portal"),
        pytest.param({"source": "emd-1832", "tomogram": 3}, DataError, "got tomogram for 'emd-1832'", id="tomogram"),
    ],
)
def test_a_volume_that_cannot_be_found_is_told_with_the_way_out(given, error, says):
    with pytest.raises(error, match=says):
        find_volume(VolumeRequest(**given))


@pytest.mark.parametrize(
    ("files", "groups", "limit"),
    [
        pytest.param({}, "", None, id="no group"),
        pytest.param({"a/memory.max": "1000", "a/b/memory.max": "max"}, "0::/a/b", 1000, id="version 2, of a parent"),
        pytest.param({"memory/g/memory.limit_in_bytes": "2000"}, "4:cpu,memory:/g", 2000, id="version 1"),
        pytest.param({"memory/memory.limit_in_bytes": "3000"}, "4:memory:/outside", 3000, id="container"),
        pytest.param({"cpu/g/memory.max": "1"}, "4:cpu:/g", None, id="another controller"),
    ],
)
def test_the_memory_is_that_of_the_control_group_or_the_machine(tmp_path, files, groups, limit):
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="ascii")
    (tmp_path / "groups").write_text(groups, encoding="ascii")
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory_limit(tmp_path / "groups", tmp_path / "cgroup") == (limit or machine)
    assert memory_limit(tmp_path / "missing", tmp_path / "cgroup") == machine


@pytest.mark.parametrize(
    ("text", "shape", "fitted"),
    [
        pytest.param("v3-c64", (128, 128, 128), "v3-c64", id="fits"),
        pytest.param("v3-c64", (1, 512, 48), "v3-c1x64x48", id="larger than the volume"),
        pytest.param("v3-c32-s128", (64, 96, 256), "v3-c32-s64x96x128", id="shard larger than the volume"),
        pytest.param("v3-c64-s128", (40, 130, 256), "v3-c40x64x64-s40x128x128", id="shard of cut chunks"),
        pytest.param("v2-cslab4", (64, 96, 128), "v2-c4x96x128", id="follows the volume"),
        pytest.param("v3-c32-sall", (64, 90, 64), "v3-c32-s64x96x64", id="one shard"),
        pytest.param("v3-c16x16", (64, 64, 64), "v3-c16x16", id="other axes are left to be refused"),
    ],
)
def test_layouts_are_cut_down_to_the_volume(text, shape, fitted):
    assert fitted_layout(text, shape) == fitted


@pytest.mark.parametrize("name", TEST_CONFIGS)
@pytest.mark.parametrize("shape", [(256, 256, 256), (184, 200, 630), (40, 40, 40), (1, 300, 20), (3, 3, 3)])
def test_every_cell_of_a_preset_suits_a_volume_of_any_shape(name, shape):
    selected = select(Selection(test_configs=name, engines=("zarr-python",)), "v", shape, 4)
    cells = [plan.spec.text for plan in selected.plans]
    assert len(cells) == len(set(cells))
    for plan in selected.plans:
        assert resolve_layout(plan.spec.layout, shape).text == plan.spec.layout
        assert plan.most_bytes >= np.prod(shape) * 4
        assert len(plan.operations) == len(set(plan.operations)) >= 2


def test_a_selection_keeps_what_is_asked_for():
    wanted = Selection(workloads=("write", "yz_plane"), engines=("zarr-python",), formats=(2,))
    plans = select(wanted, "v", (64, 64, 64), 1).plans
    assert {plan.operations for plan in plans} == {("write", "yz_plane")}
    assert {plan.spec.layout[:2] for plan in plans} == {"v2"}
    assert {plan.spec.engine for plan in plans} == {"zarr-python"}


def test_of_a_large_volume_writing_is_timed_for_the_chains_alone_unless_asked_for():
    large, small = (
        select(Selection(engines=("zarr-python",)), "v", (extent,) * 3, 4) for extent in (512, 256)
    )  # fmt: skip
    writing = [plan.spec for plan in large.plans if "write" in plan.operations]
    assert {spec.layout for spec in writing} == {"v3-c64"}
    assert len(writing) == 4 < len(large.plans)
    assert "writing is timed for the question 'codec' alone" in large.notes[-1]
    assert all("write" in plan.operations for plan in small.plans)
    asked = select(Selection(engines=("zarr-python",), workloads=("write",)), "v", (512,) * 3, 4)
    assert {plan.operations for plan in asked.plans} == {("write",)}


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        pytest.param({"engines": ("zar",)}, UnknownNameError, "Unknown engine 'zar'", id="engine"),
        pytest.param({"workloads": ("xy",)}, UnknownNameError, "Unknown workload 'xy'.*write", id="workload"),
        pytest.param({"formats": (4,)}, PresetError, "format is 2 or 3: got 4", id="format"),
        pytest.param({"cache_state": "hot"}, UnknownNameError, "Unknown cache state 'hot'", id="cache state"),
    ],
)
def test_a_selection_refuses_what_there_is_not(given, error, says):
    with pytest.raises(error, match=says):
        Selection(**given)


def test_test_configs_that_are_neither_named_nor_a_file_are_refused():
    with pytest.raises(UnknownNameError, match=r"Unknown test configuration 'slow'.*quick"):
        select(Selection(test_configs="slow"), "v", (64, 64, 64), 1)


REQUEST = CryoetRequest(
    volume=VolumeRequest(source="/data/my tomo.mrc", volume_size=None, at=(1, 2, 3)),
    selection=Selection(workloads=("write", "xy_plane"), formats=(2, 3)),
)


def test_a_request_as_a_command_says_every_option_that_matters():
    words = arguments(REQUEST)
    told = dict(zip(words[::2], words[1::2], strict=True))
    assert told["--dataset"] == "/data/my tomo.mrc"
    assert told["--volume-size"] == "full"
    assert told["--at"] == "1,2,3"
    assert told["--workloads"] == "write,xy_plane"
    assert told["--budget"] == "600s"
    assert told["--max-disk"] == "20GiB"
    assert "--engines" not in told


def test_the_script_is_quoted_for_the_shell(monkeypatch):
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", "/a b/$HOME")
    script = rerun_script(REQUEST)
    assert script.startswith("#!/bin/sh\n")
    words = shlex.split(script, comments=True)
    assert "/data/my tomo.mrc" in words
    assert "ZBENCH_DATA_MIRROR=/a b/$HOME" in words


def begin(output, request):
    RunLog(output / "run.jsonl", head={"study": "cryoet", "options": options_of(request)})


def test_a_run_that_goes_on_remembers_its_options(tmp_path):
    begin(tmp_path, REQUEST)
    again = resumed(CryoetRequest(output=tmp_path, resume=True, budget_s=9.0), {"output", "resume", "budget"})
    assert (again.volume, again.selection) == (REQUEST.volume, REQUEST.selection)
    assert again.budget_s == 9.0


def test_a_run_goes_on_only_with_the_options_that_it_began_with(tmp_path):
    begin(tmp_path, REQUEST)
    other = replace(REQUEST, output=tmp_path, resume=True, volume=VolumeRequest(volume_size=64))
    with pytest.raises(ResultsError, match="--volume-size was None and is 64"):
        resumed(other, {"volume_size"})


def fail_for_lack_of_room():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_is_left_as_it_was_by_a_run_that_did_not_begin(tmp_path):
    output = tmp_path / "a" / "results"
    with pytest.raises(ResultsError, match="disk is full"), opened(output, resume=False), room_told(output):
        fail_for_lack_of_room()
    assert not output.exists()


def test_a_folder_of_the_user_is_kept_with_all_that_is_in_it(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("mine", encoding="utf-8")
    with opened(tmp_path, resume=False) as work:
        assert work.parent == tmp_path
    assert [path.name for path in tmp_path.rglob("*")] == ["work", "notes.txt"]


def test_one_run_at_a_time_has_a_folder(tmp_path):
    with (
        opened(tmp_path, resume=False),
        pytest.raises(ResultsError, match="another process runs in"),
        opened(tmp_path, resume=True),
    ):
        pass


def test_a_folder_with_a_record_wants_to_be_told_to_go_on(tmp_path):
    begin(tmp_path, REQUEST)
    with pytest.raises(ResultsError, match="Give --resume to go on"), opened(tmp_path, resume=False):
        pass
    with opened(tmp_path, resume=True):
        pass


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"kind": "head", "study": "lossless"}\n', "was not begun by", id="another study"),
        pytest.param("no json\n", "was not begun by", id="no record"),
    ],
)
def test_the_record_of_something_else_is_kept(tmp_path, text, says):
    (tmp_path / "run.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match=says):
        begun_head(tmp_path)
    assert (tmp_path / "run.jsonl").read_text(encoding="utf-8") == text


def test_a_head_that_was_cut_off_counts_as_none(tmp_path):
    (tmp_path / "run.jsonl").write_text('{"kind": "head", "stu', encoding="utf-8")
    assert begun_head(tmp_path) is None


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ResultsError, match="folder that can be written"), opened(tmp_path / "file" / "r", resume=False):
        pass
