"""Growth as a figure: what was measured, the law through it, and what it says of the size that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.report.scale import MEMORY, TIME, quantity_text
from zbench.report.text import listed
from zbench.report.volume.blocks import Picture
from zbench.report.volume.drawing import Drawn, bars, byte_axis, ends, legend, panels, time_axis
from zbench.report.volume.palette import LIGHT, series
from zbench.report.volume.words import asked, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.report.scale import Growth, Scaled
    from zbench.report.volume.evidence import Configuration

__all__ = ["draw_growth"]

_NAMES = {TIME: "time", MEMORY: "memory beyond the idle process"}
# Bars side by side can be told from each other.
_ASIDE = 1.045


def draw_growth(found: Scaled, quantity: str, *, name: str) -> Drawn | None:
    """Draw a quantity against the edge, one panel for each operation.

    Parameters
    ----------
    found
        What was measured.
    quantity
        `zbench.report.scale.TIME` or `zbench.report.scale.MEMORY`.
    name
        Of the files.

    Returns
    -------
    Drawn or None
        ``None`` where nothing was measured.
    """
    operations = [one for one in found.operations if any(_drawable(growth) for growth in found.of(quantity, one))]
    if not operations:
        return None
    cells = list(dict.fromkeys(growth.configuration for growth in found.of(quantity)))
    canvas, axes = panels([f"{one}: {asked(one)}" for one in operations], columns=2, height=2.9)
    for axis, operation in zip(axes, operations, strict=True):
        _panel(axis, found, found.of(quantity, operation), cells)
    legend(canvas, axes, columns=2)
    canvas.suptitle(f"{_NAMES[quantity].capitalize()} against voxels an axis", fontsize=9, x=0.01, ha="left")
    told = " ".join(_told(found, quantity, operation) for operation in operations)
    return Drawn(
        canvas,
        Picture(
            name,
            f"{_NAMES[quantity].capitalize()} against the edge of the cube, one panel for each of "
            f"{listed(operations)}; lines are power laws, bars intervals, and the marks at {found.to} are "
            f"extrapolated. {told}",
            "Filled marks were measured, with their intervals; lines are the fitted laws. Hollow marks at "
            f"{found.to}³, in the shaded part, are extrapolated, with bars for the intervals; they stand side by side "
            "lest they hide each other.",
        ),
    )


def _drawable(growth: Growth) -> bool:
    return any(point.value > 0 for point in growth.points)


def _told(found: Scaled, quantity: str, operation: str) -> str:
    known = [one for one in found.of(quantity, operation) if one.ahead is not None]
    if not known:
        return f"In {operation} there is no law."
    least = min(known, key=lambda one: one.ahead.estimate if one.ahead else 0.0)
    cell = named(least.configuration).replace("`", "")
    return f"In {operation} the least at {found.to} is {quantity_text(quantity, least.ahead)}, for {cell}."


def _panel(axis: Any, found: Scaled, growths: Sequence[Growth], cells: Sequence[Configuration]) -> None:
    heights: list[float] = []
    for growth in growths:
        heights += _line(axis, found, growth, cells.index(growth.configuration), len(cells))
    largest = max(found.sizes)
    if found.to > largest:
        axis.axvspan(largest * 1.15, found.to * 1.4, color=LIGHT["band"], zorder=0)
    _size_axis(axis, sorted({*found.sizes, found.to}))
    (time_axis if growths[0].quantity == TIME else byte_axis)(axis.yaxis, heights)
    axis.set_xlabel("voxels an axis")


def _line(axis: Any, found: Scaled, growth: Growth, place: int, count: int) -> list[float]:
    """Draw one configuration; give the heights that the axis must have room for."""
    look, points = series(place), [point for point in growth.points if point.value > 0]
    label = named(growth.configuration).replace("`", "")
    style = {"color": look.colour, "marker": look.marker, "markersize": 4, "linestyle": "none", "elinewidth": 1}
    measured = [point.measured for point in points]
    axis.errorbar([p.size for p in points], [m.value for m in measured], yerr=bars(measured), label=label, **style)
    heights = [end for one in measured for end in ends(one)]
    if growth.law is None or growth.ahead is None:
        return heights
    edges = np.geomspace(min(found.sizes), max(*found.sizes, found.to), 30)
    law = growth.law.factor * edges**growth.law.exponent.estimate
    axis.plot(edges, law, color=look.colour, linestyle=look.line, linewidth=0.9)
    aside = found.to * _ASIDE ** (place - (count - 1) / 2)
    ahead = growth.ahead
    # An interval of three sizes may go beyond all that can be drawn; its bar then leaves the panel.
    high = min(ahead.high, ahead.estimate * 1e3)
    axis.errorbar(
        [aside],
        [ahead.estimate],
        yerr=[[ahead.estimate - ahead.low], [high - ahead.estimate]],
        capsize=2,
        markerfacecolor="none",
        **style,
    )
    return [*heights, ahead.estimate, max(ahead.low, ahead.estimate / 4), min(high, ahead.estimate * 4)]


def _size_axis(axis: Any, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import NullLocator  # noqa: PLC0415 - heavy, and only drawing needs it

    axis.set_xscale("log")
    axis.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.4)
    axis.set_xticks(sizes, [f"{size}" for size in sizes])
    axis.xaxis.set_minor_locator(NullLocator())
