"""The files of a gate: each says what was found, holds whatever text a benchmark has, and comes back where it can."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from gate_reports import ENVIRONMENT, counted, pooled_over, report, timed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from zbench.errors import ResultsError
from zbench.model import Comparison, Verdict
from zbench.report.gate import GateCell, GateContrast, GateReport, NotMeasured
from zbench.report.gate.figure import draw_gate
from zbench.report.gate.junit import junit
from zbench.report.gate.markdown import LONGEST, MARKER, markdown
from zbench.report.gate.record import GATE_SCHEMA_VERSION, gate_json, gate_schema, read_gate
from zbench.report.gate.written import clear_reports, write_no_answer, write_reports

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "gate.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))
NASTY = "a|b`c\\|d <b>@octocat #12 www.example.org\n### no $x$ \ud800 \x00 & *_"
FAILED = NotMeasured(cell="read.Planes.time_read(none)", environment=ENVIRONMENT, reason="TypeError: no")
SKIPPED = NotMeasured(cell="read.Planes.time_read(zip)", environment=ENVIRONMENT, reason="zip stores no planes")
FULL = report(
    counted(3, 4), counted(9, 8, "faster"), counted(0, 2, accepted="wanted"),
    timed(1.2), timed(1.04, alarm=False), timed(0.9, "faster"), timed(1.0, "same"), timed(1.01, "inconclusive"),
    timed(1.2, decides=False, metric="cpu_time"),
    timed(1.3, metric="peak_memory", unit="bytes", baseline=2e8, candidate=2.6e8),
    contrasts=(pooled_over(), pooled_over("codec = none", 1.0, "same"), pooled_over("", 1.0, "inconclusive")),
    explanation=(pooled_over(),), failed=(FAILED,), skipped=(SKIPPED,), warnings=("the machine was busy",),
    packages={ENVIRONMENT: (("zarr", "3.1.6", "3.4.2"),)},
)  # fmt: skip
SHAPES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Hundreds of files are written here, and none has to outlive a power cut."""
    monkeypatch.setattr("os.fsync", lambda _: None)


def numbers():
    return st.floats(allow_nan=False, allow_infinity=False)


def comparisons():
    """All that a gate gives: unknown, without bound, or with an interval that may have no end."""
    known = st.builds(
        Comparison,
        ratio=numbers(), low=numbers(), high=numbers() | st.just(math.inf), p_value=st.none() | numbers(),
        verdict=st.sampled_from(Verdict),
    )  # fmt: skip
    endless = st.builds(counted, st.just(0), st.just(2), st.sampled_from(["slower", "faster"]))
    return known | endless.map(lambda cell: cell.comparison)


def cells():
    names = st.text(max_size=8)
    return st.builds(
        GateCell,
        environment=names, benchmark=names, parameters=st.dictionaries(names, names, max_size=2), metric=names,
        unit=names, baseline=numbers(), candidate=numbers(), comparison=comparisons(),
        detectable=st.none() | numbers(), needed=st.none() | st.integers(),
    )  # fmt: skip


@SHAPES
@given(found=st.lists(cells(), max_size=3))
def test_every_gate_comes_back_from_its_file(tmp_path, found):
    written = report(*found, contrasts=(pooled_over(),), failed=(FAILED,), warnings=(NASTY,), most_rounds=120)
    (tmp_path / "gate.json").write_text(gate_json(written), encoding="utf-8")
    VALIDATOR.validate(json.loads(gate_json(written)))
    assert read_gate(tmp_path / "gate.json") == written


