"""Power curves: how often a slowdown is found, by its size, for each tool."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from zbench.report.gate_study.nouns import GATE_LISTED, TOOLS
from zbench.report.gate_study.scores import cell_alarms, detection
from zbench.report.volume.palette import LIGHT
from zbench.report.volume.palette import series as look_of

if TYPE_CHECKING:
    from zbench.report.gate_study.nouns import GateStudy
    from zbench.stats import Interval

__all__ = ["draw_power"]

_AIM = 0.95
_DRAWN = tuple(tool for tool in TOOLS if tool != GATE_LISTED)
# Bars side by side can be told from each other; per cent of slowdown.
_ASIDE = 0.09
_PANELS = ((False, "quiet"), (True, "another load keeps a core busy"))


def draw_power(study: GateStudy) -> dict[str, bytes]:
    """Draw the share of slow cells that each tool finds.

    Parameters
    ----------
    study
        What was recorded.

    Returns
    -------
    dict
        The figure by the ending of its file, ``svg`` and ``png``.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only drawing needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8.4, 4.0), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (busy, title) in zip(axes, _PANELS, strict=True):
        _panel(axis, study, busy=busy)
        axis.set_title(title, fontsize=9, loc="left")
    axes[0].set_ylabel("share of cells told slower")
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    drawn = {}
    with mpl.rc_context({"svg.hashsalt": "zbench"}):
        for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 150})):
            stream = io.BytesIO()
            figure.savefig(stream, format=ending, **options)
            drawn[ending] = stream.getvalue()
    return drawn


def _panel(axis: Any, study: GateStudy, *, busy: bool) -> None:
    levels = sorted(set(study.levels.values()))
    axis.axhline(_AIM, color=LIGHT["quiet"], linewidth=0.8, linestyle=(0, (1, 2)))
    for place, tool in enumerate(_DRAWN):
        found = {level: _at(study, tool, level, busy=busy) for level in levels}
        points = {level: one for level, one in found.items() if one is not None}
        if not points:
            continue
        look = look_of(place)
        aside = (place - (len(_DRAWN) - 1) / 2) * _ASIDE
        axis.errorbar(
            [level + aside for level in points],
            [one.estimate for one in points.values()],
            yerr=[
                [one.estimate - one.low for one in points.values()],
                [one.high - one.estimate for one in points.values()],
            ],
            label=tool,
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            markersize=4,
            linewidth=1.1,
            elinewidth=0.8,
            capsize=2,
        )
    axis.set_xticks(levels, [str(level) for level in levels])
    axis.set_ylim(-0.02, 1.03)
    axis.set_xlabel("injected slowdown / %")
    axis.grid(color=LIGHT["rule"], linewidth=0.6)


def _at(study: GateStudy, tool: str, level: int, *, busy: bool) -> Interval | None:
    """Take the false alarms of alike sides where nothing was injected."""
    if level:
        return detection(study, tool, level, busy=busy)
    return cell_alarms(study, tool, busy=busy) or detection(study, tool, 0, busy=busy)
