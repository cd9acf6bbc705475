"""asv as a user runs it with zbench's plugin: environments that need the network once, pages that never need it."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from zbench.asv_plugin.uv_tool import find_uv

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

BENCHMARKS = '''
"""A benchmark of a package that returns a number."""


class Stored:
    """Counts."""

    params = ["none", "zstd"]
    param_names = ["codec"]

    def setup(self, codec):
        pass

    def track_bytes(self, codec):
        from tiny import SIZE

        return SIZE * (2 if codec == "none" else 1)

    track_bytes.unit = "bytes"


class Read:
    """Times."""

    rounds = 1
    warmup_time = 0
    repeat = (3, 3, 1.0)

    def time_range(self):
        sum(range(1000))
'''

PYPROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "tiny"
version = "1"
"""


class Repository:
    """A project of one file with a benchmark suite, and asv to run in it."""

    def __init__(self, folder, *, environment_type):
        self.folder = folder
        cache = subprocess.run([find_uv(), "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
        # A home of its own: asv keeps a file about the machine there.
        self.variables = {
            **os.environ,
            "HOME": str(folder / "home"),
            "UV_CACHE_DIR": cache,
            "PYENV_ROOT": os.environ.get("PYENV_ROOT") or str(Path("~/.pyenv").expanduser()),
            "ASV_PYTHONPATH": str(folder),
        }
        for name in ("home", "tiny", "benchmarks"):
            (folder / name).mkdir(parents=True)
        (folder / "benchmarks" / "__init__.py").touch()
        (folder / "benchmarks" / "sizes.py").write_text(BENCHMARKS, encoding="utf-8")
        (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
        (folder / ".gitignore").write_text(".asv/\nhome/\n__pycache__/\n", encoding="utf-8")
        conf = {
            "version": 1,
            "project": "tiny",
            "repo": ".",
            "branches": ["main"],
            "plugins": [".zbench.asv_plugin"],
            "environment_type": environment_type,
            "pythons": [HERE, "3.99"],
            "launch_method": "forkserver",
            "env_dir": ".asv/env",
            "results_dir": ".asv/results",
            "html_dir": ".asv/html",
            # A busy machine slows the benchmark of time: what regresses here is what the commits store.
            "regressions_thresholds": {"sizes.Read": 1e6},
        }
        (folder / "asv.conf.json").write_text(json.dumps(conf), encoding="utf-8")
        self.git("init", "--quiet", "--initial-branch=main")
        self.asv("machine", "--yes")

    def git(self, *args):
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *author, *args], cwd=self.folder, check=True, capture_output=True, env=self.variables)

    def commit(self, *, size):
        (self.folder / "tiny" / "__init__.py").write_text(f"SIZE = {size}\n", encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"Store {size} bytes")

    def asv(self, *args, check=True, **variables):
        ran = subprocess.run(
            [sys.executable, "-m", "asv", *args],
            cwd=self.folder,
            env={**self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or ran.returncode == 0, ran.stdout
        return ran

    def results(self):
        """Stored bytes by codec of every result file, oldest commit first."""
        files = [path for path in (self.folder / ".asv" / "results").glob("*/*.json") if path.name != "machine.json"]
        read = sorted((json.loads(path.read_text(encoding="utf-8")) for path in files), key=lambda one: one["date"])
        return [one["results"]["sizes.Stored.track_bytes"][0] for one in read]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of the pages of two commits, the second of which stores twice as much."""
    repository = Repository(tmp_path_factory.mktemp("a project"), environment_type="existing")
    for size in (1000, 2000):
        repository.commit(size=size)
        repository.asv("run", "--environment", f"existing:{sys.executable}", "--set-commit-hash", "HEAD")
    repository.asv("publish")
    return repository.folder / ".asv" / "html"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A server of files that does not print each request."""

    def log_message(self, *_):
        pass


@pytest.fixture
def address(published):
    """The address of a server of the published folder on this machine."""
    handler = functools.partial(QuietHandler, directory=str(published))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Seen:
    """What a page asked for and complained about."""

    def __init__(self, page):
        self.hosts, self.complaints = set(), []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on(
            "response", lambda answer: answer.status < 400 or self.complaints.append(f"{answer.status} {answer.url}")
        )
        page.on("requestfailed", lambda request: self.complaints.append(f"failed {request.url}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: said.type not in {"error", "warning"} or self.complaints.append(said.text))


@pytest.fixture
def page(browser):
    """A page of Debian's Chromium, and what it sees."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(30_000)
    yield page, Seen(page)
    page.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "shows"),
    [
        ("#/", "#summarygrid-display .benchmark-container canvas"),
        ("#/summarylist", "#summarylist-body table tbody tr"),
        ("#/regressions", "#regressions-body table"),
        ("#sizes.Stored.track_bytes", "#main-graph canvas.flot-overlay"),
        ("#sizes.Read.time_range", "#main-graph canvas.flot-overlay"),
    ],
)
def test_a_page_of_the_dashboard_renders_without_any_other_host(page, address, where, shows, tmp_path):
    page, seen = page
    page.goto(address + where)
    page.wait_for_selector(shows, state="attached")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=tmp_path / "page.png")
    assert seen.complaints == []
    assert seen.hosts == {"127.0.0.1"}


@pytest.mark.browser
@pytest.mark.slow
def test_a_graph_shows_both_commits_of_both_codecs(page, address):
    page, seen = page
    page.goto(f"{address}#sizes.Stored.track_bytes?x-axis=commit")
    page.wait_for_selector("#main-graph canvas.flot-overlay", state="attached")
    assert page.locator("#main-graph .legendLabel").all_inner_texts() == ["codec-none", "codec-zstd"]
    # The highest tick that is needed for 4000 bytes, in kilobytes.
    assert page.locator("#main-graph .flot-y-axis").inner_text().endswith("5.00")
    assert seen.complaints == []


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("direction", "codec"), [("asc", "none"), ("desc", "zstd")])
def test_the_regressions_are_sorted_as_their_address_says(page, address, direction, codec):
    page, seen = page
    sorted_so = "codec => document.querySelector('#regressions-body tbody td')?.innerText.includes(codec)"
    page.goto(f"{address}#regressions?sort=0&dir={direction}")
    page.wait_for_function(sorted_so, arg=codec)
    assert seen.complaints == []


@pytest.mark.slow
def test_the_published_folder_keeps_the_licences_beside_the_files(published):
    assert (published / "vendor" / "LICENSES.md").read_text(encoding="utf-8").count("pkg:npm/") == 11


@pytest.mark.slow
def test_a_second_commit_is_measured_in_the_environment_without_the_network(tmp_path):
    repository = Repository(tmp_path / "a project", environment_type="zbench-uv")
    repository.commit(size=1000)
    first = repository.asv("run", "--show-stderr", check=False)
    if first.returncode != 0 and "dns error" in first.stdout.lower():
        pytest.skip(f"the environment cannot be made, for no package registry answers: {first.stdout[-300:]}")
    assert first.returncode == 0, first.stdout
    assert "No Python 3.99 starts on this machine" in first.stdout
    repository.commit(size=2000)
    second = repository.asv("run", "--show-stderr", UV_OFFLINE="1")
    assert "Installing requirements" not in second.stdout
    assert repository.results() == [[2000, 1000], [4000, 2000]]


@pytest.mark.slow
def test_a_commit_that_does_not_build_is_told_in_the_backend_s_words(tmp_path):
    repository = Repository(tmp_path / "a project", environment_type="zbench-uv")
    (repository.folder / "pyproject.toml").write_text(PYPROJECT.replace('"tiny"', '"not a name"'), encoding="utf-8")
    repository.commit(size=1000)
    ran = repository.asv("run", check=False)
    assert ran.returncode == 1
    assert "not a name" in ran.stdout
    assert 'Traceback (most recent call last):\n  File "<frozen runpy>' not in ran.stdout
