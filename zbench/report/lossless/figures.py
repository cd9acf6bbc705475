"""The figures of the page, as SVG and PNG; shapes and line styles carry what colours do, so that grey will do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zbench.model import ArrayLayout
from zbench.report.lossless.claims import SWEEP_CHAIN
from zbench.report.lossless.contrast import across, estimated
from zbench.report.lossless.findings import reference
from zbench.report.lossless.table import throughput
from zbench.report.text import listed

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.report.lossless.record import Column, Record
    from zbench.stats import Interval

__all__ = ["Figure", "draw"]

# Okabe and Ito's colours, which most eyes tell apart, with a marker and a line for those and printers that do not.
_STYLES = (
    ("#000000", "o", "-"),
    ("#E69F00", "s", "--"),
    ("#0072B2", "^", "-."),
    ("#009E73", "D", ":"),
    ("#CC79A7", "v", "-"),
    ("#D55E00", "P", "--"),
    ("#56B4E9", "*", "-."),
    ("#8A7A00", "<", ":"),
    ("#7F7F7F", ">", "-"),
)
_FAMILIES = (
    ("none", "none"),
    ("blosc-lz4", "blosc lz4, lz4hc"),
    ("blosc-blosclz", "blosc blosclz"),
    ("blosc-zlib", "blosc zlib"),
    ("blosc-zstd", "blosc zstd"),
    ("zstd", "zstd"),
    ("gzip", "gzip"),
    ("lz4", "lz4"),
    ("", "filters and pcodec"),
)
_SETTINGS = {"font.size": 8, "axes.grid": True, "grid.alpha": 0.3, "svg.hashsalt": "zbench", "legend.frameon": False}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that was drawn.

    Attributes
    ----------
    name
        Name of its files without the ending.
    alternative
        What it shows, for those who cannot see it.
    """

    name: str
    alternative: str


def draw(record: Record, folder: Path) -> tuple[Figure, ...]:
    """Draw every figure that the record has numbers for.

    Parameters
    ----------
    record
        The run.
    folder
        Where ``lossless-*.svg`` and ``.png`` go.

    Returns
    -------
    tuple of Figure
        What was drawn.
    """
    if not record.datasets:
        return ()
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only drawing needs it

    figures = []
    # Saving reads the settings too: the salt that makes the same figure the same file.
    with mpl.rc_context(_SETTINGS):
        for entry in (_pareto(record), _chunks(record), _shards(record)):
            if entry is not None:
                figure, described = entry
                figure.savefig(folder / f"{described.name}.png", dpi=150)
                figure.savefig(folder / f"{described.name}.svg", metadata={"Date": None})
                figures.append(described)
    return tuple(figures)


def _panels(names: tuple[str, ...], *, height: float = 2.7) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415 - heavy; and pyplot would keep global state

    across_ = min(3, len(names))
    down = -(-len(names) // across_)
    canvas = Canvas(figsize=(3.1 * across_ + 0.4, height * down + 0.9), layout="constrained")
    axes = canvas.subplots(down, across_, squeeze=False).flatten().tolist()
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes, names, strict=False):
        axis.set_title(name, fontsize=8)
    return canvas, axes[: len(names)]


def _legend(canvas: Any, axes: list[Any], *, columns: int = 4) -> None:
    found: dict[str, Any] = {}
    for axis in axes:
        handles, names = axis.get_legend_handles_labels()
        found |= dict(zip(names, handles, strict=True))
    if found:
        canvas.legend(found.values(), found.keys(), loc="outside lower center", ncols=columns)


def _bars(found: Interval) -> list[list[float]]:
    return [[found.estimate - found.low], [found.high - found.estimate]]


def _plain_ticks(axis: Any) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415 - heavy

    if axis.axis_name == "y":
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _family(chain: str) -> int:
    plain = "+" not in chain or chain.endswith("+crc32c")
    places = (place for place, (head, _) in enumerate(_FAMILIES) if chain.startswith(head) and (plain or not head))
    return next(places)


def _pareto(record: Record) -> tuple[Any, Figure] | None:
    chosen = reference(record)
    if chosen is None:
        return None
    column, layout = chosen
    canvas, axes = _panels(record.datasets)
    for axis, dataset in zip(axes, record.datasets, strict=True):
        _pareto_panel(axis, record, dataset, column, layout)
    for axis in axes[::3]:
        axis.set_ylabel("compression ratio")
    _legend(canvas, axes, columns=5)
    label = record.labels[column]
    canvas.suptitle(f"{label}, {layout}: compression ratio against read throughput, 95 % intervals", fontsize=9)
    text = (
        f"Small multiples, one for each of {listed(record.datasets)}: compression ratio of each codec chain against "
        f"the throughput of a whole read in GiB/s with {label}, with 95 percent intervals; a line joins the chains "
        "that no other beats in both."
    )
    return canvas, Figure("lossless-pareto", text)


