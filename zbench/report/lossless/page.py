"""The page: what was run, what was found, and what the published figures are worth beside it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.report.lossless import sections
from zbench.report.lossless.arithmetic import recomputed
from zbench.report.lossless.claims import SWEEP_CHAIN, codec_claims, measured
from zbench.report.lossless.contrast import pooled
from zbench.report.lossless.findings import engine_findings, fastest, format_findings, headlines, shard_findings
from zbench.report.lossless.published import published
from zbench.report.lossless.sets import LABEL_RULE
from zbench.report.lossless.verdict import Judgement
from zbench.report.text import NOTHING, details, interval, listed, number, table
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zbench.report.lossless.figures import Figure
    from zbench.report.lossless.record import Cell, Record, Refusal
    from zbench.report.lossless.verdict import Judged

__all__ = ["PageInfo", "VolumeNote", "page"]

_OPERATIONS = ("full_read", "write", "xy_plane", "xz_plane", "yz_plane", "train_patch-32")
_PARTS = ("environment", "engine", "layout", "chain", "dataset")


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeNote:
    """What the registry says of a volume.

    Attributes
    ----------
    title, licence, citation
        Empty where the registry does not say.
    """

    title: str = ""
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageInfo:
    """What the page says beside the record.

    Attributes
    ----------
    date
        Day (ISO 8601) on which the last entry of the record was made.
    command
        What makes the page again.
    tasks
        Number of values, one a task and round, that a whole run has.
    volumes
        What the registry says, by dataset.
    figures
        What was drawn.
    """

    date: str
    command: str
    tasks: int
    volumes: dict[str, VolumeNote]
    figures: tuple[Figure, ...] = ()


def page(record: Record, info: PageInfo) -> str:
    """Write the page.

    Parameters
    ----------
    record
        The run, whole or not.
    info
        What is said beside it.

    Returns
    -------
    str
        Markdown.
    """
    again, worked_out = measured(record), recomputed()
    parts = (
        "# Lossless storage: codec, chunk, shard, format and library on real volumes",
        "This page is generated from a run's record; edit neither numbers nor sentences.",
        _completeness(record, info),
        _bullets(headlines(record, (*again, *worked_out))),
        "## What was run",
        _what_was_run(record, info),
        "## Codec chains by library",
        _codecs(record, info),
        "## Chunks",
        _chunks(record, info),
        "## The chunk table of the cryoET extension",
        _roadmap(record),
        "## Shards",
        _shards(record, info),
        "## Where ours agree with the published figures, and which published figures are wrong",
        _published(record, again, worked_out),
        "## Refused and failed",
        _missing(record),
        "## Make this page again",
        f"```\n{info.command}\n```",
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _completeness(record: Record, info: PageInfo) -> str:
    there = sum(len(times.wall_ns) for times in record.times.values())
    if there >= info.tasks:
        return f"The run is complete: {there:,} of {info.tasks:,} values (one for each task and round)."
    return (
        f"**The run is not complete:** {there:,} of {info.tasks:,} values (one for each task and round) are there, "
        f"{100 * there / max(info.tasks, 1):.0f} %. What is missing shows as {NOTHING}."
    )


def _what_was_run(record: Record, info: PageInfo) -> str:
    head = record.head
    rounds = sorted({place for times in record.times.values() for place in times.wall_ns})
    size = head.get("volume_size")
    crop = f"at most {size} voxels an axis, from the middle" if size else "whole"
    paragraphs = (
        (
            f"Preset `{head.get('preset', '?')}` at commit {str(head.get('commit', '?'))[:8]}, "
            f"last entry of {info.date}, volumes {crop}, {len(rounds)} rounds."
        ),
        _volumes(record, info),
        _machines(record),
        (
            "In each round every environment has one fresh process, and all tasks of a volume come in one random order "
            "across the environments. A round gives one value a task, the median of its samples, and the round is the "
            "unit: intervals are Student's on the logarithms of these values, 95 %, not corrected for their number, so "
            "about one in twenty misses. Ratios are taken within rounds; a mean over volumes is geometric and its "
            "interval holds for these volumes alone. Every cell was read back and compared before it was timed."
        ),
        (
            "Times are wall times of warm reads and writes: the page cache holds the store, which lies on a local "
            "disk. They say nothing of a cold disk or of object storage. The compression ratio is logical bytes ÷ "
            f"stored bytes, metadata and padding included. For the published figures, {LABEL_RULE}."
        ),
        _control(record),
        "All numbers: [`lossless.csv`](lossless.csv).",
    )
    return "\n\n".join(part for part in paragraphs if part)


def _volumes(record: Record, info: PageInfo) -> str:
    rows = []
    for dataset in record.datasets:
        note, example = info.volumes.get(dataset, VolumeNote()), record.example(dataset)
        shape = NOTHING if example is None else "x".join(map(str, example.shape))
        dtype = NOTHING if example is None else example.dtype
        rows.append([dataset, note.title or NOTHING, shape, dtype, note.licence or NOTHING, note.citation or NOTHING])
    return table(["volume", "what it is", "shape (z, y, x)", "dtype", "licence", "citation"], rows, texts=6)


def _machines(record: Record) -> str:
    rows = []
    for name, machine in record.machines.items():
        facts = machine.facts
        versions = ", ".join(f"{package} {version}" for package, version in sorted(machine.packages.items()))
        where = f"{facts['cpu']}, {facts['cores']} cores, {format_bytes(facts['memory_bytes'])}, {facts['os']}"
        limits = ", ".join(f"{key}={value}" for key, value in facts["threads"]) or "none set"
        rows.append([name, facts["python"], versions, where, facts["filesystem"], limits])
    heads = ["environment", "Python", "packages", "machine", "filesystem", "thread limits"]
    return table(heads, rows, texts=6)


def _control(record: Record) -> str:
    """Compare an engine release with itself in two environments: what is not it should not show."""
    sentences = []
    for place, first in enumerate(record.columns):
        for second in record.columns[place + 1 :]:
            machines = [record.machines.get(column.environment) for column in (first, second)]
            versions = [machine.packages.get(first.engine) if machine else None for machine in machines]
            if first.engine == second.engine == "tensorstore" and versions[0] == versions[1]:
                together = pooled(
                    (times, record.times.get((cell._replace(environment=second.environment), operation)))
                    for (cell, operation), times in record.times.items()
                    if cell.column == first
                )
                if together:
                    same = "holds" if not together.interval.excludes_one else "does not hold"
                    sentences.append(
                        f"Control: {first.engine} {versions[0]} in {second.environment} takes "
                        f"{interval(together.interval)} times what the same release takes in {first.environment} "
                        f"({together.pairs} pairs); the interval {same} 1. Differences of that size between "
                        "environments are not the library's."
                    )
    return " ".join(sentences)


def _figure(info: PageInfo, name: str) -> str:
    found = next((figure for figure in info.figures if figure.name == name), None)
    return f"![{found.alternative}]({found.name}.svg)" if found else ""


def _codecs(record: Record, info: PageInfo) -> str:
    parts = [
        _figure(info, "lossless-pareto"),
        (
            "Time with a chain ÷ time with `none`, geometric mean over volumes with its interval; = marks what cannot "
            "be told apart from no compression; the ratio is the geometric mean over volumes. The intervals in the "
            "figure hold the drift of the machine between rounds, which falls out of ratios."
        ),
    ]
    for layout in ("v2-c64", "v3-c64"):
        for verb, operation in (("reading", "full_read"), ("writing", "write")):
            parts.append(details(f"{verb}, {layout}", sections.chain_summary(record, layout, operation)))
    parts.append("### Engine against engine")
    found = (*engine_findings(record, ("v2-c64", "v3-c64")), *format_findings(record))
    parts.append(_bullets(found) or "Nothing to compare yet.")
    parts.append("### Fastest chains, and those that cannot be told apart from them")
    heads = ["volume", "layout", "engine", "fastest", "cannot be told apart from it"]
    for verb, operation in (("reading", "full_read"), ("writing", "write")):
        parts.append(details(verb, table(heads, fastest(record, operation), texts=5)))
    parts.append("### Volume by volume")
    parts.extend(details(dataset, sections.codec_tables(record, dataset)) for dataset in record.datasets)
    return "\n\n".join(part for part in parts if part)


def _chunks(record: Record, info: PageInfo) -> str:
    parts = [
        _figure(info, "lossless-chunks"),
        f"All with {SWEEP_CHAIN}. Time ÷ time with chunks of 64 of the same format, geometric mean over volumes.",
    ]
    parts.extend(details(name, sections.layout_summary(record, name, sharded=False)) for name in _OPERATIONS)
    parts.append("### What a chunk costs beyond its bytes")
    parts.append(
        "Slope of the time of a whole read over the number of chunks, cubes with the least padding, mean over volumes."
    )
    parts.append(sections.chunk_costs(record) or "Too few rounds or chunk shapes yet.")
    parts.append("### Amplification and requests")
    parts.append("Bytes decoded ÷ bytes needed, and in brackets the requests to the store, opening included.")
    parts.extend(details(dataset, sections.counts_table(record, dataset)) for dataset in record.datasets)
    return "\n\n".join(part for part in parts if part)


def _roadmap(record: Record) -> str:
    column = record.column("zarr-python")
    label = record.labels[column] if column else "no zarr-python"
    setup = published()["sources"]["cryoet"]["setup"]
    intro = f"Published: {published().cited('chunks')}, {setup}. Ours: {label}, format 2, {SWEEP_CHAIN}."
    parts = [intro, sections.roadmap_tables(record), "### Planes from cubes and from slabs of the same bytes"]
    parts.append(sections.plane_table(record))
    return "\n\n".join(part for part in parts if part)


def _shards(record: Record, info: PageInfo) -> str:
    parts = [_figure(info, "lossless-shards"), _bullets(shard_findings(record))]
    parts.append("Time ÷ time of the same chunks without shards, geometric mean over volumes.")
    parts.extend(details(name, sections.layout_summary(record, name, sharded=True)) for name in _OPERATIONS)
    parts.append(sections.shard_table(record))
    return "\n\n".join(part for part in parts if part)


def _published(record: Record, again: Sequence[Judged], worked_out: Sequence[Judged]) -> str:
    setups = [
        f"[{source['name']}]({source['url']}): {source['text']}. {source['setup']}."
        for source in published()["sources"].values()
    ]
    parts = [
        _bullets(setups),
        "### Worked out again by arithmetic",
        _judged(worked_out),
        f"Wrong: {_disagreeing(worked_out)}.",
        "### Measured again",
        (
            "Times of other machines cannot agree in size; a ratio of times agrees if it points the same way, and "
            "cannot tell if our interval holds 1. Compression ratios are exact, of other volumes."
        ),
        _judged(again),
        f"Not found again here: {_disagreeing(again)}.",
        "### HEFTIE's table",
        _heftie(record),
    ]
    return "\n\n".join(parts)


def _judged(entries: Sequence[Judged]) -> str:
    rows = [[entry.judgement.value, entry.claim, entry.published, entry.ours, entry.source] for entry in entries]
    return table(["verdict", "statement", "published", "ours", "source"], rows, texts=5)


def _disagreeing(entries: Sequence[Judged]) -> str:
    wrong = [entry.claim for entry in entries if entry.judgement is Judgement.DISAGREES]
    return f"{len(wrong)} of {len(entries)} ({'; '.join(wrong) or 'none'})"


def _heftie(record: Record) -> str:
    found = codec_claims(record)
    rows = [
        [chain, engine, operation, verdict.value, number(said), interval(ratio)]
        for chain, engine, operation, said, ratio, verdict in found
    ]
    counts = {kind: sum(entry[-1] is kind for entry in found) for kind in Judgement}
    said = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
    heads = ["codec chain", "engine", "operation", "verdict", "published", "ours, images, v2-c64"]
    intro = f"Time with a chain ÷ time with none, in each library: {len(found)} published ratios, {said}."
    return f"{intro}\n\n{details('all of them', table(heads, rows, texts=4))}"


def _missing(record: Record) -> str:
    refused = {cell: refusal for cell, refusal in record.refused.items() if refusal.deliberate}
    failed = {cell: refusal for cell, refusal in record.refused.items() if not refusal.deliberate}
    total = len(record.refused) + len(record.stored)
    parts = [f"{len(refused):,} of {total:,} cells were refused, {len(failed):,} failed."]
    parts.append(details("refused, by reason", _reasons(refused)))
    rows = [[*cell, "store", f"{refusal.error}: {refusal.message}"] for cell, refusal in failed.items()]
    rows += [[*cell, op, f"{refusal.error}: {refusal.message}"] for (cell, op), refusal in record.failures.items()]
    heads = ["environment", "volume", "engine", "layout", "chain", "operation", "reason"]
    parts.append(table(heads, rows, texts=7) or "No operation on a stored cell failed.")
    return "\n\n".join(part for part in parts if part)


def _reasons(refused: dict[Cell, Refusal]) -> str:
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell, refusal in refused.items():
        # One reason for many cells reads the same but for the cell that it names.
        groups[refusal.message.replace(cell.layout, "LAYOUT").replace(cell.chain, "CHAIN")].append(cell)
    rows = [
        [
            str(len(cells)),
            message,
            *(_some([getattr(cell, part) for cell in cells]) for part in _PARTS),
        ]
        for message, cells in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    return table(["cells", "reason", "environments", "engines", "layouts", "chains", "volumes"], rows, texts=7)


def _some(names: Sequence[str]) -> str:
    known = list(dict.fromkeys(names))
    return listed(known) if len(known) <= 3 else f"{', '.join(known[:3])} and {len(known) - 3} more"
