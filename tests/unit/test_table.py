"""The table of results: what a row may say, and the three files that it comes back from."""

from __future__ import annotations

import csv
import importlib.util
import json
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zbench.errors import ResultsError, UnknownNameError
from zbench.model import Environment
from zbench.results import (
    EXACT_METRICS,
    FORMATS,
    SCHEMA_VERSION,
    Row,
    Table,
    environment_id,
    merged,
    read_table,
    results_schema,
    table_files,
    write_table,
    write_tables,
)

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "results.schema.json"

VALIDATOR = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))

ENVIRONMENT = Environment(
    machine="box", os="Linux 6.1", cpu="some cpu", cores=8, memory_bytes=2**34, python="3.11.9",
    packages=(("numpy", "2.4.6"), ("zarr", "3.1.6")), threads=(("BLOSC_NTHREADS", "1"),), filesystem="ext4",
)  # fmt: skip
ID = environment_id(ENVIRONMENT)


def row(**changes):
    common = {
        "source": "zbench", "run": "r1", "commit": "c" * 40, "environment": ID, "machine": "box", "dataset": "phantom",
        "voxel_digest": "blake2b:00", "shape": (8, 16, 16), "dtype": "<f4", "engine": "zarr-python",
        "engine_version": "3.1.6", "store": "local", "layout": "v3-c8", "chain": "zstd-3", "pattern": "full_read",
        "cache_state": "warm", "metric": "wall_time", "unit": "s", "value": 0.5, "low": 0.4, "high": 0.6,
        "confidence": 0.95, "samples": (0.4, 0.5, 0.6), "processes": 3, "verified": True,
    }  # fmt: skip
    return Row(**common | changes)


def exact(**changes):
    nothing = {"low": None, "high": None, "confidence": None, "samples": (), "processes": None, "cache_state": ""}
    return row(**nothing | changes)


TABLE = Table((row(), exact(metric="requests", unit="requests", value=9)), {ID: ENVIRONMENT})


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Hundreds of files are written here, and none has to outlive a power cut."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"source": "elsewhere"}, "source", id="source"),
        pytest.param({"value": float("nan")}, "finite", id="nan"),
        pytest.param({"samples": (1.0, float("inf"))}, "finite", id="infinite-sample"),
        pytest.param({"value": None}, "note", id="no-reason"),
        pytest.param({"low": None}, "both ends", id="half-an-interval"),
        pytest.param({"confidence": None}, "both ends", id="no-confidence"),
        pytest.param({"low": 0.7}, "in order", id="ends-swapped"),
        pytest.param({"metric": "requests"}, "neither interval nor samples", id="exact-with-samples"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(changes, says):
    with pytest.raises(ResultsError, match=says):
        row(**changes)


def test_a_row_whose_environment_is_not_kept_is_refused():
    with pytest.raises(ResultsError, match="environment"):
        Table((row(),), {})


def test_the_key_of_a_workload_does_not_depend_on_who_measured_it():
    other = row(source="asv", run="another", benchmark="read.CodecPatterns.time_read", engine_version="3.4.2")
    assert other.workload == row().workload == "phantom|v3-c8:zstd-3|zarr-python|local|full_read|warm"


def test_exact_numbers_have_the_same_key_whatever_was_cached():
    assert exact(metric="objects", cache_state="cold").workload == exact(metric="objects", cache_state="").workload


def test_what_is_no_cell_is_told_apart_by_benchmark_and_parameters():
    bare = {"engine": "", "layout": "", "benchmark": "codecs.Chunk.time_encode"}
    assert row(**bare, chain="zstd-3").workload != row(**bare, chain="none").workload


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({"python": "3.11.10"}, True, id="python-patch"),
        pytest.param({"memory_bytes": 1}, True, id="memory"),
        pytest.param({"os": "Linux 6.2"}, True, id="kernel"),
        pytest.param({"packages": (*ENVIRONMENT.packages, ("zbench", "9"))}, True, id="zbench"),
        pytest.param({"python": "3.12.1"}, False, id="python-minor"),
        pytest.param({"cpu": "another"}, False, id="cpu"),
        pytest.param({"threads": ()}, False, id="threads"),
        pytest.param({"filesystem": "tmpfs"}, False, id="filesystem"),
        pytest.param({"packages": (("zarr", "3.4.2"),)}, False, id="zarr"),
    ],
)
def test_the_id_of_an_environment_changes_with_what_times_depend_on(changes, same):
    assert (environment_id(replace(ENVIRONMENT, **changes)) == ID) is same


