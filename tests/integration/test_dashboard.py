"""The dashboard as a reader opens it: from a folder, without a network, by mouse and by keys, wide and narrow."""

from __future__ import annotations

import csv
import functools
import http.server
import io
import json
import math
import re
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sweep_history import write_sweep

from zbench.harness.publish import publish
from zbench.harness.publish.generated import GeneratedHistory
from zbench.model import Request, Trace
from zbench.results.traces import StoredTrace, write_trace

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TIME, SIZE, COUNT = "read.Case000.time_cell", "read.Case008.track_stored_bytes", "write.Case009.track_requests"
CELL = {"dataset": "tomogram", "engine": "zarrs", "layout": "v3-c32-s128", "chain": "zstd-5", "pattern": "xy_plane"}
EVIL = "<script>alert(1)</script>"
VIEWS = {
    "overview": "#/",
    "benchmark": f"#/b/{TIME}?f.engine=zarrs&f.machine=box",
    "two points": f"#/b/{COUNT}?a=0.1.0&b=0.1.11&f.machine=bigbox&f.shard=256",
    "pareto": f"#/pareto?y={TIME}&x={SIZE}&facet=machine&f.shard=none",
    "trace": "#/trace/{trace}",
    "environments": "#/environments",
}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A repository of 48 commits, measured on two machines; a cut file and a trace lie among the results."""
    folder = tmp_path_factory.mktemp("a history") / "repository"
    GeneratedHistory(benchmarks=10, commits=48, machines=("box", "bigbox"), stepping=0.4).write(folder)
    (folder / "results" / "box" / "cut.json").write_text(f'{{"commit_hash": "{EVIL}', encoding="utf-8")
    requests = [
        Request(operation="head", key="zarr.json", size_bytes=0, found=True, offset_ns=0),
        Request(operation="get", key="c/0/0/0", start=-516, size_bytes=516, offset_ns=2_000_000),
        Request(operation="get", key="c/0/0/1", size_bytes=0, found=False, offset_ns=5_000_000),
    ]
    write_trace(
        folder / "results" / "box" / "plane.trace.json",
        StoredTrace(cell=CELL, trace=Trace(tuple(requests)), machine="box", position="3.1.6"),
    )
    return folder


@pytest.fixture(scope="module")
def site(history, tmp_path_factory):
    """The dashboard of it."""
    output = tmp_path_factory.mktemp("a dashboard") / "site"
    done = publish([history / "results"], output, repository=history, title=f"Volumes {EVIL}")
    assert len(done.problems) == 1
    return output


class Seen:
    """What a page asked for and complained about."""

    def __init__(self, page):
        self.addresses, self.complaints = [], []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed {request.url}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text))


@pytest.fixture
def opened(browser, site):
    """Open a view in a window of some width and scheme; what it says to nobody is told when it closes."""
    pages = []

    def opened(view, *, width=1280, scheme="light", address=None):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(20_000)
        seen = Seen(page)
        pages.append((page, seen))
        (trace,) = (path.stem for path in (site / "data" / "t").iterdir())
        page.goto((address or (site / "index.html").as_uri()) + view.replace("{trace}", trace))
        page.wait_for_selector("h1")
        page.wait_for_selector("main [role=status]:text('Loading')", state="detached")
        return page, seen

    yield opened
    for page, seen in pages:
        page.close()
        assert seen.complaints == []


def picture(page, number=0):
    """A small picture that is drawn, scrolled to."""
    chart = page.locator(".facets .chart").nth(number)
    chart.scroll_into_view_if_needed()
    chart.locator("canvas").wait_for()
    return chart


def point_of(page, chart, part):
    """Where the pointer goes to be over a place of the axis: a part of the width of the drawing."""
    over = chart.locator(".u-over").bounding_box()
    return over["x"] + part * over["width"], over["y"] + over["height"] / 2


WINDOWS = [(1280, "light"), (1280, "dark"), (360, "dark"), (360, "light")]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_opens_from_a_folder_and_fits_every_window(opened, site, view, tmp_path):
    page, seen = opened(VIEWS[view])
    for width, scheme in WINDOWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=tmp_path / f"{width}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) > 600) == (scheme == "light")
    root = site.as_uri()
    assert [address for address in seen.addresses if not address.startswith((root, "data:"))] == []
    assert len(seen.addresses) >= 4


def test_the_site_works_from_a_server_and_asks_no_other(opened, site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page, seen = opened(VIEWS["benchmark"], address=f"http://127.0.0.1:{server.server_port}/")
        picture(page)
        server.shutdown()
    assert {urlsplit(address).hostname for address in seen.addresses if not address.startswith("data:")} == {
        "127.0.0.1"
    }


def test_words_of_others_are_text(opened):
    page, _ = opened("#/environments")
    assert EVIL in page.locator(".brand").inner_text()
    assert EVIL in page.title()
    assert "must be whole JSON" in page.locator("main li").inner_text()


def rows(page):
    return page.locator("table.changes tbody tr")


def test_the_overview_tells_the_newest_first_and_is_filtered_by_its_address(opened):
    page, _ = opened("#/")
    dates = page.locator("table.changes td[data-label=Since] .quiet").all_inner_texts()
    assert len(dates) == rows(page).count() > 20
    assert dates == sorted(dates, reverse=True)
    page.get_by_role("button", name="size", exact=True).click()
    page.get_by_role("button", name="worse", exact=True).click()
    words = {text.split()[-1] for text in page.locator("table.changes td[data-label=Change]").all_inner_texts()}
    assert words == {"bigger"}
    told = rows(page).all_inner_texts()
    again, _ = opened(urlsplit(page.url).fragment.join(["#", ""]))
    assert rows(again).all_inner_texts() == told
    again.get_by_label("Find").fill("no such name")
    assert rows(again).count() == 0


def test_a_release_is_not_blamed_alone_where_other_packages_moved_too(browser, tmp_path, rng):
    publish([write_sweep(tmp_path / "sweep", rng)], tmp_path / "site", repository=tmp_path)
    page = browser.new_page()
    for view in ("#/", "#/b/zarr-releases.read_whole.requests.by-release"):
        page.goto((tmp_path / "site" / "index.html").as_uri() + view)
        since = page.locator("table.changes td[data-label=Since]").first
        assert since.inner_text().split() == ["3.0.0", "with", "numcodecs", "0.13.1", "→", "0.14.1"]
    page.close()


def test_a_benchmark_is_laid_out_by_its_parameters(opened):
    page, _ = opened(f"#/b/{TIME}")
    # Five codecs as colours; engine, format and machine, and chunk with shard, as pictures.
    assert page.locator(".facets .chart").count() == 4 * 5 * 2
    page.get_by_role("group", name="shard").get_by_role("button", name="256").click()
    page.get_by_role("group", name="machine").get_by_role("button", name="bigbox").click()
    assert page.locator(".facets .chart").count() == 4
    page.get_by_role("group", name="Show engine as").get_by_role("button", name="colour").click()
    assert page.locator(".facets .chart").count() == 5
    assert page.locator(".legend").inner_text().startswith("tensorstore")
    page.get_by_role("button", name="show all values").click()
    assert page.locator(".facets .chart").count() == 5 * 5 * 2


def expected(history, machine, place, cell):
    """The number of a cell at a commit, from asv's file."""
    files = [
        json.loads(path.read_text(encoding="utf-8")) for path in (history / "results" / machine).glob("*-py3.11.json")
    ]
    file = sorted(files, key=lambda one: one["date"])[place]
    value, grid, *_ = file["results"][TIME]
    names = [[text.strip("'") for text in texts] for texts in grid]
    at = 0
    for texts, wanted in zip(names, cell, strict=True):
        at = at * len(texts) + texts.index(wanted)
    return file["commit_hash"], value[at]


