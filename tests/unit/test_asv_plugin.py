"""What zbench adds to asv, piece by piece; the whole runs in tests/integration/test_asv_html.py."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import asv
import pytest
from asv import util
from asv.config import Config
from asv.environment import iter_matrix

from zbench.asv_plugin import UvEnvironment, offline_html, uv_tool
from zbench.asv_plugin.uv_environment import requirement

REPOSITORY = Path(__file__).parents[2]
ASSETS = Path(offline_html.__file__).with_name("assets")
ASV_PAGE = Path(asv.__file__).with_name("www") / "index.html"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def conf(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    return Config.load()


@pytest.fixture(autouse=True)
def forget_interpreters():
    uv_tool.find_python.cache_clear()
    yield
    uv_tool.find_python.cache_clear()


def broken_python(folder: Path, *, version: str) -> None:
    shim = folder / f"python{version}"
    shim.write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)


def test_every_asset_is_the_file_that_the_licences_name():
    listed = dict(
        re.findall(
            r"^\| (\S+) \| pkg:npm/\S+ \| \S+ \| ([0-9a-f]{64}) \|$", (ASSETS / "LICENSES.md").read_text(), re.MULTILINE
        )
    )
    found = {
        path.relative_to(ASSETS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in ASSETS.rglob("*")
        if path.is_file() and path.name != "LICENSES.md"
    }
    assert found == listed


def test_every_package_in_the_licences_has_a_licence_text():
    text = (ASSETS / "LICENSES.md").read_text(encoding="utf-8")
    for name, version in set(re.findall(r"pkg:npm/(\S+?)@(\S+)", text)):
        section = text.split(f"## {name} {version}\n", maxsplit=1)[1].split("\n## ")[0]
        assert "Permission is hereby granted, free of charge" in section


def test_what_npm_and_the_content_networks_both_have_is_the_same_to_the_byte():
    hashes = dict(re.findall(r'"(https://[^"]+)" integrity="([^"]+)"', ASV_PAGE.read_text(encoding="utf-8")))
    same = set()
    for address, wanted in hashes.items():
        kind, digest = wanted.split("-", 1)
        ours = (ASSETS / offline_html._ASSETS[address]).read_bytes()
        if base64.b64encode(hashlib.new(kind, ours).digest()).decode() == digest:
            same.add(offline_html._ASSETS[address])
    assert same == {
        "css/bootstrap.min.css",
        "js/bootstrap.min.js",
        "js/jquery.flot.orderBars.js",
        "js/jquery.min.js",
        "js/md5.min.js",
    }


def test_asv_s_page_loads_from_its_own_folder_alone_once_localized():
    page = offline_html.localize(ASV_PAGE.read_text(encoding="utf-8"), source="index.html")
    loads = re.findall(r"""<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]+)""", page)
    assert not [address for address in loads if "//" in address]
    assert {address for address in loads if address.startswith("vendor/")} == {
        f"vendor/{path}" for path in offline_html._ASSETS.values()
    }
    assert "integrity" not in page
    assert page.count('onerror="js_load_failure()"') == 9


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://cdn.example/new.js"></script>',
        "<script src='//cdn.example/new.js'></script>",
        '<link rel="stylesheet" href="HTTPS://cdn.example/new.css"/>',
        '<img src="http://cdn.example/new.png">',
    ],
)
def test_a_page_with_an_unknown_load_is_refused_by_address(tag):
    with pytest.raises(util.UserError, match=r"page\.html loads \S*//cdn\.example/new\.") as refusal:
        offline_html.localize(tag, source="page.html")
    assert "install asv" in str(refusal.value)


def test_a_link_to_another_host_stays_a_link():
    page = '<a href="https://github.com/airspeed-velocity/asv/">asv</a><img src="swallow.png">'
    assert offline_html.localize(page, source="page.html") == page


@pytest.mark.parametrize("text", ["a{background:url(https://cdn.example/a.png)}", "@import '//cdn.example/a.css';"])
def test_a_style_that_loads_from_another_host_is_refused(tmp_path, text):
    (tmp_path / "new.css").write_text(text, encoding="utf-8")
    with pytest.raises(util.UserError, match=r"new\.css loads \S*//cdn\.example/a"):
        offline_html._check_styles(tmp_path)


@pytest.mark.parametrize(
    ("name", "version", "text"),
    [
        ("zarr", "3.1.6", "zarr==3.1.6"),
        ("zarr", ">=3", "zarr>=3"),
        ("pip+hatchling>=1.27", "", "hatchling>=1.27"),
        ("pip+zarr", "3.1.6", "zarr==3.1.6"),
    ],
)
def test_a_matrix_entry_becomes_a_requirement(name, version, text):
    assert requirement(name, version) == text


def test_an_interpreter_that_does_not_start_is_passed_over(tmp_path, monkeypatch):
    broken_python(tmp_path, version=HERE)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = uv_tool.find_python(HERE)
    said = subprocess.run(
        [found, "-c", "import sys; print(*sys.version_info[:2], sep='.')"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert said.stdout.strip() == HERE


def test_a_missing_interpreter_is_an_error_that_names_it(tmp_path, monkeypatch):
    broken_python(tmp_path, version="3.99")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(util.UserError, match=r"3\.99"):
        uv_tool.find_python("3.99")


def test_an_environment_without_its_interpreter_is_left_out_with_one_line(conf):
    # asv's class of "leave this one out" derives from BaseException.
    with pytest.raises(BaseException, match=r"^No Python 3\.99 starts on this machine[^\n]*$") as left_out:
        UvEnvironment(conf, "3.99", {"zarr": "3.4.2"}, {})
    assert type(left_out.value).__name__ == "EnvironmentUnavailable"


def test_no_uv_is_an_error_that_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(util.UserError, match="pip install uv"):
        uv_tool.find_uv()


def test_a_failure_of_uv_is_told_in_its_own_words(tmp_path):
    with pytest.raises(util.UserError, match="'uv pip' failed with status") as failure:
        uv_tool.call_uv(
            ["pip", "install", "--offline", "--no-index", "--python", sys.executable, "zarr==0.0.0"], timeout=60
        )
    assert "zarr==0.0.0" in str(failure.value).split("The command was")[0]


def test_a_second_process_waits_for_the_first_to_leave_an_environment(tmp_path):
    script = (
        "import sys; from pathlib import Path; from asv.console import log; from zbench.asv_plugin.lock import hold;"
        "log.enable(); hold(Path(sys.argv[1]), what='environment x'); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "new" / "x.lock")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, **pipes) as first:
        assert first.stdout.readline() == "held\n"
        with subprocess.Popen(command, **pipes) as second:
            said = ""
            while "Waiting for asv process" not in said or "environment x" not in said:
                said += second.stdout.read(1) or pytest.fail(f"it did not wait: {said}")
            assert f"process {first.pid} to leave" in said
            first.communicate()
            assert second.communicate()[0].endswith("held\n")


def test_the_configuration_makes_four_environments(conf):
    made = {(entry["python", None], entry["req", "zarr"]) for entry in iter_matrix("zbench-uv", conf.pythons, conf)}
    assert made == {("3.11", "2.18.7"), ("3.11", "3.1.6"), ("3.12", "3.4.2"), ("3.13", "3.4.2")}


def test_every_companion_belongs_to_an_entry_of_the_matrix_and_is_pinned(conf):
    assert set(conf.companions) == {"*"} | {f"zarr=={version}" for version in conf.matrix["req"]["zarr"]}
    assert all(
        re.fullmatch(r"[\w-]+(\[[\w,]+\])?==[\w.]+", text) for texts in conf.companions.values() for text in texts
    )


def test_companions_are_installed_and_do_not_show_in_the_name(conf):
    environment = UvEnvironment(conf, HERE, {"zarr": "2.18.7"}, {})
    assert environment.name == f"zbench-uv-py{HERE}-zarr2.18.7"
    assert {"zarr==2.18.7", "numcodecs[crc32c,pcodec]==0.15.2", "numpy==2.4.6"} <= set(environment._wanted())
    assert not [text for text in environment._wanted() if text.startswith("tensorstore")]


def test_an_environment_made_from_other_companions_is_made_anew(conf, tmp_path):
    conf.env_dir = str(tmp_path)
    environment = UvEnvironment(conf, HERE, {"zarr": "2.18.7"}, {})
    subprocess.run([uv_tool.find_uv(), "venv", "--quiet", "--python", sys.executable, environment._path], check=True)
    environment.save_info_file(environment._path)
    assert environment.check_presence()
    conf.companions["*"] = ["numpy==2.4.5"]
    assert not UvEnvironment(conf, HERE, {"zarr": "2.18.7"}, {}).check_presence()