def test_a_number_that_is_none_is_null_and_comes_back_as_none(tmp_path):
    unknown = Comparison(ratio=math.nan, low=math.nan, high=math.nan, p_value=None, verdict=Verdict.INCONCLUSIVE)
    text = gate_json(report(timed(1.0, "same"), counted(math.nan, 3, comparison=unknown, alarm=False)))
    cell = json.loads(text)["cells"][1]
    assert (cell["baseline"], cell["candidate"], cell["comparison"]["ratio"]) == (None, 3, None)
    (tmp_path / "gate.json").write_text(text, encoding="utf-8")
    back = read_gate(tmp_path / "gate.json").cells[1]
    assert math.isnan(back.baseline)
    assert math.isnan(back.comparison.ratio)


def test_status_and_headline_stand_at_the_begin_of_the_file():
    assert list(json.loads(gate_json(FULL)))[:3] == ["schema_version", "status", "headline"]
    assert json.loads(gate_json(FULL))["status"] == FULL.status == 1


def test_the_published_schema_is_that_of_the_report():
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == gate_schema(), (
        "write it anew: json.dumps(zbench.report.gate.record.gate_schema(), indent=2)"
    )
    jsonschema.Draft202012Validator.check_schema(gate_schema())


def test_the_schema_tells_what_each_field_means():
    told = gate_schema()["properties"]
    assert set(told) == {"schema_version", "status", "headline"} | {entry.name for entry in fields(GateReport)}
    cell, contrast = (told[name]["items"]["properties"] for name in ("cells", "contrasts"))
    assert (set(cell), set(contrast)) == tuple({f.name for f in fields(kind)} for kind in (GateCell, GateContrast))
    texts = [
        field["description"] for one in (told, cell, contrast) for name, field in one.items() if "const" not in field
    ]
    assert [text for text in texts if not text.endswith(".")] == []


def refusal(tmp_path, raw):
    path = tmp_path / "gate.json"
    path.write_text(raw if isinstance(raw, str) else json.dumps(raw), encoding="utf-8")
    with pytest.raises(ResultsError) as refused:
        read_gate(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        pytest.param(["seed"], "0", 'gate.seed is "0", which is no whole number', id="text for a number"),
        pytest.param(["seed"], True, "gate.seed is true, which is no whole number", id="truth for a number"),
        pytest.param(["cells", 0, "decides"], 1, "gate.cells[0].decides is 1, which is no truth value", id="number"),
        pytest.param(
            ["cells", 3, "comparison", "verdict"], "slow", 'verdict is "slow", which is no one of', id="verdict"
        ),
        pytest.param(["cells", 0, "comparison", "ratio"], [], "comparison.ratio is [], which is no number", id="list"),
        pytest.param(["commits"], ["a"], 'gate.commits is ["a"], which is no list of 2', id="one commit"),
        pytest.param(
            ["packages", ENVIRONMENT, 0, 2], None, f"{ENVIRONMENT}[0][2] is null, which is no text", id="none"
        ),
        pytest.param(["machine"], [], "gate.machine is [], which is no object", id="no object"),
        pytest.param(["failed", 0], 3, "gate.failed[0] is 3, which is no object", id="no record"),
        pytest.param(["skipped", 0, "surprise"], 1, "gate.skipped[0] differs in surprise", id="strange field"),
        pytest.param(["warnings"], "x" * 99, "xxx..., which is no list", id="long value"),
    ],
)
def test_schema_and_reader_refuse_the_same_files(tmp_path, place, value, says):
    raw = json.loads(gate_json(FULL))
    part = raw
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    assert says in refusal(tmp_path, raw)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(raw)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param([], "there is no object", id="list"),
        pytest.param({"rows": []}, "schema_version, status, headline is missing", id="of another"),
        pytest.param({"schema_version": GATE_SCHEMA_VERSION + 1}, f"version is {GATE_SCHEMA_VERSION + 1}", id="newer"),
        pytest.param({"schema_version": "1", "status": 0, "headline": ""}, "schema_version is '1'", id="version"),
        pytest.param({"schema_version": 1, "status": 3, "headline": ""}, "status and headline are 3", id="status"),
        pytest.param({"schema_version": 1, "status": 0, "headline": ""}, "gate differs in baseline", id="no fields"),
    ],
)
def test_a_file_of_another_origin_is_named(tmp_path, raw, says):
    assert says in refusal(tmp_path, raw)


