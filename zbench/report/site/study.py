"""The page on the scale of publishing."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Protocol

from zbench.report.text import number, table
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbench.model import Environment

__all__ = ["PublishFindings", "Run", "Visited", "publish_page"]

_FASTER, _MEMORY_BYTES, _SHARE = 10, 2 * 2**30, 0.05
_FIRST_S, _FIRST_BYTES, _VIEW_S = 1.0, 2**20, 3.0
_PAIRED = ("series", "asv publish", "zbench publish", "times faster", "asv memory", "zbench memory")
_VISITS = (
    "Headless Chromium, a server on this machine, nothing kept from before; the time is from the address to what the "
    "view is about, painted. The median of the visits, and the slowest."
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one publication took.

    Attributes
    ----------
    seconds
        From begin to end of the process.
    peak_bytes
        Memory of its largest process.
    """

    seconds: float
    peak_bytes: int


class Visited(Protocol):
    """A view that was visited."""

    @property
    def name(self) -> str:
        """Of the view."""

    @property
    def seconds(self) -> tuple[float, ...]:
        """Of each visit."""

    @property
    def transferred_bytes(self) -> int:
        """Of all that was loaded."""

    @property
    def requests(self) -> int:
        """Number of files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishFindings:
    """What the study found.

    Attributes
    ----------
    series, commits
        Of the whole history.
    input_bytes, site_bytes, index_bytes
        Of the result files, of the site, and of what its first view loads of it.
    turns
        Of `zbench publish`, in turn: one commit more, and all of it anew.
    nothing
        When there was nothing new.
    pairs
        For smaller histories their number of series, with what asv and zbench took.
    views
        In a browser.
    machine
        What it holds for.
    date
        Day of the measurement.
    """

    series: int
    commits: int
    input_bytes: int
    site_bytes: int
    index_bytes: int
    turns: Sequence[tuple[Run, Run]]
    nothing: Run
    pairs: Sequence[tuple[int, Run, Run]]
    views: Sequence[Visited]
    machine: Environment
    date: str

    @property
    def expected_asv_s(self) -> float:
        """What asv would take for all, by its largest history here: measured, where that was all."""
        series, asv, _ = self.pairs[-1]
        return asv.seconds * self.series / series

    @property
    def full(self) -> Run:
        """All: the median of the turns, and the most memory."""
        return _typical([anew for _, anew in self.turns])

    @property
    def incremental(self) -> Run:
        """One commit more: the median of the turns, and the most memory."""
        return _typical([more for more, _ in self.turns])

    @property
    def shares(self) -> tuple[float, float, float]:
        """Time for one commit more ÷ time for all of it, of each turn: the median, the least and the most."""
        each = [more.seconds / anew.seconds for more, anew in self.turns]
        return median(each), min(each), max(each)

    @property
    def faster(self) -> float:
        """Time of asv ÷ time of zbench: on the same files, where asv published all."""
        series, _, ours = self.pairs[-1]
        return self.expected_asv_s / (ours if series == self.series else self.full).seconds


def _typical(runs: Sequence[Run]) -> Run:
    return Run(median(run.seconds for run in runs), max(run.peak_bytes for run in runs))


def publish_page(found: PublishFindings) -> str:
    """Write the page.

    Parameters
    ----------
    found
        What was found.

    Returns
    -------
    str
        Markdown.
    """
    blocks = [
        "# The scale of publishing",
        "This page is generated; edit neither numbers nor sentences.",
        *_answers(found),
        _setting(found),
        "## Publishing",
        table(["what", "seconds", "largest process"], _publications(found)),
        _turns(found),
        "## Beside asv publish, on the same files",
        table(_PAIRED, _pairs(found)),
        _extrapolation(found),
        "## In a browser",
        table(["view", "seconds", "slowest visit", "transferred", "files"], _visits(found)),
        _VISITS,
        "## Make this page again",
        "```\nmake study-publish\n```",
    ]
    return "\n\n".join(blocks) + "\n"


def _setting(found: PublishFindings) -> str:
    machine = found.machine
    place = f"{machine.cpu}, {machine.cores} cores, {format_bytes(machine.memory_bytes)}, Python {machine.python}"
    return (
        f"{found.series:,} series of {found.commits:,} points, generated as asv would leave them "
        f"({format_bytes(found.input_bytes)} in {found.commits:,} files): of ten benchmarks seven are times with their "
        "intervals, one is memory, two are counts; one cell of ten steps by 2 to 20 %. Each publication is a process "
        f"of its own, with its start. Measured on {found.date}: {place}."
    )


def _answers(found: PublishFindings) -> Iterator[str]:
    share, least, most = found.shares
    measured = found.pairs[-1][0] == found.series
    source = "measured" if measured else f"extrapolated from {found.pairs[-1][0]:,} series"
    yield (
        f"**`zbench publish` is {number(found.faster)} times as fast as `asv publish` ({source}; aim {_FASTER}), takes "
        f"{format_bytes(found.full.peak_bytes)} of memory (aim {format_bytes(_MEMORY_BYTES)}), and after one new "
        f"commit {share:.1%} [{least:.1%}, {most:.1%}] of the full time (aim {_SHARE:.0%}).**"
    )
    first, slowest = found.views[0], max(found.views, key=lambda view: max(view.seconds))
    yield (
        f"**The first view takes {number(median(first.seconds))} s and {format_bytes(first.transferred_bytes)} (aims "
        f"{_FIRST_S:g} s and {format_bytes(_FIRST_BYTES)}); the slowest view, {slowest.name}, "
        f"{number(max(slowest.seconds))} s (aim {_VIEW_S:g} s).**"
    )


def _publications(found: PublishFindings) -> Iterator[list[str]]:
    for name, run in (("all", found.full), ("one commit more", found.incremental), ("nothing new", found.nothing)):
        yield [name, number(run.seconds), format_bytes(run.peak_bytes)]


def _turns(found: PublishFindings) -> str:
    count = len(found.turns)
    return (
        f"All, and one commit more, are the medians of {count} turns, in each of which one commit was added and then "
        f"all of it published anew; the interval of their ratio is from the least to the most of them, which holds the "
        f"median with {1 - 2 * 0.5**count:.0%}. The site has {format_bytes(found.site_bytes)}."
    )


def _pairs(found: PublishFindings) -> Iterator[list[str]]:
    for series, asv, ours in found.pairs:
        yield [
            f"{series:,}", f"{number(asv.seconds)} s", f"{number(ours.seconds)} s", number(asv.seconds / ours.seconds),
            format_bytes(asv.peak_bytes), format_bytes(ours.peak_bytes),
        ]  # fmt: skip


def _extrapolation(found: PublishFindings) -> str:
    series = found.pairs[-1][0]
    if series == found.series:
        return "asv published the whole history: nothing is extrapolated."
    return (
        f"asv was not run on all {found.series:,} series. By its time for {series:,}, in proportion, it would take "
        f"{number(found.expected_asv_s)} s; its start, which does not grow, makes that too much by some seconds."
    )


def _visits(found: PublishFindings) -> Iterator[list[str]]:
    for view in found.views:
        yield [
            view.name, number(median(view.seconds)), number(max(view.seconds)), format_bytes(view.transferred_bytes),
            str(view.requests),
        ]  # fmt: skip
