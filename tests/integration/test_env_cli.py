"""``zbench env`` as a user runs it."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata

import pytest
from click.testing import CliRunner

from zbench.cli import main
from zbench.environment import THREAD_VARIABLES


@pytest.fixture(autouse=True)
def _no_limits(monkeypatch):
    for variable in THREAD_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def env(*arguments, width=80):
    ran = CliRunner(env={"COLUMNS": str(width)}).invoke(main, ["env", *arguments])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_machine_and_packages_are_told_to_programs():
    found = json.loads(env("--json"))
    assert found["python"] == platform.python_version()
    assert found["packages"]["zarr"] == metadata.version("zarr")
    assert found["packages"]["numpy"] == metadata.version("numpy")
    assert found["threads"] == {}
    assert found["cores"] >= 1
    assert found["memory_bytes"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize("width", [80, 170])
def test_people_are_told_all_that_programs_are(width):
    found, shown = json.loads(env("--json")), env(width=width)
    rows = {line.split()[0]: line.split(maxsplit=1)[1].strip() for line in shown.splitlines()}
    for name, version in found["packages"].items():
        assert rows[name] == version
    for name in ("machine", "os", "cpu", "python", "filesystem"):
        assert rows[name] == found[name]
    assert rows["memory"].endswith("GiB")
    assert rows["threads"].startswith("no limit is set")


def test_limits_of_threads_are_told_by_name(monkeypatch):
    monkeypatch.setenv("BLOSC_NTHREADS", "[1]")
    monkeypatch.setenv("ZARR_THREADING__MAX_WORKERS", "4")
    assert json.loads(env("--json"))["threads"] == {"BLOSC_NTHREADS": "[1]", "ZARR_THREADING__MAX_WORKERS": "4"}
    shown = env()
    assert "[1]" in shown
    assert "no limit" not in shown


def test_the_filesystem_of_a_folder_is_told():
    assert json.loads(env("--json", "--store-folder", "/proc/self"))["filesystem"] == "proc"