def test_a_number_that_json_does_not_have_is_refused(tmp_path):
    text = gate_json(FULL).replace('"ratio": 1.2,', '"ratio": Infinity,')
    assert "comparison.ratio is Infinity, which is no number" in refusal(tmp_path, text)


def test_a_file_that_was_cut_anywhere_is_refused(tmp_path):
    whole = gate_json(FULL)
    for length in range(0, len(whole) - 2, 331):
        assert "whole JSON" in refusal(tmp_path, whole[:length])


def test_a_status_that_does_not_follow_from_the_cells_is_refused(tmp_path):
    assert "says 0, and its cells say 1" in refusal(tmp_path, json.loads(gate_json(FULL)) | {"status": 0})


def cases(found):
    root = ET.fromstring(junit(found))
    return root, {case.get("name"): case for case in root.iter("testcase")}


def outcome(case):
    return next(iter(case)).tag if len(case) else "passed"


@pytest.mark.parametrize(
    ("cell", "expected", "told"),
    [
        pytest.param(timed(1.2), "failure", "20 % slower", id="regression"),
        pytest.param(counted(3, 4), "failure", "ratio 1.3333", id="exact regression"),
        pytest.param(timed(1.0, "inconclusive"), "skipped", "8 pairs find a change of 4.1 %", id="inconclusive"),
        pytest.param(timed(1.05, alarm=False), "skipped", "not certain enough", id="not sure"),
        pytest.param(timed(1.05, accepted="wanted"), "skipped", "accepted: wanted; 5 % slower", id="accepted"),
        pytest.param(timed(1.0, "same"), "passed", "", id="same"),
        pytest.param(timed(0.9, "faster"), "passed", "", id="faster"),
    ],
)
def test_junit_passes_only_what_was_decided(cell, expected, told):
    _, found = cases(report(cell, timed(1.0, "same", parameters={})))
    case = found[f"{cell.cell} {cell.metric}"]
    assert outcome(case) == expected
    assert case.get("classname") == f"{ENVIRONMENT}.{cell.benchmark}"
    if told:
        assert told in case[0].get("message")


def test_junit_has_a_case_for_each_deciding_metric_and_each_factor_level():
    root, found = cases(FULL)
    deciding = [cell for cell in FULL.cells if cell.decides]
    assert int(root.get("tests")) == 1 + len(deciding) + len(FULL.contrasts) + 2 == len(list(root.iter("testcase")))
    assert outcome(found[FAILED.cell]) == "error"
    assert found[SKIPPED.cell][0].get("message") == SKIPPED.reason
    assert [outcome(found[one.name]) for one in FULL.contrasts] == ["failure", "passed", "skipped"]
    told = {name: len(list(root.iter(tag))) for name, tag in (("failures", "failure"), ("errors", "error"))}
    assert {name: int(root.get(name)) for name in told} == told == {"failures": 4, "errors": 1}


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(report(), id="passed"),
        pytest.param(report(timed()), id="a cell"),
        pytest.param(report(contrasts=(pooled_over(),)), id="a factor level alone"),
        pytest.param(report(failed=(FAILED,)), id="failed"),
        pytest.param(report(timed(1.0, "inconclusive")), id="nothing decided"),
        pytest.param(report(timed(accepted="wanted")), id="accepted"),
    ],
)
def test_junit_is_green_where_the_gate_is(found):
    root, _ = cases(found)
    failures, errors = int(root.get("failures")), int(root.get("errors"))
    assert (bool(failures), bool(errors)) == (found.status == 1, found.status == 2)


