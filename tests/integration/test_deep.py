"""One operation measured deeply, on real stores, and on operations whose every step is known."""

from __future__ import annotations

import ctypes
import gc
import json
import mmap
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import astuple, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from zbench.cell import cell_fields, open_array, store_cell
from zbench.environment import filesystem_of
from zbench.errors import RefusedError, ResultsError
from zbench.grid import CellSpec
from zbench.model import CacheState, StoreKind, StoreSpec
from zbench.probes import ColdMethod, CounterReader, Counters, MemoryMethod
from zbench.runner.deep import DeepRun, measure_deep, take_until
from zbench.runner.deep_child import deep_instructions, deep_memory, main
from zbench.runner.deep_sampling import (
    LARGE_BYTES,
    DeepSample,
    DeepSampler,
    Opening,
    Operation,
    operation_on,
)
from zbench.stats.adaptive import StoppingRule, StopReason
from zbench.stats.outliers import Cause

ENGINES = ("zarr-python", "zarrs", "tensorstore")
EDGE = 64
FEW = StoppingRule(budget_s=600.0, fewest=3, most=3)
NAMES = Counters.__dataclass_fields__


def cell_of(engine, folder, *, edge=EDGE, layout="v3-c16"):
    rng = np.random.default_rng(3)
    values = rng.normal(100, 10, (edge,) * 3).astype(np.float32).round(1)
    return store_cell(CellSpec("noise", engine, layout, "zstd-1"), values, folder)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """Folder whose files can leave the memory."""
    folder = tmp_path_factory.mktemp("deep")
    if filesystem_of(folder) in ("tmpfs", "ramfs"):
        pytest.skip(f"{folder} lies in memory; set --basetemp to a folder on a disk.")
    return folder


@pytest.fixture(scope="module", params=ENGINES)
def cell(request, disk):
    return cell_of(request.param, disk)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return cell_of("zarr-python", tmp_path_factory.mktemp("small"), edge=32)


def test_a_warm_read_reads_nothing_from_the_disk_and_all_by_calls(cell, tmp_path):
    run = measure_deep(cell, "full_read", rule=FEW, folder=tmp_path)
    assert len(run.samples) == 3
    assert all(sample.wall_ns > 0 and sample.open_ns is None for sample in run.samples)
    assert min(sample.counters.disk_read_bytes for sample in run.samples) == 0
    assert run.reached == "one execution before the first time, with 100 % of the store in the page cache after it"
    assert (run.cache, run.opening, run.not_cold) == (CacheState.WARM, Opening.OUTSIDE, 0)


def test_a_cold_read_reads_all_chunks_from_the_disk_every_time(cell, tmp_path):
    run = measure_deep(cell, "full_read", rule=FEW, folder=tmp_path, cache=CacheState.COLD, method=ColdMethod.FADVISE)
    metadata = Path(cell.store.location, "zarr.json").stat().st_size
    assert min(sample.counters.disk_read_bytes for sample in run.samples) >= cell.stored_bytes - metadata
    assert all(sample.open_ns > 0 for sample in run.samples)
    assert "posix_fadvise" in run.reached
    assert (run.cache, run.opening) == (CacheState.COLD, Opening.SEPARATE)


def test_a_write_gives_all_bytes_to_the_disk_and_leaves_nothing_behind(cell, tmp_path):
    run = measure_deep(cell, "write", rule=FEW, folder=tmp_path / "written")
    # Pages that are only renamed or removed before they are written still count as given.
    assert min(sample.counters.disk_write_bytes for sample in run.samples) >= cell.stored_bytes * 0.9
    assert list((tmp_path / "written").iterdir()) == []
    assert (run.opening, run.open_ns) == (Opening.OUTSIDE, None)
    assert "empty folder" in run.reached


def test_what_is_written_is_what_was_handed_over(small, tmp_path):
    values = np.zeros(small.shape, small.dtype)
    zeros = measure_deep(small, "write", rule=FEW, folder=tmp_path, values=values)
    noise = measure_deep(small, "write", rule=FEW, folder=tmp_path)
    bytes_of = [run.samples[0].counters.call_write_bytes for run in (zeros, noise)]
    assert bytes_of[0] < bytes_of[1] / 5


def test_a_cold_write_is_refused(small, tmp_path):
    with pytest.raises(RefusedError, match="cold write"):
        measure_deep(small, "write", rule=FEW, folder=tmp_path, cache=CacheState.COLD)


