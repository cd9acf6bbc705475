"""The pages of the dashboard as they are committed: built from the sources beside them, and touched by nobody since."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from zbench.report import site

ASSETS = Path(site.__file__).with_name("assets")
WEB = Path(__file__).parents[2] / "web"
# As web/vite.config.ts has them.
SOURCES = ("package.json", "tsconfig.json", "vite.config.ts", "index.html", "src")
BUILT = ("LICENSES.md", "app.css", "app.js", "index.html")
FIRST_VIEW = 1_000_000


def digest(paths, root):
    whole = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in paths):
        whole.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def told():
    return json.loads((ASSETS / "BUILT.json").read_text(encoding="utf-8"))


def test_the_pages_were_built_from_these_sources():
    if not WEB.is_dir():
        pytest.skip("the sources of the pages are in the repository, and this is none")
    files = [path for name in SOURCES for path in ([WEB / name] if (WEB / name).is_file() else (WEB / name).rglob("*"))]
    found = digest([path for path in files if path.is_file()], WEB)
    assert found == told()["sources"], "web/ changed and the pages did not: run 'make web' and commit what it writes"


def test_the_pages_are_as_they_were_built():
    assert digest([ASSETS / name for name in BUILT], ASSETS) == told()["built"], "run 'make web'"


def test_the_pages_are_small_and_load_nothing_from_elsewhere():
    assert sum((ASSETS / name).stat().st_size for name in BUILT) < FIRST_VIEW / 2
    page = (ASSETS / "index.html").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert {address.partition(":")[0] for address in addresses} == {"data", "assets/app.css", "assets/app.js"}
    # A page in a folder may not load modules.
    assert "module" not in page
    assert re.findall(r"url\(|@import", (ASSETS / "app.css").read_text(encoding="utf-8")) == []


def test_every_package_in_the_pages_is_named_with_its_licence():
    text = (ASSETS / "LICENSES.md").read_text(encoding="utf-8")
    names = re.findall(r"^## pkg:npm/(\S+)@", text, re.MULTILINE)
    assert {"%40vue/runtime-core", "hyparquet-writer", "uplot"} <= set(names)
    assert text.count("Permission is hereby granted") == len(names)
