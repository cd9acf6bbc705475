"""Publishing: what is new is added, machines stay apart, and nothing that cannot be read is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from sweep_history import CELL, ENVIRONMENT, write_sweep

from zbench.cli import main
from zbench.errors import ResultsError
from zbench.harness.publish import default_sources, publish
from zbench.harness.publish.commits import Commits
from zbench.harness.publish.generated import GeneratedHistory
from zbench.model import Comparison, Request, Trace, Verdict
from zbench.report.gate.nouns import GateCell, GateReport
from zbench.report.gate.record import gate_json
from zbench.report.site.encode import from_script, unpack
from zbench.report.site.pages import SEGMENT
from zbench.results import Row, Table, write_table
from zbench.results.traces import StoredTrace, read_trace, write_trace

COMMITS = 24
SUITE = GeneratedHistory(benchmarks=10, commits=COMMITS, engines=1, machines=("box",), stepping=0.3)
# Its numbers fill more than one file of a page.
LONG_SUITE = replace(SUITE, commits=SEGMENT + 12)
TIME = "read.Case000.time_cell"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "repository"
    SUITE.write(folder)
    return folder


@pytest.fixture
def history(made, tmp_path):
    """A repository that may be changed."""
    return shutil.copytree(made, tmp_path / "repository")


@pytest.fixture(scope="module")
def made_long(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "repository"
    LONG_SUITE.write(folder)
    return folder


@pytest.fixture
def long_history(made_long, tmp_path):
    """A longer one."""
    return shutil.copytree(made_long, tmp_path / "repository")


def files(history, machine="box"):
    """Result files, oldest commit first."""
    found = (history / "results" / machine).glob("*-py3.11.json")
    return sorted(found, key=lambda path: json.loads(path.read_text(encoding="utf-8"))["date"])


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def data(site, key):
    return from_script((site / "data" / f"{key}.js").read_bytes())


def values(site, name=TIME, line=0):
    """Numbers of a line by the keys of its positions."""
    head, index = data(site, f"b/{name}"), data(site, "index")
    parts = [data(site, f"b/{name}.{number}")["lines"] for number in range(head["segments"])]
    whole = np.concatenate([unpack(part[str(line)]["v"]) for part in parts if str(line) in part], axis=1)
    return {index["positions"][at][1]: whole[:, column] for column, at in enumerate(head["lines"][line]["positions"])}


def content(site):
    return {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_every_number_of_every_file_is_on_the_site(long_history, tmp_path):
    done = publish([long_history / "results"], tmp_path / "site", repository=long_history)
    assert (done.pages, done.cells, done.columns, done.problems, done.added) == (10, 250, SEGMENT + 12, (), False)
    found = values(tmp_path / "site")
    for path in files(long_history):
        raw = json.loads(path.read_text(encoding="utf-8"))
        np.testing.assert_allclose(found[raw["commit_hash"]], raw["results"][TIME][0], rtol=1e-6)
    index = data(tmp_path / "site", "index")
    assert sorted(position[5] for position in index["positions"])[:2] == ["Change number 0", "Change number 1"]


def test_what_is_new_is_put_behind_what_is_there(long_history, tmp_path):
    *_, last = files(long_history)
    aside = shutil.move(last, tmp_path / "aside")
    site = tmp_path / "site"
    publish([long_history / "results"], site, repository=long_history)
    before = content(site)
    shutil.move(aside, last)
    done = publish([long_history / "results"], site, repository=long_history)
    assert done.added
    changed = {str(path) for path, text in content(site).items() if before.get(path) != text}
    # The first piece of every page has 128 positions, and none of them is new.
    heads = {f"data/b/{page['name']}.js" for page in data(site, "index")["pages"]}
    tails = {head.replace(".js", ".1.js") for head in heads}
    assert changed == heads | tails | {"data/index.js", "manifest.json"}
    again = tmp_path / "again"
    publish([long_history / "results"], again, repository=long_history)
    one, other = values(site), values(again)
    assert set(one) == set(other)
    for commit, numbers in one.items():
        np.testing.assert_array_equal(numbers, other[commit])


def told(site):
    """What is said of the steps, by what does not depend on the order of reading."""
    index = data(site, "index")
    found = {}
    for page in index["pages"]:
        for line in data(site, f"b/{page['name']}")["lines"]:
            for row, column, *_, before, after, _, _ in line["steps"]:
                key = page["name"], row, index["positions"][line["positions"][column]][1]
                found[key] = after / before
    return found


def test_steps_are_found_when_they_come(long_history, tmp_path):
    site = tmp_path / "site"
    late = files(long_history)[100:]
    for path in late:
        shutil.move(path, tmp_path)
    publish([long_history / "results"], site, repository=long_history)
    early = told(site)
    for part in (late[:20], late[20:]):
        for path in part:
            shutil.move(tmp_path / path.name, path)
        assert publish([long_history / "results"], site, repository=long_history).added
    again = tmp_path / "again"
    publish([long_history / "results"], again, repository=long_history)
    grown, whole = told(site), told(again)
    assert len(whole) > len(early) + 5
    # A step may be placed one commit beside it, where noise leaves that open.
    assert len(set(grown) ^ set(whole)) <= max(1, 0.03 * len(whole))
    shared = set(grown) & set(whole)
    assert [grown[key] for key in sorted(shared)] == pytest.approx([whole[key] for key in sorted(shared)], rel=0.01)


def test_nothing_is_written_when_nothing_is_new(history, tmp_path):
    site = tmp_path / "site"
    publish([history / "results"], site, repository=history)
    before = content(site)
    # Copied or checked out again, files have other times and the same content.
    for path in files(history):
        path.touch()
    done = publish([history / "results"], site, repository=history)
    assert (done.written, done.added) == (0, True)
    after = content(site)
    del (
        before[next(path for path in before if path.name == "manifest.json")],
        after[next(path for path in after if path.name == "manifest.json")],
    )
    assert after == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda history: edit(files(history)[-1], date=1), id="older"),
        pytest.param(lambda history: files(history)[3].unlink(), id="removed"),
        pytest.param(lambda history: edit(files(history)[3], results={}), id="changed"),
        pytest.param(lambda history: edit(history / "results" / "benchmarks.json", **{TIME: {"unit": "s"}}), id="unit"),
    ],
)
def test_what_cannot_be_added_is_read_anew(history, tmp_path, change):
    site = tmp_path / "site"
    publish([history / "results"], site, repository=history)
    change(history)
    assert not publish([history / "results"], site, repository=history).added
    again = tmp_path / "again"
    publish([history / "results"], again, repository=history)
    assert sorted(content(site)) == sorted(content(again))
    assert content(site).keys() == content(again).keys()
    one, other = values(site), values(again)
    assert list(one) == list(other)


def test_an_older_commit_that_comes_later_takes_its_place(history, tmp_path):
    site = tmp_path / "site"
    path = files(history)[5]
    shutil.move(path, tmp_path / "aside")
    publish([history / "results"], site, repository=history)
    shutil.move(tmp_path / "aside", path)
    assert not publish([history / "results"], site, repository=history).added
    order = [json.loads(one.read_text(encoding="utf-8"))["commit_hash"] for one in files(history)]
    assert list(values(site)) == order


def test_a_publication_that_was_ended_half_way_is_begun_anew(long_history, tmp_path):
    site = tmp_path / "site"
    publish([long_history / "results"], site, repository=long_history)
    before = content(site)
    (site / "manifest.json").unlink()
    (site / "data" / "b" / f"{TIME}.1.js").write_bytes(b"zbench(")
    assert not publish([long_history / "results"], site, repository=long_history).added
    assert (site / "data" / "b" / f"{TIME}.1.js").read_bytes() in before.values()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("left", [b"", b"zbench(", b'zbench("b/x",{"lines":{}});\n'])
def test_behind_a_piece_that_is_not_whole_nothing_is_added(long_history, tmp_path, number, left):
    *_, last = files(long_history)
    aside, site = shutil.move(last, tmp_path / "aside"), tmp_path / "site"
    publish([long_history / "results"], site, repository=long_history)
    (site / "data" / "b" / f"{TIME}.{number}.js").write_bytes(left)
    shutil.move(aside, last)
    assert not publish([long_history / "results"], site, repository=long_history).added
    assert len(values(site)) == SEGMENT + 12


def test_what_a_killed_publication_left_half_written_is_removed(history, tmp_path):
    site = tmp_path / "site"
    with pytest.MonkeyPatch.context() as patch:
        # Another process, which ends between writing a file of data and giving it its name.
        patch.setattr("zbench.report.site.folder.os.getpid", lambda: 1)
        patch.setattr("zbench.report.site.folder.Path.replace", _end_in_data)
        with pytest.raises(KeyboardInterrupt):
            publish([history / "results"], site, repository=history)
    assert [path for path in (site / "data").rglob(".*") if path.is_file()]
    publish([history / "results"], site, repository=history)
    assert [path.name for path in site.rglob(".*")] == [".nojekyll"]


def _end_in_data(source, target):
    if "data" in target.parts:
        raise KeyboardInterrupt
    return shutil.move(source, target)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("aaaaaaaa-cut.json", '{"commit_hash": "aaaa', id="cut"),
        pytest.param("notes.json", '{"of": "another program"}', id="foreign"),
        pytest.param("empty.json", "", id="empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_kept(history, tmp_path, name, text):
    path = history / "results" / "box" / name
    path.write_text(text, encoding="utf-8")
    done = publish([history / "results"], tmp_path / "site", repository=history)
    assert str(path) in done.problems[0]
    assert done.columns == COMMITS
    assert path.read_text(encoding="utf-8") == text
    assert str(path) in data(tmp_path / "site", "index")["problems"][0]
    again = publish([history / "results"], tmp_path / "site", repository=history)
    assert (again.problems, again.written) == (done.problems, 0)


def test_without_its_index_a_suite_is_still_shown(history, tmp_path):
    (history / "results" / "benchmarks.json").write_text("{cut", encoding="utf-8")
    done = publish([history / "results"], tmp_path / "site", repository=history)
    assert "benchmarks.json" in done.problems[0]
    head = data(tmp_path / "site", f"b/{TIME}")
    assert (head["names"], head["measure"]["unit"]) == (["parameter 1", "parameter 2", "parameter 3"], "s")


def test_numbers_of_an_older_version_have_a_page_of_their_own(history, tmp_path):
    path = files(history)[0]
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    results[TIME][2] = "0 of long ago"
    edit(path, results=results)
    publish([history / "results"], tmp_path / "site", repository=history)
    pages = {page["title"]: page["columns"] for page in data(tmp_path / "site", "index")["pages"]}
    assert pages[TIME] == COMMITS - 1
    assert pages[f"{TIME} (version 0 of lon)"] == 1


def test_histories_of_two_machines_are_merged_and_never_joined(made, tmp_path):
    other = tmp_path / "other"
    GeneratedHistory(benchmarks=10, commits=5, engines=1, machines=("laptop",)).write(other)
    for path in (other / "results" / "laptop").glob("*-py3.11.json"):
        raw = json.loads(path.read_text(encoding="utf-8"))
        # One of the pool: the same name, another processor.
        twin = raw | {"params": raw["params"] | {"cpu": "another processor"}, "env_name": "py3.11-twin"}
        path.with_name(f"twin-{path.name}").write_text(json.dumps(twin), encoding="utf-8")
    publish([made / "results", other / "results"], tmp_path / "site", repository=made)
    index = data(tmp_path / "site", "index")
    assert sorted((one["machine"], one["cpu"]) for one in index["machines"]) == [
        ("box", "a processor"), ("laptop", "a processor"), ("laptop", "another processor"),
    ]  # fmt: skip
    lines = data(tmp_path / "site", f"b/{TIME}")["lines"]
    assert sorted(len(line["positions"]) for line in lines) == [5, 5, COMMITS]
    assert len({line["machine"] for line in lines}) == 3


def test_one_history_given_twice_is_there_once(made, tmp_path):
    shutil.copytree(made / "results", tmp_path / "copy")
    done = publish([made / "results", tmp_path / "copy"], tmp_path / "site", repository=made)
    assert (done.cells, done.columns) == (250, COMMITS)


@pytest.fixture
def sweep(tmp_path, rng):
    """A sweep over three releases and one that could not be had."""
    return write_sweep(tmp_path / "sweep", rng)


def test_a_sweep_is_a_line_of_releases_with_its_gaps_and_steps(sweep, tmp_path):
    publish([sweep], tmp_path / "site", repository=tmp_path)
    index = data(tmp_path / "site", "index")
    assert {page["title"] for page in index["pages"]} == {
        "zarr-releases.read_whole.wall_time", "zarr-releases.read_whole.requests",
    }  # fmt: skip
    for page in index["pages"]:
        (line,) = data(tmp_path / "site", f"b/{page['name']}")["lines"]
        assert [index["positions"][at][3] for at in line["positions"]] == ["2.16.0", "2.18.7", "2.99", "3.0.0"]
        assert line["notes"] == [[2, "it cannot be installed"]]
        ((_, column, before, *_),) = line["steps"]
        assert (column, before) == (3, 1)
        assert len({line["environments"][at] for at in (0, 1, 3)}) == 3
    changes = [dict(zip(index["changeFields"], told, strict=True)) for told in index["changes"]]
    assert [change["worse"] for change in changes] == [1, 1]
    for change in changes:
        places = change["before_environment"], change["environment"]
        told = [index["environments"][place]["packages"] for place in places]
        assert [(one["zarr"], one["numcodecs"]) for one in told] == [("2.18.7", "0.13.1"), ("3.0.0", "0.14.1")]
    assert next(position[6] for position in index["positions"] if position[3] == "3.0.0").endswith("v3.0.0")


def test_of_a_sweep_the_traces_are_shown_that_differ_from_the_release_before(sweep, tmp_path):
    # As threads bring them: the order and the times mean nothing.
    requests = [Request(operation="get", key=f"c/{place}", offset_ns=place) for place in range(3)]
    asked = {"2.16.0": requests, "2.18.7": [replace(one, offset_ns=9) for one in requests[::-1]], "3.0.0": requests[1:]}
    for release, found in asked.items():
        for pattern, own in (("read_plane", found), ("read_whole", requests)):
            write_trace(
                sweep / "traces" / release / f"{pattern}.trace.json",
                StoredTrace(cell={"pattern": pattern}, position=release, trace=Trace(tuple(own))),
            )
    publish([sweep], tmp_path / "site", repository=tmp_path)
    told = [(one["title"], one["position"]) for one in data(tmp_path / "site", "index")["traces"]]
    assert told == [("read_plane", "2.16.0"), ("read_plane", "3.0.0"), ("read_whole", "2.16.0")]


def test_suites_sweeps_and_traces_are_one_site(made, sweep, tmp_path):
    trace = StoredTrace(cell={"pattern": "xy_plane"}, trace=Trace((Request(operation="get", key="c/0", offset_ns=5),)))
    write_trace(tmp_path / "a.trace.json", trace)
    assert read_trace(tmp_path / "a.trace.json") == trace
    (tmp_path / "b.trace.json").write_text('{"kind": "other"}', encoding="utf-8")
    sources = [made / "results", sweep, tmp_path / "a.trace.json", tmp_path / "b.trace.json"]
    done = publish(sources, tmp_path / "site", repository=made)
    assert done.pages == 12
    (problem,) = done.problems
    assert "b.trace.json" in problem
    (summary,) = data(tmp_path / "site", "index")["traces"]
    assert data(tmp_path / "site", f"t/{summary['name']}")["requests"][0]["key"] == "c/0"


def gate_of(number, *, ratio, verdict, machine="box"):
    """What a gate found between two commits: a time that moved, or not, and a count that stayed."""
    moved = Comparison(ratio=ratio, low=ratio * 0.98, high=ratio * 1.02, p_value=0.001, verdict=verdict)
    same = Comparison(ratio=1.0, low=1.0, high=1.0, p_value=None, verdict=Verdict.SAME)
    place = {"environment": "py3.11", "benchmark": "read.X.time_read", "parameters": {"engine": "zarrs"}}
    cells = (
        GateCell(**place, metric="wall_time", unit="s", baseline=1.0, candidate=ratio, comparison=moved, blocks=9),
        GateCell(**place, metric="value", unit="requests", baseline=8.0, candidate=8.0, comparison=same),
    )
    return GateReport(
        project="tiny", baseline=f"c{number}", candidate=f"c{number + 1}", cells=cells, contrasts=(), explanation=(),
        commits=(f"{number}" * 40, f"{number + 1}" * 40), machine={"machine": machine, "cpu": "a cpu"}, failed=(),
        environments=("py3.11",), packages={"py3.11": (("zarr", "3.0.0", "3.1.0"),)}, skipped=(), rounds=9,
        spent_s=1.0, budget_s=2.0, min_effects={"wall_time": 0.03}, error_rate=0.01, seed=1,
    )  # fmt: skip


def test_gates_are_shown_with_the_changes_that_they_are_sure_of(tmp_path):
    gates = tmp_path / "gates"
    for number, (ratio, verdict) in enumerate([(1.2, Verdict.SLOWER), (1.01, Verdict.INCONCLUSIVE)], start=1):
        (gates / f"run {number}").mkdir(parents=True)
        path = gates / f"run {number}" / "gate.json"
        path.write_text(gate_json(gate_of(number, ratio=ratio, verdict=verdict)), encoding="utf-8")
        done = publish([gates], tmp_path / "site", repository=tmp_path)
    assert done.problems == ()
    index = data(tmp_path / "site", "index")
    (change,) = [dict(zip(index["changeFields"], told, strict=True)) for told in index["changes"]]
    assert (change["page"], change["worse"], change["ratio"]) == ("gate.read.X.time_read.wall_time", 1, 1.2)
    assert (change["low"], change["high"]) == (pytest.approx(1.176), pytest.approx(1.224))
    assert index["positions"][change["position"]][1] == "2" * 40
    # The second gate measured the second commit anew: the first one's number stays.
    assert list(values(tmp_path / "site", change["page"])) == ["1" * 40, "2" * 40, "3" * 40]


def test_a_gate_that_was_changed_is_named(tmp_path):
    path = tmp_path / "gate.json"
    path.write_text(
        gate_json(gate_of(1, ratio=1.2, verdict=Verdict.SLOWER)).replace('"slower"', '"fast"'), encoding="utf-8"
    )
    with pytest.raises(ResultsError, match="zbench gate wrote it"):
        publish([path], tmp_path / "site", repository=tmp_path)


def test_a_table_of_runs_is_shown_by_commit_or_run(tmp_path):
    environments = {"e": ENVIRONMENT}
    place = CELL | {"environment": "e", "metric": "wall_time", "unit": "s", "pattern": "full_read"}
    rows = [Row(**place, run=f"run {at}", value=1.0 + at, low=0.5, high=9.0, confidence=0.95) for at in range(2)]
    rows.append(Row(**place | {"chain": "zstd-5"}, run="run 1", value=None, note="refused: too new"))
    rows.append(Row(**place, run="x", commit="c" * 40, value=7.0))
    write_table(tmp_path / "results.json", Table(tuple(rows), environments))
    publish([tmp_path / "results.json"], tmp_path / "site", repository=tmp_path)
    pages = {page["axis"]: page["name"] for page in data(tmp_path / "site", "index")["pages"]}
    assert set(pages) == {"commit", "run"}
    found = values(tmp_path / "site", pages["run"])
    assert list(found) == ["run 0", "run 1"]
    np.testing.assert_array_equal(found["run 1"], [2.0, np.inf])
    assert values(tmp_path / "site", pages["commit"]) == {"c" * 40: [7.0]}


def test_a_folder_that_holds_something_else_is_left_alone(made, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ResultsError, match="a folder of its own"):
        publish([made / "results"], tmp_path, repository=made)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_without_results_there_is_no_site(tmp_path):
    (tmp_path / "notes.json").write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(ResultsError, match=r"there are none.*notes\.json"):
        publish([tmp_path / "notes.json"], tmp_path / "site", repository=tmp_path)
    assert not (tmp_path / "site").exists()


def test_one_commit_more_is_published_without_scipy(long_history, tmp_path):
    *_, last = files(long_history)
    aside, site = shutil.move(last, tmp_path / "aside"), tmp_path / "site"
    publish([long_history / "results"], site, repository=long_history)
    shutil.move(aside, last)
    # Of all that could be imported it takes longest.
    code = (
        "import sys; from pathlib import Path; from zbench.harness.publish import publish; "
        "results, site, repository = map(Path, sys.argv[1:]); "
        "print(publish([results], site, repository=repository).added, 'scipy' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(long_history / "results"), str(site), str(long_history)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() == ["True", "False"]
    assert told(site)


def test_a_commit_that_is_none_is_no_word_for_git(history):
    (history / "loot").write_text("kept", encoding="utf-8")
    assert Commits(history, "").position(f"--output={history / 'loot'}").subject == ""
    assert (history / "loot").read_text(encoding="utf-8") == "kept"


def test_few_commits_are_told_as_many_are(history):
    hashes = [json.loads(path.read_text(encoding="utf-8"))["commit_hash"] for path in files(history)]
    commits = Commits(history, "")
    assert [commits.position(each) for each in hashes] == [Commits(history, "").position(each) for each in hashes]
    assert commits.position(hashes[3]).subject == "Change number 3"
    assert commits.position("0" * 40).subject == Commits(history, "").position("0" * 40).subject == ""


def test_commits_have_tags_messages_and_addresses(history, tmp_path):
    commit = json.loads(files(history)[2].read_text(encoding="utf-8"))["commit_hash"]
    subprocess.run(["git", "-C", history, "tag", "v1.0", commit], check=True)
    edit(history / "asv.conf.json", show_commit_url="https://example.org/commit/")
    publish([history / "results"], tmp_path / "site", repository=history)
    (position,) = [one for one in data(tmp_path / "site", "index")["positions"] if one[1] == commit]
    assert position[3:] == [
        "v1.0", 1_500_172_800_000, "Change number 2", f"https://example.org/commit/{commit}",
    ]  # fmt: skip


def test_the_command_publishes_what_lies_where_it_should(history, tmp_path):
    results = history / ".asv" / "results"
    results.parent.mkdir()
    shutil.move(history / "results", results)
    assert default_sources(history) == (results,)
    (results / "box" / "cut.json").write_text("{", encoding="utf-8")
    arguments = ["publish", "--repository", str(history), "--output", str(tmp_path / "site"), "--title", "Mine"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    assert f"10 benchmarks, 250 cells, up to {COMMITS} positions" in ran.output
    assert "cut.json" in ran.output
    assert "<title>Mine</title>" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    again = CliRunner().invoke(main, [*arguments, "--rebuild"])
    assert "made anew" in again.output
