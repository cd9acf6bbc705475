"""The project that is measured: a package that decodes small chunks, its asv suite, and a commit that decodes more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.harness.gate_study.plan import ALONE, COUNTS, LEVELS, SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ALIKE", "BASE", "LONE", "PINS", "SLOW", "Project", "make_project"]

# As long as each other: paths lie in memory, too.
BASE = "base"
ALIKE = "same"
SLOW = "slow"
LONE = "lone"
# The newest that Python 3.11 can have; every program gets the same.
PINS = ("numpy==2.4.6", "numcodecs==0.16.6")
_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shelf"
version = "1"

[tool.zbench.gate]
# Decoding computes and does not wait.
cpu_benchmarks = ["time_decode"]
"""

_PACKAGE = '''\
"""A shelf of small chunks, and readers that decode them."""

import numcodecs
import numpy as np

from shelf.more import MORE

numcodecs.blosc.set_nthreads(1)
CODECS = {
    "zlib": numcodecs.Zlib(1),
    "zstd": numcodecs.Zstd(3),
    "blosc-lz4": numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE),
    "lz4": numcodecs.LZ4(),
    "delta": numcodecs.Delta("<i4"),
    "blosc-zlib": numcodecs.Blosc("zlib", 3, numcodecs.Blosc.SHUFFLE),
}
COUNTS = @COUNTS@


def stored(codec, size):
    """Encode one chunk, the same in every process."""
    steps = np.random.default_rng(size).integers(-20, 21, size)
    return CODECS[codec].encode(np.cumsum(steps).astype("<i4"))


def decode(codec, size, chunk):
    """Decode a chunk as often as there are chunks on the shelf, and so many per cent more."""
    read = CODECS[codec].decode
    count = COUNTS[codec, size]
    for _ in range(count + count * MORE[codec] // 100):
        read(chunk)
'''

# A change of the text that changes no time: what a pull request without a regression is like.
_INNOCENT = '''

NAMES = {name: name.replace("-", " ").title() for name in CODECS}


def described(codec, size):
    """Tell in words what lies on the shelf."""
    return f"{COUNTS[codec, size]} chunks of {size} numbers each, encoded by {NAMES[codec]}"
'''

_SUITE = '''\
"""How fast does each codec decode small chunks?"""

import shelf


class Decode:
    params = (@CODECS@, @SIZES@)
    param_names = ("codec", "size")
    timeout = 20

    def setup(self, codec, size):
        self.chunk = shelf.stored(codec, size)

    def time_decode(self, codec, size):
        shelf.decode(codec, size, self.chunk)
'''

_PYTEST = '''\
"""The same cells for pytest-benchmark."""

import pytest
import shelf


@pytest.mark.parametrize("size", @SIZES@)
@pytest.mark.parametrize("codec", @CODECS@)
def test_decode(benchmark, codec, size):
    benchmark.extra_info["cell"] = f"{codec}-{size}"
    benchmark(shelf.decode, codec, size, shelf.stored(codec, size))
'''

_PYPERF = '''\
"""The same cells for pyperf."""

import pyperf
import shelf

runner = pyperf.Runner()
for codec in @CODECS@:
    for size in @SIZES@:
        runner.bench_func(f"{codec}-{size}", shelf.decode, codec, size, shelf.stored(codec, size))
'''


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """The project on disk.

    Attributes
    ----------
    folder
        The git repository.
    sides
        Folder of the package of each side, by the name of the side, for programs that measure no commits.
    scripts
        Folder with the suites of those programs.
    commits
        Full hash by the name of the side.
    """

    folder: Path
    sides: Mapping[str, Path]
    scripts: Path
    commits: Mapping[str, str]


def make_project(work: Path) -> Project:
    """Make the project anew: the same files and the same commits each time.

    Parameters
    ----------
    work
        Folder of the study.

    Returns
    -------
    Project
        Four commits: the baseline, one with more text that does nothing to time, the slow one, and one that is slow in
        one codec alone.
    """
    folder, scripts = work / "project", work / "scripts"
    shutil.rmtree(folder / ".git", ignore_errors=True)
    nothing = dict.fromkeys(LEVELS, 0)
    _write(folder / "asv.conf.json", _configuration())
    _write(folder / "pyproject.toml", _PYPROJECT)
    _write(folder / ".gitignore", ".asv\n.zbench\n__pycache__\n")
    _write(folder / "benchmarks" / "__init__.py", "")
    _write(folder / "benchmarks" / "decode.py", _filled(_SUITE))
    # Without it pytest takes the settings of the project around the study, if there is one.
    _write(scripts / "pytest.ini", "[pytest]\n")
    _write(scripts / "test_shelf.py", _filled(_PYTEST))
    _write(scripts / "perf_shelf.py", _filled(_PYPERF))
    _git(folder, "init", "--quiet", "--initial-branch=main")
    commits, sides = {}, {}
    alone = {codec: level if codec == ALONE else 0 for codec, level in LEVELS.items()}
    sides_made = ((BASE, nothing, ""), (ALIKE, nothing, _INNOCENT), (SLOW, LEVELS, ""), (LONE, alone, ""))
    for name, more, text in sides_made:
        sides[name] = work / "sides" / name
        for place in (folder, sides[name]):
            _write(place / "shelf" / "__init__.py", _filled(_PACKAGE) + text)
            _write(place / "shelf" / "more.py", f'"""Per cent more, by codec."""\n\nMORE = {more!r}\n')
        _git(folder, "add", "--all")
        _git(folder, "commit", "--quiet", "--allow-empty", "--message", name)
        commits[name] = _git(folder, "rev-parse", "HEAD")
    return Project(folder=folder, sides=sides, scripts=scripts, commits=commits)


def _filled(text: str) -> str:
    told = {"CODECS": list(LEVELS), "SIZES": list(SIZES), "COUNTS": COUNTS}
    for name, value in told.items():
        text = text.replace(f"@{name}@", repr(value))
    return text


def _configuration() -> str:
    return json.dumps(
        {
            "version": 1,
            "project": "shelf",
            "repo": ".",
            "dvcs": "git",
            "branches": ["main"],
            "plugins": [".zbench.asv_plugin"],
            "environment_type": "zbench-uv",
            "pythons": [_HERE],
            "companions": {"*": ["asv_runner==0.3.2", "hatchling==1.33.0", *PINS]},
            "benchmark_dir": "benchmarks",
            "env_dir": ".asv/env",
            "results_dir": ".asv/results",
            "html_dir": ".asv/html",
            "build_cache_size": 4,
        },
        indent=2,
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _git(folder: Path, *arguments: str) -> str:
    # The same hashes each time: environments and wheels are kept by them.
    day = "2026-01-01T00:00:00+0000"
    settings = ["user.name=zbench", "user.email=zbench@example.org", "commit.gpgsign=false"]
    ran = subprocess.run(  # noqa: S603 - git with arguments of our own
        ["git", *(word for one in settings for word in ("-c", one)), *arguments],  # noqa: S607 - as found on the path
        cwd=folder,
        env={**os.environ, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        msg = f"The study makes a repository in {str(folder)!r}: git said {ran.stderr.strip()!r}. Give another --work."
        raise ResultsError(msg)
    return ran.stdout.strip()
