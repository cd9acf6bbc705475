"""The machine and packages that a time holds for."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import pytest

from zbench import environment as module
from zbench.environment import PACKAGES, THREAD_VARIABLES, environment, filesystem_of
from zbench.model import Environment


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of which only these files are there: absolute paths that the module names lie below a folder."""

    def of(**files):
        for name, text in files.items():
            file = tmp_path / "proc" / name.replace("_", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.setattr(module, "Path", lambda path: tmp_path / path.lstrip("/"))
        return tmp_path

    return of


def test_environment_tells_machine_packages_and_threads(monkeypatch, tmp_path):
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BLOSC_NTHREADS", "1")
    monkeypatch.setenv("ZBENCH_THREADS", "")
    seen = environment(tmp_path)
    assert isinstance(seen, Environment)
    assert seen.os == f"{platform.system()} {platform.release()}"
    assert seen.python == platform.python_version()
    assert seen.threads == (("BLOSC_NTHREADS", "1"), ("ZBENCH_THREADS", ""))
    assert dict(seen.packages)["numpy"] == metadata.version("numpy")
    assert all(seen.machine and seen.cpu and seen.filesystem and version for _, version in seen.packages)
    assert 1 <= seen.cores <= (os.cpu_count() or 1)
    assert 2**26 < seen.memory_bytes < 2**50


def test_packages_that_are_not_installed_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package-anywhere"))
    assert [name for name, _ in environment(tmp_path).packages] == ["numpy"]


def test_names_are_sorted_so_that_environments_compare():
    assert list(PACKAGES) == sorted(PACKAGES)
    assert list(THREAD_VARIABLES) == sorted(THREAD_VARIABLES)


def test_processor_is_the_first_model_name(machine):
    root = machine(cpuinfo="processor\t: 0\nmodel name\t: Fast: 3 GHz\nmodel name\t: Other\n")
    assert environment(root).cpu == "Fast: 3 GHz"


@pytest.mark.parametrize("files", [{}, {"cpuinfo": "processor\t: 0\nCPU part\t: 0xd0c\n"}])
def test_processor_without_model_name_is_the_architecture(machine, files):
    assert environment(machine(**files)).cpu == (platform.processor() or platform.machine())


def test_cores_are_counted_where_there_is_no_affinity(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert environment(tmp_path).cores == (os.cpu_count() or 1)


MOUNTS = """\
overlay / overlay rw,relatime 0 0
/dev/sda1 /data ext4 rw 0 0
tmpfs /data/fast tmpfs rw 0 0
server:/x /data/with\\040space nfs4 rw 0 0
/dev/sdb1 /twice ext4 rw 0 0
/dev/sdb2 /twice xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("data", "ext4"),
        ("data/any/where", "ext4"),
        ("data/fast", "tmpfs"),
        ("data/fast/run", "tmpfs"),
        ("data/faster", "ext4"),
        ("data/with space/run", "nfs4"),
        pytest.param("twice/run", "xfs", id="the later mount hides the earlier"),
        ("elsewhere", "overlay"),
    ],
)
def test_filesystem_is_that_of_the_deepest_mount(machine, folder, kind):
    root = machine(self_mounts=MOUNTS)
    assert filesystem_of(root / folder) == kind


def test_filesystem_of_a_link_is_where_it_leads(machine):
    root = machine(self_mounts=MOUNTS)
    (root / "data/fast").mkdir(parents=True)
    (root / "link").symlink_to(root / "data/fast")
    assert filesystem_of(root / "link/run") == "tmpfs"


def test_filesystem_is_unknown_where_mounts_are_not_listed(machine):
    assert filesystem_of(machine()) == "unknown"


def test_filesystem_is_unknown_where_no_mount_holds_the_folder(machine):
    root = machine(self_mounts="tmpfs /data tmpfs rw 0 0\n")
    assert filesystem_of(root / "elsewhere") == "unknown"
