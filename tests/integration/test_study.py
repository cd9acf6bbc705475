"""``zbench study lossless`` from end to end: a commit, its environments, a run that is ended, its page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from zbench.cli import main

SOURCE = Path(__file__).parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PRESET = """
title = "Tiny"
datasets = ["cryoet-phantom-128"]
engines = ["zarr-python", "tensorstore"]

[[sweeps]]
name = "codec"
question = "Which codec?"
layouts = ["v2-c16", "v2-c16x16"]
chains = ["none", "blosc-zstd-5-shuffle"]
patterns = ["full_read"]
"""


class Study:
    """A clone of the project as it stands in the working tree, of which a study is made."""

    def __init__(self, folder):
        self.repository, self.work, self.output = folder / "clone", folder / "work", folder / "page"
        self.preset = folder / "tiny.toml"
        self.preset.write_text(PRESET, encoding="utf-8")
        self.repository.mkdir()
        for name in ("zbench", "data_registry", "benchmarks"):
            shutil.copytree(SOURCE / name, self.repository / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(SOURCE / name, self.repository)
        conf = (SOURCE / "asv.conf.json").read_text(encoding="utf-8")
        pythons = next(line for line in conf.splitlines() if '"pythons":' in line)
        conf = conf.replace(pythons, f'    "pythons": ["{HERE}"],')
        (self.repository / "asv.conf.json").write_text(conf, encoding="utf-8")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit = self.new_commit()

    def git(self, *arguments):
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *author, *arguments]
        ran = subprocess.run(command, cwd=self.repository, check=True, capture_output=True, text=True)
        return ran.stdout.strip()

    def new_commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "as it stands")
        return self.git("rev-parse", "HEAD")

    def zbench(self, *arguments):
        folders = ["--work", str(self.work), "--output", str(self.output)]
        return CliRunner().invoke(main, ["study", "lossless", *folders, *arguments])

    def measure(self, *, rounds=3):
        return self.zbench(
            "--preset", str(self.preset), "--repository", str(self.repository),
            "--rounds", str(rounds), "--volume-size", "32",
        )  # fmt: skip

    @property
    def record(self):
        return self.work / "run.jsonl"

    def entries(self, kind):
        lines = self.record.read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study that was measured, and what it printed."""
    study = Study(tmp_path_factory.mktemp("a study"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZBENCH_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        ran = study.measure()
    if ran.exit_code == 2 and "dns error" in ran.stderr.lower():
        pytest.skip(f"the environments cannot be made, for no package registry answers: {ran.stderr[-300:]}")
    assert ran.exit_code == 0, ran.output
    return study, ran.stdout


pytestmark = pytest.mark.slow


def test_every_environment_measures_the_commit(made):
    study, shown = made
    (head,) = study.entries("head")
    assert head["commit"] == study.commit
    environments = {entry["name"]: dict(entry["environment"]["packages"]) for entry in study.entries("environment")}
    assert set(environments) == set(head["environments"])
    for name, packages in environments.items():
        assert name == f"py{HERE}-zarr{packages['zarr']}"
        assert f"environment {name}: " in shown


def test_engines_beside_zarr_python_are_measured_in_the_newest_release_alone(made):
    study, _ = made
    cells = {tuple(entry["cell"].split("|")[i] for i in (0, 2)) for entry in study.entries("stored")}
    *older, newest = study.entries("head")[0]["environments"]
    assert cells == {*((name, "zarr-python") for name in older), (newest, "zarr-python"), (newest, "tensorstore")}


def test_every_value_is_there_once_and_refusals_are_kept(made):
    study, _ = made
    values = Counter((entry["task"], entry["round"]) for entry in study.entries("samples"))
    cells = len(study.entries("stored"))
    assert cells == len(study.entries("refused"))
    assert set(values.values()) == {1}
    assert len(values) == cells * len(("write", "full_read")) * 3


def test_the_page_is_made_of_the_record(made):
    study, shown = made
    printed = [Path(line) for line in shown.splitlines() if line.startswith(str(study.output))]
    assert printed[0] == study.output / "lossless.md"
    assert all(path.is_file() for path in printed)
    page = printed[0].read_text(encoding="utf-8")
    assert f"--preset {study.preset} --rounds 3 --volume-size 32" in page


def test_giving_the_command_again_measures_nothing_anew(made):
    study, _ = made
    before = study.record.read_bytes()
    assert study.measure().exit_code == 0
    assert study.record.read_bytes() == before


def test_a_run_that_was_ended_goes_on_with_its_commit_although_there_is_a_newer_one(made):
    study, _ = made
    whole = study.record.read_bytes()
    lines = whole.splitlines(keepends=True)
    study.record.write_bytes(b"".join(lines[:-4]) + lines[-4][:25])
    study.new_commit()
    assert study.measure().exit_code == 0
    assert study.entries("head")[0]["commit"] == study.commit
    assert Counter(entry["task"] for entry in study.entries("samples")) == Counter(
        entry["task"] for entry in map(json.loads, lines) if entry["kind"] == "samples"
    )
    assert study.record.read_bytes().startswith(b"".join(lines[:-4]))


def test_another_grid_or_number_of_rounds_is_refused_and_the_record_kept(made):
    study, _ = made
    before = study.record.read_bytes()
    assert "goes on only as it began" in study.measure(rounds=4).stderr
    try:
        study.preset.write_text(PRESET.replace('"none", ', ""), encoding="utf-8")
        refused = study.measure()
    finally:
        study.preset.write_text(PRESET, encoding="utf-8")
    assert refused.exit_code == 2
    assert "the preset" in refused.stderr
    assert study.record.read_bytes() == before


def test_the_page_can_be_written_without_measuring_and_without_the_repository(made, tmp_path):
    study, _ = made
    ran = CliRunner().invoke(
        main, ["study", "lossless", "--report-only", "--work", str(study.work), "--output", str(tmp_path)]
    )
    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "lossless.md").read_text(encoding="utf-8").startswith("# ")


def test_a_page_of_no_record_is_refused_in_one_line(tmp_path):
    ran = CliRunner().invoke(main, ["study", "lossless", "--report-only", "--work", str(tmp_path / "none")])
    assert ran.exit_code == 2
    assert ran.stderr.startswith("zbench: ")
    assert ran.stderr.count("\n") == 1


def test_a_folder_without_the_suite_is_refused_in_one_line(tmp_path):
    ran = CliRunner().invoke(
        main, ["study", "lossless", "--repository", str(tmp_path), "--work", str(tmp_path / "work")]
    )
    assert ran.exit_code == 2
    assert ran.stderr.startswith("zbench: ")
    assert ran.stderr.count("\n") == 1
    assert "asv.conf.json" in ran.stderr
