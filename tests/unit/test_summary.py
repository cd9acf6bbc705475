"""The suite's results as a table of cells."""

from __future__ import annotations

import math

import pytest

from zbench.report.summary import Range, summarise
from zbench.results import AsvRow
from zbench.units import GIB


def row(
    benchmark, value, *, low=None, high=None, pattern=None, engine="zarr-python", environment="py3.11-zarr3.1.6",
    layout="v3-c64",
):  # fmt: skip
    parameters = {"dataset": "phantom", "engine": engine, "layout": layout, "chain": "zstd-3"}
    if pattern:
        parameters["pattern"] = pattern
    return AsvRow(
        machine="box", environment=environment, commit="0" * 40, requirements=(), benchmark=benchmark,
        parameters=tuple(parameters.items()), value=value, low=low, high=high, unit="", samples=(),
    )  # fmt: skip


def test_a_cell_gathers_its_metrics_from_every_class():
    (cell,) = summarise(
        [
            row("layout.CodecSize.track_compression_ratio", 2.0),
            row("layout.CodecSize.track_stored_bytes", GIB / 2),
            row("layout.LayoutSize.track_objects", 9),
            row("read.CodecPatterns.time_read", 0.5, low=0.4, high=1.0, pattern="full_read"),
            row("write.CodecWhole.time_write", 2.0),
            row("read.LayoutPatterns.time_read", 0.002, pattern="train_patch-32"),
            row("layout.LayoutRequests.track_amplification", 64.0, pattern="xy_plane"),
            row("layout.LayoutRequests.track_requests", 5, pattern="xy_plane"),
        ]
    )
    assert cell.read_gib_s == Range(2.0, 1.0, 2.5)
    assert cell.write_gib_s == Range(0.5, None, None)
    assert cell.read_s == {"full_read": Range(0.5, 0.4, 1.0), "train_patch-32": Range(0.002, None, None)}
    assert (cell.compression_ratio, cell.objects, cell.problem, cell.failures) == (2.0, 9, "", ())
    assert (cell.amplification, cell.requests) == ({"xy_plane": 64.0}, {"xy_plane": 5})


def test_without_the_bytes_of_the_volume_there_is_no_throughput():
    (cell,) = summarise([row("read.CodecPatterns.time_read", 0.5, pattern="full_read")])
    assert (cell.read_gib_s, cell.read_s["full_read"].value) == (None, 0.5)


@pytest.mark.parametrize(
    ("values", "problem", "failures"),
    [
        ((math.nan, math.nan), "refused", ()),
        ((math.nan, 0.1), "", ()),
        ((None, 0.1), "failed", ("time_read/xy_plane",)),
        ((None, None), "failed", ("time_read/xy_plane", "time_write")),
        ((0.1, 0.1), "", ()),
    ],
)
def test_a_refused_cell_and_a_failed_one_are_told_apart(values, problem, failures):
    (cell,) = summarise(
        [
            row("read.LayoutPatterns.time_read", values[0], pattern="xy_plane"),
            row("write.LayoutWhole.time_write", values[1]),
        ]
    )
    assert (cell.problem, cell.failures) == (problem, failures)


@pytest.mark.parametrize("empty", [None, math.nan])
def test_a_number_of_one_class_stands_in_for_a_failure_in_another(empty):
    rows = [row("write.CodecWhole.time_write", empty), row("write.LayoutWhole.time_write", 0.1)]
    assert summarise(rows) == summarise(rows[::-1]) == summarise(rows[1:])


def test_numbers_in_names_are_sorted_as_numbers():
    layouts = ["v2-c16", "v2-c128", "v3-c8", "v3-c8-s16", "v3-cdiv64", "v10-c1"]
    rows = [row("write.ChunkWhole.time_write", 0.1, layout=layout) for layout in reversed(layouts)]
    assert [cell.layout for cell in summarise(rows)] == [
        "v2-c16", "v2-c128", "v3-c8", "v3-c8-s16", "v3-cdiv64", "v10-c1",
    ]  # fmt: skip
    rows = [row("write.ChunkWhole.time_write", 0.1, environment=f"zarr{number}") for number in ("3.10.0", "3.4.2")]
    assert [cell.environment for cell in summarise(rows)] == ["zarr3.4.2", "zarr3.10.0"]


def test_environments_and_engines_are_never_mixed():
    cells = summarise(
        [
            row("write.CodecWhole.time_write", 1.0, environment=environment, engine=engine)
            for environment in ("a", "b")
            for engine in ("zarrs", "tensorstore")
        ]
    )
    assert len(cells) == 4


def test_benchmarks_without_a_cell_are_left_out():
    other = AsvRow(
        machine="box", environment="a", commit="0", requirements=(), benchmark="open.Import.timeraw_import",
        parameters=(("package", "zarr"),), value=1.0, low=None, high=None, unit="seconds", samples=(),
    )  # fmt: skip
    assert summarise([other]) == []


def test_an_interval_that_reaches_below_zero_bounds_nothing():
    (cell,) = summarise([row("read.CodecPatterns.time_read", 2.0, low=-1.0, high=5.0, pattern="full_read")])
    assert cell.read_s["full_read"] == Range(2.0, None, None)
