"""The report on one volume as a reader opens it: from a file, without a network, at any width, in light and dark."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from zbench.model import Box, Environment, Provenance, Volume
from zbench.report.volume import ReportInfo, VolumeFacts, volume_facts, write_report
from zbench.report.volume.palette import LIGHT
from zbench.results import Row, Table

EVIL = "<script>alert(1)</script> & \"quotes' `code`"
ENVIRONMENT = Environment(
    machine=EVIL, os="Linux 6", cpu="a processor", cores=2, memory_bytes=2**33, python="3.11.9",
    packages=(("zarr", "3.1.6"),), threads=(), filesystem="ext4",
)  # fmt: skip
INFO = ReportInfo(command=f"zbench cryoet --dataset '{EVIL}'", date="2026-01-01", version="1.0", remarks=(EVIL,))
# Objects, and how many times longer than a cube an xy slice takes.
LAYOUTS = {
    "v2-c64": (9, 1.0),
    "v3-c64": (9, 1.0),
    "v3-c16x64x64": (33, 0.3),
    "v3-c32": (65, 1.5),
    "v3-c32-s64": (9, 1.8),
}


def rows_of(layouts=LAYOUTS, engines=("zarr-python", "zarrs"), states=("warm",)):
    """Make rows of every kind: sizes, times, memory, a refusal, and notes with words that look like markup."""
    rows = []
    for slow, engine in enumerate(engines, start=1):
        for layout, (objects, slices) in layouts.items():
            for chain, ratio in {"none": 1.0, "blosc-zstd-5-shuffle": 1.2}.items():
                cell = {
                    "source": "zbench", "environment": "e", "dataset": "tomogram", "engine": engine, "verified": True,
                    "engine_version": "1", "store": "local", "layout": layout, "chain": chain,
                }  # fmt: skip
                rows.append(Row(**cell, metric="compression_ratio", unit="1", value=ratio))
                rows.append(Row(**cell, metric="objects", unit="objects", value=objects))
                for state in states:
                    for pattern, seconds in {"full_read": 0.02, "xy_plane": 0.002 * slices}.items():
                        time = seconds * slow * ratio * (3 if state == "cold" else 1)
                        place = {"pattern": pattern, "cache_state": state}
                        ends = {"low": 0.97 * time, "high": 1.04 * time, "confidence": 0.95, "processes": 5}
                        rows.append(Row(**cell, **place, metric="wall_time", unit="s", value=time, **ends, note=EVIL))
                        rows.append(Row(**cell, **place, metric="peak_memory", unit="bytes", value=1e8))
    refused = {"pattern": "full_read", "metric": "wall_time", "unit": "s", "value": None, "note": f"refused: {EVIL}"}
    return (*rows, replace(rows[0], chain="gzip-5", **refused))


@pytest.fixture(scope="module")
def facts():
    volume = Volume(
        name="tomogram", array=np.random.default_rng(1).normal(size=(20, 30, 40)).astype("<f4"), spacing=(10.0,) * 3,
        spacing_unit="angstrom", provenance=Provenance(source=EVIL, licence="CC0-1.0", citation=EVIL),
    )  # fmt: skip
    return volume_facts(volume, title=EVIL, crop=Box((0, 0, 0), (20, 30, 40)), whole=(100, 100, 100))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, facts):
    """A whole report."""
    folder = tmp_path_factory.mktemp("report of a volume")
    written = write_report(folder, Table(rows_of(), {"e": ENVIRONMENT}), volume=facts, info=INFO)
    assert set(written) == set(folder.iterdir())
    return folder


class Seen(HTMLParser):
    """The elements of a page, with a check that each is closed where it should be."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self):
        super().__init__()
        self.elements, self.open, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def seen(folder):
    seen = Seen()
    seen.feed((folder / "report.html").read_text(encoding="utf-8"))
    assert seen.open == []
    return seen


def test_the_page_needs_nothing_beside_it(folder, seen):
    addresses = [value for _, given in seen.elements for name, value in given.items() if name in ("src", "xlink:href")]
    addresses += [given["href"] for tag, given in seen.elements if "href" in given]
    assert len(addresses) > 20
    assert [address for address in addresses if not address.startswith(("#", "data:image/png;base64,"))] == []
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"@import|url\((?!#)", text) == []
    assert {"script", "link", "iframe", "object", "img", "metadata"} & {tag for tag, _ in seen.elements} == set()


def test_every_picture_says_what_it_shows(folder, seen):
    drawings = [given for tag, given in seen.elements if given.get("role") == "img"]
    assert sum(tag == "svg" for tag, _ in seen.elements) == len(drawings) == 5
    assert all(len(given["aria-label"]) > 80 for given in drawings)
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", markdown)
    assert len(pictures) == 5
    assert all(len(alternative) > 80 and (folder / name).is_file() for alternative, name in pictures)


def test_names_in_the_page_are_unique_and_met(seen):
    names = [given["id"] for _, given in seen.elements if "id" in given]
    assert len(names) == len(set(names)) > 50
    asked = {value[1:] for _, given in seen.elements for key, value in given.items()
             if key in ("href", "xlink:href") and value.startswith("#")}  # fmt: skip
    asked |= {name for _, given in seen.elements for name in re.findall(r"url\(#([^)]+)\)", str(given))}
    assert asked <= set(names)


