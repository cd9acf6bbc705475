"""Pages that need no other host: asv's dashboard with its scripts and styles beside it.

asv's template loads jQuery, Flot, Bootstrap and a few more from three content networks and shows an error page where
one of them cannot be reached. ``asv publish`` runs every ``OutputPublisher`` it knows, so the one here takes part
as soon as the plugin is loaded: it copies the files of ``assets`` and points the pages at them.
"""

from __future__ import annotations

import re
import shutil
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from asv import util
from asv.publishing import OutputPublisher

if TYPE_CHECKING:
    from asv.config import Config

__all__ = ["OfflineHtml", "localize"]

_FOLDER = "vendor"

# What asv 0.6.6 loads, and the file of ours that stands in. An address that is not here stops the publication, so that
# a release of asv that loads something else is noticed at once.
_ASSETS = {
    "https://code.jquery.com/jquery-3.3.1.min.js": "js/jquery.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.min.js": "js/jquery.flot.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.time.min.js": "js/jquery.flot.time.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.selection.min.js": "js/jquery.flot.selection.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.categories.min.js": "js/jquery.flot.categories.js",
    "https://cdn.jsdelivr.net/npm/flot-orderbars@1.0.0/js/jquery.flot.orderBars.js": "js/jquery.flot.orderBars.js",
    "https://cdnjs.cloudflare.com/ajax/libs/stupidtable/1.0.1/stupidtable.min.js": "js/stupidtable.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/blueimp-md5/2.19.0/js/md5.min.js": "js/md5.min.js",
    "https://cdn.jsdelivr.net/npm/bootstrap@3.1.1/dist/js/bootstrap.min.js": "js/bootstrap.min.js",
    "https://cdn.jsdelivr.net/npm/bootstrap@3.1.1/dist/css/bootstrap.min.css": "css/bootstrap.min.css",
}

_EXTERNAL = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_EXTERNAL_IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE)
# About fetching from another host; our flot is not the minified file that the hash is of, either.
_OF_OTHER_HOSTS = {"integrity", "crossorigin", "referrerpolicy"}


class _Loads(HTMLParser):
    """Collects the tags that make a browser load something from another host. A link to click on is not one."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, str, list[tuple[str, str | None]], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            loads = name in {"src", "srcset", "data", "poster"} or (tag == "link" and name == "href")
            if loads and value is not None and _EXTERNAL.match(value):
                self.tags.append((self.get_starttag_text() or "", tag, attrs, value))


def localize(page: str, *, source: str) -> str:
    """Point a page at the copies in zbench instead of at other hosts.

    Parameters
    ----------
    page
        Text of an HTML page.
    source
        Name of the page, for the error.

    Returns
    -------
    str
        The page, whose loads are all relative.

    Raises
    ------
    asv.util.UserError
        The page loads something from another host that zbench has no copy of.
    """
    loads = _Loads()
    loads.feed(page)
    for text, tag, attrs, address in loads.tags:
        if address not in _ASSETS:
            raise util.UserError(_unknown(address, source=source))
        kept = [(name, f"{_FOLDER}/{_ASSETS[address]}" if value == address else value) for name, value in attrs]
        written = [
            name if value is None else f'{name}="{escape(value)}"'
            for name, value in kept
            if name not in _OF_OTHER_HOSTS
        ]
        page = page.replace(text, f"<{tag} {' '.join(written)}>")
    return page


def _unknown(address: str, *, source: str) -> str:
    return (
        f"A published page must load nothing from another host, but {source} loads {address}, of which zbench has no "
        "copy. This asv is newer than the pages that zbench knows: install asv 0.6.6, or add the file to "
        "zbench/asv_plugin/assets and its address to zbench/asv_plugin/offline_html.py."
    )


def _check_styles(folder: Path) -> None:
    for path in sorted(folder.rglob("*.css")):
        found = _EXTERNAL_IN_CSS.search(path.read_text(encoding="utf-8"))
        if found:
            raise util.UserError(_unknown(found[1], source=path.name))


class OfflineHtml(OutputPublisher):  # type: ignore[misc]  # asv ships no types
    """The last step of ``asv publish``: every page of the dashboard loads from its own folder alone."""

    name = "offline"
    button_label = "Offline"
    description = "Serve the scripts and styles of these pages from their own folder"

    @classmethod
    def publish(cls, conf: Config, *_: object) -> None:
        """Copy the files and rewrite the pages in the folder that asv has just written.

        Parameters
        ----------
        conf
            asv's configuration, which names the folder.
        *_
            The repository, benchmarks, graphs and revisions; not used.
        """
        folder = Path(conf.html_dir)
        shutil.copytree(Path(__file__).with_name("assets"), folder / _FOLDER, dirs_exist_ok=True)
        for path in sorted(folder.rglob("*.html")):
            page = path.read_text(encoding="utf-8")
            path.write_text(localize(page, source=path.name), encoding="utf-8")
        _check_styles(folder)
