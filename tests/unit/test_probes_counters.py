"""Counters of a process tree: on this machine where it can be known what they must say, and on one made of files."""

from __future__ import annotations

import gc
import mmap
import os
import subprocess
import sys

import pytest

from zbench.probes import CounterReader
from zbench.probes.throttling import throttle_files, throttled_ns
from zbench.probes.tree import descendants, fields, text_of, threads, used

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
STAT = "cpu  1 2 3 4 5 6 7 {steal} 0 0\ncpu0 1 2 3 4 5 6 7 9 0 0\n"
IO = "rchar: {0}\nwchar: 20\nsyscr: 1\nsyscw: 1\nread_bytes: {1}\nwrite_bytes: 40\ncancelled_write_bytes: 0\n"


def put(root, **files):
    """Write files below a folder; ``__`` is a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def put_process(proc, pid, *, children="", name="python", ticks=(0, 0), faults=(0, 0), switches=(0, 0), io=""):
    """Write what the kernel tells of a process with one thread; pairs are its own and its ended children's."""
    numbers = ["S", "1", "1", "1", "0", "-1", "0", faults[0], faults[1], 3, 4, *ticks, 5, 6, *range(30)]
    told = f"Name:\t{name}\nvoluntary_ctxt_switches:\t{switches[0]}\nnonvoluntary_ctxt_switches:\t{switches[1]}\n"
    stat = f"{pid} ({name}) " + " ".join(map(str, numbers)) + "\n"
    put(
        proc / str(pid),
        stat=stat,
        io=io,
        **{f"task__{pid}__children": children, f"task__{pid}__status": told, f"task__{pid}__schedstat": "100 200 3\n"},
    )


@pytest.fixture
def machine(tmp_path):
    """Folders of /proc and /sys with one process, and a reader of them."""
    proc, system = tmp_path / "proc", tmp_path / "sys"
    put(proc, stat=STAT.format(steal=8), self__io=IO.format(10, 30), self__cgroup="0::/ours\n")
    put(proc / "self" / "task", **{"1__schedstat": "5 100 1\n", "1__children": "", "2__schedstat": "5 1000 1\n"})
    put(system, fs__cgroup__ours__cpu_stat="", **{"fs__cgroup__ours__cpu.stat": "usage_usec 5\nthrottled_usec 7\n"})
    with CounterReader(proc=proc, system=system) as reader:
        yield proc, system, reader


def test_nothing_costs_nothing_but_time():
    with CounterReader() as reader:
        found = reader.end(reader.begin())
    assert (found.call_read_bytes, found.call_write_bytes, found.collections) == (0, 0, 0)
    assert (found.disk_read_bytes, found.major_faults, found.collection_ns) == (0, 0, 0)
    assert found.reading_ns > 0


def test_bytes_of_read_and_write_calls_are_exact(tmp_path):
    (tmp_path / "file").write_bytes(bytes(12_345))
    with CounterReader() as reader:
        before = reader.begin()
        file = os.open(tmp_path / "file", os.O_RDWR)
        os.read(file, 100_000)
        os.write(file, bytes(678))
        found = reader.end(before)
    os.close(file)
    assert (found.call_read_bytes, found.call_write_bytes) == (12_345, 678)


def test_pages_that_are_touched_first_are_minor_faults():
    pages = 1000
    with CounterReader() as reader, mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        before = reader.begin()
        for page in range(pages):
            memory[page * mmap.PAGESIZE] = 1
        found = reader.end(before)
    assert pages <= found.minor_faults < pages + 100


def test_cpu_time_is_that_of_user_and_system():
    with CounterReader() as reader:
        before = reader.begin()
        cpu_ns = os.times()
        while os.times().user - cpu_ns.user < 0.03:
            sum(range(1000))
        found = reader.end(before)
    assert found.cpu_ns == found.user_ns + found.system_ns
    assert found.cpu_ns > 20_000_000


def test_runs_of_the_garbage_collector_are_counted_with_their_time():
    with CounterReader() as reader:
        before = reader.begin()
        gc.collect()
        gc.collect()
        found = reader.end(before)
    assert found.collections == 2
    assert found.collection_ns > 0


def test_a_closed_reader_listens_no_more():
    listeners = list(gc.callbacks)
    reader = CounterReader()
    assert len(gc.callbacks) == len(listeners) + 1
    reader.close()
    assert gc.callbacks == listeners


CHILD = "import sys; open(sys.argv[1], 'rb').read(); print('read', flush=True); sys.stdin.read()"


