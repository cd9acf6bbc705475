"""Size against time: every configuration, and the front that none beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.report.text import listed, number
from zbench.report.volume.blocks import Picture
from zbench.report.volume.choice import front
from zbench.report.volume.drawing import Drawn, bars, ends, legend, panels, ratio_axis, time_axis
from zbench.report.volume.palette import LIGHT, series
from zbench.report.volume.words import asked, counted, duration, named
from zbench.units import GIB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zbench.report.volume.contrast import Measured
    from zbench.report.volume.evidence import Condition, Configuration, Evidence
    from zbench.report.volume.facts import VolumeFacts

__all__ = ["draw_front", "front_patterns"]

_MOST_PANELS = 6
_MOST_SERIES = 8


def front_patterns(evidence: Evidence, condition: Condition) -> tuple[str, ...]:
    """List the access patterns that the figure has panels for.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.

    Returns
    -------
    tuple of str
        Those with a time and a compression ratio; the whole read first.
    """
    having = [pattern for pattern in evidence.patterns(condition) if front(evidence, condition, pattern)]
    return tuple(sorted(having, key=lambda pattern: pattern != "full_read"))[:_MOST_PANELS]


def draw_front(evidence: Evidence, condition: Condition, volume: VolumeFacts, *, name: str) -> Drawn | None:
    """Draw compression ratio against read time.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    volume
        The volume.
    name
        Of the files.

    Returns
    -------
    Drawn or None
        ``None`` where no configuration has both.
    """
    patterns = front_patterns(evidence, condition)
    if not patterns:
        return None
    group, groups = _grouping(evidence)
    canvas, axes = panels([f"{pattern}: {asked(pattern)}" for pattern in patterns], columns=2, height=2.9)
    for axis, pattern in zip(axes, patterns, strict=True):
        _panel(axis, evidence, condition, pattern, group=group, groups=groups)
        if pattern == "full_read":
            _throughput(axis, volume.logical_bytes)
    legend(canvas, axes)
    canvas.suptitle(f"{volume.name}, {condition.text}: up and to the left is better", fontsize=9, x=0.01, ha="left")
    kind = "engine" if len(evidence.engines) > 1 else "codec chain"
    extremes = " ".join(_ends(evidence, condition, pattern) for pattern in patterns)
    alternative = (
        f"Compression ratio against read time, one panel for each of {listed(patterns)}, {condition.text}; markers "
        f"show the {kind}, bars the intervals, and a line joins the configurations that none beats in both. {extremes}"
    )
    caption = (
        "Compression ratio (logical ÷ stored bytes) against read time. Bars are the intervals of the times, and go on "
        "where they leave the panel; a ratio is exact. The line joins what no other configuration beats in both by its "
        "estimate; its points are numbered, fastest first, as in the tables below."
    )
    return Drawn(canvas, Picture(name, alternative, caption))


def _ends(evidence: Evidence, condition: Condition, pattern: str) -> str:
    found = front(evidence, condition, pattern)
    told = [
        f"{named(cell, engines=len(evidence.engines)).replace('`', '')} "
        f"({duration(evidence.time(condition, cell, pattern))}, "
        f"ratio {number(evidence.stored(condition.store, cell, 'compression_ratio') or 0)})"
        for cell in dict.fromkeys((found[0], found[-1]))
    ]
    if len(told) == 1:
        return f"In {pattern} {told[0]} beats all others."
    return f"In {pattern} the line of {counted(len(found), 'configuration')} goes from {told[0]} to {told[1]}."


def _grouping(evidence: Evidence) -> tuple[Callable[[Configuration], str], list[str]]:
    """Let markers tell engines, or chains where there is one engine; beyond the eighth all share one."""

    def by_engine(configuration: Configuration) -> str:
        return configuration.engine

    def by_chain(configuration: Configuration) -> str:
        return configuration.chain

    key = by_engine if len(evidence.engines) > 1 else by_chain
    groups = list(dict.fromkeys(map(key, evidence.configurations)))
    if len(groups) <= _MOST_SERIES:
        return key, groups
    kept = groups[: _MOST_SERIES - 1]
    return lambda configuration: key(configuration) if key(configuration) in kept else "others", [*kept, "others"]


def _panel(
    axis: Any,
    evidence: Evidence,
    condition: Condition,
    pattern: str,
    *,
    group: Callable[[Configuration], str],
    groups: Sequence[str],
) -> None:
    points: list[tuple[Configuration, Measured, float]] = []
    for cell in evidence.having(condition, (pattern,)):
        time = evidence.time(condition, cell, pattern)
        ratio = evidence.stored(condition.store, cell, "compression_ratio")
        if time is not None and ratio:
            points.append((cell, time, ratio))
    for place, label in enumerate(groups):
        ours = [(time, ratio) for cell, time, ratio in points if group(cell) == label]
        if ours:
            style = series(place)
            axis.errorbar(
                [time.value for time, _ in ours], [ratio for _, ratio in ours], xerr=bars([time for time, _ in ours]),
                fmt=style.marker, color=style.colour, ms=4.5, lw=0.9, elinewidth=0.9,
                mfc="none" if place % 2 else style.colour, label=label, zorder=3,
            )  # fmt: skip
    time_axis(axis.xaxis, [end for _, time, _ in points for end in ends(time)])
    axis.set_xlabel("read time")
    axis.set_ylabel("compression ratio")
    ratios = [ratio for _, _, ratio in points]
    if max(ratios) > 10 * min(ratios):
        ratio_axis(axis.yaxis, ratios)
    else:
        axis.margins(y=0.15)
    _line(axis, front(evidence, condition, pattern), {cell: (time.value, ratio) for cell, time, ratio in points})


def _line(axis: Any, found: Sequence[Configuration], points: dict[Configuration, tuple[float, float]]) -> None:
    places = [points[cell] for cell in found]
    axis.plot(*zip(*places, strict=True), color=LIGHT["quiet"], lw=0.9, zorder=1)
    for number_, place in enumerate(places, start=1):
        axis.annotate(
            str(number_), place, xytext=(-3, 4), textcoords="offset points", ha="right", fontsize=7, fontweight="bold"
        )


def _throughput(axis: Any, logical_bytes: int) -> None:
    """Tell at the top what the times of a whole read are in logical GiB/s."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: PLC0415 - heavy

    low, high = axis.get_xlim()
    top = axis.secondary_xaxis(
        "top", functions=(lambda time: _inverse(time, logical_bytes), lambda speed: _inverse(speed, logical_bytes))
    )
    inner = [_inverse(float(time), logical_bytes) for time in np.geomspace(low, high, 5)[1:-1]]
    top.xaxis.set_major_locator(FixedLocator([float(f"{speed:.2g}") for speed in inner]))
    top.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
    top.xaxis.set_minor_locator(NullLocator())
    top.set_xlabel("throughput, GiB/s")


def _inverse(value: Any, logical_bytes: int) -> Any:
    with np.errstate(divide="ignore"):
        return logical_bytes / GIB / np.asarray(value, dtype=float)
