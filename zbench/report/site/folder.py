"""The folder of the site: what is in it, what it was made of, and how its files change."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.results import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["FORMAT", "Folder", "Manifest"]

# Raised when files of before can no longer be gone on with.
FORMAT = 2
_MANIFEST = "manifest.json"
_ASSETS = ("app.js", "app.css", "LICENSES.md")


@dataclass(slots=True)
class Manifest:
    """What the site was made of; it lies beside the pages and no page loads it.

    Attributes
    ----------
    settings
        What changes every page.
    inputs
        Size, time of change and digest of each file that was read, by its path.
    problems
        Why a file was skipped, by its path.
    pages
        Of each page its key, summary and changes, by name.
    made
        When it was published.
    traces
        What traces there are.
    family
        Number of lines that were searched for steps together.
    limits
        What their steps were held against, for `zbench.report.site.encode.unpack`.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, list[Any]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: str = ""
    traces: list[dict[str, Any]] = field(default_factory=list)
    family: int = 1
    limits: dict[str, Any] = field(default_factory=dict)


class Folder:
    """The folder that the site lies in.

    Parameters
    ----------
    path
        Where it is; it is made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: set[Path] = set()
        self._written = self._kept = 0

    @property
    def page(self) -> Path:
        """The page to open."""
        return self._path / "index.html"

    @property
    def written(self) -> int:
        """Number of files that were written."""
        return self._written

    @property
    def kept(self) -> int:
        """Number of files that would have been written anew with the same content."""
        return self._kept

    def check(self) -> None:
        """Refuse a folder that holds anything else.

        Raises
        ------
        ResultsError
            If it is not empty and no site.
        """
        if not self._path.exists():
            return
        if not self._path.is_dir() or (any(self._path.iterdir()) and not (self._path / "data").is_dir()):
            msg = (
                f"A site is published into a folder of its own: {str(self._path)!r} holds something else. Give another "
                "by --output."
            )
            raise ResultsError(msg)

    def manifest(self) -> Manifest | None:
        """Read what the site was made of.

        Returns
        -------
        Manifest or None
            ``None`` if there is no site, if one was left half written, or of another format.
        """
        try:
            raw = json.loads((self._path / _MANIFEST).read_text(encoding="utf-8"))
            if raw.pop("format") != FORMAT:
                return None
            return Manifest(**raw)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def begin(self) -> None:
        """Forget what the site was made of: a run that ends half way is not gone on with."""
        (self._path / _MANIFEST).unlink(missing_ok=True)

    def end(self, manifest: Manifest) -> None:
        """Write down what the site is made of, when all else is there.

        Parameters
        ----------
        manifest
            What to write.
        """
        content = {"format": FORMAT} | {name: getattr(manifest, name) for name in Manifest.__slots__}
        write_atomically(self._path / _MANIFEST, json.dumps(content, separators=(",", ":")))

    def read(self, key: str) -> bytes:
        """Read a data file.

        Parameters
        ----------
        key
            Its place below ``data``, without the ending.

        Returns
        -------
        bytes
            Its content.
        """
        return (self._path / "data" / f"{key}.js").read_bytes()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write data files, but those that hold the same already.

        Parameters
        ----------
        files
            Content by key.
        """
        for key, content in files.items():
            self._put(Path("data") / f"{key}.js", content)

    def keep(self, keys: Iterable[str]) -> None:
        """Remove the data files that no page has any more.

        Parameters
        ----------
        keys
            Of those that stay.
        """
        data = self._path / "data"
        wanted = {data / f"{key}.js" for key in keys}
        for path in data.rglob("*.js"):
            if path not in wanted:
                path.unlink()

    def write_page(self, title: str) -> None:
        """Write the page and what it loads before any data.

        Parameters
        ----------
        title
            Of the window.
        """
        assets = Path(__file__).with_name("assets")
        for name in _ASSETS:
            self._put(Path("assets") / name, (assets / name).read_bytes())
        text = (assets / "index.html").read_text(encoding="utf-8")
        self._put(Path("index.html"), text.replace("{{title}}", escape(title)).encode())
        # GitHub Pages would leave out what Jekyll does.
        self._put(Path(".nojekyll"), b"")

    def _put(self, place: Path, content: bytes) -> None:
        path = self._path / place
        try:
            if _holds(path, content):
                self._kept += 1
                return
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            # Not written through to the disk, one by one: a site that a crash cuts short is made anew. What it leaves
            # ends as all data does, so that `keep` removes it.
            beside = path.with_name(f".{os.getpid()}.{path.name}")
            beside.write_bytes(content)
            beside.replace(path)
        except OSError as error:
            msg = f"A site needs a folder that can be written: {str(path)!r} cannot ({error}). Choose another."
            raise ResultsError(msg) from error
        self._written += 1


def _holds(path: Path, content: bytes) -> bool:
    """Ask whether a file holds what would be written; most that do not are of another size."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False
