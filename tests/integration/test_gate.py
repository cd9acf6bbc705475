"""``zbench gate``, ``bisect`` and ``calibrate`` as a user runs them, on a small project with planted changes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from gate_project import TinyProject

from zbench.cli import main
from zbench.runner.pairs.lock import alone

pytestmark = pytest.mark.slow

_WAIT_S = 90


@pytest.fixture(scope="module")
def project(tmp_path_factory, registry):
    """A project whose commits are a beginning, one that asks for more, one that works more, one that fails."""
    made = TinyProject(tmp_path_factory.mktemp("a project"))
    made.chattier = made.commit("ask once more", REQUESTS="4")
    made.slower = made.commit("work twice as long", REQUESTS="3", ZIP="60_000")
    made.broken = made.commit("fail", NONE="None")
    return made


@pytest.fixture(autouse=True)
def own_lock(tmp_path, monkeypatch):
    """Let other tests measure at the same time: nothing here depends on a few per cent."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def gate(project, *arguments):
    command = ["gate", *arguments, "--repository", str(project.folder)]
    return CliRunner().invoke(main, command)


def test_alike_sides_pass(project):
    ran = gate(project, project.first, project.first, "--metric", "value")
    assert ran.exit_code == 0, ran.output
    assert "Passed" in ran.stdout


def test_one_more_request_fails_the_gate_with_one_sample_and_is_named_first(project):
    ran = gate(project, project.first, project.chattier, "--metric", "value")
    assert ran.exit_code == 1, ran.output
    first = ran.stdout.splitlines()[0]
    assert "track_requests" in first
    assert "3 requests before and 4 requests now" in first


def test_more_throughput_is_no_regression(project):
    faster = project.commit("more throughput", THROUGHPUT="200")
    ran = gate(project, project.first, faster, "--metric", "value", "--bench", "throughput")
    assert ran.exit_code == 0, ran.output
    assert "faster" in ran.stdout


def test_twice_the_work_of_one_codec_is_found_in_time(project):
    ran = gate(project, project.first, project.slower, "--metric", "time", "--budget", "20s")
    assert ran.exit_code == 1, ran.output
    slower = [line for line in ran.stdout.splitlines() if line.startswith("slower")]
    assert any("time_read(zip, 1)" in line for line in slower), ran.stdout
    assert not any("time_read(none" in line for line in slower), ran.stdout


def test_a_benchmark_that_fails_is_no_slowdown(project):
    ran = gate(project, project.first, project.broken, "--bench", r"time_read\(none, 1\)", "--budget", "5s")
    assert ran.exit_code == 2, ran.output
    assert "Could not answer" in ran.stdout
    assert "failed on the candidate: TypeError" in ran.stdout


