"""``zbench summary`` of result files as asv writes them."""

from __future__ import annotations

import json
import math
import subprocess
from itertools import product

import pytest
from click.testing import CliRunner

from zbench.cli import main

CELL = ("dataset", "engine", "layout", "chain")
ENGINES = ("zarr-python", "zarrs")
DATASET = "phantom [128]"
SECONDS = 8_388_608 / 2**30
BENCHMARKS = {
    "layout.CodecSize.track_compression_ratio": (CELL, "ratio", 1.25),
    "layout.CodecSize.track_stored_bytes": (CELL, "bytes", 8_388_608 / 1.25),
    "layout.CodecSize.track_objects": (CELL, "objects", 65),
    "layout.CodecRequests.track_amplification": ((*CELL, "pattern"), "ratio", 32.0),
    "layout.CodecRequests.track_requests": ((*CELL, "pattern"), "requests", 17),
    # A second of it is one GiB.
    "read.CodecPatterns.time_read": ((*CELL, "pattern"), "seconds", SECONDS),
    "write.CodecWhole.time_write": (CELL, "seconds", SECONDS * 2),
    "open.Import.timeraw_import": (("package",), "seconds", 0.2),
}
VALUES = {
    "dataset": [DATASET],
    "engine": list(ENGINES),
    "layout": ["v2-c64", "v3-c32-s128"],
    "chain": ["blosc-zstd-5-shuffle"],
    "pattern": ["full_read", "xy_plane", "train_patch-32"],
    "package": ["zarr"],
}