def nasty(**changes):
    cell = timed(1.2, benchmark=NASTY, parameters={"p": NASTY}, environment=NASTY, unit=NASTY, **changes)
    gone = NotMeasured(cell=NASTY, environment=NASTY, reason=NASTY)
    return report(
        cell, timed(1.0, "inconclusive", note=NASTY, benchmark=NASTY), counted(1, 2, benchmark=NASTY),
        project=NASTY, baseline=NASTY, candidate=NASTY, machine={NASTY: NASTY}, environments=(NASTY,), packages={},
        contrasts=(pooled_over(NASTY),), explanation=(pooled_over(NASTY),), failed=(gone,), skipped=(gone,),
        warnings=(NASTY,), command=NASTY,
    )  # fmt: skip


def test_junit_holds_any_text():
    _, found = cases(nasty())
    assert any("a|b`c" in name and "\ufffd" in name for name in found)


def rendered(found):
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(markdown(found))


def test_names_of_benchmarks_stay_text_in_a_comment():
    tokens = rendered(nasty())
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} <= {"text", "code_inline", "html_inline", "softbreak"}
    assert {child.content for child in inline if child.type == "html_inline"} == {"<code>", "</code>"}
    blocks = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert [
        block for block in blocks if not re.fullmatch(r"<!-- zbench-gate -->|</?details>(<summary>.*)?", block)
    ] == []
    assert [t.tag for t in tokens if t.type == "heading_open"] == ["h3", "h4", "h4", "h4", "h4"]
    # Mentions and references are made in words, not in code.
    words = "".join(child.content for child in inline if child.type == "text")
    spoken = re.sub("<code>.*?</code>", "", markdown(nasty()).split("#### Failed")[0])
    assert "octocat" in words
    assert not re.search(r"@octocat|(?<!&)#12|www\.example", spoken)


def test_rows_of_a_table_have_the_cells_of_its_head():
    width = 0
    for token in rendered(nasty()):
        if token.type == "tr_open":
            width = 0
        width += token.type in ("th_open", "td_open")
        if token.type == "thead_close":
            head = width
        if token.type == "tr_close":
            assert width == head or head is None
        if token.type == "table_open":
            head = None


def test_a_comment_begins_with_its_marker_and_what_was_found():
    lines = markdown(FULL).splitlines()
    assert lines[0] == MARKER
    assert lines[2].startswith("### Regression: read.Planes.track")


def test_a_comment_shows_what_is_worse_and_folds_the_rest():
    text = markdown(FULL)
    shown, folded = text.split("<details>", 1)
    assert re.findall("^#### (.*)$", shown, re.MULTILINE) == ["Failed", "Exact changes", "What explains it", "Slower"]
    assert re.findall("<summary>(.*)</summary>", text) == [
        "Factor levels", "Faster (1)", "Inconclusive (1)", "Same (1)", "Skipped (1)", "Environments",
        "How to ask again",
    ]  # fmt: skip
    assert "3 requests | 4 requests | 1.33333 |" in shown
    assert "`──" not in shown
    assert "4.1 % | 3 % takes 20 pairs, up to 5 min |" in folded
    assert "`zarr 3.1.6 -> 3.4.2`" in folded
    assert f"```\n{FULL.command}\n```" in folded


def test_a_comment_of_a_gate_that_passed_has_no_empty_parts():
    text = markdown(report())
    assert re.findall("^#### |<summary>(.*)</summary>", text, re.MULTILINE) == [
        "Same (1)", "Environments", "How to ask again",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [pytest.param(3, id="few"), pytest.param(600, id="many")])