def test_hovering_reads_a_number_as_it_was_measured(opened, history):
    page, _ = opened(f"#/b/{TIME}?f.machine=box&f.engine=zarrs&f.shard=256&f.codec=zstd-5")
    chart = picture(page)
    page.mouse.move(*point_of(page, chart, 10.5 / 48))
    commit, value = expected(history, "box", 10, ("zarrs", "v3-c32-s256", "zstd-5"))
    told = page.locator(".readout").inner_text()
    assert f"{value * 1e3:.4g} ms" in told.replace(",", "")
    assert commit[:8] in told
    assert "Change number 10" in told


def test_two_points_are_compared_and_the_address_keeps_them(opened, history):
    page, _ = opened(f"#/b/{TIME}?f.machine=box&f.engine=zarrs&f.shard=256&f.codec=zstd-5")
    chart = picture(page)
    page.mouse.click(*point_of(page, chart, 5.5 / 48))
    assert "Choose a second point" in page.locator(".panel").inner_text()
    page.mouse.click(*point_of(page, picture(page), 40.5 / 48))
    cell = ("zarrs", "v3-c32-s256", "zstd-5")
    values = [expected(history, "box", place, cell)[1] for place in (5, 40)]
    shown = page.locator(".panel tbody td[data-label=Value]").all_inner_texts()[:2]
    assert shown == [f"{value * 1e3:.4g} ms" for value in values]
    answer = page.locator(".answer").inner_text()
    sign, size = re.search(r"B is (.)([\d.]+) %", answer).groups()
    percent = float(size) if sign == "+" else -float(size)
    assert percent == pytest.approx((values[1] / values[0] - 1) * 100, abs=0.06)
    assert "environments are the same" in page.locator(".panel").inner_text()
    told = page.locator(".panel").inner_text()
    again, _ = opened(f"#{urlsplit(page.url).fragment}")
    assert again.locator(".panel").inner_text() == told


