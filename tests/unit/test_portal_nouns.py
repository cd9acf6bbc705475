"""Wishes for crops of the portal, and tables to choose a tomogram from."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from zbench.datasets.portal import Tomogram, Wanted, choices, choose
from zbench.errors import DataError, LayoutError
from zbench.model import Box

TOMOGRAM = Tomogram(
    id=17,
    run_id=3,
    dataset_id=10445,
    deposition_id=10310,
    name="TS_1",
    run_name="TS_1",
    dataset_title="Cells",
    shape=(184, 630, 641),
    spacing=10.012,
    processing="denoised",
    reconstruction="WBP",
    authors=("Ada Lovelace", "Alan Turing"),
    publications=(),
    omezarr="s3://bucket/tomo.zarr",
    mrc="",
    size_bytes=3 * 1024**2,
)


@pytest.mark.parametrize(
    ("given", "error", "rule"),
    [
        pytest.param({"dataset": 0}, DataError, "number of a dataset .* got 0", id="dataset"),
        pytest.param({"tomogram": -1}, DataError, "number of a tomogram .* got -1", id="tomogram"),
        pytest.param({"voxel_spacing": 0.0}, DataError, "voxel spacing is above 0", id="spacing"),
        pytest.param({"voxel_spacing": float("nan")}, DataError, "voxel spacing is above 0", id="no number"),
        pytest.param({"level": -1}, DataError, "level is 0 or above", id="level"),
        pytest.param({"source": "tiff"}, DataError, "source is one of omezarr, mrc: got 'tiff'", id="source"),
        pytest.param({"source": "mrc", "level": 1}, DataError, "MRC file has level 0 alone", id="level of an MRC file"),
        pytest.param({"size": 8, "box": Box((0, 0, 0), (1, 1, 1))}, LayoutError, "got both", id="box and size"),
        pytest.param({"size": 0}, LayoutError, "three axes of at least one voxel: got 0", id="no size"),
        pytest.param({"box": Box((0, 0), (1, 1))}, LayoutError, "three axes", id="flat box"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(given, error, rule):
    with pytest.raises(error, match=rule):
        Wanted(**{"dataset": 10445} | given)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"dataset": 10446}, id="dataset"),
        pytest.param({"run": "TS_2"}, id="run"),
        pytest.param({"tomogram": 18}, id="tomogram"),
        pytest.param({"voxel_spacing": 10.0}, id="spacing"),
        pytest.param({"level": 1}, id="level"),
        pytest.param({"size": 65}, id="size"),
        pytest.param({"size": None, "box": Box((0, 0, 0), (64, 64, 64))}, id="box"),
        pytest.param({"source": "mrc"}, id="source"),
    ],
)
def test_the_text_of_a_wish_tells_it_from_others(change):
    wanted = Wanted(dataset=10445, size=64)
    assert replace(wanted).text == wanted.text
    assert replace(wanted, **change).text != wanted.text


def test_a_table_shows_what_tomograms_differ_in():
    title, line = choices([TOMOGRAM]).splitlines()
    assert title.split("  ")[0] == "id"
    for shown in ("17", "TS_1", "10.012 Å", "184,630,641", "denoised", "Ada Lovelace et al.", "3.0 MiB"):
        assert shown in line
    assert line.index("10.012") == title.index("voxel spacing")


def test_a_table_leaves_out_what_the_portal_does_not_say():
    line = choices([replace(TOMOGRAM, authors=(), size_bytes=0)]).splitlines()[1]
    assert line.endswith("denoised")


def test_a_long_table_says_how_much_is_left_out():
    lines = choices([replace(TOMOGRAM, id=number) for number in range(1, 31)], limit=4).splitlines()
    assert len(lines) == 1 + 4 + 1
    assert lines[-1] == "... and 26 more"


def test_a_lone_tomogram_is_chosen():
    assert choose([TOMOGRAM], Wanted(dataset=10445)) == TOMOGRAM


def test_several_tomograms_are_listed_to_choose_from():
    with pytest.raises(DataError, match=r"one tomogram: 2 of portal dataset 10445 fit\. Choose by run") as caught:
        choose([TOMOGRAM, replace(TOMOGRAM, id=18, run_name="TS_2")], Wanted(dataset=10445))
    assert caught.match(r"\n17 +TS_1 .*\n18 +TS_2 ")


def test_what_is_wanted_goes_through_a_pipe():
    wanted = Wanted(dataset=10445, box=Box((0, 0, 0), (1, 2, 3)))
    assert pickle.loads(pickle.dumps((wanted, TOMOGRAM))) == (wanted, TOMOGRAM)
