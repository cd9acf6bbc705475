"""``zbench history`` over a stored sweep and over results of asv."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from zbench.cli import main
from zbench.harness.history import find_steps, read_series
from zbench.harness.history.asv_steps import asv_steps
from zbench.harness.sweep.history import History, Point, write_history
from zbench.model import Environment
from zbench.results import Row, Table, environment_id

RELEASES = ("1.0", "1.1", "1.2", "1.3", "1.4")


def environment(release, **other):
    facts = {
        "machine": "vm", "os": "Linux", "cpu": "some", "cores": 2, "memory_bytes": 1, "python": "3.12.1",
        "packages": (("numpy", "2.2.6"), ("zarr", release)), "threads": (), "filesystem": "ext4",
    }  # fmt: skip
    return Environment(**facts | other)


def stored(folder, *, requests=(), times=(), metric="requests"):
    """A history of one exact number and one time."""
    rng = np.random.default_rng(0)
    made = [environment(release) for release in RELEASES]
    rows = []
    common = {"source": "zbench", "machine": "vm", "dataset": "small", "engine": "zarr-python", "layout": "v3-c32"}
    common |= {"chain": "none", "store": "local"}
    for place, release in enumerate(RELEASES):
        named = common | {"run": f"zarr=={release}", "environment": environment_id(made[place])}
        if requests and requests[place] is not None:
            rows.append(Row(**named, pattern="open", metric=metric, unit="requests", value=float(requests[place])))
        if times and times[place] is not None:
            samples = tuple(times[place] * np.exp(0.02 * rng.normal(size=6)))
            note = "rounds 0 1 2 3 4 5"
            fields = {"metric": "wall_time", "unit": "s", "value": float(np.median(samples)), "samples": samples}
            rows.append(Row(**named, pattern="full_read", cache_state="warm", note=note, **fields))
    points = tuple(
        Point(run=f"zarr=={release}", release=release, python="3.12.1", environment=environment_id(one))
        for release, one in zip(RELEASES, made, strict=True)
    )
    table = Table(tuple(rows), {environment_id(one): one for one in made})
    write_history(folder, History(axis="zarr", dataset="small", date="2026-01-01", points=points, table=table))
    return folder


def asked(*arguments):
    return CliRunner().invoke(main, ["history", *map(str, arguments)])


def listed(*arguments):
    done = asked("regressions", "--json", *arguments)
    return done.exit_code, json.loads(done.output)


def test_a_request_more_is_a_regression_with_status_one(tmp_path):
    status, told = listed(stored(tmp_path, requests=(2, 2, 3, 3, 3)))
    assert status == 1
    (one,) = told["regressions"]
    assert (one["word"], one["earlier"], one["later"]) == ("chattier", "1.1", "1.2")
    assert (one["before"], one["after"], one["exact"]) == (2, 3, True)


def test_the_packages_that_differ_around_a_step_are_told(tmp_path):
    _, told = listed(stored(tmp_path, requests=(2, 2, 3, 3, 3)))
    assert told["regressions"][0]["packages"] == {"zarr": ["1.1", "1.2"]}


def test_a_time_that_doubled_is_a_regression_with_its_interval(tmp_path):
    status, told = listed(stored(tmp_path, times=(1.0, 1.0, 1.0, 2.0, 2.0)))
    assert status == 1
    (one,) = told["regressions"]
    assert (one["word"], one["earlier"], one["later"]) == ("slower", "1.2", "1.3")
    assert one["low"] < 2 < one["high"] or one["ratio"] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"requests": (2, 2, 2, 2, 2)}, id="nothing changed"),
        pytest.param({"requests": (3, 3, 2, 2, 2)}, id="fewer requests"),
        pytest.param({"times": (2.0, 2.0, 1.0, 1.0, 1.0)}, id="faster"),
        pytest.param({"times": (1.0, 1.0, 1.01, 1.01, 1.01)}, id="below the smallest effect"),
    ],
)
def test_what_did_not_get_worse_is_status_zero(tmp_path, fields):
    status, told = listed(stored(tmp_path, **fields))
    assert (status, told["regressions"]) == (0, [])


def test_a_regression_that_was_undone_is_told_and_is_status_zero(tmp_path):
    folder = stored(tmp_path, requests=(2, 3, 3, 2, 2))
    status, told = listed(folder)
    assert status == 0
    assert [one["standing"] for one in told["regressions"]] == [False]
    assert "undone" not in asked("regressions", folder).output.split("regressions stand")[0]
    assert "chattier, undone" in asked("regressions", "--all", folder).output


def test_a_smaller_compression_ratio_is_worse(tmp_path):
    status, told = listed(stored(tmp_path, requests=(2, 2, 1, 1, 1), metric="compression_ratio"))
    assert status == 1
    assert told["regressions"][0]["word"] == "smaller"


def test_a_release_without_a_number_is_passed_over(tmp_path):
    _, told = listed(stored(tmp_path, requests=(2, None, None, 3, 3)))
    (one,) = told["regressions"]
    assert (one["earlier"], one["later"], one["first"], one["last"]) == ("1.0", "1.3", "1.1", "1.3")


def test_series_with_one_number_cannot_answer(tmp_path):
    status, told = listed(stored(tmp_path, requests=(2, None, None, None, None)))
    assert (status, told["judged"], told["too_short"]) == (2, 0, 1)


@pytest.mark.parametrize("words", ["regressions", "show open", "export {output}"])
def test_a_folder_without_a_history_is_status_two(tmp_path, words):
    done = asked(*words.format(output=tmp_path / "out.csv").split(), tmp_path)
    assert done.exit_code == 2
    assert "history" in done.output


def test_the_folder_of_all_sweeps_is_searched_for_histories(tmp_path):
    stored(tmp_path / "zarr" / "history", requests=(2, 2, 3, 3, 3))
    status, _ = listed(tmp_path)
    assert status == 1


def test_a_series_is_shown_with_its_steps_and_gaps(tmp_path):
    output = asked("show", "open requests", stored(tmp_path, requests=(2, None, 3, 3, 3), times=(1.0,) * 5)).output
    assert "1.1          gap" in output
    assert "<- chattier: 1.5 since 1.0" in output
    assert "wall_time" not in output


def test_words_that_no_series_has_are_refused(tmp_path):
    done = asked("show", "nonsense", stored(tmp_path, requests=(2, 2, 3, 3, 3)))
    assert done.exit_code == 2
    assert "nonsense" in done.output


@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_number_is_exported_with_its_release(tmp_path, form):
    output = tmp_path / f"out.{form}"
    done = asked("export", output, stored(tmp_path / "history", requests=(2, 2, 3, 3, 3), times=(1.0,) * 5))
    assert done.exit_code == 0, done.output
    text = output.read_text()
    if form == "csv":
        assert len(text.splitlines()) == 11
    else:
        raw = json.loads(text)
        assert [line["point"] for line in raw["points"][:5]] == list(RELEASES)
        assert [step["later"] for step in raw["steps"]] == ["1.2"]


def test_a_form_that_cannot_be_exported_is_refused(tmp_path):
    done = asked("export", tmp_path / "out.xlsx", stored(tmp_path / "history", requests=(2, 2, 3, 3, 3)))
    assert done.exit_code == 2
    assert "csv" in done.output


def asv_folder(folder, values, *, machine="vm"):
    """Results of a tracked number and a time at one commit a day, as asv stores them."""
    benchmarks = {
        name: {"name": name, "params": [], "param_names": [], "unit": unit, "version": "1", "type": kind}
        for name, unit, kind in (
            ("read.A.track_requests", "requests", "track"),
            ("read.A.time_read", "seconds", "time"),
        )
    }
    (folder / machine).mkdir(parents=True)
    (folder / "benchmarks.json").write_text(json.dumps(benchmarks | {"version": 2}))
    (folder / machine / "machine.json").write_text(json.dumps({"machine": machine, "version": 1}))
    columns = ["result", "params", "version"]
    for day, value in enumerate(values):
        commit = f"{1000 - day:08d}" + "0" * 32
        raw = {
            "commit_hash": commit, "env_name": "py", "date": day * 86_400_000, "params": {"machine": machine},
            "python": "3.12", "requirements": {}, "env_vars": {}, "result_columns": columns, "version": 2,
            "durations": {},
            "results": {"read.A.track_requests": [[value], [], "1"]},
        }  # fmt: skip
        (folder / machine / f"{commit[:8]}-py.json").write_text(json.dumps(raw))
    return folder


def test_commits_of_asv_are_in_the_order_of_their_dates(tmp_path):
    known = read_series([asv_folder(tmp_path, (2, 2, 3))])
    (series,) = known.series
    assert series.axis == "commit"
    assert series.values == (2, 2, 3)
    (step,), _ = find_steps(known)
    assert (step.earlier, step.later) == ("00000999", "00000998")


def test_a_truncated_result_file_is_named_and_the_others_are_read(tmp_path):
    folder = asv_folder(tmp_path, (2, 2, 3))
    broken = folder / "vm" / "00000999-py.json"
    broken.write_text(broken.read_text()[:40])
    status, told = listed(folder)
    assert status == 1
    assert any("00000999-py.json" in problem for problem in told["problems"])


def test_two_machines_are_never_in_one_series(tmp_path):
    one, other = asv_folder(tmp_path / "one", (2, 2)), asv_folder(tmp_path / "other", (3, 3), machine="lab")
    known = read_series([one, other])
    assert [(series.machine, series.values) for series in known.series] == [("vm", (2, 2)), ("lab", (3, 3))]


def test_asv_finds_a_plain_step_at_the_same_place_as_we_say_it_does():
    values = [1.0, 1.01, None, 0.99, 1.0, 1.01, 2.0, 2.01, 1.99, 2.0, 2.02, 2.0]
    assert asv_steps(values) == (6,)


def test_a_step_that_asv_finds_too_is_marked(tmp_path):
    _, told = listed(stored(tmp_path, times=(1.0, 1.0, 1.0, 2.0, 2.0)))
    known = read_series([tmp_path])
    (series,) = (one for one in known.series if one.metric == "wall_time")
    assert told["regressions"][0]["asv"] == (3 in asv_steps(series.values))
