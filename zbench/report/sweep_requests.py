"""The page on what each release of a library asks of a store: every change named, and the whole history."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from zbench.report.text import listed, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbench.results import Row

__all__ = ["Cost", "ReleaseNote", "companions", "costs", "requests_page", "spans"]

_TIMES = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseNote:
    """What is known of a release beside its numbers.

    Attributes
    ----------
    version
        The release.
    python
        Interpreter that it ran in.
    beside
        Versions of the packages that were held still beside it.
    gap
        Why there are no numbers; empty if there are.
    """

    version: str
    python: str
    beside: str
    gap: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation asked of the store.

    Attributes
    ----------
    requests
        Number of requests.
    composition
        What they were.
    bytes_moved
        Payload, fetched and written.
    """

    requests: int
    composition: str
    bytes_moved: int


@dataclass(frozen=True, slots=True)
class _Change:
    earlier: str
    later: str
    layout: str
    operation: str
    before: Cost
    after: Cost


def costs(rows: Iterable[Row], run_release: Mapping[str, str]) -> dict[tuple[str, str, str], dict[str, Cost]]:
    """Put the numbers of each operation together.

    Parameters
    ----------
    rows
        Rows of exact counts.
    run_release
        From the run of a row to its release.

    Returns
    -------
    dict
        From layout, chain and operation to what it cost in each release.
    """
    numbers: dict[tuple[str, str, str], dict[str, dict[str, Row]]] = {}
    for row in rows:
        if row.exact and row.pattern and row.value is not None:
            key = (row.layout, row.chain, row.pattern)
            numbers.setdefault(key, {}).setdefault(run_release[row.run], {})[row.metric] = row
    return {
        key: {
            version: Cost(
                int(found["requests"].value or 0),
                found["requests"].note,
                int((found["bytes_fetched"].value or 0) + (found["bytes_written"].value or 0)),
            )
            for version, found in by_release.items()
        }
        for key, by_release in numbers.items()
    }


def spans(versions: Sequence[str], said: Mapping[str, str]) -> list[tuple[str, str]]:
    """Put releases that say the same, one after the other, together.

    Parameters
    ----------
    versions
        Releases in order.
    said
        What each says; those without a word are passed over.

    Returns
    -------
    list of tuple
        First and last release as text, and what they say.
    """
    known = [(version, said[version]) for version in versions if version in said]
    found = []
    for text, group in groupby(known, key=lambda pair: pair[1]):
        members = [version for version, _ in group]
        found.append((members[0] if len(members) == 1 else f"{members[0]} to {members[-1]}", text))
    return found


def companions(axis: str, versions: Sequence[str], beside: Mapping[str, str]) -> str:
    """Tell what else moved between releases, for it may be why a number did.

    Parameters
    ----------
    axis
        The package.
    versions
        Releases in order.
    beside
        By release, the versions of the packages that were held still beside it.

    Returns
    -------
    str
        A paragraph; empty if nothing else moved.
    """
    found = spans(versions, beside)
    if len(found) < 2:
        return ""
    told = "; ".join(f"{span} beside {text}" for span, text in found)
    return f"Not every release can be had with the same packages, which may be a cause beside {axis}: {told}."


