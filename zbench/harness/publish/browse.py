"""How long the views of a site take in a browser without a window, each loaded anew from a server on this machine."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["CHROMIUM_FLAGS", "View", "browse"]

CHROMIUM_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_LIMIT_MS = 60_000


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What one view took.

    Attributes
    ----------
    name
        Of the view.
    seconds
        From the address to what the view is about, of each visit.
    transferred_bytes
        Of all that was loaded for it.
    requests
        Number of files.
    """

    name: str
    seconds: tuple[float, ...]
    transferred_bytes: int
    requests: int


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *_: object) -> None:
        pass


def browse(site: Path, views: Mapping[str, tuple[str, str]], *, visits: int = 3) -> Sequence[View]:
    """Visit views of a site.

    Parameters
    ----------
    site
        Folder of the site.
    views
        By name the address below ``index.html``, and what must be seen, as CSS says it.
    visits
        How often each is visited, with nothing kept from before.

    Returns
    -------
    sequence of View
        In the same order.

    Raises
    ------
    ResultsError
        If there is no browser, or a view does not come.
    """
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - a tool of developers
    except ImportError as error:
        msg = "Views are visited through playwright: it is not installed. Run: pip install playwright"
        raise ResultsError(msg) from error
    chromium = shutil.which("chromium")
    if chromium is None:
        msg = "Views are visited in Chromium: there is no program 'chromium'. On Debian: apt-get install chromium"
        raise ResultsError(msg)
    handler = functools.partial(_Files, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as driver:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        # The first page of a browser pays for its start.
        browser.new_page().close()
        root = f"http://127.0.0.1:{server.server_port}/index.html"
        try:
            found = [_visited(browser, name, f"{root}{where}", shown, visits) for name, (where, shown) in views.items()]
        except Error as error:
            msg = f"Every view must come within {_LIMIT_MS // 1000} s: one did not ({error}). Look at it in a browser."
            raise ResultsError(msg) from error
        finally:
            browser.close()
            server.shutdown()
    return found


def _visited(browser: Any, name: str, address: str, shown: str, visits: int) -> View:
    seconds, sizes = [], []
    for _ in range(visits):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(_LIMIT_MS)
        loaded: list[float] = []
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event, loaded=loaded: loaded.append(event["encodedDataLength"]))
        begin = time.perf_counter()
        page.goto(address, wait_until="commit")
        page.locator(shown).first.wait_for()
        # Until it is painted, too.
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seconds.append(time.perf_counter() - begin)
        page.wait_for_load_state("networkidle")
        sizes.append((sum(loaded), len(loaded)))
        context.close()
    return View(
        name=name,
        seconds=tuple(seconds),
        transferred_bytes=int(max(size for size, _ in sizes)),
        requests=max(count for _, count in sizes),
    )
