"""``zbench cryoet`` answers for every volume of the corpus, whatever its format, number of axes and type."""

from __future__ import annotations

import re

import numpy as np
import pytest
from click.testing import CliRunner

from zbench.cli.main import main
from zbench.datasets import card, card_names, centre_crop, load, read_voxels
from zbench.model import voxel_digest
from zbench.results import read_table
from zbench.units import format_shape

PRESET = """
title = "One cell"
datasets = ["cryoet-phantom-128"]
engines = ["zarr-python"]

[[sweeps]]
name = "codec"
question = "Which codec?"
layouts = ["v3-c16"]
chains = ["gzip-1"]
patterns = ["full_read"]
"""
CARDS = [
    pytest.param(found, id=found.name, marks=[pytest.mark.long] if found.logical_bytes > 2**26 else [])
    for found in map(card, card_names())
]


@pytest.fixture(autouse=True)
def mirror(corpus, monkeypatch):
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(corpus))


def run(*words):
    done = CliRunner().invoke(main, ["cryoet", *map(str, words)])
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


@pytest.mark.parametrize("found", CARDS)
def test_a_dry_run_tells_what_every_volume_would_cost(tmp_path, found):
    told = run(found.name, "--dry-run", "--volume-size", 32, "--output-dir", tmp_path / "out")
    shape = (1, *found.shape)[-3:]
    kept = format_shape(tuple(min(extent, 32) for extent in shape))
    assert f"volume: {found.name}, {found.title}\ncrop: {kept} voxels (z, y, x), " in told
    assert re.search(r"^cells: [1-9]\d*, with [1-9]", told, re.MULTILINE)
    # What is left out of more than three axes is said, with the way to choose.
    assert ("--member @" in told) == (len(found.shape) > 3)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "place", "says"),
    [
        pytest.param("ct-head-ge", (), "in HU; -1500.0 stands for no value", id="DICOM"),
        pytest.param("eraint-uvz-z::@t=1", (1,), "\u00d7 number + 66825.5, in m**2 s**-2", id="NetCDF, a time"),
        pytest.param(
            "era5-members-t", (5, 2), "of m place 5 of 10, of t place 2 of 4 is measured", id="GRIB, five axes"
        ),
    ],
)
def test_a_tiny_crop_is_measured_and_verified(tmp_path, source, place, says):
    (tmp_path / "tiny.toml").write_text(PRESET, encoding="utf-8")
    output = tmp_path / "out"
    told = run(
        source, "--volume-size", 16, "--test-configs", tmp_path / "tiny.toml", "--workloads", "full_read", "--budget",
        "1ms", "--output-dir", output,
    )  # fmt: skip
    assert says in told
    whole = read_voxels(load(source.partition("::")[0]))[place]
    expected = whole[centre_crop(whole.shape, 16).slices]
    rows = read_table(output / "results.json").rows
    assert {(row.voxel_digest, row.shape, np.dtype(row.dtype)) for row in rows} == {
        (voxel_digest(expected), expected.shape, expected.dtype.newbyteorder("<"))
    }
    assert [row.chain for row in rows if row.metric == "wall_time" and row.verified] == ["gzip-1"]
    assert says in (output / "report.md").read_text(encoding="utf-8").replace("\\", "")


@pytest.mark.long
@pytest.mark.parametrize("name", card_names())
def test_every_volume_is_measured_and_verified(tmp_path, name):
    (tmp_path / "tiny.toml").write_text(PRESET, encoding="utf-8")
    run(
        name, "--volume-size", 32, "--test-configs", tmp_path / "tiny.toml", "--workloads", "full_read", "--budget",
        "1ms", "--output-dir", tmp_path / "out",
    )  # fmt: skip
    rows = read_table(tmp_path / "out" / "results.json").rows
    assert [row.chain for row in rows if row.metric == "wall_time" and row.verified] == ["gzip-1"]
    assert name in (tmp_path / "out" / "report.md").read_text(encoding="utf-8").replace("\\", "")
