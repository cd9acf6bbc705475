"""Peak memory: of an array whose size is known, and on a machine made of files."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zbench.errors import RefusedError
from zbench.probes import MemoryMethod, peak_memory
from zbench.probes.tree import fields

MIB = 1 << 20
KIB = 1024


def put(proc, pid, *, resident, mark=0, size=9000, proportional=None, children="", threads=(1,)):
    """Write what the kernel tells of the memory of a process, in KiB."""
    folder = proc / str(pid)
    for thread in threads:
        (folder / "task" / str(thread)).mkdir(parents=True, exist_ok=True)
        (folder / "task" / str(thread) / "children").write_text(children)
    (folder / "status").write_text(f"VmSize:\t{size} kB\nVmHWM:\t{mark} kB\nVmRSS:\t{resident} kB\n")
    if proportional is not None:
        (folder / "smaps_rollup").write_text(f"Rss:\t{resident} kB\nPss:\t{proportional} kB\n")


def lock(proc):
    # A folder cannot be written to, not even by root.
    (proc / "self" / "clear_refs").mkdir(parents=True)


def alone(code: str) -> list[str]:
    """Run code in a process of its own: this one may have children that another test left."""
    head = "import subprocess, sys, numpy as np\nfrom zbench.probes.memory import peak_memory\n"
    command = [sys.executable, "-c", head + code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_an_array_is_in_the_peak_while_it_lives_and_not_after():
    code = f"""
used = peak_memory(lambda: int(np.ones({32 * MIB}, dtype=np.uint8)[-1]))
unused = peak_memory(lambda: None)
print(used.added_bytes, unused.added_bytes, used.method.name, used.processes)
"""
    used, unused, method, processes = alone(code)
    assert 31 * MIB < int(used) < 40 * MIB
    assert int(unused) < 4 * MIB
    assert (method, processes) == ("HIGH_WATER", "1")


CHILD = "import time; memory = bytearray(b'1' * (64 << 20)); print('there', flush=True); time.sleep(0.2)"


def test_memory_of_a_child_is_in_the_peak():
    code = f"""
command = [sys.executable, "-S", "-c", {CHILD!r}]
found = peak_memory(lambda: subprocess.run(command, check=True, capture_output=True))
print(found.added_bytes, found.method.name, found.processes)
"""
    added, method, processes = alone(code)
    assert int(added) > 50 * MIB
    assert (method, processes) == ("SAMPLED_TREE", "2")


def test_the_mark_is_what_the_kernel_says(tmp_path):
    put(tmp_path, "self", resident=100, mark=900)
    found = peak_memory(lambda: put(tmp_path, "self", resident=120, mark=500), proc=tmp_path)
    assert (found.before_bytes, found.peak_bytes, found.added_bytes) == (100 * KIB, 500 * KIB, 400 * KIB)
    assert (tmp_path / "self" / "clear_refs").read_text() == "5"


def test_a_mark_that_cannot_be_put_back_counts_when_it_rose(tmp_path):
    put(tmp_path, "self", resident=100, mark=900)
    lock(tmp_path)
    found = peak_memory(lambda: put(tmp_path, "self", resident=120, mark=950), proc=tmp_path)
    assert (found.peak_bytes, found.method) == (950 * KIB, MemoryMethod.HIGH_WATER)


def test_a_mark_that_cannot_be_put_back_and_did_not_rise_says_nothing(tmp_path):
    put(tmp_path, "self", resident=100, mark=900)
    lock(tmp_path)
    found = peak_memory(lambda: put(tmp_path, "self", resident=120, mark=900), proc=tmp_path)
    assert (found.peak_bytes, found.method) == (120 * KIB, MemoryMethod.SAMPLED)


def with_child(proc, **child):
    """Give the process a child while the operation lasts."""
    put(proc, "self", resident=100, mark=120, proportional=60)

    def execute():
        put(proc, "self", resident=100, mark=120, proportional=60, children="7 ")
        put(proc, 7, **child)

    return peak_memory(execute, proc=proc, interval_s=10.0)


def test_shared_pages_of_a_child_are_counted_once(tmp_path):
    found = with_child(tmp_path, resident=300, proportional=200)
    assert (found.peak_bytes, found.processes) == (260 * KIB, 2)
    assert found.method is MemoryMethod.SAMPLED_TREE


def test_a_child_whose_shares_are_not_told_counts_whole_and_it_is_said(tmp_path):
    found = with_child(tmp_path, resident=300)
    assert found.peak_bytes == 360 * KIB
    assert found.method is MemoryMethod.SAMPLED_TREE_RESIDENT


def test_a_child_that_still_is_its_parents_memory_does_not_count(tmp_path):
    found = with_child(tmp_path, resident=100, mark=120, proportional=60)
    assert (found.peak_bytes, found.processes) == (120 * KIB, 1)


def test_a_child_that_has_ended_does_not_count(tmp_path):
    put(tmp_path, "self", resident=100, mark=120)

    def execute():
        put(tmp_path, "self", resident=100, mark=120, children="7 ")
        (tmp_path / "7").mkdir()
        (tmp_path / "7" / "status").write_text("Name:\tdefunct\n")

    assert peak_memory(execute, proc=tmp_path, interval_s=10.0).processes == 1


def test_the_process_tree_is_looked_at_while_the_operation_lasts(tmp_path):
    put(tmp_path, "self", resident=100, mark=120)

    def execute():
        put(tmp_path, "self", resident=5000, mark=120)
        let_the_sampler_look()
        put(tmp_path, "self", resident=100, mark=120)

    assert peak_memory(execute, proc=tmp_path, interval_s=0.001).peak_bytes == 5000 * KIB


def samplers():
    return [thread for thread in threading.enumerate() if thread.name == "zbench-memory"]


def let_the_sampler_look():
    """Wait until the sampler has given its core away fifty times, which it does between two looks."""
    (sampler,) = samplers()
    status = Path("/proc/self/task", str(sampler.native_id), "status")
    begin = fields(status.read_text())["voluntary_ctxt_switches"]
    while fields(status.read_text())["voluntary_ctxt_switches"] < begin + 50:
        time.sleep(0.001)


def test_an_error_of_the_operation_ends_the_looking():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        peak_memory(fail)
    assert samplers() == []


def test_a_system_that_tells_no_memory_is_refused(tmp_path):
    with pytest.raises(RefusedError, match="Peak memory"):
        peak_memory(lambda: None, proc=tmp_path)