@pytest.mark.parametrize("length", [pytest.param(10, id="short names"), pytest.param(5000, id="long names")])
def test_a_comment_is_never_too_long_to_post(count, length):
    long = ("|" * length)[:length]
    kinds = [(1.2, "slower"), (0.9, "faster"), (1.0, "same"), (1.0, "inconclusive")]
    many = [
        timed(ratio, verdict, benchmark=f"{number}{long}", environment=long, note=long)
        for number in range(count)
        for ratio, verdict in kinds
    ]
    gone = tuple(NotMeasured(cell=long, environment=long, reason=f"{number}{long}") for number in range(count))
    found = report(
        *many, *(counted(1, 2, benchmark=long) for _ in range(count)), failed=gone, skipped=gone, command=long,
        contrasts=(pooled_over(long),) * count, explanation=(pooled_over(long),) * count,
        environments=tuple(f"{number}{long}" for number in range(count)), warnings=(long,) * count, project=long,
        packages={f"{number}{long}": (("zarr", long, long),) * count for number in range(count)},
        machine={f"{number}{long}": long for number in range(count)}, baseline=long, candidate=long,
    )  # fmt: skip
    text = markdown(found)
    assert len(text) <= LONGEST < 65_536
    assert text.count("<details>") == text.count("</details>") > 4
    # Of few with short names all are there.
    assert ("more, in `gate.json`" in text) == ((count, length) != (3, 10))


def test_a_picture_has_a_line_for_each_factor_level_and_benchmark_slower_ones_first():
    drawn = draw_gate(FULL, name="gate")
    above, below = ([label.get_text() for label in axis.get_yticklabels()] for axis in drawn.canvas.axes)
    assert above == ["codec = zstd-5 (24)", "all 24 cells", "codec = none (24)"]
    assert len(below) == 9
    assert below[:3] == [
        "read.Planes.track_requests(zstd-5) value", "read.Planes.time_read(zstd-5) peak_memory",
        "read.Planes.time_read(zstd-5)",
    ]  # fmt: skip
    assert drawn.canvas.axes[1].get_xlabel() == "ratio, candidate ÷ baseline, with its interval"
    assert "Slower: codec = zstd-5 at 1.050 [1.040, 1.060]" in drawn.picture.alternative


def test_a_picture_has_at_most_forty_lines_and_tells_of_the_rest():
    drawn = draw_gate(report(*(timed(1.0, "same") for _ in range(60)), contrasts=(pooled_over(),)), name="gate")
    assert [len(axis.get_yticks()) for axis in drawn.canvas.axes] == [1, 39]
    assert "21 benchmarks more are in gate.json" in drawn.picture.alternative


def test_without_a_ratio_there_is_no_picture():
    assert draw_gate(report(counted(3, 3, "same")), name="gate") is None


def test_a_folder_gets_every_file_and_loses_those_of_the_gate_before(tmp_path):
    (tmp_path / "own.txt").touch()
    paths = write_reports(FULL, tmp_path)
    assert [path.name for path in paths] == ["gate.json", "junit.xml", "gate.md", "gate.svg", "gate.png"]
    assert read_gate(tmp_path / "gate.json") == FULL
    svg = ET.parse(tmp_path / "gate.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert svg.get("role") == "img"
    assert "slower ones first" in svg.find(f"{space}desc").text
    write_reports(report(counted(3, 3, "same")), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"own.txt", "gate.json", "junit.xml", "gate.md"}


def test_any_text_can_be_drawn_and_written(tmp_path):
    assert len(write_reports(nasty(), tmp_path)) == 5


def test_a_gate_without_an_answer_leaves_no_earlier_answer(tmp_path):
    write_reports(report(), tmp_path)
    write_no_answer("tiny", "it broke: ```\n@octocat", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"junit.xml", "gate.md"}
    assert ET.parse(tmp_path / "junit.xml").getroot().get("errors") == "1"
    text = (tmp_path / "gate.md").read_text(encoding="utf-8")
    assert text.startswith(f"{MARKER}\n\n### Could not answer\n")
    assert "````\nit broke: ```\n@octocat\n````" in text


def test_reports_that_cannot_be_replaced_are_named(tmp_path):
    (tmp_path / "gate.json").mkdir()
    with pytest.raises(ResultsError, match="replace those before"):
        clear_reports(tmp_path)
    clear_reports(tmp_path / "nowhere")
