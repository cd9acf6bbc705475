"""A small project with an asv suite and a history, of which gates, bisections and actions are made in tests."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

_CONF = """
{
    "version": 1,
    "project": "tiny",
    "repo": ".",
    "dvcs": "git",
    "branches": ["main"],
    "plugins": [".zbench.asv_plugin"],
    "environment_type": "zbench-uv",
    "pythons": ["PYTHON"],
    "companions": {"*": ["asv_runner==0.3.2", "hatchling==1.33.0"]},
    "benchmark_dir": "benchmarks",
    "env_dir": ".asv/env",
    "results_dir": ".asv/results",
    "html_dir": ".asv/html"
}
"""

_PYPROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "tiny"
version = "1"
"""

_BENCHMARKS = '''
"""A suite over codec and size."""

import tiny


class Store:
    params = (["none", "zip"], [1, 2])
    param_names = ("codec", "size")
    timeout = 20

    def setup_cache(self):
        return {"none": 1, "zip": 2}

    def setup(self, cache, codec, size):
        if codec == "zip" and size == 2:
            raise NotImplementedError("zip stores one size: got 2.")
        self.factor = cache[codec]

    def time_read(self, cache, codec, size):
        tiny.read(codec, size)

    def track_requests(self, cache, codec, size):
        return tiny.requests(codec, size)

    track_requests.unit = "requests"

    def track_throughput(self, cache, codec, size):
        return tiny.throughput(codec, size)

    track_throughput.unit = "MiB/s"

    def peakmem_read(self, cache, codec, size):
        self.kept = tiny.keep(codec, size)
'''

_TINY = '''
"""A library that stores nothing."""


def read(codec, size):
    work = {"none": NONE, "zip": ZIP}[codec] * size
    total = 0
    for number in range(work):
        total += number * number
    return total


def requests(codec, size):
    return REQUESTS * size


def throughput(codec, size):
    return THROUGHPUT / size


def keep(codec, size):
    return bytearray(size * KEPT * 1_000_000)
'''

_FACTS = {"NONE": "20_000", "ZIP": "30_000", "REQUESTS": "3", "THROUGHPUT": "100", "KEPT": "20"}


class TinyProject:
    """A git repository; each commit is a version of the library.

    Parameters
    ----------
    folder
        Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("tiny", "benchmarks"):
            (folder / name).mkdir(parents=True)
        (folder / "asv.conf.json").write_text(_CONF.replace("PYTHON", HERE), encoding="utf-8")
        (folder / "pyproject.toml").write_text(_PYPROJECT, encoding="utf-8")
        (folder / "benchmarks" / "__init__.py").touch()
        (folder / "benchmarks" / "store.py").write_text(_BENCHMARKS, encoding="utf-8")
        (folder / ".gitignore").write_text(".asv\n.zbench\n__pycache__\n", encoding="utf-8")
        self.git("init", "--quiet", "--initial-branch=main")
        self.first = self.commit("begin")

    def git(self, *arguments: str) -> str:
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        ran = subprocess.run(
            ["git", *author, *arguments], cwd=self.folder, check=True, capture_output=True, text=True, env=os.environ
        )
        return ran.stdout.strip()

    def commit(self, message: str, *, code: str | None = None, **facts: str) -> str:
        """Write the library with other facts, or other code, and commit it."""
        told = "\n".join(f"{name} = {value}" for name, value in (_FACTS | facts).items())
        text = (code or _TINY) + "\n\n" + told + "\n"
        (self.folder / "tiny" / "__init__.py").write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")
