"""A pair of processes on a suite that tells where it runs and where its objects lie."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from zbench.runner.pairs import Item, Kind, Pair, Side
from zbench.runner.pairs.draws import Draw, cores, same_addresses

_SUITE = '''
"""Where does this process run, and where do its objects lie?"""

import os
import time
import threading

here = object()
ran_on = [0]


class Told:
    def track_address(self):
        return id(here)

    def track_hash(self):
        return hash("a name")

    def track_threads(self):
        return 1 + len({tuple(sorted(os.sched_getaffinity(int(task)))) for task in os.listdir("/proc/self/task")})

    def track_ran_on(self):
        return ran_on[0]


def work():
    ran_on[0] = sum(1 << core for core in os.sched_getaffinity(0))
    end = time.process_time() + 0.004
    while time.process_time() < end:
        pass


class Alone:
    # On this clock it keeps one core busy, whatever else runs on the machine.
    timer = staticmethod(time.process_time)

    def setup(self):
        self.over = threading.Event()
        threading.Thread(target=self.over.wait, daemon=True).start()

    def teardown(self):
        self.over.set()

    def time_work(self):
        work()


def half():
    return time.process_time() / 2


class Parallel:
    timer = staticmethod(half)

    def time_work(self):
        work()


class Waiting:
    timer = staticmethod(time.perf_counter)

    def time_work(self):
        ran_on[0] = sum(1 << core for core in os.sched_getaffinity(0))
        time.sleep(0.05)
'''

needs_cores = pytest.mark.skipif(len(cores()) < 2, reason="a process can choose between cores: there is one")


@pytest.fixture
def pair(tmp_path):
    """Give fresh pairs of alike sides."""
    suite = tmp_path / "benchmarks"
    suite.mkdir()
    (suite / "__init__.py").write_text("", encoding="utf-8")
    (suite / "told.py").write_text(_SUITE, encoding="utf-8")
    sides = [Side(name=name, python=sys.executable, scratch=tmp_path) for name in ("baseline", "candidate")]
    return lambda seed: Pair(*sides, suite, seed=seed)


def item(name, kind=Kind.TIME):
    return Item(
        environment="here",
        name=f"told.{name}",
        index=None,
        parameters=(),
        kind=kind,
        unit="",
        cache_key=None,
        timeout_s=30,
    )


def told(pair, name):
    return pair.value(item(f"Told.track_{name}", Kind.VALUE))


def test_hashes_are_shared_by_a_pair_and_drawn_anew_for_the_next(pair):
    with pair("1") as one, pair("2") as other:
        first, second = told(one, "hash"), told(other, "hash")
    assert first[0] == first[1]
    assert second[0] == second[1]
    assert first != second


def test_addresses_are_shared_by_a_pair_and_drawn_anew_for_the_next(pair):
    with same_addresses() as allowed:
        pass
    if not allowed:
        pytest.skip("this system does not let a process ask for the same addresses")
    # The first process to import the suite compiles it, which leaves other holes in its memory.
    with pair("0") as one:
        told(one, "address")
    found = []
    for seed in "123":
        with pair(seed) as one:
            found.append(told(one, "address"))
    assert sum(baseline == candidate for baseline, candidate in found) >= 2
    assert len(set(found)) > 1


def test_the_addresses_of_this_process_stay_drawn_at_random():
    def ask():
        return subprocess.run(
            [sys.executable, "-c", "print(id(object()))"], capture_output=True, text=True, check=True
        ).stdout

    with same_addresses():
        pass
    assert len({ask() for _ in range(4)}) > 1


@needs_cores
def test_a_benchmark_that_keeps_one_core_busy_has_one_for_both_sides(pair):
    with pair("1") as one:
        turn, way = one.time(item("Alone.time_work"), way=None)
        first, second = told(one, "ran_on")
    assert way.one_core
    assert first == second
    assert first.bit_count() == 1
    assert len(turn.wall_ns[0]) == len(turn.wall_ns[1]) >= 2


@needs_cores
@pytest.mark.parametrize("name", ["Parallel", "Waiting"])
def test_a_benchmark_that_waits_or_works_in_parallel_has_all_cores(pair, name):
    with pair("1") as one:
        one.time(item("Alone.time_work"), way=None)
        _, way = one.time(item(f"{name}.time_work"), way=None)
        assert not way.one_core
        everything = sum(1 << core for core in os.sched_getaffinity(0))
        assert told(one, "ran_on") == (everything, everything)


@needs_cores
def test_all_threads_get_their_cores_back(pair):
    with pair("1") as one:
        one.time(item("Alone.time_work"), way=None)
        one.time(item("Waiting.time_work"), way=None)
        assert told(one, "threads") == (2, 2)


@needs_cores
def test_one_core_can_be_turned_off(pair):
    with pair("1") as one:
        _, way = one.time(item("Alone.time_work"), way=None, one_core=False)
    assert not way.one_core


@needs_cores
def test_the_way_of_the_first_pair_is_that_of_the_next(pair):
    with pair("1") as one:
        _, way = one.time(item("Alone.time_work"), way=None)
    with pair("2") as one:
        _, again = one.time(item("Alone.time_work"), way=way)
        assert told(one, "ran_on")[0].bit_count() == 1
    assert again == way


@needs_cores
def test_pairs_are_spread_over_the_cores():
    assert {Draw.of(random.Random(seed)).core for seed in range(20)} == set(cores())