def _pareto_panel(axis: Any, record: Record, dataset: str, column: Column, layout: str) -> None:
    points = []
    for cell in record.cells(dataset, column):
        time = estimated(record.times.get((cell, "full_read")))
        if cell.layout == layout and time is not None:
            stored = record.stored[cell]
            speed, ratio = throughput(stored.logical_bytes, time), stored.compression_ratio
            points.append((speed.estimate, ratio))
            family = _family(cell.chain)
            colour, marker, _ = _STYLES[family]
            axis.errorbar(
                speed.estimate, ratio, xerr=_bars(speed), fmt=marker, color=colour, ms=4.5, lw=0.8,
                mfc="none" if family % 2 else colour, label=_FAMILIES[family][1],
            )  # fmt: skip
    front = [p for p in points if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in points)]
    axis.plot(*zip(*sorted(front), strict=True) if front else ((), ()), color="0.6", lw=0.8, zorder=0)
    if not points:
        axis.text(0.5, 0.5, "no chain could be stored\nwith this layout", ha="center", transform=axis.transAxes)
        return
    ratios = [ratio for _, ratio in points]
    axis.set_xlabel("read throughput, GiB/s")
    if max(ratios) > 10 * min(ratios):
        axis.set_yscale("log")
        _plain_ticks(axis.yaxis)


def _chunks(record: Record) -> tuple[Any, Figure] | None:
    canvas, axes = _panels(record.datasets)
    drawn = 0
    for axis, dataset in zip(axes, record.datasets, strict=True):
        for place, column in enumerate(record.columns):
            line = _edges(record, dataset, column)
            if not line:
                continue
            drawn += 1
            colour, marker, style = _STYLES[place % len(_STYLES)]
            edges, times = zip(*line, strict=True)
            low = [time.estimate - time.low for time in times]
            high = [time.high - time.estimate for time in times]
            axis.errorbar(
                edges, [time.estimate for time in times], yerr=[low, high], color=colour, marker=marker, ls=style, ms=4,
                lw=1, label=record.labels[column],
            )  # fmt: skip
        if axis.lines:
            axis.set(xscale="log", yscale="log")
            axis.set_xscale("log", base=2)
            _plain_ticks(axis.xaxis)
            _plain_ticks(axis.yaxis)
            axis.set_xlabel("chunk edge, voxels")
        else:
            axis.text(0.5, 0.5, "not measured", ha="center", transform=axis.transAxes)
    for axis in axes[::3]:
        axis.set_ylabel("whole read, ms")
    if not drawn:
        return None
    _legend(canvas, axes)
    canvas.suptitle(
        f"{SWEEP_CHAIN}, format 3 (2 where there is no other): whole read by chunk edge, 95 % intervals", fontsize=9
    )
    text = (
        f"Small multiples, one for each of {listed(record.datasets)}: milliseconds to read the whole volume against "
        "the edge of cubic chunks in voxels, both logarithmic, one line for each engine, with 95 percent intervals."
    )
    return canvas, Figure("lossless-chunks", text)


def _edges(record: Record, dataset: str, column: Column) -> list[tuple[int, Interval]]:
    """Find the times by edge of the cubes of format 3, or of format 2 where there is no other."""
    found: dict[int, dict[int, Interval]] = {2: {}, 3: {}}
    for cell in record.cells(dataset, column):
        layout = ArrayLayout.parse(record.stored[cell].config.partition(":")[0])
        time = estimated(record.times.get((cell, "full_read")))
        cube = len(set(layout.chunks)) == 1 and layout.shards is None
        if cell.chain == SWEEP_CHAIN and cube and time is not None:
            scaled = type(time)(time.estimate / 1e6, time.low / 1e6, time.high / 1e6, time.count)
            found[layout.zarr_format][layout.chunks[0]] = scaled
    return sorted((found[3] or found[2]).items(), key=lambda item: item[0])


def _shards(record: Record) -> tuple[Any, Figure] | None:
    layouts = list(dict.fromkeys(cell.layout for cell in record.stored if "-s" in cell.layout))
    if not layouts:
        return None
    canvas, axes = _panels(("whole read", "whole write"), height=3.2)
    columns = [
        column for column in record.columns if any(c.column == column and "-s" in c.layout for c in record.stored)
    ]
    for axis, operation in zip(axes, ("full_read", "write"), strict=True):
        for place, column in enumerate(columns):
            _shard_line(axis, record, column, layouts, operation, place - (len(columns) - 1) / 2)
        axis.axhline(1, color="0.3", lw=0.8)
        axis.set_xlim(-0.5, len(layouts) - 0.5)
        axis.set_yscale("log")
        _plain_ticks(axis.yaxis)
        axis.set_xticks(range(len(layouts)), [name.removeprefix("v3-") for name in layouts], rotation=45, ha="right")
    axes[0].set_ylabel("time ÷ time of the same chunks unsharded")
    _legend(canvas, axes, columns=3)
    canvas.suptitle("What shards cost in time, mean over volumes, 95 % intervals; below 1 is faster", fontsize=9)
    text = (
        f"Two panels, whole read and whole write: time with the shards {listed(layouts)} divided by the time of the "
        "same chunks without shards, one marker for each engine, geometric mean over volumes with 95 percent "
        "intervals; a line marks 1."
    )
    return canvas, Figure("lossless-shards", text)


def _shard_line(
    axis: Any,
    record: Record,
    column: Column,
    layouts: list[str],
    operation: str,
    place: float,
) -> None:
    colour, marker, _ = _STYLES[record.columns.index(column) % len(_STYLES)]
    for x, layout in enumerate(layouts):
        plain = layout.split("-s")[0]
        found = across(
            record, operation, baseline=(column, plain, SWEEP_CHAIN), candidate=(column, layout, SWEEP_CHAIN)
        )
        if found is not None:
            axis.errorbar(
                x + 0.1 * place, found.interval.estimate, yerr=_bars(found.interval), fmt=marker, color=colour, ms=4,
                lw=0.8, label=record.labels[column],
            )  # fmt: skip
