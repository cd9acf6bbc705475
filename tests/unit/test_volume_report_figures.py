"""The figures of the report on one volume: what they show, with units, intervals and shapes that grey leaves."""

from __future__ import annotations

import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from zbench.errors import DataError
from zbench.model import Provenance, Volume
from zbench.report.volume import VolumeFacts, volume_facts
from zbench.report.volume.blocks import Document, Picture
from zbench.report.volume.drawing import SETTINGS
from zbench.report.volume.evidence import Condition, gathered
from zbench.report.volume.figure_chunks import draw_chunks, draw_shards
from zbench.report.volume.figure_engines import draw_engines
from zbench.report.volume.figure_front import draw_front
from zbench.report.volume.figure_volume import draw_volume
from zbench.report.volume.page import html
from zbench.report.volume.palette import DARK, LIGHT, SERIES
from zbench.report.volume.sweeps import chunk_sweeps, shard_pairs
from zbench.results import Row

WARM = Condition("local", "warm")
# Chunks, objects, and how many times longer than a cube an xy slice takes.
LAYOUTS = {
    "v2-c64": (9, 1.0),
    "v3-c64": (9, 1.0),
    "v3-c16x64x64": (33, 0.3),
    "v3-c32": (65, 1.5),
    "v3-c32-s64": (9, 1.8),
}
ENGINES = {"zarr-python": 1.0, "zarrs": 0.6}


def rows_of(layouts=LAYOUTS, engines=ENGINES, chains=("none", "zstd-5")):
    """Make rows with a known truth: slower by a quarter if compressed, by engine, and for slices by layout."""
    rows = []
    for engine, slow in engines.items():
        for layout, (objects, slices) in layouts.items():
            for chain in chains:
                cell = {
                    "source": "zbench", "environment": "e", "dataset": "tomogram", "engine": engine, "verified": True,
                    "engine_version": "1", "store": "local", "layout": layout, "chain": chain,
                }  # fmt: skip
                ratio = 1.0 if chain == "none" else 1.2
                rows.append(Row(**cell, metric="compression_ratio", unit="1", value=ratio))
                rows.append(Row(**cell, metric="objects", unit="objects", value=objects))
                for pattern, seconds in {"full_read": 0.02, "xy_plane": 0.002 * slices}.items():
                    time = seconds * slow * (1.25 if chain != "none" else 1)
                    place = {"pattern": pattern, "cache_state": "warm", "metric": "wall_time", "unit": "s"}
                    ends = {"low": 0.97 * time, "high": 1.04 * time, "confidence": 0.95}
                    rows.append(Row(**cell, **place, value=time, **ends))
    return rows


