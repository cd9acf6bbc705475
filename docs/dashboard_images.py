"""The pictures of the dashboard in docs/images: publishes a history and takes a picture of each of the main views.

Run it in the folder of the repository: `.venv/bin/python docs/dashboard_images.py`. It needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from zbench.harness.publish import publish
from zbench.harness.publish.generated import GeneratedHistory
from zbench.model import Request, Trace
from zbench.results.traces import StoredTrace, write_trace

IMAGES = Path("docs/images")
TIME, RATIO = "read.Case000.time_cell", "read.Case008.track_stored_bytes"
PART = "f.machine=box&f.format=v3&f.chunk=32"
# Name, address, what is waited for, width, height, scheme.
VIEWS = (
    ("overview", "#/", "table.changes", 1280, 760, "light"),
    ("benchmark", f"#/b/{TIME}?{PART}&scale=change", ".facets canvas", 1280, 900, "light"),
    ("two-points", "{change}", ".panel .answer", 1280, 760, "light"),
    ("pareto", f"#/pareto?y={TIME}&x={RATIO}&facet=machine&f.format=v3", ".dot circle", 1280, 900, "dark"),
    ("trace", "{trace}", "circle.request", 1280, 620, "light"),
    ("phone", f"#/b/{TIME}?{PART}", ".facets canvas", 360, 740, "dark"),
)


def plane() -> Trace:
    """Make up a plane of a sharded array: the index of each shard, then what is needed of it."""
    requests, at = [Request(operation="get", key="zarr.json", size_bytes=812)], 1_800_000
    for number in range(16):
        key = f"c/{number // 4}/{number % 4}/0"
        for start, size, wait in ((-1028, 1028, 400_000), (65_536, 48_211, 900_000), (131_072, 50_177, 700_000)):
            requests.append(Request(operation="get", key=key, start=start, size_bytes=size, offset_ns=at))
            at += wait
    return Trace(tuple(requests))


def main() -> None:
    """Publish, and take the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("The pictures are taken in Chromium: there is none. On Debian: apt-get install chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as work, sync_playwright() as driver:
        history, site = Path(work) / "history", Path(work) / "site"
        GeneratedHistory(benchmarks=10, commits=120, machines=("box", "cluster"), stepping=0.3).write(history)
        cell = {"pattern": "xy_plane", "dataset": "tomogram", "engine": "zarr-python", "layout": "v3-c32-s128"}
        stored = StoredTrace(cell=cell, trace=plane(), machine="box", position="3.1.6")
        write_trace(history / "results" / "box" / "plane.trace.json", stored)
        publish([history / "results"], site, repository=history, title="Generated history")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, address, shown, width, height, scheme in VIEWS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto((site / "index.html").as_uri())
            page.wait_for_selector("table.changes")
            changes = page.locator("table.changes a")
            where = address.replace("{change}", changes.first.get_attribute("href") or "")
            (trace,) = (path.stem for path in (site / "data" / "t").iterdir())
            page.goto(f"{(site / 'index.html').as_uri()}{where.replace('{trace}', f'#/trace/{trace}')}")
            page.locator(shown).first.wait_for()
            page.wait_for_timeout(500)
            page.screenshot(path=IMAGES / f"dashboard-{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
