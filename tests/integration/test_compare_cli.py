"""``zbench compare``, ``export`` and ``import``: what they print, which files they leave, and the exit status."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from zbench.cli.main import main
from zbench.model import Environment
from zbench.results import Row, Table, environment_id, read_table, results_schema, write_table, write_tables

HERE = Environment(
    machine="box", os="Linux 6.1", cpu="some cpu", cores=8, memory_bytes=2**34, python="3.11.9",
    packages=(("zarr", "3.1.6"),), threads=(), filesystem="ext4",
)  # fmt: skip
STEADY = (1.0, 1.01, 0.99, 1.02, 0.98, 1.0)


def times(factor=1.0, **changes):
    samples = tuple(factor * sample for sample in STEADY)
    return row(metric="wall_time", unit="s", value=factor, samples=samples, processes=1, cache_state="warm", **changes)


def counted(metric, value, unit="bytes", **changes):
    return row(metric=metric, unit=unit, value=value, **changes)


def row(**changes):
    common = {
        "source": "zbench", "run": "r", "environment": "", "dataset": "phantom", "engine": "zarr-python",
        "store": "local", "layout": "v3-c64", "chain": "zstd-3", "pattern": "full_read", "verified": True,
    }  # fmt: skip
    return Row(**common | changes)


@pytest.fixture
def side(tmp_path):
    """Make a result folder of rows measured in an environment."""

    def make(name, *rows, environment=HERE):
        identity = environment_id(environment)
        placed = tuple(replace(one, environment=identity, machine=environment.machine) for one in rows)
        write_tables(tmp_path / name, Table(placed, {identity: environment}))
        return str(tmp_path / name)

    return make


def run(*arguments, status=0):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def test_what_is_alike_passes(side):
    base = side("a", times(), counted("stored_bytes", 1000))
    done = run("compare", base, side("b", times(), counted("stored_bytes", 1000)), "--all")
    assert "2 compared: 2 same" in done.stdout


def test_what_is_slower_fails_and_comes_before_what_is_faster(side):
    base = side("a", times(), times(pattern="xy_plane"))
    done = run("compare", base, side("b", times(0.5), times(1.5, pattern="xy_plane")), status=1)
    lines = [line for line in done.stdout.splitlines() if "wall_time" in line]
    assert [line.split()[0] for line in lines] == ["slower", "faster"]
    assert "1.50 [1.4" in lines[0]


def test_one_byte_more_fails_and_comes_first(side):
    base = side("a", times(), counted("stored_bytes", 1000))
    done = run("compare", base, side("b", times(1.5), counted("stored_bytes", 1001)), status=1)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("bigger", "slower"))]
    assert [line.split()[0] for line in lines] == ["bigger", "slower"]
    assert "1.001" in lines[0]


def test_a_worse_compression_ratio_fails(side):
    base = side("a", counted("compression_ratio", 2.0, "1"))
    run("compare", base, side("b", counted("compression_ratio", 1.9, "1")), status=1)
    run("compare", side("c", counted("compression_ratio", 1.9, "1")), base)


def test_a_change_below_the_smallest_effect_passes_unless_it_is_asked_for(side):
    base, other = side("a", times()), side("b", times(1.06))
    assert "slower" in run("compare", base, other, status=1).stdout
    run("compare", base, other, "--min-effect", "20%")
    run("compare", base, other, "--min-effect", "0.2")


@pytest.mark.parametrize(
    "text", [pytest.param("3", id="no-unit"), pytest.param("-1%", id="negative"), pytest.param("x", id="word")]
)
def test_a_smallest_effect_that_could_be_mistaken_is_refused(side, text):
    base = side("a", times())
    assert "3%" in run("compare", base, base, f"--min-effect={text}", status=2).stderr


def test_few_samples_could_not_be_answered(side):
    few = replace(times(), samples=(1.0, 1.1))
    done = run("compare", side("a", few), side("b", few), status=2)
    assert "at least 4 samples" in done.stdout


def test_other_environments_are_refused_with_what_differs(side):
    base = side("a", times())
    moved = side("b", times(), environment=replace(HERE, machine="other", cpu="another cpu"))
    said = run("compare", base, moved, status=2).stderr
    assert "machine is 'box' there and 'other' here" in said
    assert "another cpu" in said
    assert "--across-environments" in said


def test_other_environments_are_compared_when_asked_and_marked(side):
    base, moved = side("a", times()), side("b", times(), environment=replace(HERE, machine="other"))
    done = run("compare", base, moved, "--across-environments")
    assert "ACROSS ENVIRONMENTS: machine box -> other" in done.stdout
    told = json.loads(run("compare", base, moved, "--across-environments", "--json").stdout)
    assert told["differences"] == [{"what": "machine", "baseline": "box", "candidate": "other"}]


def test_other_packages_are_what_is_compared_and_are_named(side):
    newer = replace(HERE, packages=(("zarr", "3.4.2"),))
    done = run("compare", side("a", times()), side("b", times(), environment=newer))
    assert "packages: zarr 3.1.6 -> 3.4.2" in done.stdout


def test_a_workload_that_fails_now_is_a_regression(side):
    base = side("a", times(), counted("objects", 5))
    broken = replace(times(), value=None, samples=(), note="failed: VerificationError: wrong voxels")
    done = run("compare", base, side("b", broken, counted("objects", 5)), status=1)
    assert "wrong voxels" in done.stdout


def test_what_one_side_lacks_is_named(side):
    done = run("compare", side("a", times(), times(pattern="xy_plane")), side("b", times()))
    assert "not compared (baseline, the other side has no such number)" in done.stdout
    assert "xy_plane" in done.stdout


def test_a_crop_of_the_volume_is_not_compared_with_the_whole(side):
    done = run("compare", side("a", times(shape=(64, 64, 64))), side("b", times(shape=(32, 32, 32))), status=2)
    assert "the voxels are others" in done.stdout


def test_several_commits_have_to_be_chosen_from(side):
    history = side("a", times(commit="aaaa1111"), times(1.5, commit="bbbb2222"))
    assert "--baseline-commit" in run("compare", history, history, status=2).stderr
    run("compare", history, history, "--baseline-commit", "aaaa", "--candidate-commit", "bbbb", status=1)
    run("compare", history, history, "--baseline-commit", "bbbb", "--candidate-commit", "aaaa")
    assert "none of 'cc'" in run("compare", history, history, "--baseline-commit", "cc", status=2).stderr


def test_json_holds_every_pair_and_no_number_that_json_has_not(side):
    lonely = replace(times(pattern="yz_plane"), samples=())
    base = side("a", times(), lonely, counted("requests", 0, "requests"))
    done = run("compare", base, side("b", times(1.5), lonely, counted("requests", 3, "requests")), "--json", status=1)
    told = json.loads(done.stdout, parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))
    by_metric = {(one["metric"], one["pattern"]): one for one in told["metrics"]}
    slow = by_metric["wall_time", "full_read"]
    assert slow["comparison"]["verdict"] == "slower"
    assert slow["comparison"]["low"] < 1.5 < slow["comparison"]["high"]
    assert (slow["basis"], slow["baseline_count"]) == ("samples", 6)
    assert by_metric["wall_time", "yz_plane"]["comparison"]["ratio"] is None
    assert by_metric["requests", "full_read"]["comparison"]["verdict"] == "slower"
    assert told["status"] == 1


def test_samples_of_one_process_are_said_not_to_be_independent(side):
    done = run("compare", side("a", times()), side("b", times()), "--all")
    assert "not independent" in done.stdout
    many = replace(times(), processes=6)
    assert "not independent" not in run("compare", side("c", many), side("d", many), "--all").stdout


def test_an_asv_folder_is_compared_commit_by_commit(tmp_path):
    folder = tmp_path / "results"
    (folder / "box").mkdir(parents=True)
    cell = {"dataset": "phantom", "engine": "zarr-python", "layout": "v3-c64", "chain": "zstd-3", "pattern": "xy_plane"}
    index = {
        "read.CodecPatterns.time_read": {"param_names": list(cell), "unit": "seconds", "version": "1"},
        "version": 2,
    }
    (folder / "benchmarks.json").write_text(json.dumps(index))
    facts = {"machine": "box", "cpu": "some cpu", "num_cpu": "8", "os": "Linux", "ram": "1", "version": 1}
    (folder / "box" / "machine.json").write_text(json.dumps(facts))
    columns = ["result", "params", "version", "stats_ci_99_a", "stats_ci_99_b", "samples"]
    for commit, factor in (("a" * 40, 1.0), ("b" * 40, 1.5)):
        samples = [factor * sample for sample in STEADY]
        entry = [[factor], [[repr(text)] for text in cell.values()], "1", [0.9 * factor], [1.1 * factor], [samples]]
        raw = {
            "commit_hash": commit, "env_name": "py3.11-zarr3.1.6", "params": {"machine": "box"}, "python": "3.11",
            "requirements": {"zarr": "3.1.6"}, "result_columns": columns,
            "results": {"read.CodecPatterns.time_read": entry}, "version": 2,
        }  # fmt: skip
        (folder / "box" / f"{commit[:8]}-py3.11-zarr3.1.6.json").write_text(json.dumps(raw))
    (folder / "box" / "cccccccc-bad.json").write_text("{")
    chosen = ("--baseline-commit", "aaaaaaaa", "--candidate-commit", "bbbbbbbb")
    done = run("compare", folder, folder, *chosen, status=1)
    assert "slower" in done.stdout
    assert "cccccccc-bad.json" in done.stdout, "a file that was skipped is named"
    assert "not said by both sides: filesystem" in done.stdout


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_export_writes_what_import_reads(side, tmp_path, form):
    base = side("a", times(), counted("objects", 5))
    output = tmp_path / "out" / f"table.{form}"
    done = run("export", base, "--output", output)
    assert "2 rows, 1 environments" in done.stdout
    run("import", output, "--output", tmp_path / "back")
    assert read_table(tmp_path / "back" / "results.json") == read_table(tmp_path / "a" / "results.json")


def test_export_takes_the_format_from_its_option_or_the_ending(side, tmp_path):
    base = side("a", times())
    assert "--format" in run("export", base, "--output", tmp_path / "table.dat", status=2).stderr
    run("export", base, "--format", "csv", "--output", tmp_path / "table.dat")
    assert (tmp_path / "table.dat").read_text().startswith("schema_version,")


def test_export_names_what_it_skipped(side, tmp_path):
    (tmp_path / "foreign.json").write_text("{}")
    done = run("export", side("a", times()), tmp_path / "foreign.json", "--output", tmp_path / "table.csv")
    assert "foreign.json" in done.stderr
    assert len(read_table(tmp_path / "table.csv").rows) == 1


def test_export_prints_the_schema_without_anything_to_export():
    assert json.loads(run("export", "--schema").stdout) == results_schema()


def test_import_says_what_it_read_and_wrote_and_overwrites_only_when_told(side, tmp_path):
    side("a", times())
    write_table(tmp_path / "one.json", read_table(tmp_path / "a" / "results.json"))
    done = run("import", tmp_path / "one.json", "--output", tmp_path / "new")
    assert "zbench: 1 rows" in done.stdout
    assert str(tmp_path / "new" / "results.csv") in done.stdout
    assert "--replace" in run("import", tmp_path / "one.json", "--output", tmp_path / "new", status=2).stderr
    run("import", tmp_path / "one.json", "--output", tmp_path / "new", "--replace")


def test_import_of_nothing_readable_leaves_nothing(tmp_path):
    (tmp_path / "cut.json").write_text('{"machine_info": {')
    assert "cut.json" in run("import", tmp_path / "cut.json", "--output", tmp_path / "new", status=2).stderr
    assert not (tmp_path / "new").exists()