class Repository:
    """A git repository with results of the suite."""

    def __init__(self, folder):
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit = self.new_commit()
        self.results = folder / ".asv" / "results"
        (self.results / "box").mkdir(parents=True)
        (self.results / "box" / "machine.json").write_text("{}")
        index = {name: {"param_names": list(names), "unit": unit} for name, (names, unit, _) in BENCHMARKS.items()}
        (self.results / "benchmarks.json").write_text(json.dumps(index | {"version": 2}))

    def git(self, *arguments):
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        ran = subprocess.run(["git", *author, *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return ran.stdout.strip()

    def new_commit(self):
        self.git("commit", "--quiet", "--allow-empty", "--message", "a commit")
        return self.git("rev-parse", "HEAD")

    def write(self, environment, *, refused=(), failed=(), few=(), machine="box"):
        """Write a result file in which some cells are refused, and benchmarks failed or took one sample."""
        results = {name: self.entry(name, refused, failed, few) for name in BENCHMARKS}
        columns = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b"]
        raw = {
            "commit_hash": self.commit, "env_name": environment, "date": 0, "python": "3.11", "version": 2,
            "params": {"machine": machine, "python": "3.11"}, "requirements": {"zarr": "3.1.6"}, "env_vars": {},
            "result_columns": columns, "results": results, "durations": {},
        }  # fmt: skip
        (self.results / machine).mkdir(exist_ok=True)
        path = self.results / machine / f"{self.commit[:8]}-{environment}.json"
        path.write_text(json.dumps(raw))
        return path

    @staticmethod
    def entry(name, refused, failed, few):
        names, unit, value = BENCHMARKS[name]
        columns = [[], [], []]
        for combination in product(*(VALUES[parameter] for parameter in names)):
            found = value
            if set(combination) & set(refused):
                found = math.nan
            elif name in failed:
                found = None
            timed = found is not None and not math.isnan(found) and unit == "seconds"
            spread = math.inf if name in few else 0.1
            low, high = (found * (1 - spread), found * (1 + spread)) if timed else (None, None)
            for column, number in zip(columns, (found, low, high), strict=True):
                column.append(number)
        params = [[repr(text) for text in VALUES[parameter]] for parameter in names]
        return [columns[0], params, "1", 0, 1.0, columns[1], columns[2]]

    def summary(self, *arguments, status=0, width=80):
        command = ["summary", "--repository", str(self.folder), *arguments]
        ran = CliRunner(env={"COLUMNS": str(width)}).invoke(main, command)
        assert ran.exit_code == status, ran.output
        return ran

    def rows(self, *arguments, width=80):
        """The printed lines, spaces made one."""
        return [" ".join(line.split()) for line in self.summary(*arguments, width=width).stdout.splitlines()]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


@pytest.mark.parametrize("width", [80, 170])
def test_each_cell_is_a_row_with_its_intervals(repository, width):
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    rows = repository.rows(width=width)
    for layout, engine in product(VALUES["layout"], ENGINES):
        names = f"{layout} blosc-zstd-5-shuffle {engine} py3.11-zarr3.1.6"
        # The slow end of a time is the low end of a throughput.
        assert f"{names} 1.250 65 0.5 [0.455, 0.556] 1 [0.909, 1.11]" in rows
        assert f"{names} 7.81 [7.03, 8.59] 7.81 [7.03, 8.59] 32, 32" in rows
    assert f"{DATASET}: the whole volume" in rows
    assert "layout chain engine environment xy_plane ms train_patch-32 ms amplification" in rows


def test_environments_of_one_cell_stand_below_each_other(repository):
    for zarr in ("3.4.2", "3.1.6", "2.18.7"):
        repository.write(f"zbench-uv-py3.11-zarr{zarr}")
    whole = [row for row in repository.rows() if row.startswith("v2-c64 blosc-zstd-5-shuffle zarrs")][:3]
    assert [row.split()[3] for row in whole] == ["py3.11-zarr2.18.7", "py3.11-zarr3.1.6", "py3.11-zarr3.4.2"]


def test_programs_get_every_number(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    found = json.loads(repository.summary("--json").stdout)
    assert found["commit"] == repository.commit
    assert (found["problems"], found["dashboard"]) == ([], None)
    assert len(found["cells"]) == 4
    cell = found["cells"][0]
    assert {name: cell[name] for name in CELL} == {
        "dataset": DATASET, "engine": "zarr-python", "layout": "v2-c64", "chain": "blosc-zstd-5-shuffle",
    }  # fmt: skip
    assert cell["machine"] == "box"
    assert cell["environment"] == "zbench-uv-py3.11-zarr3.1.6"
    assert cell["requests"] == {"full_read": 17, "xy_plane": 17, "train_patch-32": 17}
    assert cell["read_gib_s"]["value"] == pytest.approx(1)
    assert cell["read_s"]["xy_plane"]["low"] == pytest.approx(SECONDS * 0.9)


def test_refused_cells_are_counted_by_engine_and_environment(repository):
    repository.write("zbench-uv-py3.11-zarr2.18.7", refused=["zarrs", "v3-c32-s128"])
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    rows = repository.rows()
    assert "refused: 2 of 2 cells of zarrs in py3.11-zarr2.18.7" in rows
    assert "refused: 1 of 2 cells of zarr-python in py3.11-zarr2.18.7" in rows
    assert not [row for row in rows if row.startswith("v3-c32-s128") and "zarr2.18.7" in row]
    assert not [row for row in rows if "nan" in row.lower()]


def test_a_failed_benchmark_is_named_and_the_other_numbers_stay(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6", failed=["write.CodecWhole.time_write"])
    rows = repository.rows()
    assert "v2-c64 blosc-zstd-5-shuffle zarrs py3.11-zarr3.1.6 1.250 65 1 [0.909, 1.11]" in rows
    assert f"failed: {DATASET} v2-c64:blosc-zstd-5-shuffle zarrs in py3.11-zarr3.1.6: time_write" in rows


def test_a_wrong_cell_has_no_number_at_all(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6", failed=list(BENCHMARKS))
    rows = repository.rows()
    assert not [row for row in rows if row.startswith("v2-c64")]
    assert len([row for row in rows if row.startswith("failed: ")]) == 4


def test_a_time_without_an_interval_says_so(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6", few=["write.CodecWhole.time_write"])
    assert [row for row in repository.rows() if "0.5 (too few samples) 1 [0.909, 1.11]" in row]


def test_a_truncated_file_is_named_and_the_others_are_shown(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    bad = repository.write("zbench-uv-py3.12-zarr3.4.2")
    bad.write_text(bad.read_text()[:200])
    shown = repository.summary().stdout
    assert str(bad) in shown
    assert "py3.11-zarr3.1.6" in shown
    assert len(json.loads(repository.summary("--json").stdout)["problems"]) == 1


def test_a_truncated_file_that_is_the_only_one_is_named(repository):
    bad = repository.write("zbench-uv-py3.12-zarr3.4.2")
    bad.write_text(bad.read_text()[:200])
    told = repository.summary(status=2).stderr
    assert told.count("\n") == 1
    assert str(bad) in told


def test_results_of_another_commit_are_offered(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    first, repository.commit = repository.commit, repository.new_commit()
    told = repository.summary(status=2).stderr
    assert told.startswith(
        f"zbench: A summary needs results of the suite: there are none of commit {repository.commit[:8]}."
    )
    assert f"give one of {first[:8]}" in told
    assert f"commit {first[:8]}, measured on box" in repository.summary("HEAD~1").stdout


def test_a_repository_that_was_never_measured_says_what_to_run(repository):
    (repository.results / "benchmarks.json").unlink()
    assert "make bench" in repository.summary(status=2).stderr


@pytest.mark.parametrize("commit", ["no-such-branch", "", "-x"])
def test_what_is_no_commit_is_refused_in_one_line(repository, commit):
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    told = repository.summary("--", commit, status=2).stderr
    assert told.startswith("zbench: A summary is of a commit")
    assert told.count("\n") == 1


def test_two_machines_are_told_apart(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    repository.write("zbench-uv-py3.11-zarr3.1.6", machine="laptop")
    rows = repository.rows()
    assert [row for row in rows if row.startswith("v2-c64 blosc-zstd-5-shuffle zarrs laptop:py3.11-zarr3.1.6 1.250")]
    assert f"commit {repository.commit[:8]}, measured on box, laptop" in rows


def test_the_dashboard_is_named_where_it_is(repository):
    repository.write("zbench-uv-py3.11-zarr3.1.6")
    assert "none yet" in repository.rows()[-1]
    page = repository.folder / ".asv" / "html" / "index.html"
    page.parent.mkdir()
    page.touch()
    assert repository.rows()[-1] == f"dashboard: {page} (see it with 'make preview')"