def test_a_benchmark_that_skips_itself_is_told_with_its_reason(project):
    ran = gate(project, project.first, project.first, "--metric", "value")
    assert "zip stores one size: got 2." in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("nowhere", "HEAD"), "nowhere", id="unknown commit"),
        pytest.param(("HEAD", "HEAD", "--bench", "nothing"), "'nothing' matches no benchmark", id="no benchmark"),
        pytest.param(("HEAD", "HEAD", "--env", "py2.7"), "py2.7 leaves none of", id="no environment"),
        pytest.param(("--against", "zarr", "zarr==3"), "packages with versions", id="no version"),
        pytest.param(("HEAD", "HEAD", "--min-effect", "300%"), "share is below 1", id="no share"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_status_2(project, arguments, message):
    ran = gate(project, *arguments)
    assert ran.exit_code == 2
    assert message in ran.output
    assert "Traceback" not in ran.output


def test_two_gates_do_not_measure_at_once(project, tmp_path):
    with alone("zbench gate of another", folder=tmp_path):
        # Another process: this one holds the lock.
        ran = subprocess.run(
            [sys.executable, "-m", "zbench", "gate", "HEAD", "HEAD", "--repository", str(project.folder)],
            env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 2
    assert "zbench gate of another) does now" in ran.stderr


def test_a_gate_that_is_killed_goes_on_from_the_rounds_it_had(tmp_path, registry):
    # Of its own: this process keeps the environments of the other one to itself.
    project = TinyProject(tmp_path / "to be killed")
    command = [
        sys.executable, "-m", "zbench", "gate", project.first, project.first, "--bench", "time_read",
        "--repository", str(project.folder), "--budget",
    ]  # fmt: skip
    variables = {**os.environ, "TMPDIR": str(tmp_path)}
    running = subprocess.Popen([*command, "10m"], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        record = wait_for_rounds(project, 2)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    had = record.read_bytes()
    had = had[: had.rfind(b"\n") + 1]
    spent = sum(entry.get("seconds", 0) for entry in map(json.loads, had.splitlines()))
    ran = subprocess.run([*command, f"{spent + 3:.0f}s"], env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 2), ran.stderr
    now = record.read_bytes()
    assert now.startswith(had)
    rounds = [entry["round"] for entry in map(json.loads, now.splitlines()) if entry["kind"] == "round"]
    assert rounds == list(range(len(rounds)))
    assert len(rounds) > 2


def wait_for_rounds(project, count):
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        for record in (project.folder / ".zbench" / "gate" / "runs").glob("*/run.jsonl"):
            if record.read_bytes().count(b'"kind": "round"') >= count:
                return record
        time.sleep(0.1)
    pytest.fail(f"no {count} rounds within {_WAIT_S} s")


def test_two_sets_of_packages_are_compared_at_one_commit(project):
    ran = gate(project, "--against", "packaging==24.2", "packaging==25.0", project.first, "--metric", "value")
    assert ran.exit_code == 0, ran.output
    assert "packaging 24.2 -> 25.0" in ran.stdout


@pytest.fixture(scope="module")
def history(tmp_path_factory, registry):
    """A project of seven commits, of which the fifth asks for more and works twice as long."""
    made = TinyProject(tmp_path_factory.mktemp("a history"))
    made.commits = [made.first]
    for number in range(1, 7):
        facts = {"REQUESTS": "4", "NONE": "60_000"} if number >= 4 else {}
        made.commits.append(made.commit(f"commit {number}", THROUGHPUT=str(100 + number), **facts))
    return made


@pytest.mark.parametrize(
    "searched",
    [
        pytest.param("track_requests", id="requests"),
        pytest.param(r"time_read\(none", id="time", marks=pytest.mark.long),
    ],
)
def test_a_search_finds_the_commit_that_has_the_change(history, searched):
    command = ["bisect", history.commits[0], "HEAD", "--bench", searched, "--repository", str(history.folder)]
    ran = CliRunner().invoke(main, [*command, "--json"])
    assert ran.exit_code == 1, ran.output
    found = json.loads(ran.stdout)
    assert found["first_bad"] == history.commits[4]
    assert found["last_good"] == history.commits[3]
    assert not found["between"]
    assert {step["standing"] for step in found["steps"]} == {"good", "bad"}


def test_a_search_without_a_change_says_so(history):
    command = ["bisect", history.commits[0], history.commits[2], "--bench", "track_requests"]
    ran = CliRunner().invoke(main, [*command, "--repository", str(history.folder)])
    assert ran.exit_code == 2
    assert "needs a change: both are 3" in ran.output


def test_a_search_backwards_is_refused(history):
    command = ["bisect", "HEAD", history.commits[0], "--bench", "track_requests"]
    ran = CliRunner().invoke(main, [*command, "--repository", str(history.folder)])
    assert ran.exit_code == 2
    assert "is not before" in ran.output


def test_a_calibration_tells_what_a_gate_can_see_and_is_kept(history):
    command = ["calibrate", "--bench", r"time_read\(none", "--budget", "4s", "--repository", str(history.folder)]
    ran = CliRunner().invoke(main, command)
    assert ran.exit_code == 0, ran.output
    assert "false alarms" in ran.stdout
    kept = json.loads((history.folder / ".zbench" / "gate" / "calibration.json").read_text(encoding="utf-8"))
    assert kept["rounds"] >= 3
    assert all(one["block_sd"] > 0 for one in kept["noise"])
    assert Path(history.folder, ".zbench").is_dir()


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="counting instructions needs valgrind")
def test_instructions_tell_what_time_is_too_noisy_to_tell(project):
    little = project.commit("work two in a hundred more", NONE="20_400")
    measured = ("--metric", "instructions", "--bench", r"time_read\((none|zip), 1\)")
    ran = gate(project, project.first, little, *measured)
    assert ran.exit_code == 1, ran.output
    slower = [line for line in ran.stdout.splitlines() if line.startswith("slower")]
    assert len(slower) == 1, ran.stdout
    assert "time_read(none, 1)" in slower[0]
    assert "instructions" in slower[0]


def test_what_the_budget_leaves_unmeasured_is_no_pass(project):
    measured = ("--bench", "track_requests", "--bench", "time_read", "--budget", "10ms")
    ran = gate(project, project.first, project.first, *measured, "--fresh")
    assert ran.exit_code == 2, ran.output
    assert "Passed" not in ran.stdout


def test_on_the_main_branch_a_commit_is_held_against_the_one_before(tmp_path, registry):
    alone_on_main = TinyProject(tmp_path / "on main")
    assert gate(alone_on_main, "--metric", "value").exit_code == 2
    alone_on_main.commit("ask once more", REQUESTS="4")
    assert gate(alone_on_main, "--metric", "value").exit_code == 1
