"""``zbench scale`` as a user runs it: cubes of a small volume, real engines in real processes."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from zbench.cli.main import main
from zbench.model import voxel_digest
from zbench.results import read_table

PRESET = """
title = "Tiny"
datasets = ["cryoet-phantom-128"]
engines = ["zarr-python"]

[[sweeps]]
name = "growth"
question = "How does it grow?"
layouts = ["v3-c16"]
chains = ["zstd-1"]
patterns = ["full_read"]
"""
SIZES = (16, 32, 64)


def run(*words, status=0):
    done = CliRunner().invoke(main, ["scale", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    assert done.exit_code == status, done.output
    return done


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    values = np.random.default_rng(5).integers(0, 9, (80, 70, 66), dtype=np.uint8)
    np.save(folder / "v.npy", values)
    (folder / "tiny.toml").write_text(PRESET, encoding="utf-8")
    return [
        folder / "v.npy", "--sizes", "16,32,64", "--to", 128, "--test-configs", folder / "tiny.toml", "--budget", "1ms",
        "--output-dir", folder / "r",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def finished(words):
    return words[-1], run(*words, "--json")


def test_all_sizes_are_measured_and_the_laws_printed_for_programs(finished):
    output, done = finished
    told = json.loads(done.stdout)
    assert told == json.loads((output / "scale.json").read_text(encoding="utf-8"))
    assert told["sizes"] == list(SIZES)
    found = {(one["quantity"], one["operation"]): one for one in told["growths"]}
    assert set(found) == {
        (quantity, operation) for quantity in ("wall_time", "added_memory") for operation in ("write", "full_read")
    } | {("objects", ""), ("stored_bytes", "")}
    for one in found.values():
        assert [point["size"] for point in one["points"]] == list(SIZES)
    for operation in ("write", "full_read"):
        assert all(point["processes"] >= 3 for point in found["wall_time", operation]["points"])
    grids = [(size // 16) ** 3 for size in (*SIZES, 128)]
    objects = [point["value"] for point in found["objects", ""]["points"]] + [found["objects", ""]["at_to"]["estimate"]]
    assert len({count - grid for count, grid in zip(objects, grids, strict=True)}) == 1
    assert found["stored_bytes", ""]["law"]["exponent"]["estimate"] == pytest.approx(3, abs=0.3)


def test_smaller_cubes_lie_in_the_middle_of_the_largest(finished, words):
    output, _ = finished
    values = np.load(words[0])
    digests = {row.shape: row.voxel_digest for row in read_table(output / "results.json").rows}
    for size in SIZES:
        box = tuple(
            slice((extent - 64) // 2 + (64 - size) // 2, (extent - 64) // 2 + (64 + size) // 2)
            for extent in values.shape
        )
        assert digests[(size,) * 3] == voxel_digest(values[box])


def test_memory_that_is_told_is_that_of_a_fresh_process(finished):
    output, _ = finished
    lines = [json.loads(line) for line in (output / "run.jsonl").read_bytes().splitlines()]
    probes = [line for line in lines if line["kind"] == "probe"]
    assert len(probes) == len({probe["task"] for probe in probes}) == 6
    assert all(line["peak"] is None for line in lines if line["kind"] == "value")
    written = {p["task"].split("|")[0]: p["found"] for p in probes if p["task"].endswith("|write|warm")}
    assert all(found["peak_bytes"] >= found["before_bytes"] > 0 for found in written.values())


def test_a_run_leaves_page_figures_and_tables_and_nothing_else(finished):
    output, _ = finished
    names = {path.name for path in output.iterdir()}
    expected = {"run.jsonl", "report.md", "scale.json", "results.json", "results.csv", "scale-time.svg",
                "scale-time.png", "scale-memory.svg", "scale-memory.png"}  # fmt: skip
    assert names - {"results.parquet"} == expected


def test_going_on_with_a_finished_run_shows_its_laws_without_measuring(finished, words):
    output, _ = finished
    measured = re.compile(rb'"kind": "(?:value|probe)"')
    before = len(measured.findall((output / "run.jsonl").read_bytes()))
    done = run(*words, "--resume")
    assert len(measured.findall((output / "run.jsonl").read_bytes())) == before
    assert re.search(r"full_read time *\n", done.stdout)
    assert re.search(r"configuration +engine +16 +32 +64 +power of the edge +measured / law +at 128", done.stdout)
    assert re.search(r"v3-c16:zstd-1 +zarr-python \S+ .*\d+ to \d", done.stdout)
    assert str(output / "report.md") in done.stdout


def test_a_folder_of_another_run_is_not_written_to(finished, words):
    assert "Give --resume" in run(*words, status=2).stderr
    other = [*words[:2], "16,24,32", *words[3:]]
    assert "another options and another volume" in run(*other, "--resume", status=2).stderr


def test_a_dry_run_tells_what_it_would_take_and_writes_nothing(words, tmp_path):
    told = run(*words[:-1], tmp_path / "r", "--dry-run").output
    assert "cubes: 16, 32, 64 voxels an axis, the largest 256.0 KiB" in told
    assert "cells: 3, with 6 times" in told
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(["--sizes", "16,32"], "at least 3 different sizes", id="two sizes"),
        pytest.param(["--sizes", "16,32,80"], "80 does not fit 80x70x66 voxels.*largest cube has 66", id="too large"),
        pytest.param(["--sizes", "16,x,64"], "whole numbers of voxels.*'16,x,64'", id="no number"),
        pytest.param(["--engines", "zar"], "Unknown engine 'zar'", id="engine"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(words, tmp_path, given, says):
    done = run(*words[:-1], tmp_path / "r", *given, status=2)
    (line,) = done.stderr.splitlines()
    assert re.search(says, line)
    assert not (tmp_path / "r").exists()
