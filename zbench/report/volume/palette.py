"""Colours that keep their contrast on light and on dark, with a marker and a line for those who see none."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DARK", "LIGHT", "SERIES", "Series", "series", "variable"]


class Series(NamedTuple):
    """How one line of a figure looks.

    Attributes
    ----------
    colour
        On light ground.
    marker, line
        As matplotlib writes them.
    """

    colour: str
    marker: str
    line: str


# After Okabe and Ito, whose hues most eyes tell apart; darkened or lightened until each has a contrast of at least 3
# with its ground. Each value is there once: the figures in the page find their colour by it.
LIGHT = {
    "ground": "#ffffff",
    "ink": "#1b1f24",
    "quiet": "#586069",
    "rule": "#d5d9de",
    "band": "#f3f5f7",
    "accent": "#0a5f96",
    "series-1": "#0072b2",
    "series-2": "#d55e00",
    "series-3": "#00805e",
    "series-4": "#a8508a",
    "series-5": "#8a6500",
    "series-6": "#30343b",
    "series-7": "#2f86b8",
    "series-8": "#7a7d80",
}
DARK = {
    "ground": "#14181d",
    "ink": "#e9edf1",
    "quiet": "#a9b3bd",
    "rule": "#3a424b",
    "band": "#1e242b",
    "accent": "#7cc4f2",
    "series-1": "#56b4e9",
    "series-2": "#ff8a3d",
    "series-3": "#2bc79b",
    "series-4": "#e29bc4",
    "series-5": "#f0b429",
    "series-6": "#d3d8de",
    "series-7": "#8fd0f5",
    "series-8": "#9a9ea3",
}
_SHAPES = (("o", "-"), ("s", "--"), ("^", "-."), ("D", ":"), ("v", "-"), ("P", "--"), ("X", "-."), ("<", ":"))
SERIES = tuple(Series(LIGHT[f"series-{place}"], marker, line) for place, (marker, line) in enumerate(_SHAPES, start=1))


def series(place: int) -> Series:
    """Find the look of a line by its place.

    Parameters
    ----------
    place
        From 0 on; after the last the first comes again.

    Returns
    -------
    Series
        Colour, marker, line.
    """
    return SERIES[place % len(SERIES)]


def variable(part: str) -> str:
    """Name the CSS variable of a colour.

    Parameters
    ----------
    part
        Key of `LIGHT` and `DARK`.

    Returns
    -------
    str
        With two hyphens.
    """
    return f"--{part}"