def requests_page(
    axis: str,
    notes: Sequence[ReleaseNote],
    rows: Sequence[Row],
    *,
    dataset: str,
    date: str,
    command: str,
) -> str:
    """Write the page.

    Parameters
    ----------
    axis
        The package.
    notes
        Its releases, oldest first.
    rows
        Numbers; the run of a row is ``axis==release``.
    dataset
        Volume that the arrays are of.
    date
        Day of the counting.
    command
        What makes the page again.

    Returns
    -------
    str
        Markdown.
    """
    versions = [note.version for note in notes]
    found = costs(rows, {f"{axis}=={version}": version for version in versions})
    bare = {(layout, operation): by for (layout, chain, operation), by in found.items() if chain == "none"}
    changes = [one for key, by in bare.items() for one in _changes(key, by, versions)]
    layouts = list(dict.fromkeys(layout for layout, _ in bare))
    counted = [note for note in notes if not note.gap]
    parts = [
        f"# What each release of {axis} asks of a store",
        "This page is generated; edit neither numbers nor sentences.",
        _verdict(axis, counted, bare, changes),
        companions(axis, [note.version for note in counted], {note.version: note.beside for note in counted}),
        (
            f"Each release stored a cube of 80 voxels cut out of `{dataset}`, in chunks of 32 and shards of 64, so "
            "that chunks and shards stick out of the volume at three sides; it was opened, read and written in part, "
            f"and every request to its local store was counted, on {date}. Each operation was counted twice; what was "
            "read was compared with what was written. On an object store each request costs a round trip, some 30 to "
            "100 ms."
        ),
        (
            "`create` makes the array, `open` and `open_writable` open it again; `read_patch` asks for a cube of 32 "
            "voxels that lies across eight chunks, `read_edge` and `write_edge` for the last chunk, which sticks out; "
            "`write_part` writes a part of one chunk. `get of nothing` is a request for what is not there. The "
            "arrays of this page have no codec; those with `blosc-zstd-5-shuffle` are in the results beside it."
        ),
        "## What changed, and when",
        *_by_release(axis, changes, versions, {note.version: note.beside for note in counted}),
        "## Every operation",
        *(part for layout in layouts for part in _layout(layout, bare, versions)),
        *_same_with_codec(found),
        "## Gaps",
        _gaps(axis, notes, rows, versions),
        "## What was installed",
        (
            "All releases ran in the same interpreter with the same packages beside them, as far as they can be had "
            "together: the fewer of them differ between two releases, the less but the release itself can be why a "
            "number changed."
        ),
        table(
            ["releases", "Python", "beside it"],
            [
                [span, *text.split("|", 1)]
                for span, text in spans(versions, {note.version: f"{note.python}|{note.beside}" for note in counted})
            ],
            texts=3,
        ),
        f"## Make this page again\n\n```\n{command}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _changes(key: tuple[str, str], by: Mapping[str, Cost], versions: Sequence[str]) -> list[_Change]:
    layout, operation = key
    known = [version for version in versions if version in by]
    return [
        _Change(earlier, later, layout, operation, by[earlier], by[later])
        for earlier, later in pairwise(known)
        if by[earlier].composition != by[later].composition
    ]


def _verdict(
    axis: str,
    counted: Sequence[ReleaseNote],
    bare: Mapping[tuple[str, str], Mapping[str, Cost]],
    changes: Sequence[_Change],
) -> str:
    if not counted:
        return f"**No release of {axis} could be counted here; the gaps below say why.**"
    more = [one for one in changes if one.after.requests > one.before.requests]
    fewer = [one for one in changes if one.after.requests < one.before.requests]
    text = (
        f"**{len(counted)} releases of {axis}, {counted[0].version} to {counted[-1].version}: of {len(bare)} "
        f"operations on arrays {len({(one.layout, one.operation) for one in changes})} changed what they ask, "
        f"{len(changes)} times in all, {len(more)} times to more requests and {len(fewer)} times to fewer.**"
    )
    latest = [
        (layout, operation, cheapest, newest)
        for (layout, operation), by in bare.items()
        if counted[-1].version in by
        for newest, cheapest in [(by[counted[-1].version], min(by.values(), key=lambda cost: cost.requests))]
        if newest.requests > cheapest.requests
    ]
    if not latest:
        return text + f" {axis} {counted[-1].version} asks for nothing more than any release before it did."
    told = listed(
        [
            f"{operation} of {layout} ({newest.requests} against {least.requests})"
            for layout, operation, least, newest in latest
        ]
    )
    return text + f" {axis} {counted[-1].version} asks for more than the best release before it at {told}."


def _by_release(axis: str, changes: Sequence[_Change], versions: Sequence[str], beside: Mapping[str, str]) -> list[str]:
    if not changes:
        return ["Nothing changed."]
    order = {version: place for place, version in enumerate(versions)}
    parts = []
    steps = sorted({(one.earlier, one.later) for one in changes}, key=lambda pair: (order[pair[1]], order[pair[0]]))
    for earlier, later in steps:
        rows = [
            [
                one.layout,
                one.operation,
                one.before.composition,
                one.after.composition,
                f"{one.after.requests - one.before.requests:+d}",
                _moved(one),
            ]
            for one in changes
            if (one.earlier, one.later) == (earlier, later)
        ]
        parts += [
            f"### {earlier} → {later}",
            companions(axis, [earlier, later], beside),
            table(["array", "operation", "before", "after", "requests", "bytes moved"], rows, texts=4),
        ]
    return parts


def _moved(change: _Change) -> str:
    before, after = change.before.bytes_moved, change.after.bytes_moved
    if before == after:
        return f"{after:,}"
    note = f" ({after / before:.2g} times)" if before and not 1 / _TIMES < after / before < _TIMES else ""
    return f"{before:,} → {after:,}{note}"


def _layout(layout: str, bare: Mapping[tuple[str, str], Mapping[str, Cost]], versions: Sequence[str]) -> list[str]:
    rows = []
    for (of, operation), by in bare.items():
        if of == layout:
            for place, (span, said) in enumerate(spans(versions, {v: cost.composition for v, cost in by.items()})):
                moved = sorted({cost.bytes_moved for cost in by.values() if cost.composition == said})
                rows.append([operation if not place else "", span, said, _range(moved)])
    return [f"### `{layout}`", table(["operation", "releases", "requests", "bytes moved"], rows, texts=3)]


def _range(moved: Sequence[int]) -> str:
    return f"{moved[0]:,}" if len(moved) == 1 else f"{moved[0]:,} to {moved[-1]:,}"


def _same_with_codec(found: Mapping[tuple[str, str, str], Mapping[str, Cost]]) -> list[str]:
    """Say where a codec makes the requests others, which bytes alone should not."""
    apart = []
    for (layout, chain, operation), by in found.items():
        bare = found.get((layout, "none", operation), {})
        if chain != "none" and any(bare[v].composition != by[v].composition for v in by if v in bare):
            apart.append(f"`{operation}` of `{layout}`")
    if not apart:
        return ["With a codec each of these operations asks for exactly as many requests, in every release."]
    return [f"With a codec the requests are others, in some release, at {listed(apart)}."]


def _gaps(axis: str, notes: Sequence[ReleaseNote], rows: Iterable[Row], versions: Sequence[str]) -> str:
    said: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.value is None:
            version = row.run.partition("==")[2]
            # The release stands in the first column; in its words it would keep equal gaps apart.
            said.setdefault(row.layout, {})[version] = row.note.replace(version, "…")
    lines = [
        [span, "all", text]
        for span, text in spans(
            versions, {note.version: note.gap.replace(note.version, "…") for note in notes if note.gap}
        )
    ]
    lines += [[span, f"`{layout}`", text] for layout, by in said.items() for span, text in spans(versions, by)]
    return table([f"releases of {axis}", "arrays", "why there is no number"], lines, texts=3) or "There are none."