def voxels(rng, shape=(20, 30, 40)):
    array = rng.normal(size=shape).astype("<f4")
    return Volume(
        name="tomogram", array=array, spacing=(10.0, 10.0, 10.0), spacing_unit="angstrom",
        provenance=Provenance(source="here", licence="CC0-1.0", citation="them"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def facts():
    return volume_facts(voxels(np.random.default_rng(1)), title="A cell")


@pytest.fixture(scope="module")
def evidence():
    return gathered(rows_of(), "tomogram")


@pytest.fixture(autouse=True)
def settings():
    with mpl.rc_context(SETTINGS):
        yield


def luminance(colour):
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return float(np.dot(parts, (0.2126, 0.7152, 0.0722)))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_colours_keep_their_contrast_with_their_ground(scheme):
    words = ("ink", "quiet", "accent")
    assert all(contrast(scheme[name], scheme[ground]) >= 4.5 for name in words for ground in ("ground", "band"))
    assert all(contrast(colour, scheme["ground"]) >= 3 for name, colour in scheme.items() if name.startswith("series"))


def test_each_line_is_known_without_its_colour():
    assert len({look.marker for look in SERIES}) == len(SERIES)
    # The drawings in the page find a colour's place by its value.
    assert len(set(LIGHT.values())) == len(LIGHT) == len(DARK)


def bars_of(axis):
    """Find the ends of all error bars, by axis of the panel."""
    return np.concatenate([
        np.asarray(lines.get_segments()).reshape(-1, 2, 2) for box in axis.containers for lines in box.lines[2]
    ])  # fmt: skip


def test_the_front_has_its_intervals_its_line_and_its_units(evidence, facts):
    drawn = draw_front(evidence, WARM, facts, name="front")
    whole, plane = drawn.canvas.axes
    segments = bars_of(whole)
    assert len(segments) == 20
    assert segments[:, 1, 0] / segments[:, 0, 0] == pytest.approx(1.04 / 0.97)
    (line,) = (line for line in whole.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None")
    assert list(line.get_ydata()) == [1.0, 1.2]
    assert list(line.get_xdata()) == pytest.approx([0.012, 0.015])
    for axis in (whole, plane):
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("read time", "compression ratio")
        assert all(re.fullmatch(r"[\d.]+ (s|ms|µs|ns)", label.get_text()) for label in axis.get_xticklabels())
    (top,) = whole.child_axes
    assert top.get_xlabel() == "throughput, GiB/s"
    assert "no other" not in drawn.picture.alternative
    assert "v2-c64:none with zarrs 1 (12.0 ms [11.6, 12.5], ratio 1.00)" in drawn.picture.alternative


def test_an_interval_over_many_powers_of_ten_leaves_room_for_the_rest(facts):
    rows = rows_of(layouts={"v3-c64": (9, 1.0)}, engines={"zarrs": 1.0})
    wide = [
        replace(row, low=row.value / 1e4, high=row.value * 1e4) if row.metric == "wall_time" else row for row in rows
    ]
    drawn = draw_front(gathered(wide, "tomogram"), WARM, facts, name="front")
    low, high = drawn.canvas.axes[0].get_xlim()
    assert high / low < 100


def test_the_map_of_chunks_says_its_times_and_darkens_with_them(evidence, facts):
    sweep = next(sweep for sweep in chunk_sweeps(evidence, WARM, facts.shape) if sweep.engine == "zarrs 1")
    drawn = draw_chunks(evidence, WARM, sweep, name="chunks")
    drawn.canvas.draw_without_rendering()
    axis = drawn.canvas.axes[0]
    words = [text.get_text() for text in axis.texts]
    assert words[:2] == ["12.0 ms\n[11.6, 12.5]", "1.20 ms\n[1.16, 1.25]"]
    (mesh,) = axis.collections
    shades = [luminance(colour[:3]) for colour in mesh.get_facecolors()]
    relative = mesh.get_array().reshape(-1)
    order = np.argsort(relative, kind="stable")
    assert max(relative) == pytest.approx(5)
    assert all(np.diff(np.array(shades)[order]) <= 1e-9)
    assert min(shades) < 0.1
    assert max(shades) > 0.5


def test_the_words_in_the_map_can_be_read_on_every_shade(facts):
    layouts = {f"v3-c{edge}": (9, 1.25**place) for place, edge in enumerate(range(8, 40, 2))}
    evidence = gathered(rows_of(layouts=layouts, engines={"zarrs": 1.0}, chains=("none",)), "tomogram")
    drawn = draw_chunks(evidence, WARM, chunk_sweeps(evidence, WARM, facts.shape)[0], name="chunks")
    drawn.canvas.draw_without_rendering()
    axis = drawn.canvas.axes[0]
    shades = [colour[:3] for colour in axis.collections[0].get_facecolors()]
    assert len(shades) == 32
    assert min(contrast(text.get_color(), shade) for text, shade in zip(axis.texts, shades, strict=True)) >= 4.5


def test_a_layout_that_was_not_measured_is_a_gap_in_the_map(facts):
    rows = [row for row in rows_of() if (row.layout, row.pattern) != ("v3-c64", "xy_plane")]
    evidence = gathered(rows, "tomogram")
    drawn = draw_chunks(evidence, WARM, chunk_sweeps(evidence, WARM, facts.shape)[0], name="chunks")
    assert [text.get_text() for text in drawn.canvas.axes[0].texts].count("not\nmeasured") == 1


def test_shards_are_drawn_from_their_chunks_with_intervals(evidence, facts):
    drawn = draw_shards(evidence, WARM, facts, shard_pairs(evidence, WARM, facts.shape), name="shards")
    whole, plane = drawn.canvas.axes
    line = next(line for line in plane.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None")
    assert list(line.get_xdata()) == [9, 65]
    assert list(line.get_ydata()) == pytest.approx([0.0036, 0.003])
    assert len(bars_of(plane)) == 2
    assert (whole.get_xlabel(), whole.get_ylabel()) == ("objects in the store", "time")
    assert "v3-c32-s64 with 9" in drawn.picture.alternative


def test_engines_are_drawn_against_one_of_them(evidence):
    drawn = draw_engines(evidence, WARM, name="engines")
    (axis,) = drawn.canvas.axes
    segments = bars_of(axis)
    assert len(segments) == 2
    assert all(low < 0.6 < high for low, high in segments[:, :, 0])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["full_read", "xy_plane"]
    assert axis.get_xlabel().startswith("time ÷ time of zarr-python 1")
    assert "zarrs 1 0.600 [" in drawn.picture.alternative


def test_there_is_no_figure_of_what_was_not_measured(facts):
    lone = gathered(rows_of(layouts={"v3-c64": (9, 1.0)}, engines={"zarrs": 1.0}, chains=("none",)), "tomogram")
    assert draw_engines(lone, WARM, name="engines") is None
    assert draw_shards(lone, WARM, facts, shard_pairs(lone, WARM, facts.shape), name="shards") is None
    assert chunk_sweeps(lone, WARM, facts.shape) == ()
    bare = VolumeFacts(name="tomogram", shape=(2, 2, 2), dtype="<f4")
    assert draw_volume(bare, name="volume") is None


def test_the_volume_is_drawn_on_three_axes_with_the_unit_of_its_spacing(facts):
    drawn = draw_volume(facts, name="volume")
    *planes, histogram = drawn.canvas.axes
    assert [(axis.get_ylabel(), axis.get_xlabel()) for axis in planes] == [
        ("y, Å", "x, Å"), ("z, Å", "x, Å"), ("z, Å", "y, Å"),
    ]  # fmt: skip
    assert planes[0].images[0].get_extent() == [0, 400.0, 300.0, 0]
    assert histogram.get_xlabel() == "value of a voxel, as stored (float32)"


def test_without_a_spacing_axes_are_in_voxels(facts):
    drawn = draw_volume(replace(facts, spacing=None, spacing_unit=None), name="volume")
    assert drawn.canvas.axes[0].get_xlabel() == "x, voxels"


def test_facts_hold_the_middle_planes_and_every_voxel_once(rng):
    volume = voxels(rng)
    found = volume_facts(volume)
    assert [plane.shape for plane in found.planes] == [(30, 40), (20, 40), (20, 30)]
    assert np.array_equal(found.planes[1], volume.array[:, 15, :])
    assert (found.counts.sum(), found.counted) == (20 * 30 * 40, 1.0)
    assert (found.edges[0], found.edges[-1]) == (volume.array.min(), volume.array.max())


def test_facts_of_a_large_volume_count_evenly_spread_planes():
    volume = replace(voxels(np.random.default_rng(1)), array=np.zeros((40, 1100, 1100), "u1"))
    found = volume_facts(volume)
    assert found.planes[0].shape == (367, 367)
    assert found.counted == 14 / 40
    assert found.counts.sum() == 14 * 1100 * 1100


@pytest.mark.parametrize(
    ("array", "counts"),
    [
        pytest.param(np.arange(8, dtype="u1").reshape(2, 2, 2), [1] * 8, id="labels"),
        pytest.param(np.full((2, 2, 2), np.nan, "f4"), None, id="all-nan"),
        pytest.param(np.array([[[1, np.nan], [1, np.inf]]], "f4"), [2], id="some-nan"),
        pytest.param(np.ones((1, 1, 1), "?"), [1], id="one-voxel"),
    ],
)
def test_facts_count_what_can_be_counted(array, counts, rng):
    found = volume_facts(replace(voxels(rng), array=array))
    assert (None if found.counts is None else [int(count) for count in found.counts if count]) == counts
    assert draw_volume(found, name="volume") is not None


def test_facts_are_of_three_axes(rng):
    with pytest.raises(DataError, match="three axes"):
        volume_facts(voxels(rng, shape=(4, 4)))


def test_a_drawing_keeps_to_its_own_names():
    svg = '<?xml version="1.0"?><svg><style>*{a:b}</style><g id="a" style="fill: #1b1f24"/><use xlink:href="#a"/></svg>'
    page = html(Document("t", (Picture("one", "alternative", "caption"),)), {"one": svg})
    assert '<g id="one-a" style="fill: var(--ink)"/><use xlink:href="#one-a"/>' in page
    assert "*{a:b}" not in page
