"""The steps of action.yml run as a runner's shell runs them, on a small project and with a GitHub that is a script."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from gate_project import TinyProject

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
STEPS = [step for step in ACTION["runs"]["steps"] if "run" in step]
MARKER = "<!-- zbench-gate: gate -->"
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="gh has jq inside, and here there is none")

# Making an environment and filling it is the runner's business and pip's; what is asked of them is kept.
_PYTHON = """#!/bin/bash
case "$1 $2" in
    "-m venv")
        mkdir -p "${@: -1}/bin"
        ln -sf "$0" "${@: -1}/bin/python"
        [ -e "${@: -1}/bin/zbench" ] || ln -s PROGRAMS/zbench "${@: -1}/bin/zbench" ;;
    "-m pip") printf '%s\\n' "$*" >> "$RUNNER_TEMP/pip.log" ;;
    *) exec PROGRAMS/python "$@" ;;
esac
"""

# The part of GitHub that comments need: reading applies the filter as gh does, writing keeps the body.
_GH = """#!/bin/bash
set -eu
printf '%s\\n' "$*" >> "$RUNNER_TEMP/gh.log"
[ -n "$GH_TOKEN" ] || { echo "no token" >&2; exit 4; }
filter="" body="" method=GET
while [ $# -gt 0 ]; do
    case "$1" in
        --jq) filter=$2; shift ;;
        --method) method=$2; shift ;;
        --field) body=${2#body=@}; shift ;;
    esac
    shift
done
if [ "$method" = GET ]; then
    jq --raw-output "$filter" "$RUNNER_TEMP/comments.json"
elif [ -e "$RUNNER_TEMP/read-only" ]; then
    echo "gh: Resource not accessible by integration (HTTP 403)" >&2
    exit 1
else
    cp "$body" "$RUNNER_TEMP/posted.md"
fi
"""


class Runner:
    """What of a GitHub runner the steps see."""

    def __init__(self, folder, **inputs):
        self.folder, self.outputs = folder, {}
        self.inputs = {name: str(entry["default"]) for name, entry in ACTION["inputs"].items()} | inputs
        self.inputs["token"] = "a-token"
        self.summary = folder / "summary.md"
        (folder / "comments.json").write_text("[]", encoding="utf-8")
        programs = folder / "programs"
        programs.mkdir()
        for name, text in (("python", _PYTHON), ("gh", _GH)):
            (programs / name).write_text(text.replace("PROGRAMS", str(Path(sys.executable).parent)), encoding="utf-8")
            (programs / name).chmod(0o755)
        self.path = f"{programs}:{os.environ['PATH']}"

    def value(self, text):
        """Fill in what GitHub fills in."""
        contexts = {
            **{f"inputs.{name}": value for name, value in self.inputs.items()},
            **{f"steps.{step}.outputs.{name}": value for (step, name), value in self.outputs.items()},
            "github.action_path": str(REPOSITORY),
            "github.event.pull_request.number": "7",
        }
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: contexts.get(found[1], ""), text)

    def step(self, name):
        step = next(step for step in STEPS if step["name"] == name)
        script = self.folder / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        written = self.folder / "output"
        written.write_text("", encoding="utf-8")
        variables = {
            **os.environ,
            "PATH": self.path,
            # Other tests may measure at the same time: nothing here depends on a few per cent.
            "TMPDIR": str(self.folder),
            "RUNNER_TEMP": str(self.folder),
            "RUNNER_OS": "Linux",
            "GITHUB_OUTPUT": str(written),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_REPOSITORY": "someone/something",
            **{key: self.value(value) for key, value in step["env"].items()},
        }
        # As GitHub starts what says `shell: bash`.
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder, env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        for line in written.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            self.outputs[step.get("id", ""), key] = value
        return ran

    def all(self):
        """Run every step, as nothing but the last one fails."""
        *before, last = [step["name"] for step in STEPS]
        for name in before:
            ran = self.step(name)
            assert ran.returncode == 0, f"{name}: {ran.stdout}{ran.stderr}"
        return self.step(last)

    @property
    def report(self):
        return Path(self.outputs["gate", "report"])

    def asked(self):
        return (self.folder / "gh.log").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def project(tmp_path_factory, registry):
    """A clone as a runner has it of a pull request: no branch, and main only where it came from."""
    made = TinyProject(tmp_path_factory.mktemp("action") / "a clone")
    made.git("update-ref", "refs/remotes/origin/main", made.first)
    made.git("checkout", "--quiet", "--detach")
    made.git("branch", "--delete", "--force", "main")
    made.chattier = made.commit("ask once more", REQUESTS="4")
    return made


@pytest.fixture
def runner(tmp_path, project):
    return lambda **inputs: Runner(tmp_path, repository=str(project.folder), **inputs)


def text(path):
    return path.read_text(encoding="utf-8")


@needs_jq
def test_a_regression_fails_the_last_step_and_is_told_everywhere(runner, project):
    made = runner(budget="3s", bench="track_requests\ntime_read\\(none, 1")
    answered = made.all()
    assert answered.returncode == 1
    assert "::error title=zbench gate::Regression: store.Store.track_requests(none, 1)" in answered.stdout
    assert made.outputs["gate", "status"] == "1"
    assert {path.name for path in made.report.iterdir()} >= {
        "gate.json",
        "junit.xml",
        "gate.md",
        "gate.svg",
        "gate.png",
    }
    assert "3 requests before and 4 requests now" in text(made.summary)
    posted = text(made.folder / "posted.md").splitlines()
    assert posted[0] == MARKER
    assert "\n".join(posted[1:]).strip() == text(made.summary).strip()
    assert ET.parse(made.report / "junit.xml").getroot().get("failures") == "3"
    assert json.loads(text(made.report / "gate.json"))["command"] == (
        f"zbench gate {project.first} {project.chattier} --bench track_requests --bench 'time_read\\(none, 1' "
        "--budget 3s --seed 0"
    )
    assert text(made.folder / "pip.log").splitlines()[0].endswith(f"{REPOSITORY}[cli]")


@needs_jq
def test_alike_sides_pass_without_a_word_of_error(runner, project):
    made = runner(baseline=project.first, candidate=project.first, bench="track_requests")
    answered = made.all()
    assert (answered.returncode, answered.stdout) == (0, "")
    assert "### Passed" in text(made.summary)


@needs_jq
def test_a_question_without_an_answer_is_status_2_and_says_why(runner):
    made = runner(baseline="nowhere", candidate="HEAD")
    answered = made.all()
    assert answered.returncode == 2
    assert "::error title=zbench gate::Could not answer" in answered.stdout
    assert "nowhere" in text(made.folder / "posted.md")
    assert ET.parse(made.report / "junit.xml").getroot().get("errors") == "1"


def as_zbench(made, script):
    program = made.folder / "zbench" / "bin" / "zbench"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def test_a_program_that_breaks_is_no_regression(runner):
    made = runner()
    as_zbench(made, "echo 'Traceback: `x` broke' >&2; exit 1")
    assert made.step("Measure").returncode == 0
    assert made.outputs["gate", "status"] == "2"
    assert text(made.report / "gate.md").splitlines()[2:] == ["### Could not answer", "", "    Traceback: `x` broke"]


def test_every_line_of_an_input_is_one_argument_whatever_stands_in_it(runner, project):
    made = runner(bench="a b\n\n$(touch it)\n", env="py3", baseline="--fresh", candidate="HEAD", budget="1m")
    as_zbench(made, 'printf "%s\\n" "$@" > "$RUNNER_TEMP/arguments"')
    made.step("Measure")
    arguments = text(made.folder / "arguments").splitlines()
    assert arguments == [
        "gate", "--repository", str(project.folder), "--budget", "1m", "--output-dir", str(made.report),
        "--bench", "a b", "--bench", "$(touch it)", "--env", "py3", "--", "--fresh", "HEAD",
    ]  # fmt: skip


def test_a_candidate_needs_a_baseline(runner):
    ran = runner(candidate="HEAD").step("Measure")
    assert ran.returncode == 2
    assert "compared with a baseline" in ran.stdout


@pytest.fixture
def reported(runner):
    """A runner that has measured already."""

    def make(*comments, **inputs):
        made = runner(**inputs)
        as_zbench(made, 'printf "%s\\n" "<!-- zbench-gate -->" "" "### Passed" > "$RUNNER_TEMP/zbench-gate/gate.md"')
        made.step("Measure")
        told = [{"user": {"type": kind}, "body": body} for kind, body in comments]
        told = [{"id": number, **comment} for number, comment in enumerate(told, start=5)]
        (made.folder / "comments.json").write_text(json.dumps(told), encoding="utf-8")
        return made

    return make


@needs_jq
@pytest.mark.parametrize(
    ("comments", "inputs", "last"),
    [
        pytest.param([], {}, "--method POST repos/someone/something/issues/7/comments", id="first"),
        pytest.param(
            [("User", "looks good"), ("Bot", f"{MARKER}\n\n### Regression")],
            {},
            "--method PATCH repos/someone/something/issues/comments/6",
            id="own",
        ),
        pytest.param(
            [("Bot", f"{MARKER}\r\n\r\n### Regression")],
            {},
            "--method PATCH repos/someone/something/issues/comments/5",
            id="own with other line ends",
        ),
        pytest.param(
            [("User", f"{MARKER}\nhello")],
            {},
            "--method POST repos/someone/something/issues/7/comments",
            id="of a person who copied it",
        ),
        pytest.param(
            [("Bot", f"{MARKER}\nold")],
            {"name": "other"},
            "--method POST repos/someone/something/issues/7/comments",
            id="of another gate",
        ),
    ],
)
def test_one_comment_is_kept_and_it_is_the_workflows_own(reported, comments, inputs, last):
    made = reported(*comments, **inputs)
    ran = made.step("Write the comment")
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert made.asked()[-1].endswith(last)
    assert len(made.asked()) == 2
    assert text(made.folder / "posted.md").splitlines()[0] == f"<!-- zbench-gate: {inputs.get('name', 'gate')} -->"


@needs_jq
@pytest.mark.parametrize(
    ("comments", "listed"),
    [
        pytest.param([], True, id="first"),
        pytest.param([("Bot", f"{MARKER}\nold")], True, id="own"),
        pytest.param([], False, id="not even listed"),
    ],
)
def test_a_token_that_may_only_read_is_a_warning_and_changes_no_answer(reported, comments, listed):
    made = reported(*comments)
    (made.folder / "read-only").touch()
    if not listed:
        (made.folder / "comments.json").unlink()
    ran = made.step("Write the comment")
    assert ran.returncode == 0
    assert ran.stdout.startswith("::warning title=zbench gate::The report could not be written")
    assert not (made.folder / "posted.md").exists()
    assert made.step("Answer").returncode == 0


def test_the_name_of_a_gate_cannot_end_its_marker(reported):
    made = reported(name="a --> b\n/c" + "d" * 99)
    assert made.outputs["gate", "name"] == "a_--__b__c" + "d" * 50


def test_environments_are_made_anew_when_what_they_hang_on_changes(runner, project):
    made = runner()
    made.step("Name the environments")
    first = made.outputs["environments", "key"]
    configuration = project.folder / "asv.conf.json"
    before = configuration.read_bytes()
    try:
        configuration.write_bytes(before + b"\n")
        made.step("Name the environments")
    finally:
        configuration.write_bytes(before)
    changed = made.outputs["environments", "key"]
    made.step("Name the environments")
    assert re.fullmatch(r"zbench-gate-[0-9a-f]{16}", first)
    assert changed != first == made.outputs["environments", "key"]
