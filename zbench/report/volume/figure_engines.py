"""Engines against each other on what they stored alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.report.text import listed
from zbench.report.volume.blocks import Picture
from zbench.report.volume.drawing import Drawn, bars, ends, legend, panels, ratio_axis
from zbench.report.volume.palette import LIGHT, series
from zbench.report.volume.sweeps import base_engine, engine_ratio, operations
from zbench.report.volume.words import ratio

if TYPE_CHECKING:
    from zbench.report.volume.evidence import Condition, Evidence

__all__ = ["draw_engines"]


def draw_engines(evidence: Evidence, condition: Condition, *, name: str) -> Drawn | None:
    """Draw the time of each engine ÷ that of one of them, by operation.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    name
        Of the files.

    Returns
    -------
    Drawn or None
        ``None`` for one engine, or engines that stored nothing alike.
    """
    base = base_engine(evidence, condition)
    if base is None:
        return None
    others = [engine for engine in evidence.engines if engine != base]
    patterns = operations(evidence, condition)
    found = {
        (engine, pattern): pooled.ratio
        for engine in others
        for pattern in patterns
        if (pooled := engine_ratio(evidence, condition, (pattern,), baseline=base, candidate=engine))
    }
    if not found:
        return None
    rows = [pattern for pattern in patterns if any(key[1] == pattern for key in found)]
    shown = [engine for engine in others if any(key[0] == engine for key in found)]
    canvas, (axis,) = panels([condition.text], columns=1, height=1.0 + 0.16 * len(rows) * (len(shown) + 1))
    for place, engine in enumerate(shown):
        style = series(place)
        step = (place - (len(shown) - 1) / 2) * 0.7 / max(len(shown), 2)
        ours = [(row + step, found[engine, pattern]) for row, pattern in enumerate(rows) if (engine, pattern) in found]
        axis.errorbar(
            [value.value for _, value in ours], [height for height, _ in ours], xerr=bars([value for _, value in ours]),
            fmt=style.marker, color=style.colour, ms=5, elinewidth=1.1, mfc="none" if place % 2 else style.colour,
            label=engine,
        )  # fmt: skip
    ratio_axis(axis.xaxis, [1.0, *(end for value in found.values() for end in ends(value))])
    axis.axvline(1, color=LIGHT["quiet"], lw=1)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(f"time ÷ time of {base}; left of the line is faster")
    axis.set_ylabel("operation")
    legend(canvas, [axis])
    told = listed([f"{engine} {ratio(value)} for {pattern}" for (engine, pattern), value in found.items()])
    alternative = f"Time of each engine divided by the time of {base}, {condition.text}, with intervals: {told}."
    caption = (
        f"Geometric mean over the configurations that an engine and {base} both stored, with its interval. An interval "
        "that reaches the line means that the two cannot be told apart."
    )
    return Drawn(canvas, Picture(name, alternative, caption))