def test_merging_keeps_every_row_and_each_environment_once():
    other = replace(ENVIRONMENT, machine="other")
    second = Table((row(environment=environment_id(other)),), {environment_id(other): other, ID: ENVIRONMENT})
    found = merged([TABLE, second])
    assert found.rows == TABLE.rows + second.rows
    assert set(found.environments) == {ID, environment_id(other)}


# Every character but halves of surrogate pairs, which no file in UTF-8 can hold.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
ENVIRONMENTS = st.builds(
    Environment,
    machine=TEXTS, os=TEXTS, cpu=TEXTS, cores=st.integers(0, 512), memory_bytes=st.integers(0, 2**45), python=TEXTS,
    packages=st.dictionaries(TEXTS, TEXTS, max_size=3).map(lambda pairs: tuple(sorted(pairs.items()))),
    threads=st.dictionaries(TEXTS, TEXTS, max_size=2).map(lambda pairs: tuple(sorted(pairs.items()))),
    filesystem=TEXTS,
)  # fmt: skip
SHAPES = st.none() | st.lists(st.integers(1, 2**40), min_size=1, max_size=5).map(tuple)
NAMES = [entry.name for entry in fields(Row) if entry.type == "str" and entry.name not in ("source", "environment")]


@st.composite
def rows(draw, environments):
    metric = draw(st.sampled_from([*EXACT_METRICS, "wall_time", "cpu_time"]))
    value = draw(st.none() | NUMBERS)
    ends = sorted(draw(st.tuples(NUMBERS, NUMBERS))) if draw(st.booleans()) and metric not in EXACT_METRICS else None
    named = {name: draw(TEXTS) for name in NAMES} | {"metric": metric}
    if value is None:
        named["note"] += "refused"
    return Row(
        source=draw(st.sampled_from(["zbench", "asv", "pytest-benchmark", "heftie"])),
        environment=draw(st.sampled_from(sorted(environments))),
        shape=draw(SHAPES),
        value=value,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        confidence=0.95 if ends else None,
        samples=() if metric in EXACT_METRICS else tuple(draw(st.lists(NUMBERS, max_size=4))),
        processes=draw(st.none() | st.integers(1, 99)),
        verified=draw(st.booleans()),
        **named,
    )


@st.composite
def tables(draw):
    environments = {environment_id(one): one for one in draw(st.lists(ENVIRONMENTS, min_size=1, max_size=2))}
    found = tuple(draw(st.lists(rows(environments), max_size=4)))
    # What no row holds for is not kept by CSV, which has nothing but rows.
    used = {one.environment for one in found}
    return Table(found, {name: one for name, one in environments.items() if name in used})


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_every_table_comes_back_from_every_file(tmp_path, form, table):
    path = tmp_path / f"results.{form}"
    write_table(path, table)
    assert read_table(path) == table


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_every_json_file_is_as_the_published_schema_says(tmp_path, table):
    write_table(tmp_path / "results.json", table)
    raw = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    VALIDATOR.validate(raw)


def test_the_published_schema_is_that_of_the_columns():
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == results_schema(), (
        f"write it anew: zbench export --schema > {PUBLISHED.name}"
    )
    jsonschema.Draft202012Validator.check_schema(results_schema())


def test_the_schema_tells_what_each_column_means():
    told = results_schema()["properties"]["rows"]["items"]["properties"]
    assert set(told) == {entry.name for entry in fields(Row)}
    assert [name for name, column in told.items() if not column["description"].endswith(".")] == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": "fast"}, id="text-for-a-number"),
        pytest.param({"verified": 1}, id="number-for-a-truth"),
        pytest.param({"shape": [0, 4]}, id="no-extent"),
        pytest.param({"samples": None}, id="no-list"),
        pytest.param({"source": "elsewhere"}, id="source"),
        pytest.param({"surprise": 1}, id="strange-column"),
    ],
)
def test_schema_and_reader_refuse_the_same_rows(tmp_path, change):
    write_table(tmp_path / "results.json", TABLE)
    raw = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    raw["rows"][0] |= change
    (tmp_path / "results.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ResultsError, match=next(iter(change))):
        read_table(tmp_path / "results.json")
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(raw)


def test_csv_is_one_header_and_one_line_a_row_for_any_program(tmp_path):
    write_table(tmp_path / "results.csv", TABLE)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["metric"] for line in lines] == ["wall_time", "requests"]
    assert (lines[0]["schema_version"], lines[0]["shape"], lines[0]["samples"]) == ("1", "8x16x16", "0.4 0.5 0.6")
    assert [bool(line["environment_facts"]) for line in lines] == [True, False], "each environment stands there once"


