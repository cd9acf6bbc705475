"""The pytest plugin: what a user's tests that ask for ``zarr_workload`` do, and what their results hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from zbench.environment import environment
from zbench.harness.compare import compare
from zbench.model import voxel_digest
from zbench.results import read_pytest_benchmark

pytest_plugins = ["pytester"]

QUICK = ("-p", "no:cacheprovider", "--benchmark-max-time=0.05", "--benchmark-json=out.json")

READ = """
def test_read(zarr_workload):
    cell = zarr_workload(dataset=VOLUME, layout="v3-c8", chain="zstd-3", engine="zarr-python", pattern="xy_plane")
    assert cell.compression_ratio > 1
"""
OTHERS = """
def test_write(zarr_workload):
    zarr_workload(dataset=VOLUME, layout="v2-c8", chain="none", pattern="write")

def test_crop(zarr_workload):
    zarr_workload(dataset=VOLUME, layout="v3-c8-s16", chain="none", volume_size=16)

def test_codec_refused(zarr_workload):
    zarr_workload(dataset=FLOATS, layout="v3-c8", chain="delta+zstd-3")

def test_pattern_refused(zarr_workload):
    zarr_workload(dataset=VOLUME, layout="v3-c8", chain="none", pattern="train_patch-64")
"""
# A library that gives other voxels than it was given.
WRONG_LIBRARY = """
    import zarr

    kept = zarr.Array.__getitem__
    zarr.Array.__getitem__ = lambda self, index: kept(self, index) + 1
"""
LIGHT = """
import sys

def test_light():
    assert "zbench.cell" not in sys.modules

def test_asking(zarr_workload):
    pass
"""


def volume():
    return np.random.default_rng(7).normal(100, 10, (16, 24, 32)).astype(np.int16)


def head(folder):
    """Put small volumes in files, as a user has them, and name them to the tests."""
    np.save(folder / "volume.npy", volume())
    np.save(folder / "floats.npy", volume().astype(np.float32))
    return f"VOLUME, FLOATS = {str(folder / 'volume.npy')!r}, {str(folder / 'floats.npy')!r}\n"


def run_pytest(folder):
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", *QUICK, "-rs", "test_mine.py"]
    return subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A user's tests, run once: what pytest said, what pytest-benchmark wrote, and the rows of each test."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "test_mine.py").write_text(head(folder) + READ + OTHERS)
    done = run_pytest(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    table = read_pytest_benchmark(folder / "out.json")
    rows = {}
    for row in table.rows:
        rows.setdefault(row.benchmark.rpartition("::")[-1], []).append(row)
    raw = {one["name"]: one for one in json.loads((folder / "out.json").read_text())["benchmarks"]}
    return SimpleNamespace(folder=folder, said=done.stdout, table=table, rows=rows, raw=raw)


def test_a_read_is_told_with_configuration_counts_and_digest(session):
    noted = session.raw["test_read"]["extra_info"]["zbench"]
    assert (noted["layout"], noted["chain"], noted["pattern"]) == ("v3-c8", "zstd-3", "xy_plane")
    assert noted["digest"] == voxel_digest(volume())
    # A plane of 24 x 32 voxels lies in 3 x 4 chunks of 8, each of them its own object; one more holds the metadata.
    assert noted["counts"]["bytes_decoded"] == 12 * 8**3 * 2
    assert noted["objects"] == 2 * 12 + 1


def test_what_is_told_is_imported_with_everything_kept(session):
    time, *exact = session.rows["test_read"]
    assert list(time.samples) == session.raw["test_read"]["stats"]["data"]
    assert (time.shape, time.dtype, time.verified) == ((16, 24, 32), "<i2", True)
    assert (time.voxel_digest, time.store, time.cache_state) == (voxel_digest(volume()), "local", "warm")
    noted = session.raw["test_read"]["extra_info"]["zbench"]
    stored = {name: noted[name] for name in ("compression_ratio", "objects", "stored_bytes")}
    assert {row.metric: row.value for row in exact} == stored | noted["counts"]
    assert {row.voxel_digest for row in exact} == {time.voxel_digest}


def test_the_environment_is_kept_once_for_all(session):
    here = environment(session.folder)
    (kept,) = session.table.environments.values()
    assert (kept.machine, kept.packages, kept.filesystem) == (here.machine, here.packages, here.filesystem)
    assert session.rows["test_read"][0].engine_version == dict(here.packages)["zarr"]


def test_a_write_meets_an_empty_store_each_time(session):
    time, *exact = session.rows["test_write"]
    assert (time.metric, time.pattern, time.layout, len(time.samples)) == ("wall_time", "write", "v2-c8", 5)
    assert [(row.metric, row.pattern) for row in exact] == [
        ("compression_ratio", ""), ("objects", ""), ("stored_bytes", ""),
    ]  # fmt: skip


def test_a_crop_from_the_middle_can_be_asked_for(session):
    time = session.rows["test_crop"][0]
    assert (time.shape, time.voxel_digest) == ((16, 16, 16), voxel_digest(volume()[:, 4:20, 8:24]))


def test_what_is_refused_is_skipped_with_the_reason_and_gives_no_number(session):
    assert re.search(r"^SKIPPED .*delta", session.said, re.MULTILINE)
    assert re.search(r"^SKIPPED .*train_patch-64", session.said, re.MULTILINE)
    assert set(session.rows) == {"test_read", "test_write", "test_crop"}


def test_two_runs_are_compared_and_their_exact_numbers_are_the_same(session, tmp_path):
    # The workload has the path of the volume in it, so the second run takes that of the first.
    first = (session.folder / "test_mine.py").read_text()
    (tmp_path / "test_mine.py").write_text(first.replace(OTHERS, ""))
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = compare(session.folder / "out.json", tmp_path / "out.json")
    assert found.differences == ()
    assert {one.comparison.verdict for one in found.metrics if one.exact} == {"same"}
    assert [one.metric for one in found.metrics if not one.exact] == ["wall_time"]
    assert {one.side for one in found.unpaired} == {"baseline"}


def test_wrong_bytes_fail_and_give_no_number(pytester):
    pytester.makeconftest(WRONG_LIBRARY)
    pytester.makepyfile(test_mine=head(pytester.path) + READ)
    done = pytester.runpytest_subprocess(*QUICK)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*wrong voxels*"])
    assert not (pytester.path / "out.json").exists()


def test_only_a_test_that_asks_for_the_fixture_pays_and_is_told_what_it_lacks(pytester):
    pytester.makepyfile(test_mine=LIGHT)
    done = pytester.runpytest_subprocess("-p", "no:benchmark")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*pip install pytest-benchmark*"])