def test_words_of_others_are_text_in_the_page(seen):
    told = " ".join(seen.text)
    # As title, source, citation, machine, remark, note and command.
    assert told.count("<script>alert(1)</script>") >= 8
    assert "&lt;" not in told
    assert "script" not in {tag for tag, _ in seen.elements}


def test_drawings_in_the_page_follow_the_scheme(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert drawings.count("var(--ink)") > 20
    assert [colour for colour in LIGHT.values() if colour in drawings] == []
    assert "prefers-color-scheme: dark" in text


def test_figures_are_whole_files_in_both_forms(folder):
    names = {"volume", "front", "chunks", "shards", "engines"}
    assert {path.stem for path in folder.glob("*.png")} == {path.stem for path in folder.glob("*.svg")} == names
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 300
    for path in folder.glob("*.svg"):
        assert ET.parse(path).getroot().tag.endswith("svg")


def test_the_same_rows_make_the_same_page(facts, tmp_path, folder):
    again = write_report(tmp_path, Table(rows_of(), {"e": ENVIRONMENT}), volume=facts, info=INFO)
    assert [path.read_bytes() for path in again] == [(folder / path.name).read_bytes() for path in again]


def test_each_condition_has_figures_of_its_own(tmp_path, facts):
    rows = rows_of(layouts={"v3-c64": (9, 1.0)}, engines=("zarrs",), states=("warm", "cold"))
    write_report(tmp_path, Table(rows, {"e": ENVIRONMENT}), volume=replace(facts, planes=(), counts=None), info=INFO)
    assert {path.stem for path in tmp_path.glob("*.svg")} == {"front", "front-2"}
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "warm cache" in re.search(r"!\[([^\]]*)\]\(front.svg\)", text)[1]
    assert "cold cache" in re.search(r"!\[([^\]]*)\]\(front-2.svg\)", text)[1]


def test_a_report_of_nothing_is_a_page_too(tmp_path):
    bare = VolumeFacts(name="tomogram", shape=(2, 2, 2), dtype="<f4")
    written = write_report(tmp_path, Table(), volume=bare, info=INFO)
    assert [path.name for path in written] == ["report.html", "report.md"]
    assert "No time was measured" in written[0].read_text(encoding="utf-8")


class Asked:
    """What a page asked for and complained about."""

    def __init__(self, page):
        self.addresses, self.complaints = [], []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text))


@pytest.fixture
def opened(browser, folder):
    """Open the report in a window of some width and scheme, with all that is folded unfolded."""
    pages = []

    def opened(*, width=1280, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(30_000)
        pages.append(page)
        asked = Asked(page)
        page.goto((folder / "report.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        return page, asked

    yield opened
    for page in pages:
        page.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_opens_from_a_file_and_fits_the_window(opened, folder, width, scheme, tmp_path):
    page, asked = opened(width=width, scheme=scheme)
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert asked.complaints == []
    outside = [address for address in asked.addresses if not address.startswith("data:")]
    assert outside == [(folder / "report.html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # What is wider than the window, and scrolls by itself, can be reached by keys.
    wide = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && getComputedStyle(e).overflowX === 'auto').map(e => e.tabIndex)"
    )
    assert set(wide) <= {0}
    assert wide or width > 360


COLOURS = """
[...document.querySelectorAll('p, h1, h2, li, td, th, caption, figcaption, summary, a, code')].map(element => {
    let ground = element;
    while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
    return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
})
"""


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.browser
@pytest.mark.slow
def test_dark_is_dark_light_is_light_and_both_can_be_read(opened):
    grounds, inks = {}, {}
    for scheme in ("light", "dark"):
        page, _ = opened(scheme=scheme)
        found = {tuple(pair) for pair in page.evaluate(COLOURS)}
        assert len(found) >= 4
        for pair in found:
            low, high = sorted(map(luminance, pair))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, pair)
        grounds[scheme] = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        # The words of the drawings are outlines.
        inks[scheme] = luminance(
            page.evaluate(
                "getComputedStyle(document.querySelector('.drawing svg text, .drawing svg g[style*=ink]')).fill"
            )
        )
    assert (grounds["dark"] < 0.05, grounds["light"] > 0.9) == (True, True)
    assert (inks["dark"] > 0.7, inks["light"] < 0.05) == (True, True)


def barriers(page, axe):
    # To those who look with their ears a drawing is its alternative text, and its thousand outlines take axe long.
    page.evaluate("document.querySelectorAll('[role=img] svg').forEach(svg => svg.replaceChildren())")
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    assert {"color-contrast", "role-img-alt", "html-has-lang"} <= {rule["id"] for rule in found["passes"]}
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]][:3])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_the_page_has_no_serious_barrier(opened, axe, width, scheme):
    page, _ = opened(width=width, scheme=scheme)
    assert barriers(page, axe) == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_barrier_would_be_found(opened, axe):
    page, _ = opened()
    page.evaluate("document.querySelectorAll('[role=img]')[1].removeAttribute('aria-label')")
    page.evaluate("document.querySelector('figcaption').style.color = '#999'")
    assert [name for name, _ in barriers(page, axe)] == ["color-contrast", "role-img-alt"]
