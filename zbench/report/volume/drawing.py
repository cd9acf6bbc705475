"""Canvases, axes and files of the figures; shapes carry what colours do, so that grey will do."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zbench.report.volume.palette import LIGHT
from zbench.report.volume.words import tick
from zbench.results import write_atomically
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbench.report.volume.blocks import Picture
    from zbench.report.volume.contrast import Measured

__all__ = ["SETTINGS", "Drawn", "bars", "byte_axis", "ends", "legend", "panels", "ratio_axis", "save", "time_axis"]

SETTINGS = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": LIGHT["ground"],
    "savefig.facecolor": LIGHT["ground"],
    "text.color": LIGHT["ink"],
    "axes.edgecolor": LIGHT["quiet"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.titlecolor": LIGHT["ink"],
    "xtick.color": LIGHT["ink"],
    "ytick.color": LIGHT["ink"],
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "zbench",
    "svg.fonttype": "path",
}

_FARTHEST = 4


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure before it is saved.

    Attributes
    ----------
    canvas
        The figure of matplotlib.
    picture
        Its name and what is said of it.
    """

    canvas: Any
    picture: Picture


def save(drawn: Drawn, folder: Path) -> tuple[str, tuple[Path, Path]]:
    """Write a figure as PNG and as SVG.

    Parameters
    ----------
    drawn
        The figure.
    folder
        Where the files go.

    Returns
    -------
    tuple
        The SVG, and the paths of both files.
    """
    paths = folder / f"{drawn.picture.name}.png", folder / f"{drawn.picture.name}.svg"
    content = []
    for path in paths:
        buffer = io.BytesIO()
        # The day would make the same figure another file.
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        drawn.canvas.savefig(buffer, format=path.suffix[1:], dpi=150, metadata=metadata)
        content.append(buffer.getvalue())
        # The layout took as long as all the drawing, and it is the same for both.
        drawn.canvas.set_layout_engine("none")
        write_atomically(path, content[-1])
    return content[1].decode(), paths


def panels(titles: Sequence[str], *, columns: int = 3, height: float = 2.5) -> tuple[Any, list[Any]]:
    """Make a canvas of panels.

    Parameters
    ----------
    titles
        One for each panel.
    columns
        Most panels side by side.
    height
        Of a panel in inches.

    Returns
    -------
    tuple
        The canvas, and the axes of each panel.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy; and pyplot would keep global state

    across = min(columns, len(titles))
    down = -(-len(titles) // across)
    canvas = Figure(
        figsize=(8.4 if columns == 1 else 8.0 / columns * max(across, 2) + 0.4, height * down + 0.6),
        layout="constrained",
    )
    axes = canvas.subplots(down, across, squeeze=False).flatten().tolist()
    for axis in axes[len(titles) :]:
        axis.set_visible(False)
    for axis, title in zip(axes, titles, strict=False):
        axis.set_title(title, loc="left")
    return canvas, axes[: len(titles)]


def legend(canvas: Any, axes: Sequence[Any], *, columns: int = 4) -> None:
    """Put one legend below all panels.

    Parameters
    ----------
    canvas
        The canvas.
    axes
        Its panels; of equal labels the first is shown.
    columns
        Number of columns.
    """
    found: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        canvas.legend(found.values(), found.keys(), loc="outside lower center", ncols=columns)


def bars(times: Sequence[Measured]) -> list[list[float]]:
    """Find the lengths of error bars.

    Parameters
    ----------
    times
        Values with their intervals.

    Returns
    -------
    list
        Below and above the estimates; not a number without an interval, which draws no bar.
    """
    below = [math.nan if time.low is None else max(time.value - time.low, 0.0) for time in times]
    above = [math.nan if time.high is None else max(time.high - time.value, 0.0) for time in times]
    return [below, above]


def ends(time: Measured) -> list[float]:
    """List what an axis must have room for.

    Parameters
    ----------
    time
        A value with its interval.

    Returns
    -------
    list
        The estimate, and the ends of the interval. Of an end that is far off the axis shows a part of the way: few
        samples can have an interval over many powers of ten, beside which nothing else could be seen.
    """
    found = [end for end in (time.value, time.low, time.high) if end is not None]
    return [min(max(end, time.value / _FARTHEST), time.value * _FARTHEST) for end in found]


def time_axis(axis: Any, values: Sequence[float]) -> None:
    """Make an axis logarithmic with times at its ticks.

    Parameters
    ----------
    axis
        The x or the y axis of a panel.
    values
        Seconds that are drawn, ends of intervals too.
    """
    _logarithmic(axis, values, tick)


def byte_axis(axis: Any, values: Sequence[float]) -> None:
    """Make an axis logarithmic with bytes at its ticks.

    Parameters
    ----------
    axis
        The x or the y axis of a panel.
    values
        Bytes that are drawn, ends of intervals too.
    """
    _logarithmic(axis, values, format_bytes)


def ratio_axis(axis: Any, values: Sequence[float]) -> None:
    """Make an axis logarithmic with plain numbers at its ticks.

    Parameters
    ----------
    axis
        The x or the y axis of a panel.
    values
        Numbers that are drawn, ends of intervals too.
    """
    _logarithmic(axis, values, lambda value: f"{value:,.3g}" if value < 1000 else f"{value:,.0f}")


def _logarithmic(axis: Any, values: Sequence[float], written: Any) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator  # noqa: PLC0415 - heavy

    low, high = min(values), max(values)
    # Room at the ends, and a scale that is never so narrow that no round number lies in it.
    room = max((high / low) ** 0.08, 1.15)
    low, high = low / room, high * room
    is_x = axis.axis_name == "x"
    (axis.axes.set_xscale if is_x else axis.axes.set_yscale)("log")
    (axis.axes.set_xlim if is_x else axis.axes.set_ylim)(low, high)
    axis.set_major_locator(FixedLocator(_round_numbers(low, high)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _round_numbers(low: float, high: float) -> list[float]:
    """Choose about five numbers to write at a logarithmic axis."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - heavy

    if high < 4 * low:
        # So short an axis is nearly linear, and powers of ten would leave it bare.
        linear = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        return [float(value) for value in linear if low <= value <= high]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        finer = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(finer) > 5 and len(found) >= 2:
            break
        found = finer
    return found[:: -(-len(found) // 5)]
