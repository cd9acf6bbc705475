"""Chunk shape against access pattern, and objects against read time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from zbench.report.text import listed
from zbench.report.volume.blocks import Picture
from zbench.report.volume.drawing import Drawn, bars, ends, legend, panels, ratio_axis, time_axis
from zbench.report.volume.evidence import TimeKey
from zbench.report.volume.palette import LIGHT, series
from zbench.report.volume.sweeps import operations
from zbench.report.volume.words import asked, counted, duration, extent, layout_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.report.volume.contrast import Measured
    from zbench.report.volume.evidence import Condition, Configuration, Evidence
    from zbench.report.volume.facts import VolumeFacts
    from zbench.report.volume.sweeps import ShardPair, Sweep

__all__ = ["draw_chunks", "draw_shards"]

_MOST_PANELS = 6
# On the cells of the map, whose colours are the same on light and dark ground.
_ON_DARK, _ON_LIGHT = "#fefefe", "#000000"
# The luminance with which black and white have the same contrast, after the Web Content Accessibility Guidelines.
_MIDDLE = 0.179


def draw_chunks(evidence: Evidence, condition: Condition, sweep: Sweep, *, name: str) -> Drawn | None:
    """Draw the time of each layout in each access pattern.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    sweep
        Layouts of one engine and chain.
    name
        Of the files.

    Returns
    -------
    Drawn or None
        ``None`` where nothing was read.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy; and pyplot would keep global state

    patterns = [
        pattern
        for pattern in operations(evidence, condition)
        if any(TimeKey(condition, cell, pattern) in evidence.times for cell in sweep.configurations)
    ]
    if not patterns:
        return None
    layouts = sweep.configurations
    canvas = Figure(figsize=(2.4 + 1.05 * len(patterns), 1.5 + 0.42 * len(layouts)), layout="constrained")
    axis = canvas.subplots()
    times = [[evidence.time(condition, cell, pattern) for pattern in patterns] for cell in layouts]
    _map(canvas, axis, times)
    axis.set_xticks([place + 0.5 for place in range(len(patterns))], patterns, rotation=25, ha="right")
    axis.set_yticks([place + 0.5 for place in range(len(layouts))], [cell.layout for cell in layouts])
    axis.set_xlabel("access pattern")
    axis.set_ylabel("layout")
    axis.set_title(f"{sweep.shared}, {sweep.engine}\n{condition.text}", loc="left")
    axis.tick_params(length=0)
    alternative = (
        f"Map of times: {counted(len(layouts), 'layout')} down, {counted(len(patterns), 'operation')} across, with "
        f"{sweep.shared} and {sweep.engine}, {condition.text}. Fastest are "
        f"{listed([_fastest(evidence, condition, sweep, pattern) for pattern in patterns])}."
    )
    caption = (
        "Each cell says its time and the interval of it; its shade is the time ÷ the least of its column, so that "
        "columns of unlike size can be read side by side. Darker is slower."
    )
    return Drawn(canvas, Picture(name, alternative, caption))


def _fastest(evidence: Evidence, condition: Condition, sweep: Sweep, pattern: str) -> str:
    timed = [(cell, evidence.time(condition, cell, pattern)) for cell in sweep.configurations]
    cell, time = min(((cell, time) for cell, time in timed if time is not None), key=lambda entry: entry[1].value)
    return f"{cell.layout} for {pattern} with {duration(time)}"


def _map(canvas: Any, axis: Any, times: Sequence[Sequence[Measured | None]]) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - heavy
    import numpy as np  # noqa: PLC0415 - beside what needs it
    from matplotlib.colors import LogNorm  # noqa: PLC0415 - heavy
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: PLC0415 - heavy

    values = np.array([[math.nan if time is None else time.value for time in row] for row in times])
    relative = values / np.nanmin(values, axis=0)
    worst = max(2.0, float(np.nanmax(relative)))
    norm, colours = LogNorm(1, worst), mpl.colormaps["cividis_r"]
    mesh = axis.pcolormesh(
        np.ma.masked_invalid(relative), norm=norm, cmap=colours, edgecolors=LIGHT["ground"], linewidth=1.5
    )
    axis.grid(visible=False)
    axis.invert_yaxis()
    for (row, column), factor in np.ndenumerate(relative):
        time = times[row][column]
        bright = _luminance(colours(norm(factor))[:3]) if time else 1.0
        # A missing cell shows the ground of the page, so its text takes the ink of the page.
        colour = LIGHT["ink"] if time is None else _ON_LIGHT if bright > _MIDDLE else _ON_DARK
        text = "not\nmeasured" if time is None else duration(time, separator="\n")
        axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6.5, color=colour)
    bar = canvas.colorbar(mesh, ax=axis, label="time ÷ least time of the column", aspect=30, pad=0.01)
    steps = [step for step in (1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000) if step <= worst]
    bar.ax.yaxis.set_major_locator(FixedLocator(steps))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.outline.set_visible(False)


