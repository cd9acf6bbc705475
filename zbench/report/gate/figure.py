"""A gate as a picture: a line for each factor level and benchmark, its ratio with its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from zbench.model import Verdict
from zbench.report.gate.escapes import shortened
from zbench.report.gate.nouns import GateCell, GateContrast
from zbench.report.gate.strips import reach
from zbench.report.gate.words import headline, ordered, pooled, ratio, verdict
from zbench.report.text import listed
from zbench.report.volume.blocks import Picture
from zbench.report.volume.drawing import SETTINGS, Drawn, legend
from zbench.report.volume.palette import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.report.gate.nouns import GateReport

__all__ = ["draw_gate"]

_MOST_CONTRASTS = 12
_MOST_ROWS = 40
_LONGEST_NAME = 70
_ROW_INCHES = 0.2
_EDGE = 0.98
# Grey will do: each verdict has a mark of its own, and what is sure is filled.
_LOOKS = {
    "slower": ("s", LIGHT["series-2"], True),
    "slower?": ("s", LIGHT["series-2"], False),
    "accepted": ("D", LIGHT["series-5"], False),
    "faster": ("^", LIGHT["series-3"], True),
    "inconclusive": ("o", LIGHT["series-8"], False),
    "same": ("o", LIGHT["series-6"], True),
}
_ORDER = (Verdict.SLOWER, Verdict.FASTER, Verdict.INCONCLUSIVE, Verdict.SAME)


def draw_gate(report: GateReport, *, name: str) -> Drawn | None:
    """Draw what a gate found.

    Parameters
    ----------
    report
        What was found.
    name
        Of the files.

    Returns
    -------
    Drawn or None
        Factor levels above, benchmarks below, slower ones first; ``None`` where nothing has a ratio.
    """
    contrasts = [one for one in pooled(report) if _drawable(one)][:_MOST_CONTRASTS]
    all_cells = [one for one in ordered(report.cells) if one.decides and _drawable(one) and not _is_dull(one)]
    all_cells.sort(key=lambda one: (not one.is_regression, _ORDER.index(one.comparison.verdict)))
    cells = all_cells[: _MOST_ROWS - len(contrasts)]
    groups = [one for one in (("Factor levels (number of cells)", contrasts), ("Benchmarks", cells)) if one[1]]
    if not groups:
        return None
    from matplotlib import rc_context  # noqa: PLC0415 - heavy, and only drawing needs it
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy; and pyplot would keep global state

    with rc_context(SETTINGS):
        heights = [len(rows) + 1 for _, rows in groups]
        canvas = Figure(figsize=(8.4, _ROW_INCHES * sum(heights) + 1.3), layout="constrained")
        axes = canvas.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=heights).flatten().tolist()
        noisy = [one for _, rows in groups for one in rows if one.comparison.low < one.comparison.high]
        farthest = math.log1p(reach(one.comparison for one in noisy))
        for axis, (title, rows) in zip(axes, groups, strict=True):
            _panel(axis, title, rows, farthest, report)
        _ratio_axis(axes[-1], farthest)
        _legend_first(axes[0])
        legend(canvas, axes, columns=len(_LOOKS))
    left = len(all_cells) - len(cells)
    return Drawn(canvas, Picture(name, _alternative(report, contrasts, cells, left), _CAPTION))


_CAPTION = (
    "Ratios with their intervals; the shaded part is smaller than the smallest change that counts, and an arrow at the "
    "edge is a ratio that lies beyond it."
)


def _drawable(one: GateCell | GateContrast) -> bool:
    return not math.isnan(one.comparison.ratio) and one.comparison.ratio > 0


def _is_dull(one: GateCell) -> bool:
    return one.exact and one.comparison.verdict is Verdict.SAME


def _panel(axis: Any, title: str, rows: Sequence[GateCell | GateContrast], farthest: float, report: GateReport) -> None:
    axis.set_title(title, loc="left")
    axis.axvline(0.0, color=LIGHT["quiet"], linewidth=1)
    effect = report.min_effects.get("contrast" if isinstance(rows[0], GateContrast) else "time", 0.0)
    axis.axvspan(-math.log1p(effect), math.log1p(effect), color=LIGHT["band"], zorder=0)
    for height, one in enumerate(rows):
        _row(axis, height, one, farthest)
    axis.set_yticks(range(len(rows)), [_name(one, report) for one in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")


def _legend_first(axis: Any) -> None:
    """Name all marks in one order, drawn or not: a reader of several pictures finds each in its place."""
    for word, (marker, colour, filled) in _LOOKS.items():
        face = colour if filled else "none"
        axis.plot([], [], marker=marker, label=word, color=colour, markerfacecolor=face, markersize=5, linestyle="none")


def _row(axis: Any, height: int, one: GateCell | GateContrast, farthest: float) -> None:
    found, word = one.comparison, verdict(one)
    marker, colour, filled = _LOOKS[word]
    style = {"color": colour, "markersize": 5, "linestyle": "none", "markerfacecolor": colour if filled else "none"}
    low, middle, high = (_within(end, 2 * farthest) for end in (found.low, found.ratio, found.high))
    axis.plot([low, high], [height, height], color=colour, linewidth=1.2, solid_capstyle="butt")
    if abs(middle) <= _EDGE * farthest:
        axis.plot([middle], [height], marker=marker, **style)
        return
    side = 1 if middle > 0 else -1
    axis.plot([side * _EDGE * farthest], [height], marker=">" if side > 0 else "<", **style)
    ground = {"facecolor": LIGHT["ground"], "edgecolor": "none", "pad": 0.5}
    axis.annotate(
        ratio(one),
        (side * _EDGE * farthest, height),
        xytext=(-6 * side, 0),
        textcoords="offset points",
        ha="right" if side > 0 else "left",
        va="center",
        fontsize=7,
        bbox=ground,
    )


def _within(ratio_end: float, most: float) -> float:
    """Place an end on the axis, or just off it."""
    if math.isnan(ratio_end) or ratio_end <= 0:
        return -most
    return min(max(math.log(ratio_end), -most), most) if math.isfinite(ratio_end) else most


def _name(one: GateCell | GateContrast, report: GateReport) -> str:
    if not isinstance(one, GateCell):
        return _literal(f"{shortened(one.name, _LONGEST_NAME)} ({one.cells})" if one.what else f"all {one.cells} cells")
    metric = "" if one.metric == "wall_time" else f" {one.metric}"
    place = "" if len(report.environments) < 2 else f" {one.environment}"
    text = f"{one.cell}{metric}{place}"
    # Of a long name the end tells more: parameters.
    return _literal(shortened(text if len(text) <= _LONGEST_NAME else f"…{text[1 - _LONGEST_NAME :]}", _LONGEST_NAME))


def _literal(text: str) -> str:
    # Dollars would begin a formula.
    return text.replace("$", r"\$")


def _ratio_axis(axis: Any, farthest: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - heavy, and only drawing needs it

    low, high = (math.exp(end) for end in (-farthest, farthest))
    found = MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = [tick for tick in found if low <= tick <= high]
    axis.set_xlim(-farthest, farthest)
    axis.set_xticks([math.log(tick) for tick in ticks])
    labels = {math.log(tick): f"{tick:.4g}" for tick in ticks}
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: labels.get(value, f"{math.exp(value):.4g}")))
    axis.set_xlabel("ratio, candidate ÷ baseline, with its interval")


def _alternative(report: GateReport, contrasts: Sequence[GateContrast], cells: Sequence[GateCell], left: int) -> str:
    drawn: list[GateCell | GateContrast] = [*contrasts, *cells]
    slower = [one for one in drawn if one.comparison.verdict is Verdict.SLOWER]
    told = [f"{_plain(one)} at {ratio(one)}" for one in slower[:5]]
    more = f" {left} benchmarks more are in gate.json." if left else ""
    return (
        f"Ratio of candidate to baseline with its interval, for {len(contrasts)} factor levels and {len(cells)} "
        f"benchmarks, slower ones first. {headline(report)} Slower: {listed(told)}.{more}"
    )


def _plain(one: GateCell | GateContrast) -> str:
    return one.cell if isinstance(one, GateCell) else one.name
