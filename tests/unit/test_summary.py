"""The suite's results as a table of cells."""

from __future__ import annotations

import math

import pytest

from zbench.report.summary import Range, summarise
from zbench.results import AsvRow
from zbench.units import GIB


def row(benchmark, value, *, low=None, high=None, pattern=None, engine="zarr-python", environment="py3.11-zarr3.1.6"):
    parameters = {"dataset": "phantom", "engine": engine, "layout": "v3-c64", "chain": "zstd-3"}
    if pattern:
        parameters["pattern"] = pattern
    return AsvRow(
        machine="box", environment=environment, commit="0" * 40, requirements=(), benchmark=benchmark,
        parameters=tuple(parameters.items()), value=value, low=low, high=high, unit="", samples=(),
    )  # fmt: skip


def test_a_cell_gathers_its_metrics_from_every_class():
    (cell,) = summarise(
        [
            row("layout.Chains.track_compression_ratio", 2.0),
            row("layout.Chains.track_stored_bytes", GIB / 2),
            row("layout.Layouts.track_objects", 9),
            row("read.Chains.time_full_read", 0.5, low=0.4, high=1.0),
            row("write.Chains.time_write", 2.0),
            row("read.Planes.time_plane", 0.002, pattern="xy_plane"),
            row("layout.Requests.track_amplification", 64.0, pattern="xy_plane"),
            row("layout.Requests.track_requests", 5, pattern="xy_plane"),
        ]
    )
    assert cell.read_gib_s == Range(2.0, 1.0, 2.5)
    assert cell.write_gib_s == Range(0.5, None, None)
    assert (cell.compression_ratio, cell.objects, cell.problem) == (2.0, 9, "")
    assert (cell.plane_s["xy_plane"].value, cell.amplification, cell.requests) == (
        0.002, {"xy_plane": 64.0}, {"xy_plane": 5},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "problem"),
    [((math.nan, math.nan), "refused"), ((math.nan, 0.1), ""), ((None, 0.1), "failed"), ((0.1, 0.1), "")],
)
def test_a_refused_cell_and_a_failed_one_are_told_apart(values, problem):
    (cell,) = summarise([row("read.Chains.time_full_read", values[0]), row("write.Chains.time_write", values[1])])
    assert cell.problem == problem


def test_environments_and_engines_are_never_mixed():
    cells = summarise(
        [
            row("read.Chains.time_full_read", 1.0, environment=environment, engine=engine)
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
