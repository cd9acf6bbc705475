"""Generated histories whose steps are known, to measure how well steps are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["GROUPS", "NEAR", "Generated", "generated", "matched"]

GROUPS = ("no step", "one step of 5 %", "one step", "three steps", "drift", "drift and a step")
_SHORTEST, _LONGEST = 60, 300
# Steps are at least so far apart and from the ends.
_APART = 15
# A step is found if it is told within so many points of where it is: half of the way to the next.
NEAR = 7
_NOISE = 0.03
_TAILS = ("normal", "normal", "t", "lognormal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """A series and the truth about it.

    Attributes
    ----------
    group
        One of `GROUPS`.
    values
        The series; NaN where there is no value.
    steps
        Index of the first point of each new level.
    sizes
        Size of each step: 0.05 is 5 % up, and 5 % down is the inverse of 1.05.
    tails
        Distribution of the noise: ``normal``, ``t`` with three degrees of freedom, or ``lognormal``, which is skewed as
        times are; each with a standard deviation of 3 %.
    """

    group: str
    values: tuple[float, ...]
    steps: tuple[int, ...]
    sizes: tuple[float, ...]
    tails: str


def generated(group: str, seed: int) -> Generated:
    """Make a series.

    Series have 60 to 300 points of a level of 1, with noise of 3 %: normal in half of them, else with heavy or skewed
    tails. In half of them 2 % of the points are 1.3 to 3 times as large; in half of them a tenth of the points is
    missing, some of it in one stretch. Steps go up or down, lie at least fifteen points apart and from the ends, and
    are of 2 to 20 %, all sizes alike on a logarithmic scale; those of ``one step of 5 %`` are of 5 %, in normal noise.
    A drift is a straight line on the logarithm, of up to 15 % over the series.

    Parameters
    ----------
    group
        One of `GROUPS`.
    seed
        The same seed gives the same series.

    Returns
    -------
    Generated
        The series and its truth.
    """
    rng = np.random.default_rng([GROUPS.index(group), seed])
    count = int(rng.integers(_SHORTEST, _LONGEST + 1))
    tails = "normal" if group == "one step of 5 %" else _TAILS[int(rng.integers(len(_TAILS)))]
    logs = _noise(rng, tails, count)
    places = _places(rng, count, {"three steps": 3, "no step": 0, "drift": 0}.get(group, 1))
    sizes = np.exp(rng.uniform(np.log(0.02), np.log(0.20), len(places)))
    if group == "one step of 5 %":
        sizes[:] = 0.05
    for place, size in zip(places, sizes, strict=True):
        logs[place:] += np.log1p(size) * rng.choice((-1.0, 1.0))
    if group.startswith("drift"):
        logs += np.linspace(0, np.log(1.15) * rng.uniform(-1, 1), count)
    if rng.random() < 0.5:
        struck = rng.random(count) < 0.02
        logs[struck] += np.log(rng.uniform(1.3, 3.0, int(struck.sum())))
    values = np.exp(logs)
    if rng.random() < 0.5:
        values[_missing(rng, count)] = np.nan
    return Generated(
        group=group,
        values=tuple(values.tolist()),
        steps=tuple(places),
        sizes=tuple(sizes.tolist()),
        tails=tails,
    )


def _noise(rng: np.random.Generator, tails: str, count: int) -> npt.NDArray[np.float64]:
    if tails == "t":
        drawn = rng.standard_t(3, count) / np.sqrt(3.0)
    elif tails == "lognormal":
        sigma = 0.7
        drawn = (rng.lognormal(0, sigma, count) - np.exp(sigma**2 / 2)) / np.sqrt(
            (np.exp(sigma**2) - 1) * np.exp(sigma**2)
        )
    else:
        drawn = rng.normal(size=count)
    return np.asarray(_NOISE * drawn, dtype=np.float64)


def _places(rng: np.random.Generator, count: int, number: int) -> list[int]:
    """Draw places with room between them: what is left after the rooms is shared out."""
    free = count - (number + 1) * _APART
    cuts = np.sort(rng.integers(0, free + 1, number))
    return [int(cut) + _APART * (place + 1) for place, cut in enumerate(cuts)]


def _missing(rng: np.random.Generator, count: int) -> npt.NDArray[np.bool_]:
    missing = rng.random(count) < 0.05
    begin = int(rng.integers(0, count))
    missing[begin : begin + count // 20] = True
    return missing


def matched(truth: Generated, found: tuple[int, ...]) -> dict[int, int]:
    """Pair true steps with found ones, each at most once, the nearest first.

    Parameters
    ----------
    truth
        The series.
    found
        Index of the first point after each step that was told.

    Returns
    -------
    dict
        From the number of a true step to the place that was told for it, at most `NEAR` points away; a stretch without
        values does not count as distance.
    """
    known = np.flatnonzero(np.isfinite(truth.values))
    rank = {place: int(np.searchsorted(known, place)) for place in (*truth.steps, *found)}
    pairs = sorted(
        (abs(rank[step] - rank[place]), number, place) for number, step in enumerate(truth.steps) for place in found
    )
    paired: dict[int, int] = {}
    for distance, number, place in pairs:
        if distance <= NEAR and number not in paired and place not in paired.values():
            paired[number] = place
    return paired
