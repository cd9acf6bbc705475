"""The asv suite: every benchmark is found, set up, run once and torn down as asv does it, in this process."""

from __future__ import annotations

import importlib
import json
import math
import pickle
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from asv_runner import run as asv_run
from asv_runner import setup_cache as asv_setup_cache
from asv_runner.discovery import disc_benchmarks, get_benchmark_from_name

from zbench.errors import VerificationError
from zbench.grid import PRESET_NAMES, load_preset

REPOSITORY = Path(__file__).parents[1]
SUITE = REPOSITORY / "benchmarks"
MODULES = sorted(path.stem for path in SUITE.glob("[a-z]*.py"))
DATASET = "cryoet-phantom-128"
# The second layout is for pictures: every engine refuses it for a volume.
PRESET = f"""
title = "Tiny"
datasets = ["{DATASET}"]
engines = ["zarr-python", "zarr-python-fused", "zarrs", "tensorstore"]

[[sweeps]]
name = "codec"
question = "Which codec?"
layouts = ["v3-c64", "v2-c64x64"]
chains = ["none", "blosc-zstd-5-shuffle"]
patterns = ["full_read"]

[[sweeps]]
name = "shard-v3"
question = "Which shard?"
layouts = ["v3-c32-s64"]
chains = ["blosc-lz4-5-shuffle"]
patterns = ["yz_plane", "ortho3_jump", "train_patch-32", "particles-32-10"]
"""


