"""Volumes that are large for the memory: ``zbench cryoet`` within a control group that ends what takes more.

They write gigabytes and take up to half an hour, so they run when ``ZBENCH_LARGE`` is set: ``make test-long``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from zbench.datasets.phantom import phantom
from zbench.model import Box
from zbench.results import read_table
from zbench.units import GIB, MIB, format_bytes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not os.environ.get("ZBENCH_LARGE"), reason="takes gigabytes and minutes: make test-long"),
]

GROUPS = Path("/sys/fs/cgroup")
TINY = """
title = "Tiny"
datasets = ["cryoet-phantom-128"]
engines = ["zarr-python", "tensorstore"]

[[sweeps]]
name = "codec"
question = "Which codec?"
layouts = ["v3-c64"]
chains = ["none", "blosc-zstd-5-shuffle"]
patterns = ["full_read", "xy_plane"]
"""


class Group:
    """A control group with a bound on memory, of version 1 or 2, and the most that was resident in it."""

    def __init__(self, folder, limit_name, resident_name, limit_bytes):
        self.folder, self._resident_name = folder, resident_name
        (folder / limit_name).write_text(str(limit_bytes))
        self.peak_bytes, self._over = 0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self):
        while not self._over.wait(0.1):
            told = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
            self.peak_bytes = max(self.peak_bytes, int(told[self._resident_name]))

    def run(self, *words):
        """Run zbench in the group; its workers are in it, too."""
        enter = ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh"]
        begin = time.monotonic()
        done = subprocess.run(
            [*enter, sys.executable, "-m", "zbench", *map(str, words)], capture_output=True, text=True, check=False
        )
        told = f"{time.monotonic() - begin:.0f} s, {format_bytes(self.peak_bytes)} resident at most"
        sys.stdout.write(f"\nzbench {' '.join(map(str, words))}: {told}\n")
        return done

    def close(self):
        self._over.set()
        self._watcher.join()
        self.folder.rmdir()


@contextmanager
def capped(limit_bytes):
    name = f"zbench-{os.getpid()}"
    for parent, limit_name, resident_name in (
        (GROUPS / "memory", "memory.limit_in_bytes", "total_rss"),
        (GROUPS, "memory.max", "anon"),
    ):
        try:
            if parent == GROUPS:
                (GROUPS / "cgroup.subtree_control").write_text("+memory")
            (parent / name).mkdir()
            group = Group(parent / name, limit_name, resident_name, limit_bytes)
        except OSError:
            continue
        try:
            yield group
        finally:
            group.close()
        return
    pytest.skip("Neither version of control groups can be written here, so that memory cannot be bounded.")


@pytest.fixture(scope="module")
def volume_of_4_gib(tmp_path_factory):
    """A tomogram on the disk, every byte of it written."""
    mrcfile = pytest.importorskip("mrcfile", reason="the formats group is not installed")
    path = tmp_path_factory.mktemp("large") / "tomogram.mrc"
    slab = np.random.default_rng(3).normal(0, 20, (16, 1024, 1024)).astype("<f4")
    with mrcfile.new_mmap(path, shape=(1024, 1024, 1024), mrc_mode=2) as file:
        for first in range(0, 1024, 16):
            file.data[first : first + 16] = slab
        file.voxel_size = 10.0
    assert path.stat().st_blocks * 512 > 4 * GIB
    yield path
    path.unlink()


def test_a_volume_of_4_gib_is_measured_within_1_gib_of_memory(volume_of_4_gib, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    with capped(1 * GIB) as group:
        done = group.run(
            "cryoet", volume_of_4_gib, "--volume-size", 256, "--test-configs", tmp_path / "tiny.toml", "--budget", "1s",
            "--output-dir", tmp_path / "r",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    times = [row for row in read_table(tmp_path / "r" / "results.json").rows if row.metric == "wall_time"]
    assert len(times) == 12
    assert all(row.value is not None for row in times)
    assert 100 * MIB < group.peak_bytes < 1 * GIB


def test_a_crop_that_the_memory_cannot_hold_is_refused_before_it_is_read(volume_of_4_gib, tmp_path):
    with capped(1 * GIB) as group:
        done = group.run("cryoet", volume_of_4_gib, "--volume-size", "full", "--output-dir", tmp_path / "r")
    assert done.returncode == 2
    assert re.search(r"are 4\.0 GiB, and this process may use 1\.0 GiB\. Take a smaller --volume-size", done.stderr)
    assert not (tmp_path / "r").exists()


def test_the_quick_configurations_of_512_voxels_an_axis_take_less_than_3_gib(tmp_path):
    shape = (512, 512, 512)
    values = np.lib.format.open_memmap(tmp_path / "v.npy", mode="w+", dtype="<f4", shape=shape)
    for first in range(0, 512, 32):
        values[first : first + 32] = phantom(shape, box=Box((first, 0, 0), (first + 32, 512, 512)))
    values.flush()
    with capped(3 * GIB) as group:
        done = group.run("cryoet", tmp_path / "v.npy", "--volume-size", 512, "--output-dir", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    rows = read_table(tmp_path / "r" / "results.json").rows
    assert len({(row.engine, row.layout, row.chain) for row in rows if row.value is not None}) == 24
    assert group.peak_bytes < 3 * GIB
