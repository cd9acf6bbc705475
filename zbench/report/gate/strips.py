"""Ratios with their intervals as a strip of characters, for tables that hold no pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.model import Comparison

__all__ = ["reach", "strip", "strip_head"]

_HALF = 10
_DRAWN_WHOLE = 0.75
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def reach(comparisons: Iterable[Comparison]) -> float:
    """Choose how far to draw to both sides of 1.

    Parameters
    ----------
    comparisons
        All that are drawn.

    Returns
    -------
    float
        A round share, 0.1 for 10 %, at most 1, within which three of four lie: one that changed a lot would leave no
        room for the others, and is drawn as an arrow.
    """
    widths = sorted(found for found in map(_width, comparisons) if math.isfinite(found))
    wide = widths[math.ceil(_DRAWN_WHOLE * len(widths)) - 1] if widths else 0.0
    return next((step for step in _STEPS if math.log1p(step) >= wide), _STEPS[-1])


def _width(one: Comparison) -> float:
    ends = [end for end in (one.ratio, one.low, one.high) if math.isfinite(end) and end > 0]
    return max((abs(math.log(end)) for end in ends), default=math.nan)


def strip_head(share: float) -> str:
    """Write what the ends of strips stand for.

    Parameters
    ----------
    share
        As `reach` gave it.

    Returns
    -------
    str
        The ratios at the left end, in the middle and at the right end.
    """
    return f"{1 / (1 + share):.2f} … 1 … {1 + share:.2f}"


def strip(comparison: Comparison, share: float) -> str:
    """Draw a ratio with its interval.

    Parameters
    ----------
    comparison
        What is drawn.
    share
        As `reach` gave it.

    Returns
    -------
    str
        So many characters for every ratio: ``│`` stands at 1, ``●`` at the ratio, ``├─┤`` over the interval, and an
        arrow where something lies beyond. Empty for a ratio that is not known.
    """
    if math.isnan(comparison.ratio):
        return ""
    low, middle, high = (_place(end, share) for end in (comparison.low, comparison.ratio, comparison.high))
    cells = ["·"] * (2 * _HALF + 1)
    for place in range(max(low, -_HALF), min(high, _HALF) + 1):
        cells[place + _HALF] = "─"
    for place, sign in ((low, "├"), (high, "┤")):
        if abs(place) <= _HALF and low != high:
            cells[place + _HALF] = sign
    cells[_HALF] = {"·": "│", "─": "┼"}.get(cells[_HALF], cells[_HALF])
    if low < -_HALF:
        cells[0] = "◂"
    if high > _HALF:
        cells[-1] = "▸"
    if abs(middle) <= _HALF:
        cells[middle + _HALF] = "●"
    return "".join(cells)


def _place(ratio: float, share: float) -> int:
    """Find the character, counted from the middle; one more than there are for what lies beyond."""
    if math.isnan(ratio) or ratio <= 0:
        return -_HALF - 1
    if math.isinf(ratio):
        return _HALF + 1
    place = round(math.log(ratio) / math.log1p(share) * _HALF)
    return max(min(place, _HALF + 1), -_HALF - 1)