def test_a_change_of_the_overview_leads_to_its_two_points(opened):
    page, _ = opened("#/?side=worse")
    row = rows(page).first
    change = row.locator("td[data-label=Change]").inner_text().split(" %")[0].removeprefix("+")
    row.locator("a").first.click()
    page.wait_for_selector(".panel .answer")
    # The link names line and cell; the page gives it the name that lasts.
    assert "engine%3D" in page.url
    # Two single points differ by chance; the panel tells the step of the levels too, as the overview did.
    assert f"steps by +{change} %" in page.locator(".panel").inner_text()
    assert page.locator("h2", has_text="Two points").count() == 1


def test_dragging_shows_a_part_and_the_address_keeps_it(opened):
    page, _ = opened(f"#/b/{TIME}?f.machine=box&f.engine=zarrs&f.shard=256")
    chart = picture(page)
    begin, end = point_of(page, chart, 10.5 / 48), point_of(page, chart, 20.5 / 48)
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="all 48").wait_for()
    assert re.search(r"from=[0-9a-f]{24}&to=[0-9a-f]{24}", page.url)
    page.get_by_role("button", name="all 48").click()
    assert "from=" not in page.url


def downloaded(page, name):
    with page.expect_download() as caught:
        page.get_by_role("button", name=name, exact=True).click()
    return Path(caught.value.path())


def test_csv_and_parquet_hold_what_is_shown(opened, history):
    parquet = pytest.importorskip("pyarrow.parquet")
    page, _ = opened(f"#/b/{TIME}?f.machine=box&f.engine=zarrs&f.shard=256&f.codec=zstd-5|none")
    text = downloaded(page, "CSV").read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == 2 * 48
    assert {(line["machine"], line["engine"], line["shard"], line["state"]) for line in lines} == {
        ("box", "zarrs", "256", "measured")
    }
    commit, value = expected(history, "box", 7, ("zarrs", "v3-c32-s256", "zstd-5"))
    found = [float(line["value"]) for line in lines if (line["commit"], line["codec"]) == (commit, "zstd-5")]
    assert found == [pytest.approx(value, rel=1e-6)]
    table = parquet.read_table(downloaded(page, "Parquet")).to_pylist()
    assert [{name: str(cell) for name, cell in row.items()} for row in table] == [
        {name: str(float(cell)) if name in ("value", "low", "high") else cell for name, cell in line.items()}
        for line in lines
    ]


