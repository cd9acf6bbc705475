"""The whole of a publication: what is new, whether it can be added, and which files change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zbench import __version__
from zbench.errors import ResultsError
from zbench.harness.publish.commits import Commits, commit_address
from zbench.harness.publish.sources import source_of
from zbench.report.site.build import OutOfOrderError, extended, fresh
from zbench.report.site.encode import from_script, pack, to_script, unpack
from zbench.report.site.folder import Folder, Manifest
from zbench.report.site.index import group_fields, index_of, read_group
from zbench.report.site.lines import gather
from zbench.report.site.pages import groups_of, segment_key, summary_of
from zbench.report.site.registry import Catalogue
from zbench.report.site.steps import family_of, limits_for
from zbench.report.site.traces import trace_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from zbench.harness.publish.source import Source
    from zbench.report.site.lines import Gathered, PageKey
    from zbench.report.site.pages import Page

__all__ = ["Published", "publish"]

_Inputs = dict[str, list[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What was published.

    Attributes
    ----------
    page
        The file to open.
    pages, cells, columns
        Benchmarks, cells of all their lines, and positions of the longest line.
    written
        Number of files that were written; all others hold what they held.
    added
        Whether new numbers were put behind the others, as against a site made anew.
    problems
        Files that were skipped, with the reason.
    """

    page: Path
    pages: int
    cells: int
    columns: int
    written: int
    added: bool
    problems: tuple[str, ...]


def publish(
    paths: Iterable[Path],
    output: Path,
    *,
    repository: Path,
    title: str = "Benchmarks",
    commit_url: str | None = None,
    rebuild: bool = False,
) -> Published:
    """Make a site of results, or add to it what is new.

    Parameters
    ----------
    paths
        Result folders and files of any kind.
    output
        Folder of the site.
    repository
        Git repository that the commits are of; messages and tags are asked for there.
    title
        Name of the site.
    commit_url
        What stands before the hash in the address of a commit; ``None`` looks into ``asv.conf.json``.
    rebuild
        Whether to read everything anew.

    Returns
    -------
    Published
        What was written.

    Raises
    ------
    ResultsError
        If there are no results, or the folder is not a site and not empty.
    """
    folder = Folder(output)
    folder.check()
    address = commit_address(repository) if commit_url is None else commit_url
    sources = [source_of(path) for path in dict.fromkeys(paths)]
    former = None if rebuild else folder.manifest()
    settings = {"title": title, "address": address, "version": __version__}
    inputs = _inputs(sources, former.inputs if former else {})
    site = _Site(folder, settings, inputs, Commits(repository, address))
    new = _new(sources, former, settings, inputs)
    if former is None or new is None or not site.add(former, new):
        site.make([(source, source.files()) for source in sources])
    return site.published()


def _inputs(sources: Iterable[Source], known: Mapping[str, list[Any]]) -> _Inputs:
    """Tell what each file is; one whose size and time did not change is not read for it."""
    inputs: _Inputs = {}
    for source in sources:
        for path in (*source.files(), *source.trace_files()):
            try:
                stat = path.stat()
                was = known.get(str(path))
                same = was is not None and was[:2] == [stat.st_size, stat.st_mtime_ns]
                digest = was[2] if was is not None and same else source.digest(path)
                inputs[str(path)] = [stat.st_size, stat.st_mtime_ns, digest]
            except OSError:
                # The reader says what is wrong with it.
                inputs[str(path)] = [0, 0, ""]
    return inputs


def _new(
    sources: Iterable[Source], former: Manifest | None, settings: Mapping[str, Any], inputs: _Inputs
) -> list[tuple[Source, tuple[Path, ...]]] | None:
    """List the files that were not there; ``None`` if others changed, so that all must be read."""
    if former is None or former.settings != settings or set(former.inputs) - set(inputs):
        return None
    if any(former.inputs[name][2] != inputs[name][2] for name in former.inputs):
        return None
    new = []
    for source in sources:
        if any(str(path) not in former.inputs for path in source.trace_files()):
            return None
        paths = tuple(path for path in source.files() if str(path) not in former.inputs)
        if paths and not source.grows_by(paths):
            return None
        if paths:
            new.append((source, paths))
    return new


def _cells(page: Gathered) -> int:
    return sum(len({cell for column in columns for cell in column.cells}) for columns in page.lines.values())