def test_parquet_has_typed_columns_and_its_version_inside(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "results.parquet", TABLE)
    schema = parquet.read_schema(tmp_path / "results.parquet")
    assert (str(schema.field("value").type), str(schema.field("samples").type)) == ("double", "list<element: double>")
    assert json.loads(schema.metadata[b"zbench"])["schema_version"] == SCHEMA_VERSION


def test_parquet_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ResultsError, match=r"zbench\[tables\]"):
        write_table(tmp_path / "results.parquet", TABLE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_every_format_and_tells_them_again(tmp_path):
    assert write_tables(tmp_path / "new", TABLE) == table_files(tmp_path / "new")
    written = {path.name for path in table_files(tmp_path / "new")}
    assert written == {"results.json", "results.csv"} | (
        {"results.parquet"} if importlib.util.find_spec("pyarrow") else set()
    )


def test_a_format_that_does_not_exist_names_those_that_do(tmp_path):
    with pytest.raises(UnknownNameError, match="parquet"):
        write_table(tmp_path / "results.xlsx", TABLE)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_cut_anywhere_is_named_and_kept(tmp_path, form):
    path = tmp_path / f"results.{form}"
    write_table(path, TABLE)
    whole = path.read_bytes()
    # CSV may end behind a line or a cell and still be one: what is left must then be rows that were written.
    for length in range(0, len(whole) - 1, max(1, len(whole) // 97)):
        path.write_bytes(whole[:length])
        rows, said = attempt(path)
        assert str(path) in said or (form == "csv" and rows == TABLE.rows[: len(rows)])
        assert path.read_bytes() == whole[:length]


def attempt(path):
    try:
        return read_table(path).rows, ""
    except ResultsError as error:
        return (), str(error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("results.json", b'{"rows": []}', id="json-of-another"),
        pytest.param("results.json", b"[]", id="json-list"),
        pytest.param("results.json", b'{"schema_version": 1, "environments": {}}', id="json-without-rows"),
        pytest.param("results.json", b'{"schema_version": "1", "environments": {}, "rows": []}', id="json-version"),
        pytest.param("results.json", b'{"schema_version": 1, "environments": {}, "rows": [3]}', id="json-row"),
        pytest.param("results.json", b'{"schema_version": 1, "environments": [], "rows": []}', id="json-environments"),
        pytest.param("results.json", b'{"schema_version": 1, "environments": {"a": {}}, "rows": []}', id="json-facts"),
        pytest.param("results.csv", b"", id="csv-empty"),
        pytest.param("results.csv", b"a,b\n1,2\n", id="csv-of-another"),
        pytest.param("results.csv", b"schema_version,metric\n1\n", id="csv-short-line"),
        pytest.param("results.csv", b"schema_version,metric\n1,2,3\n", id="csv-long-line"),
        pytest.param("results.csv", b"schema_version,metric\n\xff,1\n", id="csv-no-utf8"),
        pytest.param("results.parquet", b"PAR1 but not really PAR1", id="parquet"),
    ],
)
def test_a_file_of_another_origin_is_named_and_kept(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ResultsError, match=name.replace(".", r"\.")):
        read_table(tmp_path / name)
    assert (tmp_path / name).read_bytes() == content


def test_parquet_of_another_origin_is_named(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "results.parquet")
    with pytest.raises(ResultsError, match="zbench wrote it"):
        read_table(tmp_path / "results.parquet")


@pytest.mark.parametrize("form", FORMATS)
def test_a_newer_version_is_refused_with_what_to_do(tmp_path, form, monkeypatch):
    path = tmp_path / f"results.{form}"
    monkeypatch.setattr("zbench.results.tables.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    write_table(
        path, Table(tuple(replace(one, schema_version=SCHEMA_VERSION + 1) for one in TABLE.rows), TABLE.environments)
    )
    monkeypatch.undo()
    with pytest.raises(ResultsError, match="update zbench"):
        read_table(path)


def test_a_missing_file_is_named(tmp_path):
    for form in FORMATS:
        with pytest.raises(ResultsError, match="absent"):
            read_table(tmp_path / f"absent.{form}")
