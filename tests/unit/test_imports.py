"""Results of others as rows: an asv folder, real files of pytest-benchmark, and the form of HEFTIE's published ones."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

from zbench.errors import ResultsError, UnknownNameError
from zbench.harness.imports import collect, import_results
from zbench.results import (
    Table,
    read_asv_table,
    read_heftie,
    read_pytest_benchmark,
    read_table,
    write_table,
    write_tables,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"

# One file of plain benchmarks, as someone else would write them.
PLAIN = """
import pytest

@pytest.mark.parametrize(("engine", "level"), [("zarrs", 3)])
def test_sum(benchmark, engine, level):
    benchmark.extra_info["threads"] = 2
    benchmark.pedantic(sum, args=(range(100),), rounds=12)
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What pytest-benchmark itself writes, with samples and without."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "test_plain.py").write_text(PLAIN)
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json=whole.json",
        "--benchmark-save=short", f"--benchmark-storage={folder / 'saved'}", "test_plain.py",
    ]  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_real_file_of_pytest_benchmark_gives_its_times_and_all_samples(plain):
    table = read_pytest_benchmark(plain / "whole.json")
    (row,) = table.rows
    raw = json.loads((plain / "whole.json").read_text())["benchmarks"][0]
    assert (row.metric, row.unit, row.value) == ("wall_time", "s", raw["stats"]["median"])
    assert list(row.samples) == raw["stats"]["data"]
    assert len(row.samples) == 12
    assert (row.benchmark, row.engine) == ("test_plain.py::test_sum[zarrs-3]", "zarrs")
    assert '"threads": 2' in row.note
    assert not row.verified


def test_a_real_file_tells_its_machine(plain):
    (environment,) = read_pytest_benchmark(plain / "whole.json").environments.values()
    assert environment.machine == os.uname().nodename
    assert environment.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert environment.cores > 0


def test_a_file_that_keeps_no_samples_gives_the_median_without_an_interval(plain):
    (path,) = (plain / "saved").rglob("*.json")
    (row,) = read_pytest_benchmark(path).rows
    assert row.value > 0
    assert (row.samples, row.low, row.confidence) == ((), None, None)


def benchmark_json(**changes):
    one = {"fullname": "test_a.py::test_a", "name": "test_a", "params": None, "extra_info": {}, "stats": stats([0.5])}
    return {"machine_info": {"node": "box"}, "commit_info": {"id": COMMIT}, "benchmarks": [one | changes]}


def stats(data):
    return {"median": sorted(data)[len(data) // 2], "data": data}


@pytest.mark.parametrize(
    ("count", "places"),
    [
        # Places of the ordered samples between which the median lies in 95 of 100 cases: tables of the sign test.
        pytest.param(5, None, id="too-few"),
        pytest.param(6, (1, 6), id="6"),
        pytest.param(9, (2, 8), id="9"),
        pytest.param(20, (6, 15), id="20"),
        pytest.param(100, (40, 61), id="100"),
        pytest.param(1000, (469, 532), id="normal"),
    ],
)
def test_the_interval_of_a_median_is_that_of_the_sign_test(tmp_path, count, places):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(benchmark_json(stats=stats([float(number) for number in range(1, count + 1)]))))
    (row,) = read_pytest_benchmark(path).rows
    assert (None if row.low is None else (row.low, row.high)) == places
    assert row.confidence == (None if places is None else 0.95)


def test_a_measurement_of_uncommitted_changes_says_so(tmp_path):
    raw = benchmark_json() | {"commit_info": {"id": COMMIT, "dirty": True}}
    (tmp_path / "a.json").write_text(json.dumps(raw))
    (row,) = read_pytest_benchmark(tmp_path / "a.json").rows
    assert (row.commit, row.note) == (COMMIT, "measured with uncommitted changes")


# The form of HEFTIE's published files, by hand and small: names, keys and nesting are theirs, the numbers are not.
def heftie_json(*benchmarks):
    machine = {
        "node": "BOX", "processor": "AMD64 Family 23", "machine": "AMD64", "python_version": "3.13.2",
        "python_implementation": "CPython", "release": "11", "system": "Windows",
        "cpu": {"brand_raw": "AMD Ryzen Threadripper", "count": 64, "arch": "X86_64"},
    }  # fmt: skip
    commit = {"id": "unknown", "time": None, "dirty": False, "project": "zarr-benchmarks", "branch": "(unknown)"}
    return {
        "machine_info": machine, "commit_info": commit, "benchmarks": list(benchmarks),
        "datetime": "2025-08-26T21:36:11.323083+00:00", "version": "5.1.0",
    }  # fmt: skip


def heftie_benchmark(group, codec, params, extra_info=None, data=(1.3, 1.1, 1.2, 1.4, 1.5)):
    param = "-".join(map(str, params.values()))
    name = f"test_{group}_{codec}[{param}]"
    return {
        "group": group, "name": name, "fullname": f"tests/benchmarks/test_{group}_zarr_benchmark.py::{name}",
        "params": params, "param": param, "extra_info": extra_info or {},
        "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": 5},
        "stats": {"min": min(data), "max": max(data), "rounds": len(data), "iterations": 1} | stats(list(data)),
    }  # fmt: skip