def test_boxes_of_one_operation_are_read_at_once(small, tmp_path):
    run = measure_deep(small, "train_patch-8", rule=FEW, folder=tmp_path)
    assert len(run.samples) == 3


def test_a_store_in_memory_is_refused_as_not_cold(tmp_path):
    shm = Path("/dev/shm")
    if not shm.is_dir() or filesystem_of(shm) != "tmpfs":
        pytest.skip("/dev/shm is no file system in memory.")
    folder = shm / f"zbench-test-{tmp_path.name}"
    try:
        cell = cell_of("zarr-python", folder, edge=16)
        with pytest.raises(RefusedError, match=r"3 attempts by fadvise, 100.0 % of .* still is"):
            measure_deep(cell, "full_read", rule=FEW, folder=tmp_path, cache=CacheState.COLD, method=ColdMethod.FADVISE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_memory_in_a_process_of_its_own_holds_the_volume(disk):
    cell = cell_of("zarr-python", disk, edge=160, layout="v3-c32")
    found = deep_memory(cell, "full_read", folder=disk)
    assert cell.logical_bytes <= found.added_bytes < 10 * cell.logical_bytes
    assert found.method is MemoryMethod.HIGH_WATER


def test_a_process_for_memory_that_fails_is_told_with_its_last_words(small, tmp_path):
    gone = replace(small, store=replace(small.store, location=str(tmp_path / "gone")))
    with pytest.raises(ResultsError, match=r"ended with 1\. It said: FileNotFoundError: .*gone"):
        deep_memory(gone, "full_read", folder=tmp_path)


def test_a_process_for_memory_that_takes_too_long_is_ended(small, tmp_path):
    with pytest.raises(ResultsError, match="ends within 0 s"):
        deep_memory(small, "full_read", folder=tmp_path, timeout_s=0.01)


@pytest.mark.parametrize(
    "ask", [pytest.param(deep_memory, id="memory"), pytest.param(deep_instructions, id="instructions")]
)
def test_a_pattern_that_is_too_large_is_refused_before_a_process_begins(small, tmp_path, ask):
    with pytest.raises(RefusedError, match="train_patch-64"):
        ask(small, "train_patch-64", folder=tmp_path)


class Executed:
    """Stands where the library is that counts instructions."""

    def __init__(self):
        self.seen = []

    def zbench_region_begin(self):
        self.seen.append("begin")

    def zbench_region_end(self):
        self.seen.append("end")


@pytest.mark.parametrize("operation", ["full_read", "write"])
def test_the_child_executes_what_it_is_told(small, tmp_path, monkeypatch, operation):
    library, task = Executed(), told(small, operation, tmp_path)
    monkeypatch.setattr("ctypes.CDLL", lambda _: library)
    monkeypatch.setattr(sys, "argv", ["-c", json.dumps(task), str(tmp_path / "library.so")])
    main()
    assert library.seen == ["begin", "end"]


def test_the_child_writes_down_what_it_found_of_memory(small, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["-c", json.dumps(told(small, "full_read", tmp_path)), str(tmp_path / "a.json")])
    main()
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["peak_bytes"] >= found["before_bytes"] > 0


def told(cell, operation, folder):
    return {
        "spec": astuple(cell.spec), "cell": cell_fields(cell), "location": cell.store.location,
        "operation": operation, "folder": str(folder),
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_counts_of_instructions_agree_within_half_a_per_cent(disk):
    if not (shutil.which("valgrind") and shutil.which("gcc") and Path("/usr/include/valgrind/callgrind.h").is_file()):
        pytest.skip("valgrind with its headers and gcc are not installed.")
    cell = cell_of("zarr-python", disk, layout="v3-c32")
    one, other = (deep_instructions(cell, "full_read", folder=disk).instructions for _ in range(2))
    assert one == pytest.approx(other, rel=0.005)
    # More than an instruction a byte, and far from what importing takes.
    assert cell.logical_bytes < one < 1e9


# From here on nothing is real but the kernel's counters.


class Steps:
    """An operation that says what is done with it, on a store that lies where it is told."""

    def __init__(self, *, is_read=True):
        self.seen = []
        numbers = count()
        self.operation = Operation(
            lambda: self.note("open", next(numbers)),
            lambda array: self.note("execute", array),
            lambda array: self.note("begin", array),
            is_read=is_read,
        )

    def note(self, what, number):
        self.seen.append((what, number))
        return number


class Place:
    def __init__(self, folder, kind=StoreKind.LOCAL, logical_bytes=LARGE_BYTES - 1):
        self.store, self.logical_bytes = StoreSpec(kind=kind, location=str(folder)), logical_bytes


@pytest.fixture
def counters():
    with CounterReader() as reader:
        yield reader


def sampler_of(steps, place, counters, cache=CacheState.WARM, **how):
    return DeepSampler(steps.operation, place, cache=cache, method=ColdMethod.FADVISE, counters=counters, **how)


def test_warm_samples_read_one_array_that_was_opened_after_the_warm_up(tmp_path, counters):
    steps = Steps()
    sampler = sampler_of(steps, Place(tmp_path), counters)
    sampler.take()
    sampler.take()
    assert steps.seen == [("open", 0), ("execute", 0), ("open", 1), ("execute", 1), ("execute", 1)]


def test_a_large_volume_warms_up_on_its_first_chunks(tmp_path, counters):
    steps = Steps()
    sampler = sampler_of(steps, Place(tmp_path, logical_bytes=LARGE_BYTES), counters)
    sampler.take()
    assert steps.seen == [("open", 0), ("begin", 0), ("open", 1), ("execute", 1)]
    assert sampler.reached.startswith("the first chunks before the first time")
    assert sampler.memory is None


@pytest.mark.parametrize("logical_bytes", [1, LARGE_BYTES])
def test_memory_is_that_of_a_whole_execution_which_is_not_timed(tmp_path, counters, logical_bytes):
    steps = Steps()
    sampler = sampler_of(steps, Place(tmp_path, logical_bytes=logical_bytes), counters, peak=True)
    assert steps.seen[:2] == [("open", 0), ("execute", 0)]
    assert sampler.memory.peak_bytes > 0


@pytest.mark.parametrize("operation", ["full_read", "write"])
def test_the_first_chunks_are_two_objects_on_each_axis(tmp_path, operation):
    cell = cell_of("zarr-python", tmp_path, edge=32, layout="v3-c4-s8")
    asked = []
    with operation_on(cell, operation, tmp_path) as found:
        array = found.open()
        spy = SimpleNamespace(
            read_box=lambda box: asked.append(array.read_box(box)),
            write_box=lambda box, values: asked.append((array.write_box(box, values), array.read_box(box))[1]),
        )
        found.begin(spy)
    assert (asked[0] == open_array(cell).read()[:16, :16, :16]).all()


def test_every_cold_sample_opens_the_array_anew(tmp_path, counters):
    steps = Steps()
    sampler = sampler_of(steps, Place(tmp_path), counters, CacheState.COLD)
    sampler.take()
    sampler.take()
    assert steps.seen[2:] == [("open", 1), ("execute", 1), ("open", 2), ("execute", 2)]


def test_every_write_begins_with_an_array_of_its_own(tmp_path, counters):
    steps = Steps(is_read=False)
    sampler = sampler_of(steps, Place(tmp_path), counters)
    sampler.take()
    sampler.take()
    assert steps.seen[2:] == [("open", 1), ("execute", 1), ("open", 2), ("execute", 2)]


class Held:
    """An array in a cycle, as libraries tie them, that notes when it goes."""

    def __init__(self, gone):
        self.itself, self.gone = self, gone

    def __del__(self):
        self.gone.append(len(self.gone))


def test_arrays_of_earlier_samples_are_gone_when_a_store_is_made_cold(tmp_path, counters):
    gone, at_opening = [], []

    def open_one():
        at_opening.append(len(gone))
        return Held(gone)

    gc.collect()
    operation = Operation(open_one, lambda _: None, lambda _: None, is_read=True)
    sampler = DeepSampler(
        operation, Place(tmp_path), cache=CacheState.COLD, method=ColdMethod.FADVISE, counters=counters
    )
    sampler.take()
    sampler.take()
    assert at_opening == [0, 1, 2]


@contextmanager
def held(path):
    """Keep a file in memory: some machines let go of what nobody reads."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
        view = ctypes.c_char.from_buffer(pages)
        assert ctypes.CDLL(None).mlock(ctypes.byref(view), len(pages)) == 0
        try:
            yield
        finally:
            del view


def test_a_store_that_stays_in_memory_is_tried_thrice_and_counted(tmp_path, counters, monkeypatch):
    (tmp_path / "chunk").write_bytes(b"x" * 10_000)
    monkeypatch.setattr("os.posix_fadvise", lambda *_: None)
    steps = Steps()
    with held(tmp_path / "chunk"), pytest.raises(RefusedError, match="3 attempts"):
        sampler_of(steps, Place(tmp_path), counters, CacheState.COLD)
    assert steps.seen == [("open", 0), ("execute", 0)]


def test_a_store_that_leaves_at_the_second_attempt_is_cold_and_the_first_is_told(tmp_path, counters, monkeypatch):
    (tmp_path / "chunk").write_bytes(b"x" * 10_000)
    if filesystem_of(tmp_path) in ("tmpfs", "ramfs"):
        pytest.skip(f"{tmp_path} lies in memory; set --basetemp to a folder on a disk.")
    really, calls = os.posix_fadvise, []

    def forget(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            really(*arguments)

    monkeypatch.setattr(os, "posix_fadvise", forget)
    assert sampler_of(Steps(), Place(tmp_path), counters, CacheState.COLD).not_cold == 1


def test_what_is_warm_is_not_claimed_of_a_store_that_is_no_folder(counters):
    sampler = sampler_of(Steps(), Place("memory", StoreKind.MEMORY), counters)
    assert sampler.reached == "one execution before the first time"


def sample(wall_ns=10_000_000, **counted):
    return DeepSample(wall_ns=wall_ns, cpu_ns=wall_ns, counters=Counters(**dict.fromkeys(NAMES, 0) | counted))


def test_samples_are_taken_until_the_rule_says_stop():
    walls = iter(np.random.default_rng(1).normal(1e7, 1e5, 100).astype(int).tolist())
    samples, decision = take_until(lambda: sample(next(walls)), StoppingRule(budget_s=60.0), clock=lambda: 0.0)
    assert (len(samples), decision.reason) == (10, StopReason.PRECISE)
    assert decision.estimate.median == np.median([one.wall_ns for one in samples])


def test_no_sample_begins_after_the_budget():
    clock = count(100, 7)
    samples, decision = take_until(sample, StoppingRule(budget_s=20.0), clock=lambda: float(next(clock)))
    assert (len(samples), decision.reason) == (3, StopReason.BUDGET)


def test_a_sample_that_outlasts_the_budget_is_kept():
    clock = count(0, 1000)
    samples, decision = take_until(sample, StoppingRule(budget_s=20.0), clock=lambda: float(next(clock)))
    assert len(samples) == 1
    assert "1 samples" in decision.estimate.reason


@pytest.fixture
def run(small, tmp_path):
    return measure_deep(small, "xy_plane", rule=FEW, folder=tmp_path)


def with_samples(run, *samples):
    return replace(run, samples=samples)


def test_what_a_run_used_is_the_median_of_its_samples(run):
    found = with_samples(
        run,
        sample(user_ns=1_000_000, disk_read_bytes=10, disk_write_bytes=1, reading_ns=5),
        sample(user_ns=2_000_000, system_ns=1_000_000, disk_read_bytes=20, disk_write_bytes=2, reading_ns=7),
        sample(user_ns=9_000_000, disk_read_bytes=90, disk_write_bytes=9, reading_ns=9),
    )
    assert (found.cpu_seconds, found.disk_read_bytes, found.disk_write_bytes) == (0.003, 20, 2)
    assert found.reading_ns == 7


def test_what_the_kernel_does_not_tell_is_none(run):
    found = with_samples(run, sample(disk_read_bytes=None, disk_write_bytes=None))
    assert (found.disk_read_bytes, found.disk_write_bytes, found.open_ns) == (None, None, None)


def test_opening_is_the_median_where_it_was_timed(run):
    assert with_samples(run, *(replace(sample(), open_ns=value) for value in (3, 1, 2))).open_ns == 2


def test_a_run_says_what_was_measured_and_how_it_ended(run):
    assert isinstance(run, DeepRun)
    assert (run.operation, run.decision.reason) == ("xy_plane", StopReason.MOST_SAMPLES)
    assert run.memory.peak_bytes > 0
    assert run.reading_ns > 0


def test_a_run_marks_its_outliers_with_their_causes(small, tmp_path, monkeypatch):
    calls = count()

    def execute_slowly_once(array, pattern, executor=None):
        # The first execution warms up: this is the sample of index 11.
        if next(calls) == 12:
            garbage()

    monkeypatch.setattr("zbench.runner.deep_sampling.read", execute_slowly_once)
    rule = StoppingRule(budget_s=600.0, fewest=20, most=20)
    found = measure_deep(small, "xy_plane", rule=rule, folder=tmp_path)
    causes = {outlier.index: outlier.causes for outlier in found.outliers}
    assert Cause.COLLECTION in causes[11]


def garbage():
    kept = [[] for _ in range(300_000)]
    gc.collect()
    return kept
