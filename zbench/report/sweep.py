"""The page on what each release of a library does to time and memory, held against an older one in the same rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.report.sweep_numbers import Family, Timings, against, beside, families, read_timings
from zbench.report.sweep_requests import companions
from zbench.report.text import NOTHING, details, interval, number, table
from zbench.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.model import Environment
    from zbench.report.sweep_numbers import Workload
    from zbench.results import Row
    from zbench.stats import Interval

__all__ = ["StepNote", "TimedRelease", "baseline_of", "times_page"]

# Read of everything in shards, zarr-python ÷ tensorstore, as others published it.
_PUBLISHED = {
    "zarr": (
        "Published for other machines and volumes (LDeakin/zarr_benchmarks): reading everything from shards took "
        "zarr-python 14.4 times as long as tensorstore in April 2025 (zarr 3.0.6, chunks of 32 in shards of 256), and "
        "3.3 times in December 2025 (chunks of 64); a round trip 48 and 5.0 times."
    )
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedRelease:
    """A release that was timed.

    Attributes
    ----------
    run
        What its rows have as their run.
    version
        The release.
    name
        Of another library that was timed beside the axis; empty for the axis' own.
    beside
        Versions of the packages that were held still beside it.
    """

    run: str
    version: str
    name: str
    beside: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepNote:
    """A step that was found in one series.

    Attributes
    ----------
    workload, metric
        What stepped.
    earlier, later
        The two releases around it.
    word
        Such as ``slower``.
    ratio
        After ÷ before; without an interval for exact numbers.
    exact
        Whether the number repeats to the digit.
    """

    workload: str
    metric: str
    earlier: str
    later: str
    word: str
    ratio: Interval
    exact: bool


def baseline_of(releases: Sequence[TimedRelease]) -> TimedRelease:
    """Choose the release that others are held against: the last of the oldest major release, or the oldest of all.

    Parameters
    ----------
    releases
        Those of the axis, oldest first.

    Returns
    -------
    TimedRelease
        One of them.
    """
    majors = [release.version.split(".", 1)[0] for release in releases]
    if len(set(majors)) == 1:
        return releases[0]
    return [release for release, major in zip(releases, majors, strict=True) if major == majors[0]][-1]


def times_page(
    axis: str,
    releases: Sequence[TimedRelease],
    rows: Sequence[Row],
    *,
    machine: Environment,
    date: str,
    command: str,
    figures: Sequence[str] = (),
    steps: Sequence[StepNote] = (),
) -> str:
    """Write the page.

    Parameters
    ----------
    axis
        The package.
    releases
        What was timed, oldest first, then other libraries beside it.
    rows
        Numbers of the timed cells.
    machine
        What the times hold for.
    date
        Day of the measurement.
    command
        What makes the page again.
    figures
        Names of the figures.
    steps
        Steps that were found in the series.

    Returns
    -------
    str
        Markdown.
    """
    own = [release for release in releases if not release.name]
    reference = next((release for release in releases if release.name), None)
    base = baseline_of(own)
    wall, processor, memory = (read_timings(rows, metric) for metric in ("wall_time", "cpu_time", "added_memory"))
    dataset = next(row.dataset for row in rows)
    cells = {(row.layout, row.chain) for row in rows if row.metric == "wall_time"}
    rounds = max(len(row.samples) for row in rows if row.metric == "wall_time")
    groups = families(wall)
    parts = [
        f"# What releases of {axis} do to times and memory",
        "This page is generated; edit neither numbers nor sentences.",
        *_verdicts(axis, own, base, reference, wall, memory, groups),
        (
            f"{len(own)} releases of {axis}, {own[0].version} to {own[-1].version}, on {len(cells)} cells of the "
            f"volume `{dataset}`, in {rounds} rounds: in each every release had one fresh process, and all tasks came "
            f"in one random order across the releases. Warm, on {date}: {machine.cpu}, {machine.cores} cores, Python "
            f"{machine.python}, {machine.filesystem}. A value is the median of a process; ratios are geometric means "
            "over the cells of a group, with the 95 % interval of the rounds. More than 1 is slower or bigger. `CPU` "
            "is the time of all threads of the process, which a busy machine disturbs less; `memory` is what an "
            "operation took beyond what was there."
        ),
        companions(axis, [one.version for one in own], {one.version: one.beside for one in own}),
        *(f"![{name}]({name})" for name in figures),
        *_groups(own, base, (wall, processor, memory), groups),
        *_shards(axis, own, reference, wall, groups),
        *_steps(steps, len(own)),
        "## Every time",
        details(
            "Median time of each release and workload",
            _everything(own, reference, wall),
        ),
        f"## Make this page again\n\n```\n{command}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _last_of_minors(own: Sequence[TimedRelease], base: TimedRelease) -> list[TimedRelease]:
    """Take the last release of each minor release after the baseline."""
    minors = {tuple(release.version.split(".")[:2]): release for release in own}
    place = own.index(base)
    return [release for release in minors.values() if own.index(release) > place]


def _verdicts(
    axis: str,
    own: Sequence[TimedRelease],
    base: TimedRelease,
    reference: TimedRelease | None,
    wall: Timings,
    memory: Timings,
    groups: Sequence[Family],
) -> list[str]:
    told = []
    for group in groups:
        held = base if wall.has(base.run, group) else _first_with(own, wall, group)
        if held is None:
            continue
        others = [release for release in _last_of_minors(own, base) if release is not held]
        found = [(release, against(wall, held.run, release.run, group)) for release in others]
        text = ", ".join(f"{interval(ratio)} with {release.version}" for release, ratio in found if ratio is not None)
        if text:
            told.append(f"**{group.title}**: {text}, times as long as with {axis} {held.version}.")
    for group in groups:
        if not group.is_whole:
            continue
        held = base if memory.has(base.run, group) else _first_with(own, memory, group)
        if held is None:
            continue
        found = [
            (release, against(memory, held.run, release.run, group))
            for release in _last_of_minors(own, base)
            if release is not held
        ]
        text = ", ".join(f"{interval(ratio)} with {release.version}" for release, ratio in found if ratio is not None)
        if text:
            told.append(f"**Memory that {group.title.lower()} add**: {text}, times that of {axis} {held.version}.")
    return ["\n".join(f"- {line}" for line in told), *_story(axis, own, reference, wall, groups)]


def _first_with(own: Sequence[TimedRelease], timings: Timings, group: Family) -> TimedRelease | None:
    return next((release for release in own if timings.has(release.run, group)), None)


def _story(
    axis: str,
    own: Sequence[TimedRelease],
    reference: TimedRelease | None,
    wall: Timings,
    groups: Sequence[Family],
) -> list[str]:
    sharded = next((group for group in groups if group.is_sharded and group.operation == "full_read"), None)
    if reference is None or sharded is None:
        return []
    known = [release for release in own if wall.has(release.run, sharded)]
    if len(known) < 2:
        return []
    first, last = (against(wall, reference.run, release.run, sharded) for release in (known[0], known[-1]))
    return [
        _PUBLISHED.get(axis, ""),
        (
            f"Here, in one and the same rounds, reading everything from shards took {axis} {known[0].version} "
            f"{interval(first)} times as long as {reference.name.replace('==', ' ')}, and {axis} {known[-1].version} "
            f"{interval(last)} times."
        ),
    ]


def _groups(
    own: Sequence[TimedRelease],
    base: TimedRelease,
    metrics: tuple[Timings, Timings, Timings],
    groups: Sequence[Family],
) -> list[str]:
    wall, processor, memory = metrics
    parts = []
    for kind in dict.fromkeys(group.kind for group in groups):
        chosen = [group for group in groups if group.kind == kind]
        first = _first_with(own, wall, chosen[0])
        if first is None:
            continue
        held = base if wall.has(base.run, chosen[0]) else first
        whole = [group for group in chosen if group.is_whole]
        rows = [
            [
                release.version,
                *(_told(against(wall, held.run, release.run, group), release is held) for group in chosen),
                *(
                    _told(against(timings, held.run, release.run, group), release is held)
                    for timings in (processor, memory)
                    for group in whole
                ),
            ]
            for release in own
            if wall.has(release.run, chosen[0])
        ]
        heads = [
            "release",
            *(group.short for group in chosen),
            *(f"{what}, {group.short}" for what in ("CPU", "memory") for group in whole),
        ]
        cells = len({(one.layout, one.chain) for one in chosen[0].workloads})
        parts += [f"## {kind}, against {held.version}", f"{cells} cells.", table(heads, rows, texts=1)]
    return parts


def _told(found: Interval | None, is_base: bool) -> str:  # noqa: FBT001 - one call, in a list of cells
    return "1" if is_base else interval(found)


def _shards(
    axis: str,
    own: Sequence[TimedRelease],
    reference: TimedRelease | None,
    wall: Timings,
    groups: Sequence[Family],
) -> list[str]:
    sharded = [group for group in groups if group.is_sharded]
    if not sharded:
        return []
    rows = []
    for release in own:
        if not wall.has(release.run, sharded[0]):
            continue
        apart = [interval(beside(wall, release.run, group)) for group in sharded if group.operation != "train_patch-32"]
        other = (
            [interval(against(wall, reference.run, release.run, group)) for group in groups if group.is_whole]
            if reference
            else []
        )
        rows.append([release.version, *apart, *other])
    inside = [f"{group.short}: shards ÷ no shards" for group in sharded if group.operation != "train_patch-32"]
    outside = (
        [f"{group.title.lower()} ÷ {reference.name.replace('==', ' ')}" for group in groups if group.is_whole]
        if reference
        else []
    )
    return [
        f"## Shards, and {axis} beside another library",
        (
            "Shards ÷ no shards is the same chunks with the same codecs by the same release. The other library was "
            "timed in the same rounds on arrays that it wrote itself."
        ),
        table(["release", *inside, *outside], rows, texts=1),
    ]


def _steps(steps: Sequence[StepNote], count: int) -> list[str]:
    if not steps:
        return []
    grouped: dict[tuple[str, str, str, str], list[StepNote]] = {}
    for step in steps:
        grouped.setdefault((step.earlier, step.later, step.metric, step.word), []).append(step)
    rows = [
        [
            f"{earlier} → {later}",
            metric,
            word,
            str(len(found)),
            number(sorted(one.ratio.estimate for one in found)[len(found) // 2]),
            _extreme(found),
        ]
        for (earlier, later, metric, word), found in grouped.items()
    ]
    return [
        "## Steps",
        (
            "Where a series changes its level, found by `zbench history` in all series together; the chance of any "
            f"false step among the times is 1 %. With {count} releases and few rounds only large steps can be told."
        ),
        table(["between", "metric", "what", "series", "median ratio", "largest"], rows, texts=3),
    ]


def _extreme(found: Sequence[StepNote]) -> str:
    most = max(found, key=lambda one: abs(one.ratio.estimate - 1))
    told = number(most.ratio.estimate) if most.exact else interval(most.ratio)
    return f"{told} ({most.workload})"


def _everything(own: Sequence[TimedRelease], reference: TimedRelease | None, wall: Timings) -> str:
    every = [*own, *([reference] if reference else [])]
    workloads: dict[Workload, None] = {}
    for release in every:
        workloads |= dict.fromkeys(wall.workloads(release.run))
    rows = [
        [
            one.layout,
            one.chain,
            one.operation,
            *(_median(wall, release.run, one) for release in every),
        ]
        for one in sorted(workloads)
    ]
    heads = ["layout", "chain", "operation", *(release.name.replace("==", " ") or release.version for release in every)]
    return table(heads, rows, texts=3)


def _median(wall: Timings, run: str, workload: Workload) -> str:
    found = wall.median(run, workload)
    return NOTHING if found is None else format_duration(found * 1e9)