BLOSC = {"chunk_size": 64, "blosc_clevel": 3, "blosc_shuffle": "bitshuffle", "blosc_cname": "zstd", "zarr_spec": 3}


def write_heftie(tmp_path, *benchmarks, folder="heart", name="0001_zarr-python-v3.json"):
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / name
    path.write_text(json.dumps(heftie_json(*benchmarks), indent=4))
    return path


def test_a_heftie_file_gives_times_and_the_compression_ratio(tmp_path):
    path = write_heftie(
        tmp_path,
        heftie_benchmark("read", "blosc", BLOSC, {"compression_ratio": 1.9}),
        heftie_benchmark("write", "blosc", BLOSC),
    )
    read, ratio, write = read_heftie(path).rows
    assert (read.metric, read.pattern, read.value, read.samples) == (
        "wall_time", "full_read", 1.3, (1.3, 1.1, 1.2, 1.4, 1.5),
    )  # fmt: skip
    assert (ratio.metric, ratio.unit, ratio.value, ratio.samples) == ("compression_ratio", "1", 1.9, ())
    assert (write.metric, write.pattern) == ("wall_time", "write")
    assert {(row.dataset, row.engine, row.engine_version, row.layout, row.chain) for row in (read, ratio, write)} == {
        ("heftie-heart", "zarr-python", "3", "v3-c64", "blosc-zstd-3-bitshuffle")
    }
    assert not any(row.verified for row in (read, ratio, write)), "the files do not say that anything was compared"


@pytest.mark.parametrize(
    ("codec", "params", "chain"),
    [
        pytest.param("gzip", {"gzip_level": 6}, "gzip-6", id="gzip"),
        pytest.param("zstd", {"zstd_level": 18}, "zstd-18", id="zstd"),
        pytest.param("no_compressor", {"no_compressor": True}, "none", id="none"),
    ],
)
def test_every_codec_of_heftie_has_its_chain(tmp_path, codec, params, chain):
    benchmark = heftie_benchmark("read", codec, {"chunk_size": 128, **params, "zarr_spec": 2})
    (row,) = read_heftie(write_heftie(tmp_path, benchmark, name="0003_tensorstore.json")).rows
    assert (row.engine, row.engine_version, row.layout, row.chain) == ("tensorstore", "", "v2-c128", chain)


@pytest.mark.parametrize(
    ("name", "layout", "says"),
    [
        pytest.param("0001_zarr-python-v2.json", "v2-c64", "", id="zarr-2"),
        pytest.param("0002_zarr-python-v3.json", "c64", "format", id="zarr-3"),
        pytest.param("0003_tensorstore.json", "c64", "format", id="tensorstore"),
    ],
)
def test_a_format_that_early_files_do_not_say_is_not_made_up(tmp_path, name, layout, says):
    params = {key: value for key, value in BLOSC.items() if key != "zarr_spec"}
    (row,) = read_heftie(write_heftie(tmp_path, heftie_benchmark("read", "blosc", params), name=name)).rows
    assert row.layout == layout
    assert says in row.note


def test_a_heftie_file_outside_of_its_folder_is_of_no_known_volume(tmp_path):
    (row,) = read_heftie(write_heftie(tmp_path, heftie_benchmark("read", "blosc", BLOSC), folder="elsewhere")).rows
    assert row.dataset == ""


def test_a_renamed_heftie_file_says_that_the_library_is_lost(tmp_path):
    with pytest.raises(ResultsError, match="which library"):
        read_heftie(write_heftie(tmp_path, heftie_benchmark("read", "blosc", BLOSC), name="mine.json"))


def test_a_heftie_file_of_unknown_parameters_is_named(tmp_path):
    path = write_heftie(tmp_path, heftie_benchmark("read", "blosc", {"chunk_size": 64, "lzma_level": 1}))
    with pytest.raises(ResultsError, match="no codec"):
        read_heftie(path)