def test_children_count_while_they_live_and_once_when_they_have_ended(tmp_path):
    size = 5_000_000
    (tmp_path / "file").write_bytes(bytes(size))
    with CounterReader() as reader:
        before = reader.begin()
        with subprocess.Popen(
            [sys.executable, "-S", "-c", CHILD, tmp_path / "file"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            child.stdout.readline()
            living = reader.end(before)
            child.stdin.close()
        ended = reader.end(before)
    assert size <= living.call_read_bytes < 1.5 * size
    assert size <= ended.call_read_bytes < 1.5 * size
    assert living.minor_faults > 100
    assert 0 < living.minor_faults <= ended.minor_faults
    assert living.voluntary_switches <= ended.voluntary_switches


def test_differences_are_those_between_the_readings(machine):
    proc, system, reader = machine
    before = reader.begin()
    put(proc, stat=STAT.format(steal=11), self__io=IO.format(1000, 4126))
    put(system, **{"fs__cgroup__ours__cpu.stat": "throttled_usec 19\n"})
    found = reader.end(before)
    own_bytes = len(IO.format(10, 30))
    assert found.steal_ns == 3 * TICK_NS
    assert found.throttled_ns == 12_000
    assert (found.disk_read_bytes, found.call_read_bytes) == (4096, 990 - own_bytes)


def test_waiting_is_that_of_threads_that_are_there_at_the_end(machine):
    proc, _, reader = machine
    before = reader.begin()
    put(proc / "self" / "task", **{"1__schedstat": "5 160 1\n", "3__schedstat": "0 7 1\n"})
    (proc / "self" / "task" / "2" / "schedstat").unlink()
    assert reader.end(before).waited_ns == 60 + 7


def test_living_children_are_added(machine):
    proc, _, reader = machine
    before = reader.begin()
    put(proc / "self" / "task", **{"1__children": "42"})
    put_process(proc, 42, ticks=(2, 3), faults=(10, 20), switches=(7, 8), io=IO.format(500, 600))
    found = reader.end(before)
    own_bytes = len(IO.format(10, 30))
    assert found.user_ns >= 7 * TICK_NS
    assert found.minor_faults >= 30
    assert found.major_faults >= 7
    assert found.involuntary_switches >= 8
    assert (found.disk_read_bytes, found.call_read_bytes) == (600, 500 - own_bytes)


def test_what_a_machine_does_not_tell_is_none_and_not_zero(tmp_path):
    with CounterReader(proc=tmp_path, system=tmp_path) as reader:
        found = reader.end(reader.begin())
    told = (found.steal_ns, found.throttled_ns, found.waited_ns, found.disk_read_bytes, found.call_write_bytes)
    assert told == (None,) * 5
    assert found.minor_faults is not None


def test_a_counter_that_goes_away_is_none(machine):
    proc, _, reader = machine
    before = reader.begin()
    (proc / "stat").unlink()
    (proc / "self" / "io").unlink()
    found = reader.end(before)
    assert (found.steal_ns, found.disk_read_bytes) == (None, None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("VmRSS:\t  120 kB\nName:\tpython\n", {"VmRSS": 120}, id="status"),
        pytest.param("usage_usec 5\n\nnr_periods 0\n", {"usage_usec": 5, "nr_periods": 0}, id="control-group"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_fields_are_names_with_numbers(text, found):
    assert fields(text) == found


def test_a_name_of_a_process_may_hold_anything(tmp_path):
    put_process(tmp_path, 7, name="a) R 1 (b", ticks=(4, 0))
    assert used(7, proc=tmp_path).user_ns == 9 * TICK_NS


def test_a_process_that_is_gone_has_used_nothing_and_has_no_threads(tmp_path):
    assert used(7, proc=tmp_path) is None
    assert threads(7, proc=tmp_path) == ()
    assert descendants(7, proc=tmp_path) == ()


def test_children_of_children_are_descendants(tmp_path):
    put_process(tmp_path, 1, children="2 3")
    put_process(tmp_path, 2, children="4 ")
    put_process(tmp_path, 3)
    put_process(tmp_path, 4)
    assert sorted(descendants(1, proc=tmp_path)) == [2, 3, 4]


def test_a_file_that_cannot_be_read_has_no_text(tmp_path):
    assert text_of(tmp_path) == ""
    assert text_of(tmp_path / "none") == ""


HEAT = "devices__system__cpu__cpu0__thermal_throttle__package_throttle_total_time_ms"


@pytest.mark.parametrize(
    ("group", "files", "throttled"),
    [
        pytest.param("0::/a/b\n", {"fs__cgroup__a__b__cpu.stat": "throttled_usec 3\n"}, 3000, id="version-2"),
        pytest.param("4:cpu,io:/a\n", {"fs__cgroup__cpu,io__a__cpu.stat": "throttled_time 5\n"}, 5, id="version-1"),
        pytest.param("0::/outside\n", {"fs__cgroup__cpu.stat": "throttled_usec 2\n"}, 2000, id="container"),
        pytest.param("3:io:/\n", {"fs__cgroup__io__cpu.stat": "throttled_time 5\n"}, None, id="another-controller"),
        pytest.param("0::/\n", {"fs__cgroup__cpu.stat": "usage_usec 2\n"}, None, id="no-quota"),
        pytest.param("", {HEAT: "4\n"}, 4_000_000, id="heat"),
        pytest.param(
            "0::/\n", {HEAT: "4\n", "fs__cgroup__cpu.stat": "throttled_usec 2\n"}, 4_002_000, id="quota-and-heat"
        ),
        pytest.param("", {}, None, id="nothing"),
    ],
)  # fmt: skip
def test_throttling_is_found_where_the_machine_tells_it(tmp_path, group, files, throttled):
    proc, system = tmp_path / "proc", tmp_path / "sys"
    put(proc, self__cgroup=group)
    put(system, **files)
    assert throttled_ns(throttle_files(proc=proc, system=system)) == throttled