def _luminance(colour: Sequence[float]) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def draw_shards(
    evidence: Evidence, condition: Condition, volume: VolumeFacts, pairs: Sequence[ShardPair], *, name: str
) -> Drawn | None:
    """Draw objects against time, one line from each chunk shape to its shards.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    volume
        The volume.
    pairs
        Of any engines and chains; the figure shows those of the engine and chain with the most.
    name
        Of the files.

    Returns
    -------
    Drawn or None
        ``None`` where there is no pair.
    """
    if not pairs:
        return None
    kinds = [(pair.plain.engine, pair.plain.chain) for pair in pairs]
    engine, chain = max(dict.fromkeys(kinds), key=kinds.count)
    ours = [pair for pair in pairs if (pair.plain.engine, pair.plain.chain) == (engine, chain)]
    patterns = [
        pattern
        for pattern in operations(evidence, condition)
        if any(TimeKey(condition, pair.sharded, pattern) in evidence.times for pair in ours)
    ][-_MOST_PANELS:]
    if not patterns:
        return None
    canvas, axes = panels([f"{pattern}: {asked(pattern)}" for pattern in patterns], columns=2, height=2.5)
    for axis, pattern in zip(axes, patterns, strict=True):
        _shard_panel(axis, evidence, condition, pattern, volume, ours)
    legend(canvas, axes, columns=3)
    canvas.suptitle(f"{volume.name}, {chain}, {engine}, {condition.text}", fontsize=9, x=0.01, ha="left")
    told = listed([f"{pair.sharded.layout} with {pair.sharded_objects:,.0f}" for pair in ours])
    alternative = (
        f"Time against number of objects, one panel for each of {listed(patterns)}, with {chain} and {engine}, "
        f"{condition.text}; a line leads from each chunk shape without shards to the same chunks in shards: {told} "
        "objects. Bars are the intervals."
    )
    caption = (
        "Hollow markers are chunks that are objects of their own, filled ones the same chunks in shards. Further left "
        "is fewer objects; a line that rises to the left is what they cost in time."
    )
    return Drawn(canvas, Picture(name, alternative, caption))


def _shard_panel(
    axis: Any,
    evidence: Evidence,
    condition: Condition,
    pattern: str,
    volume: VolumeFacts,
    pairs: Sequence[ShardPair],
) -> None:
    plains = dict.fromkeys(pair.plain for pair in pairs)
    seen: list[float] = []
    counts: list[float] = []
    for place, plain in enumerate(plains):
        line = [(pairs_of.sharded_objects, pairs_of.sharded) for pairs_of in pairs if pairs_of.plain == plain]
        line.append((next(pair.plain_objects for pair in pairs if pair.plain == plain), plain))
        points = [
            (objects, time, cell) for objects, cell in sorted(line) if (time := evidence.time(condition, cell, pattern))
        ]
        if not points:
            continue
        style = series(place)
        axis.plot(
            [objects for objects, _, _ in points], [time.value for _, time, _ in points], color=style.colour,
            ls=style.line, lw=1,
        )  # fmt: skip
        for is_plain in (True, False):
            ours = [(objects, time) for objects, time, cell in points if (cell == plain) is is_plain]
            if ours:
                axis.errorbar(
                    [objects for objects, _ in ours], [time.value for _, time in ours],
                    yerr=bars([time for _, time in ours]), fmt=style.marker, color=style.colour, ms=5, elinewidth=0.9,
                    mfc=LIGHT["ground"] if is_plain else style.colour, label=_chunk_label(plain, volume),
                )  # fmt: skip
        seen += [end for _, time, _ in points for end in ends(time)]
        counts += [objects for objects, _, _ in points]
    axis.set_xlabel("objects in the store")
    axis.set_ylabel("time")
    if seen:
        time_axis(axis.yaxis, seen)
        ratio_axis(axis.xaxis, counts)


def _chunk_label(plain: Configuration, volume: VolumeFacts) -> str:
    layout = layout_of(plain.layout, volume.shape)
    return f"chunks of {extent(layout.chunks)} voxels" if layout else plain.layout