# asv's file format 2 with the columns that asv 0.6 writes.
COLUMNS = [
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
]  # fmt: skip
CELL = {"dataset": "phantom", "engine": "zarr-python", "layout": "v3-c64", "chain": "zstd-3"}


def asv_folder(tmp_path, benchmarks, *, machine=True):
    """A result folder: each benchmark with one combination of parameters."""
    folder = tmp_path / "results"
    (folder / "box").mkdir(parents=True)
    if machine:
        facts = {"machine": "box", "cpu": "some cpu", "num_cpu": "8", "os": "Linux 6.1", "ram": "1024", "version": 1}
        (folder / "box" / "machine.json").write_text(json.dumps(facts))
    index, results = {"version": 2}, {}
    for name, unit, parameters, value, samples in benchmarks:
        index[name] = {"param_names": list(parameters), "unit": unit, "version": "1"}
        timed = [[value * 0.9], [value * 1.1], [value], [value], [1], [len(samples)], [samples]] if samples else []
        results[name] = [[value], [[repr(text)] for text in parameters.values()], "1", 0, 1.0, *timed]
    (folder / "benchmarks.json").write_text(json.dumps(index))
    raw = {
        "commit_hash": COMMIT, "env_name": "py3.11-zarr3.1.6", "date": 0, "params": {"machine": "box"},
        "python": "3.11", "requirements": {"zarr": "3.1.6"}, "env_vars": {}, "result_columns": COLUMNS,
        "results": results, "durations": {}, "version": 2,
    }  # fmt: skip
    (folder / "box" / "01234567-py3.11-zarr3.1.6.json").write_text(json.dumps(raw))
    return folder


def test_the_suite_s_benchmarks_become_metrics_of_a_cell(tmp_path):
    folder = asv_folder(
        tmp_path,
        [
            ("read.CodecPatterns.time_read", "seconds", CELL | {"pattern": "xy_plane"}, 0.5, [0.4, 0.5, 0.6]),
            ("write.CodecWhole.time_write", "seconds", CELL, 2.0, [2.0, 2.1]),
            ("open.CodecMetadata.time_open", "seconds", CELL, 0.001, []),
            ("memory.CodecPeak.peakmem_full_read", "bytes", CELL, 2**20, []),
            ("layout.CodecSize.track_compression_ratio", "ratio", CELL, 2.0, []),
            ("layout.CodecRequests.track_requests", "requests", CELL | {"pattern": "xy_plane"}, 9, []),
        ],
    )
    found = read_asv_table(folder)
    assert [(row.metric, row.pattern, row.unit, row.value) for row in found.table.rows] == [
        ("wall_time", "xy_plane", "s", 0.5),
        ("wall_time", "write", "s", 2.0),
        ("wall_time", "open", "s", 0.001),
        ("peak_memory", "full_read", "bytes", 2**20),
        ("compression_ratio", "", "1", 2.0),
        ("requests", "xy_plane", "requests", 9),
    ]
    read = found.table.rows[0]
    assert (read.samples, read.low, read.high, read.confidence) == ((0.4, 0.5, 0.6), 0.45, 0.55, 0.99)
    assert (read.engine_version, read.store, read.cache_state, read.verified) == ("3.1.6", "local", "warm", True)
    assert (read.commit, read.run) == (COMMIT, "01234567-py3.11-zarr3.1.6")


def test_asv_s_machine_is_the_environment(tmp_path):
    folder = asv_folder(tmp_path, [("write.CodecWhole.time_write", "seconds", CELL, 2.0, [])])
    (environment,) = read_asv_table(folder).table.environments.values()
    assert (environment.machine, environment.cpu, environment.cores, environment.python) == (
        "box", "some cpu", 8, "3.11",
    )  # fmt: skip
    assert environment.packages == (("zarr", "3.1.6"),)


def test_a_machine_file_that_is_cut_is_named_and_its_rows_are_read(tmp_path):
    folder = asv_folder(tmp_path, [("write.CodecWhole.time_write", "seconds", CELL, 2.0, [])], machine=False)
    (folder / "box" / "machine.json").write_text('{"machine": "b')
    found = read_asv_table(folder)
    assert len(found.table.rows) == 1
    assert ["machine.json" in problem for problem in found.problems] == [True]


@pytest.mark.parametrize(
    ("value", "note", "failed"),
    [
        pytest.param(math.nan, "refused", False, id="skip"),
        pytest.param(None, "failed", True, id="failure"),
        pytest.param(math.inf, "inf", True, id="infinite"),
    ],
)
def test_what_has_no_number_stays_as_a_row_that_says_why(tmp_path, value, note, failed):
    folder = asv_folder(tmp_path, [("layout.CodecSize.track_objects", "objects", CELL, value, [])])
    (row,) = read_asv_table(folder).table.rows
    assert (row.value, row.failed, row.verified) == (None, failed, False)
    assert note in row.note


