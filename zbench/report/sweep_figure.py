"""The figure of a sweep: the time of each release ÷ that of the baseline, a panel for each kind of array."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from zbench.report.sweep import baseline_of
from zbench.report.sweep_numbers import against, families, read_timings
from zbench.report.volume.palette import series
from zbench.results import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbench.report.sweep import TimedRelease
    from zbench.report.sweep_numbers import Family, Timings
    from zbench.results import Row

__all__ = ["draw_sweep"]

_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def draw_sweep(axis: str, releases: Sequence[TimedRelease], rows: Sequence[Row], output: Path) -> tuple[Path, ...]:
    """Draw the times of a sweep.

    Parameters
    ----------
    axis
        The package.
    releases
        What was timed, oldest first.
    rows
        Numbers of the timed cells.
    output
        Folder for the files.

    Returns
    -------
    tuple of Path
        The figure as ``svg`` and ``png``.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only drawing needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    own = [release for release in releases if not release.name]
    wall = read_timings(rows, "wall_time")
    groups = families(wall)
    kinds = list(dict.fromkeys(group.kind for group in groups))
    figure = Figure(figsize=(9, 2.7 * len(kinds)), layout="constrained")
    panels = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for panel, kind in zip(panels, kinds, strict=True):
        _panel(panel, own, wall, [group for group in groups if group.kind == kind])
        panel.set_title(kind, fontsize=9, loc="left")
    panels[-1].set_xticks(range(len(own)), [release.version for release in own], rotation=60, fontsize=8)
    panels[-1].set_xlabel(f"release of {axis}", fontsize=8)
    paths = []
    with mpl.rc_context({"svg.hashsalt": "zbench", "svg.fonttype": "none"}):
        for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 150})):
            stream = io.BytesIO()
            figure.savefig(stream, format=ending, **options)
            paths.append(output / f"{axis}-sweep.{ending}")
            write_atomically(paths[-1], stream.getvalue())
    return tuple(paths)


def _panel(panel: Any, own: Sequence[TimedRelease], wall: Timings, groups: Sequence[Family]) -> None:
    base = baseline_of(own)
    first = next(release for release in own if wall.has(release.run, groups[0]))
    held = base if wall.has(base.run, groups[0]) else first
    for number, group in enumerate(groups):
        look = series(number)
        found = [(place, against(wall, held.run, release.run, group)) for place, release in enumerate(own)]
        known = [(place, one) for place, one in found if one is not None]
        if not known:
            continue
        # Side by side, lest the bars of one release hide each other.
        places = [place + 0.12 * (number - (len(groups) - 1) / 2) for place, _ in known]
        middle = [one.estimate for _, one in known]
        bars = [[one.estimate - one.low for _, one in known], [one.high - one.estimate for _, one in known]]
        panel.errorbar(
            places, middle, yerr=bars, label=group.short, color=look.colour, marker=look.marker, linestyle=look.line,
            markersize=4, linewidth=1, elinewidth=1,
        )  # fmt: skip
    panel.axhline(1, color="#586069", linewidth=0.8)
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
    panel.set_yticks([], minor=True)
    panel.set_ylabel(f"time ÷ that of {held.version}", fontsize=8)
    panel.grid(axis="y", color="#d5d9de", linewidth=0.6)
    panel.legend(fontsize=7, ncols=len(groups), frameon=False, loc="best")