class Suite:
    """The suite as a process of asv sees it: the folder with the stored cells is the working folder."""

    def __init__(self, folder):
        self.folder = folder
        self.benchmarks = {benchmark.name: benchmark for benchmark in disc_benchmarks("benchmarks")}

    def cells(self, name, **kept):
        """The numbers of a benchmark's combinations that have the given parameters."""
        benchmark = self.benchmarks[name]
        for index, values in enumerate(product(*benchmark._params)):
            named = dict(zip(benchmark.param_names, values, strict=True))
            if kept.items() <= named.items():
                yield index

    def run(self, name, index):
        """What asv would write down of one combination, taken with as few samples as ``asv run --quick`` takes."""
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        fewest = json.dumps({"number": 1, "repeat": 1, "warmup_time": 0})
        asv_run._run((str(SUITE), f"{name}-{index}", fewest, "None", str(result)))
        return json.loads(result.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asv cache")
    preset = folder / "tiny.toml"
    preset.write_text(PRESET, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("ZBENCH_DATASETS", "ZBENCH_ENGINES"):
            patch.delenv(variable, raising=False)
        patch.setenv("ZBENCH_PRESET", str(preset))
        patch.setenv("ZBENCH_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.syspath_prepend(REPOSITORY)
        patch.chdir(folder)
        forget()
        made = Suite(folder)
        asv_setup_cache._setup_cache((str(SUITE), "read.CodecPatterns.time_read", "{}"))
        yield made
        forget()


@pytest.fixture(autouse=True)
def _in_its_folder(suite, monkeypatch):
    monkeypatch.chdir(suite.folder)


def forget():
    """Unload the suite, which takes its preset when it is imported."""
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        del sys.modules[name]


def test_every_question_of_the_preset_becomes_a_class(suite):
    assert {name.rpartition(".")[0] for name in suite.benchmarks} == {
        "codecs.Chunk", "open.Import",
        "layout.CodecRequests", "layout.CodecSize", "layout.ShardV3Requests", "layout.ShardV3Size",
        "memory.CodecPeak", "memory.ShardV3Peak", "open.CodecMetadata", "open.ShardV3Metadata",
        "read.CodecPatterns", "read.ShardV3Patterns", "write.CodecWhole", "write.ShardV3Whole",
    }  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_every_benchmark_names_its_parameters_and_has_a_timeout_and_a_version(suite, module):
    for name, benchmark in suite.benchmarks.items():
        if name.split(".")[0] == module:
            sources = [source for source in benchmark._attr_sources if hasattr(source, "param_names")]
            # asv makes names up when there are fewer than parameters.
            assert len(sources[0].param_names) == len(benchmark.params) > 0, name
            assert 0 < benchmark.timeout <= 120, name
            assert benchmark.version == "1", name


def test_every_tracked_number_has_a_unit(suite):
    units = {name: found.unit for name, found in suite.benchmarks.items() if found.type == "track"}
    assert set(units.values()) == {"ratio", "bytes", "objects", "requests"}
    assert not [name for name, unit in units.items() if unit.removesuffix("s") not in name and unit != "ratio"]


def test_cells_are_stored_once_for_all_classes(suite):
    keys = {found.setup_cache_key for name, found in suite.benchmarks.items() if ".Chunk." not in name}
    assert len(keys - {None}) == 1
    assert {found.setup_cache_timeout for found in suite.benchmarks.values()} - {None}


@pytest.mark.parametrize("module", MODULES)
def test_every_benchmark_runs_with_every_parameter(suite, module, capfd):
    for name, benchmark in suite.benchmarks.items():
        if name.split(".")[0] != module:
            continue
        results = [suite.run(name, index) for index in range(math.prod(map(len, benchmark.params)))]
        samples = [result["samples"][0] if isinstance(result, dict) else result for result in results]
        numbers = [sample for sample in samples if not math.isnan(sample)]
        assert numbers, name
        assert all(number > 0 for number in numbers), name
        told = capfd.readouterr().out
        assert told.count("asv: skipped: ") == len(samples) - len(numbers), told


@pytest.mark.parametrize("name", ["write.CodecWhole.time_write", "memory.CodecPeak.peakmem_write"])
def test_what_was_written_to_be_measured_is_removed(suite, name):
    (index, *_) = suite.cells(name, engine="zarr-python", layout="v3-c64")
    before = {path.name for path in suite.folder.iterdir()}
    suite.run(name, index)
    assert {path.name for path in suite.folder.iterdir()} == before | {"result.json"}


def test_boxes_that_are_asked_for_at_once_leave_no_thread(suite):
    name = "read.ShardV3Patterns.time_read"
    (index,) = suite.cells(name, engine="zarr-python", pattern="train_patch-32")
    benchmark = get_benchmark_from_name(str(SUITE), f"{name}-{index}")
    benchmark.set_cache(pickle.loads((suite.folder / "cache.pickle").read_bytes()))
    assert not benchmark.do_setup()
    threads = benchmark.func.__self__.threads
    assert threads.submit(int).result() == 0
    benchmark.do_teardown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        threads.submit(int)


@pytest.mark.parametrize("name", ["read.CodecPatterns.time_read", "write.CodecWhole.time_write"])
def test_a_refused_cell_is_skipped_with_its_reason(suite, capfd, name):
    indices = list(suite.cells(name, layout="v2-c64x64"))
    assert len(indices) == 8
    assert all(math.isnan(suite.run(name, index)) for index in indices)
    assert capfd.readouterr().out.count("axes") >= len(indices)


def test_a_wrong_cell_fails_everywhere_and_gives_no_number(suite, monkeypatch, tmp_path):
    cache = suite.folder / "cache.pickle"
    outcomes = pickle.loads(cache.read_bytes())
    wrong = f"{DATASET}|zarr-python|v3-c64|none"
    assert wrong in outcomes
    (tmp_path / "cache.pickle").write_bytes(pickle.dumps(outcomes | {wrong: VerificationError("one voxel differs")}))
    monkeypatch.chdir(tmp_path)
    ran = 0
    for name, benchmark in suite.benchmarks.items():
        if "Codec" in name:
            for index in suite.cells(name, engine="zarr-python", layout="v3-c64", chain="none"):
                with pytest.raises(VerificationError, match="one voxel differs"):
                    suite.run(name, index)
                assert not (suite.folder / "result.json").exists(), benchmark
                ran += 1
    assert ran == 11


def test_counts_of_a_pattern_are_those_of_one_execution(suite):
    name = "layout.ShardV3Requests.track_{}"
    (index,) = suite.cells(name.format("requests"), engine="zarr-python", pattern="yz_plane")
    requests, fetched, amplification = (
        suite.run(name.format(metric), index) for metric in ("requests", "bytes_fetched", "amplification")
    )
    # Of 2 x 2 x 2 shards a plane lies in 4, each of which gives its index and 4 chunks; the metadata comes on top.
    assert 8 < requests <= 4 * 5 + 4
    assert amplification == 32
    assert 0 < fetched < 128**2 * 32 * 4


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_the_suite_measures_the_cells_and_patterns_of_a_preset_and_no_others(preset):
    program = (
        "import json, sys; from asv_runner.discovery import disc_benchmarks; "
        "json.dump([[b.name, b.param_names, b._params] for b in disc_benchmarks('benchmarks')], sys.stdout)"
    )
    environment = {"ZBENCH_PRESET": preset, "PATH": "", "ZBENCH_CACHE_DIR": "/nowhere"}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
    )
    found = json.loads(ran.stdout)
    grid = load_preset(preset)
    asked = {
        (dataset, engine, *way)
        for dataset, engine, sweep in product(grid.datasets, grid.engines, grid.sweeps)
        for way in product(sweep.layouts, sweep.chains, sweep.patterns)
    }
    assert {row for name, _, params in found if name.endswith("time_read") for row in product(*params)} == asked
    for metric in ("track_requests", "track_bytes_fetched", "track_amplification"):
        cells = {row for name, _, params in found if name.endswith(metric) for row in product(*params)}
        assert {(*row[:3], row[4]) for row in cells} == {(*row[:3], row[4]) for row in asked}
    for metric in ("time_write", "track_objects", "track_stored_bytes", "track_compression_ratio"):
        cells = {row for name, _, params in found if name.endswith(metric) for row in product(*params)}
        assert cells == {row[:-1] for row in asked}
    # What hardly depends on the chain is not asked again where another question asks it of more layouts.
    asking = [
        sweep
        for sweep in grid.sweeps
        if not any(
            set(sweep.layouts) < set(other.layouts) and set(sweep.patterns) <= set(other.patterns)
            for other in grid.sweeps
        )
    ]
    once = {
        (dataset, engine, layout, sweep.chains[0])
        for dataset, engine, sweep in product(grid.datasets, grid.engines, asking)
        for layout in sweep.layouts
    }
    for metric in ("peakmem_full_read", "peakmem_write", "time_open"):
        assert {row for name, _, params in found if name.endswith(metric) for row in product(*params)} == once
        assert {row[:3] for row in once} == {row[:3] for row in asked}
    (chunk,) = (params for name, _, params in found if name == "codecs.Chunk.time_encode")
    assert tuple(chunk[1]) == grid.chains


def test_the_engines_are_loaded_before_anything_is_timed(suite):
    loaded = importlib.import_module("benchmarks._stored")
    assert loaded.PRESET.engines
    program = "import benchmarks, benchmarks._stored, sys; sys.exit(not {'zarr', 'tensorstore'} <= set(sys.modules))"
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)


def test_asv_finds_no_fault_in_the_suite():
    command = [sys.executable, "-m", "asv", "check", "--environment", f"existing:{sys.executable}"]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "No problems found." in ran.stdout