def test_parameters_without_a_column_stay_in_the_name(tmp_path):
    folder = asv_folder(tmp_path, [("open.Import.timeraw_import", "seconds", {"package": "zarr"}, 0.7, [])])
    (row,) = read_asv_table(folder).table.rows
    assert row.benchmark == "open.Import.timeraw_import[package=zarr]"
    assert (row.metric, row.pattern, row.verified) == ("wall_time", "import", False)


def test_every_kind_is_found_out(tmp_path, plain):
    asv = asv_folder(tmp_path, [("write.CodecWhole.time_write", "seconds", CELL, 2.0, [])])
    heftie = write_heftie(tmp_path, heftie_benchmark("read", "blosc", BLOSC))
    own = tmp_path / "own"
    write_tables(own, read_asv_table(asv).table)
    found = collect([asv, heftie, plain / "whole.json", plain / "saved", own, own / "results.csv"])
    assert [row.source for row in found.table.rows] == [
        "asv", "heftie", "pytest-benchmark", "pytest-benchmark", "asv", "asv",
    ]  # fmt: skip
    assert found.problems == ()


def test_a_kind_can_be_forced(tmp_path):
    path = write_heftie(tmp_path, heftie_benchmark("read", "blosc", BLOSC))
    (row,) = collect([path], kind="pytest-benchmark").table.rows
    assert (row.source, row.layout) == ("pytest-benchmark", "")
    with pytest.raises(UnknownNameError, match="heftie"):
        collect([path], kind="hefty")
    with pytest.raises(ResultsError, match="folder"):
        collect([path], kind="asv")


def test_files_that_cannot_be_read_are_named_and_kept_and_the_others_are_read(tmp_path):
    good = write_heftie(tmp_path, heftie_benchmark("read", "blosc", BLOSC))
    contents = {"cut.json": '{"machine_info": {', "list.json": "[1]", "other.json": '{"a": 1}', "own.csv": "a,b\n1,2\n"}
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    found = collect([tmp_path / name for name in contents] + [good, tmp_path / "absent.json"])
    assert len(found.table.rows) == 1
    assert [name in problem for name, problem in zip([*contents, "absent.json"], found.problems, strict=True)] == [
        True
    ] * 5
    assert {name: (tmp_path / name).read_text() for name in contents} == contents


def test_a_benchmark_that_lacks_its_numbers_makes_its_file_named(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(benchmark_json(stats={})))
    with pytest.raises(ResultsError, match=r"a\.json"):
        read_pytest_benchmark(tmp_path / "a.json")


def test_a_folder_whose_first_table_is_cut_is_read_from_the_next(tmp_path):
    table = read_heftie(write_heftie(tmp_path, heftie_benchmark("read", "blosc", BLOSC)))
    write_tables(tmp_path / "own", table)
    (tmp_path / "own" / "results.json").write_text('{"schema')
    found = collect([tmp_path / "own"])
    assert found.table.rows == table.rows
    assert ["results.json" in problem for problem in found.problems] == [True]


def test_nothing_that_can_be_read_is_an_error_that_tells_all(tmp_path):
    (tmp_path / "cut.json").write_text("{")
    with pytest.raises(ResultsError, match=r"cut\.json"):
        collect([tmp_path])
    with pytest.raises(ResultsError, match="none was given"):
        collect([])


def test_one_commit_can_be_kept(tmp_path):
    folder = asv_folder(tmp_path, [("write.CodecWhole.time_write", "seconds", CELL, 2.0, [])])
    assert len(collect([folder], commit="0123456").table.rows) == 1
    with pytest.raises(ResultsError, match="01234567"):
        collect([folder], commit="f")


def test_importing_writes_the_table_and_overwrites_none_unasked(tmp_path):
    path = write_heftie(tmp_path, heftie_benchmark("read", "blosc", BLOSC))
    done = import_results([path], tmp_path / "out")
    assert {written.suffix for written in done.paths} >= {".json", ".csv"}
    assert all(read_table(written) == done.table for written in done.paths)
    write_table(tmp_path / "out" / "results.json", Table())
    with pytest.raises(ResultsError, match="--replace"):
        import_results([path], tmp_path / "out")
    assert read_table(tmp_path / "out" / "results.json") == Table()
    import_results([path], tmp_path / "out", replace=True)
    assert read_table(tmp_path / "out" / "results.json") == done.table