class _Site:
    """A site that is being written."""

    def __init__(self, folder: Folder, settings: dict[str, Any], inputs: _Inputs, commits: Commits) -> None:
        self._folder, self._commits = folder, commits
        self._catalogue = Catalogue()
        self._manifest = Manifest(settings=settings, inputs=inputs)
        self._limits = limits_for(1)
        self._added = False

    def make(self, parts: list[tuple[Source, tuple[Path, ...]]]) -> None:
        """Read everything and write what differs from what is there."""
        self._catalogue, self._added = Catalogue(), False
        manifest = self._manifest
        manifest.pages, manifest.problems = {}, {}
        pages = gather(self._batches(parts), self._catalogue)
        traces = self._traces(source for source, _ in parts)
        if not pages and not traces:
            told = " ".join(sorted(set(manifest.problems.values())))
            msg = f"A site is made of results: there are none.{f' {told}' if told else ''} Run 'make bench' first."
            raise ResultsError(msg)
        self._begin()
        self._folder.write(traces)
        manifest.family = family_of(sum(_cells(page) for page in pages.values()))
        self._limits = limits_for(manifest.family)
        for key in sorted(pages):
            page, files = fresh(key, pages.pop(key), self._catalogue, taken=manifest.pages, limits=self._limits)
            self._keep(page, files)
            manifest.pages[page.name]["key"] = list(key)
        self._end()
        keys = [f"b/{name}" for name in manifest.pages]
        for name, entry in manifest.pages.items():
            keys += [segment_key(name, number) for number in range(entry["segments"])]
        self._folder.keep(["index", *keys, *traces])

    def add(self, former: Manifest, parts: list[tuple[Source, tuple[Path, ...]]]) -> bool:
        """Put what is new behind what is there, if it can stand there."""
        manifest = self._manifest
        manifest.pages, manifest.problems = dict(former.pages), dict(former.problems)
        manifest.made, manifest.family, manifest.traces = former.made, former.family, former.traces
        manifest.limits = former.limits
        self._limits = limits_for(former.family, unpack(former.limits) if former.limits else None)
        self._added = True
        if not parts:
            # The page itself may be of another build of this release.
            self._folder.write_page(str(manifest.settings["title"]))
            self._folder.end(manifest)
            return True
        try:
            self._catalogue = Catalogue.read(from_script(self._folder.read("index")))
            done = self._grown(former, gather(self._batches(parts), self._catalogue))
        except (OutOfOrderError, OSError, ValueError, KeyError, IndexError):
            # Behind a number that is older, or from files that someone changed, nothing can be added.
            return False
        self._begin()
        for key, page, files in done:
            self._keep(page, files)
            manifest.pages[page.name]["key"] = list(key)
        self._end()
        return True

    def _grown(
        self, former: Manifest, pages: Mapping[PageKey, Gathered]
    ) -> list[tuple[PageKey, Page, Mapping[str, bytes]]]:
        names = {tuple(page["key"]): name for name, page in former.pages.items()}
        done: list[tuple[PageKey, Page, Mapping[str, bytes]]] = []
        for key in sorted(pages):
            if key in names:
                grown = extended(names[key], pages[key], self._catalogue, read=self._folder.read, limits=self._limits)
            else:
                taken = former.pages | {page.name: {} for _, page, _ in done}
                grown = fresh(key, pages[key], self._catalogue, taken=taken, limits=self._limits)
            done.append((key, *grown))
        return done

    def _traces(self, sources: Iterable[Source]) -> dict[str, bytes]:
        """Read the traces; files by key."""
        stored = [trace for source in sources for trace in source.traces(self._manifest.problems)]
        self._manifest.traces, files = trace_files(stored)
        return files

    def _batches(self, parts: Iterable[tuple[Source, tuple[Path, ...]]]) -> Any:
        for source, paths in parts:
            yield from source.batches(paths, self._commits, self._manifest.problems)

    def _begin(self) -> None:
        self._folder.begin()
        self._folder.write_page(str(self._manifest.settings["title"]))

    def _keep(self, page: Page, files: Mapping[str, bytes]) -> None:
        self._folder.write(files)
        head = files[f"b/{page.name}"]
        self._manifest.pages[page.name] = {
            "summary": summary_of(page, hashlib.sha256(head).hexdigest()[:8]),
            "groups": [group_fields(group) for group in groups_of(page)],
            "segments": page.segments,
        }

    def _end(self) -> None:
        manifest = self._manifest
        manifest.limits = pack(self._limits.table, single=False)
        manifest.made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        index = index_of(
            self._catalogue,
            title=str(manifest.settings["title"]),
            made=manifest.made,
            version=__version__,
            pages=[page["summary"] for page in manifest.pages.values()],
            groups=[read_group(raw) for page in manifest.pages.values() for raw in page["groups"]],
            traces=manifest.traces,
            problems=manifest.problems.values(),
        )
        self._folder.write({"index": to_script("index", index)})
        self._folder.end(manifest)

    def published(self) -> Published:
        """Tell what was written."""
        summaries = [page["summary"] for page in self._manifest.pages.values()]
        return Published(
            page=self._folder.page,
            pages=len(summaries),
            cells=sum(summary["cells"] for summary in summaries),
            columns=max((summary["columns"] for summary in summaries), default=0),
            written=self._folder.written,
            added=self._added,
            problems=tuple(sorted(set(self._manifest.problems.values()))),
        )