def test_the_reader_s_choice_of_colours_outlives_the_page(browser, site):
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.get_by_label("Colours").select_option("dark")
    page.reload()
    page.wait_for_selector("h1")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    context.close()


def test_all_can_be_done_by_keys(opened):
    page, _ = opened("#/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(f"{page.url.split('#')[0]}#/b/{TIME}?f.machine=box&f.engine=zarrs&f.shard=256")
    picture(page)
    for _ in range(80):
        page.keyboard.press("Tab")
        if "chart" in page.evaluate("document.activeElement.className"):
            break
    live = page.locator(".facets .chart [aria-live]").first
    page.keyboard.press("End")
    last = live.inner_text()
    assert "codec" in last
    assert re.search(r"\d{4}-\d\d-\d\d", last)
    page.keyboard.press("ArrowLeft")
    assert live.inner_text() != last
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".panel")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".panel .answer")


def test_the_front_is_what_nothing_beats(opened):
    page, _ = opened(VIEWS["pareto"].removesuffix("&f.shard=none"))
    page.wait_for_selector(".dot circle")
    lines = list(csv.DictReader(io.StringIO(downloaded(page, "CSV").read_text(encoding="utf-8"))))
    assert len(lines) == 200
    (across,) = [name for name in lines[0] if name.startswith("x ") and not name.endswith((" low", " high"))]
    (up,) = [name for name in lines[0] if name.startswith("y ") and not name.endswith((" low", " high"))]
    for machine in ("box", "bigbox"):
        cells = [(float(one[across]), float(one[up]), one["front"] == "true") for one in lines
                 if one["machine"] == machine]  # fmt: skip
        best, front = math.inf, set()
        for x, y, _ in sorted(cells):
            if y < best:
                best = y
                front.add((x, y))
        assert {(x, y) for x, y, marked in cells if marked} == front
        assert 1 < len(front) < 100
    page.locator(".chart").first.focus()
    page.keyboard.press("ArrowRight")
    assert "wall time" in page.locator(".told").first.inner_text()


def test_a_trace_tells_which_requests_and_when(opened):
    page, _ = opened("#/trace")
    page.get_by_role("link", name="xy_plane, tomogram, zarrs").click()
    page.wait_for_selector("circle.request")
    assert page.locator("circle.request").count() == 3
    told = [re.sub(r"\s+", " ", row) for row in page.locator("tbody tr").all_inner_texts()]
    assert told == ["0 s head zarr.json whole 0 B", "2 ms get c/0/0/0 last 516 bytes 516 B",
                    "5 ms get c/0/0/1 whole not there"]  # fmt: skip
    page.locator(".chart").focus()
    page.keyboard.press("ArrowRight")
    assert "zarr.json" in page.locator(".told").inner_text()


def test_an_address_that_leads_nowhere_says_so(opened):
    page, _ = opened("#/b/no.such.benchmark")
    assert "no benchmark no.such.benchmark" in page.get_by_role("alert").inner_text()


def barriers(page, axe):
    page.evaluate(axe)
    # It would fetch the style anew, which a page in a folder may not.
    found = page.evaluate("axe.run({preload: false})")
    assert {"color-contrast", "html-has-lang"} <= {rule["id"] for rule in found["passes"]}
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]][:3])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_has_a_serious_barrier(opened, axe, view):
    page, _ = opened(VIEWS[view])
    if view == "trace":
        page.wait_for_selector("circle.request")
    for width, scheme in WINDOWS[::2]:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert barriers(page, axe) == [], (width, scheme)


def test_a_barrier_would_be_found(opened, axe):
    page, _ = opened("#/")
    page.evaluate("document.querySelector('.find').replaceWith(document.querySelector('.find input'))")
    page.evaluate("document.querySelector('.find, input[type=search]').removeAttribute('placeholder')")
    page.evaluate("document.querySelector('.lead').style.color = '#bbb'")
    assert [name for name, _ in barriers(page, axe)] == ["color-contrast", "label"]
