"""From a record over sizes to laws, the page and the figure: numbers that are known beforehand come out."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from zbench.environment import environment
from zbench.errors import LayoutError, PresetError, ResultsError
from zbench.grid import CellSpec
from zbench.harness.cryoet import Selection, VolumeRequest
from zbench.harness.scale import ScaleRequest, prepare_scale, scale_arguments
from zbench.harness.scale_outputs import MadeScale, growths_of, write_scale
from zbench.model import Box, Provenance, Volume
from zbench.report.scale import MEMORY, OBJECTS, STORED, TIME, quantity_text, scale_document
from zbench.report.scale_figure import draw_growth
from zbench.report.volume.markdown import markdown
from zbench.results import read_table
from zbench.runner import RunLog
from zbench.runner.campaign import Campaign, CellPlan, Limits
from zbench.runner.ledger import Ledger, Timing
from zbench.stats import Interval

SIZES = (64, 128, 256)
NAMES = {size: f"tomo-{size}" for size in SIZES}
COUNTERS = dict.fromkeys(
    (
        "user_ns", "system_ns", "minor_faults", "major_faults", "voluntary_switches", "involuntary_switches",
        "disk_read_bytes", "disk_write_bytes", "call_read_bytes", "call_write_bytes", "waited_ns", "steal_ns",
        "throttled_ns", "collections", "collection_ns", "reading_ns",
    ),
    0,
)  # fmt: skip


def add_cell(ledger, spec, size, *, metadata=2, time=lambda size: size**3, memory=lambda size: size**2):
    logical = size**3 * 4
    fields = {
        "config": "v3-c32:none", "shape": [size] * 3, "dtype": "<f4", "digest": "d", "logical_bytes": logical,
        "objects": (size // 32) ** 3 + metadata, "stored_bytes": logical // 2,
    }  # fmt: skip
    counts = {"requests": 1, "reads": 1, "writes": 0, "bytes_fetched": 1, "bytes_written": 0, "bytes_decoded": 1,
              "bytes_needed": 1}  # fmt: skip
    ledger.add("stored", cell=spec.text, fields=fields, counts={"full_read": counts}, uncounted={})
    for operation in ("write", "full_read"):
        task = Timing(spec, operation, "warm")
        for place, off in enumerate((0.99, 1.0, 1.01)):
            wall = time(size) * off
            ledger.add("value", task=task.key, round=place, samples=[[wall, 1]], open_ns=[], counters=COUNTERS,
                       reached="warm", peak=None)  # fmt: skip
        held = 1000 + (logical if operation == "write" else 0)
        found = {"peak_bytes": 1000 + logical + memory(size), "before_bytes": held, "method": "m", "processes": 1}
        if operation == "full_read":
            found["peak_bytes"] -= logical
        ledger.add("probe", probe="memory", task=task.key, found=found)


@pytest.fixture
def made(tmp_path):
    """A record of one configuration at three sizes, as if it had been measured."""

    def make(engines=("zarr-python",), sizes=SIZES, **known):
        ledger = Ledger(RunLog(tmp_path / "run.jsonl", head={"study": "scale"}))
        plans = []
        for engine in engines:
            for size in sizes:
                spec = CellSpec(NAMES[size], engine, "v3-c32", "none")
                plans.append(CellPlan(spec=spec, operations=("write", "full_read"), most_bytes=1))
                add_cell(ledger, spec, size, **known)
        volume = Volume(
            name="tomo", array=np.zeros((1, 1, 1), "<f4"), axes="zyx",
            provenance=Provenance(source="here", licence="CC0", citation="Ada"),
        )  # fmt: skip
        campaign = Campaign(
            volumes={}, plans=tuple(plans), cache_states=("warm",), ledger=ledger, folder=tmp_path,
            limits=Limits(budget_s=1, disk_bytes=1), probes=("memory",),
        )  # fmt: skip
        crop = SimpleNamespace(title="A tomogram", name="tomo", whole=(300, 300, 300), box=Box((0,) * 3, (256,) * 3))
        return MadeScale(
            output=tmp_path, sizes=SIZES, to=1024, layouts={"v3-c32": SIZES}, datasets=NAMES, crop=crop, volume=volume,
            campaign=campaign, environment=environment(tmp_path), begun="2026-01-01T00:00:00+00:00",
            command=["tomo.mrc"], notes=("A note.",),
        )  # fmt: skip

    return make


def growth(found, quantity, operation=""):
    (one,) = [one for one in found if one.quantity == quantity and one.operation == operation]
    return one


def test_times_that_follow_the_voxels_grow_with_the_power_three(made):
    time = growth(growths_of(made()), TIME, "full_read")
    assert [point.value for point in time.points] == pytest.approx([size**3 / 1e9 for size in SIZES])
    assert [point.processes for point in time.points] == [3, 3, 3]
    assert time.law.exponent.estimate == pytest.approx(3)
    assert time.ahead.estimate == pytest.approx(1024**3 / 1e9)
    assert time.ahead.low < time.ahead.estimate < time.ahead.high


@pytest.mark.parametrize("operation", ["full_read", pytest.param("write", id="write, with the voxels that were held")])
def test_memory_is_what_the_operation_took_beyond_the_idle_process(made, operation):
    memory = growth(growths_of(made()), MEMORY, operation)
    expected = [size**2 + (size**3 * 4 if operation == "write" else 0) for size in SIZES]
    assert [point.value for point in memory.points] == expected
    if operation == "full_read":
        assert memory.law.exponent.estimate == pytest.approx(2)


def test_objects_at_another_size_are_worked_out_exactly(made):
    objects = growth(growths_of(made()), OBJECTS)
    assert [point.value for point in objects.points] == [8 + 2, 64 + 2, 512 + 2]
    assert objects.law is None
    assert objects.ahead == Interval(32**3 + 2, 32**3 + 2, 32**3 + 2, 3)


def test_stored_bytes_follow_a_law(made):
    stored = growth(growths_of(made()), STORED)
    assert stored.law.exponent.estimate == pytest.approx(3)
    assert stored.ahead.estimate == pytest.approx(1024**3 * 2)


def test_where_nothing_could_be_seen_there_is_no_law(made):
    memory = growth(growths_of(made(memory=lambda size: 0)), MEMORY, "full_read")
    assert memory.law is None
    assert memory.note == "nothing could be seen at size 64, 128, 256"


def test_two_sizes_with_a_time_have_no_law(made):
    time = growth(growths_of(made(sizes=SIZES[:2])), TIME, "full_read")
    assert time.law is time.ahead is None
    assert time.note == "2 sizes have a value, and a law needs 3"


def test_the_page_tells_the_law_and_what_it_rests_on(made):
    made = made(engines=("zarr-python", "tensorstore"))
    found, told, paths = write_scale(made)
    page = (made.output / "report.md").read_text(encoding="utf-8")
    assert paths[0] == made.output / "report.md"
    assert all(path.is_file() for path in paths)
    assert re.search(r"`full_read`, the whole volume: time grows with the edge to the power 3\.00\.", page)
    assert re.search(r"At 1024³ the least is 1\.07 s \[[\d.]+, [\d.]+\], for `v3-c32:none`", page)
    assert "the intervals of 1 other of 1 reach it" in page
    assert re.search(r"\| `v3-c32:none` \| zarr-python \S+ \| 10 \| 66 \| 514 \| 32,770 \|", page)
    assert "![" in page
    assert "scale-time.svg" in page
    assert "scale-memory.svg" in page
    assert "Three sizes leave one degree of freedom" in page
    assert "zbench scale tomo.mrc" in page
    assert told["growths"][0]["law"]["residuals"] == list(found.growths[0].law.residuals)


def test_the_numbers_for_programs_are_whole(made):
    made = made()
    _, told, _ = write_scale(made)
    kept = json.loads((made.output / "scale.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(told))
    assert kept["sizes"] == list(SIZES)
    assert {one["quantity"] for one in kept["growths"]} == {TIME, MEMORY, OBJECTS, STORED}
    for one in kept["growths"]:
        assert len(one["points"]) == 3
        assert (one["law"] is None) == (one["quantity"] == OBJECTS)
        assert one["at_to"]["low"] <= one["at_to"]["estimate"] <= one["at_to"]["high"]


def test_the_table_has_every_size_as_a_volume_of_its_own(made):
    made = made()
    write_scale(made)
    rows = read_table(made.output / "results.json").rows
    assert {(row.dataset, row.shape) for row in rows} == {(f"tomo-{size}", (size,) * 3) for size in SIZES}
    peaks = {row.dataset: row.value for row in rows if row.metric == "peak_memory" and row.pattern == "full_read"}
    assert peaks == {f"tomo-{size}": 1000 + size**2 for size in SIZES}


def test_the_figure_draws_each_configuration_with_its_interval_and_a_shape_of_its_own(made):
    found, _, _ = write_scale(made(engines=("zarr-python", "tensorstore")))
    drawn = draw_growth(found, TIME, name="scale-time")
    axis = drawn.canvas.axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["64", "128", "256", "1024"]
    # Measured and extrapolated, for both configurations; an interval is a bar.
    assert len(axis.containers) == 4
    assert all(container.has_yerr for container in axis.containers)
    markers = [container[0].get_marker() for container in axis.containers]
    assert len(set(markers)) == 2
    lines = [line for line in axis.get_lines() if len(line.get_xdata()) == 30]
    assert {line.get_linestyle() for line in lines} == {"-", "--"}
    assert "extrapolated" in drawn.picture.alternative


def test_a_law_that_the_times_leave_is_called_rough(made):
    found, _, _ = write_scale(made(time=lambda size: 5e5 + size**3))
    assert "told apart from a power law" in markdown(scale_document(found, ()))
    assert found.of(TIME, "full_read")[0].law.is_rough


@pytest.mark.parametrize(
    ("quantity", "found", "text"),
    [
        pytest.param(TIME, Interval(1.5, 1.0, 2.0, 3), "1.50 s [1.00, 2.00]", id="time"),
        pytest.param(MEMORY, Interval(2048, 1024, 4096, 3), "2.0 KiB [1.0 KiB, 4.0 KiB]", id="memory"),
        pytest.param(OBJECTS, Interval(32770, 32770, 32770, 3), "32,770", id="objects"),
        pytest.param(STORED, Interval(1024, 1024, 1024, 3), "1.0 KiB", id="exact bytes"),
        pytest.param(TIME, None, "n/a", id="nothing"),
    ],
)
def test_quantities_are_written_in_their_unit(quantity, found, text):
    assert quantity_text(quantity, found) == text


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        pytest.param({"sizes": (64, 128)}, PresetError, "at least 3 different sizes: got 64, 128", id="two sizes"),
        pytest.param({"sizes": (64, 64, 128)}, PresetError, "different sizes: got 64, 64, 128", id="a size twice"),
        pytest.param({"sizes": (0, 64, 128)}, PresetError, "size is a whole number.*got 0", id="no size"),
        pytest.param({"to": 0}, PresetError, "size is a whole number.*got 0", id="to nothing"),
        pytest.param({"sizes": (32, 64, 96)}, LayoutError, "96 does not fit 40x80x80.* cube has 40", id="too large"),
        pytest.param({"sizes": (10, 20, 40)}, PresetError, "none of the preset fits so many", id="chunks too large"),
        pytest.param({"sizes": (32, 36, 40), "max_disk_bytes": 1}, ResultsError, "--max-disk holds", id="disk"),
    ],
)  # fmt: skip
def test_what_cannot_be_scaled_is_refused(tmp_path, given, error, says):
    np.save(tmp_path / "v.npy", np.zeros((40, 80, 80), "u1"))
    preset = tmp_path / "p.toml"
    preset.write_text(
        'title = "t"\ndatasets = ["d"]\nengines = ["zarr-python"]\n[[sweeps]]\nname = "s"\nquestion = "q"\n'
        'layouts = ["v3-c32"]\nchains = ["none"]\npatterns = ["full_read"]\n',
        encoding="utf-8",
    )
    volume, selection = VolumeRequest(source=str(tmp_path / "v.npy")), Selection(test_configs=str(preset))
    with pytest.raises(error, match=says):
        prepare_scale(ScaleRequest(volume=volume, selection=selection, **given))


def test_a_layout_is_measured_at_the_sizes_that_it_fits(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((256, 256, 256), "u1"))
    preset = tmp_path / "p.toml"
    preset.write_text(
        'title = "t"\ndatasets = ["d"]\nengines = ["zarr-python"]\n[[sweeps]]\nname = "s"\nquestion = "q"\n'
        'layouts = ["v3-c32", "v3-c64", "v3-c64-s128", "v3-cslab4"]\nchains = ["none"]\npatterns = ["full_read"]\n',
        encoding="utf-8",
    )
    request = ScaleRequest(
        volume=VolumeRequest(source=str(tmp_path / "v.npy")), sizes=(32, 64, 128, 256),
        selection=Selection(test_configs=str(preset)),
    )  # fmt: skip
    prepared = prepare_scale(request)
    assert prepared.layouts == {"v3-c32": (32, 64, 128, 256), "v3-c64": (64, 128, 256), "v3-cslab4": (32, 64, 128, 256)}
    assert "Layout v3-c64 is measured without size 32: its chunks or shards are larger." in prepared.notes
    assert "Layout v3-c64-s128 is left out, for it would lose size 32, 64: its chunks or shards are larger." in (
        prepared.notes
    )
    texts = {size: [plan.spec.layout for plan in part.selected.plans] for size, part in prepared.parts.items()}
    assert texts[32] == ["v3-c32", "v3-c4x32x32"]
    assert texts[256] == ["v3-c32", "v3-c64", "v3-c4x256x256"]
    assert {part.crop.box.start for part in prepared.parts.values()} == {(112,) * 3, (96,) * 3, (64,) * 3, (0,) * 3}


def test_the_command_says_all_that_was_asked_for():
    request = ScaleRequest(
        volume=VolumeRequest(source="a b.mrc", at=(1, 2, 3)), sizes=(64, 16, 32), budget_s=90,
        selection=Selection(test_configs="scale", engines=("zarr-python",)),
    )  # fmt: skip
    assert scale_arguments(request) == [
        "a b.mrc", "--at", "1,2,3", "--test-configs", "scale", "--engines", "zarr-python", "--cache-state", "warm",
        "--sizes", "16,32,64", "--to", "256", "--budget", "90s",
    ]  # fmt: skip
