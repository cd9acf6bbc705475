"""Bounds for looking at the same data again and again: how much of an error each look may spend."""

from __future__ import annotations

import math
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zbench.errors import InsufficientSamplesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Spending", "bounds", "repeated_p_value"]

# Where the walk may be is cut into so many places (Gauss and Legendre); more change no bound in its fourth digit.
_PLACES = 96
# A normal value is never further away than this.
_FAR = 9.0
_HALVINGS = 32
# Errors for which bounds are worked out; between them the logarithms are joined by lines.
_ERRORS = tuple(np.geomspace(1e-13, 0.9, 64).tolist())


class Spending(StrEnum):
    """How the error is dealt out over the looks.

    Late, early, and in between: up to a share t of the plan on each side 2 - 2 Φ(z ÷ √t), of it the share
    ln(1 + (e - 1) t), and of it the share t².
    """

    OBRIEN_FLEMING = "O'Brien-Fleming"
    POCOCK = "Pocock"
    SQUARE = "square"


def bounds(
    fractions: tuple[float, ...], *, error_rate: float, spending: Spending, times: tuple[float, ...] | None = None
) -> tuple[float, ...]:
    """Work out how far from zero a statistic must lie at each look.

    The statistic is standard normal at each look and its values are those of a Brownian motion at the fractions,
    divided by their roots: Lan and DeMets (1983), with the recursion of Armitage, McPherson and Rowe (1969).

    Parameters
    ----------
    fractions
        Share of the planned data that each look has, ascending.
    error_rate
        Two-sided, over all looks together.
    spending
        How it is dealt out.
    times
        Share of the plan at which each look spends; the fractions where not given. They differ when the plan is cut
        short: the last look then spends all that is left.

    Returns
    -------
    tuple of float
        One bound a look, in standard deviations; infinite where a look has nothing to spend.

    Raises
    ------
    InsufficientSamplesError
        If the fractions do not ascend within 0 to 1.
    """
    steps = np.diff((0.0, *fractions))
    if not fractions or not ((steps > 0).all() and fractions[-1] <= 1 and 0 < error_rate < 1):
        msg = (
            "Bounds need looks at ascending shares of the data and an error between 0 and 1: got shares "
            f"{fractions!r}, error {error_rate!r}. Look less often."
        )
        raise InsufficientSamplesError(msg)
    return tuple(_walk(fractions, times or fractions, (error_rate,), spending)[:, 0].tolist())


def repeated_p_value(
    statistics: Sequence[float],
    fractions: tuple[float, ...],
    *,
    spending: Spending,
    times: tuple[float, ...] | None = None,
) -> float:
    """Tell the smallest error at which one of the looks would have rejected.

    Parameters
    ----------
    statistics
        Standard normal statistic at each look so far; its sign does not count.
    fractions, spending, times
        As in `bounds`; looks that are still to come change nothing.

    Returns
    -------
    float
        A p value that holds whenever one stops looking.
    """
    smallest = 1.0
    table = _walk(fractions, times or fractions, _ERRORS, spending)
    for value, limits in zip(statistics, table, strict=False):
        # The bound falls as the error grows; a statistic below the last one rejects at no error of the table.
        if abs(value) >= limits[-1]:
            reached = np.isfinite(limits)
            place = np.interp(-abs(value), -limits[reached], np.log(_ERRORS)[reached])
            smallest = min(smallest, math.exp(float(place)))
    return smallest


def _walk(
    fractions: tuple[float, ...], times: tuple[float, ...], errors: tuple[float, ...], spending: Spending
) -> npt.NDArray[np.float64]:
    """Find the bounds of all looks for many errors at once: looks first, then errors."""
    ends = range(1, len(fractions) + 1)
    return np.array([_step(fractions[:end], times[:end], errors, spending).limits for end in ends])


class _Walk(NamedTuple):
    """Where the walk is at a look, for each error: what it must not pass, and what of it is left within."""

    limits: npt.NDArray[np.float64]
    places: npt.NDArray[np.float64]
    masses: npt.NDArray[np.float64]
    spent: npt.NDArray[np.float64]


# Plans that end early have all looks but the last in common.
@lru_cache(maxsize=128)
def _step(
    fractions: tuple[float, ...], times: tuple[float, ...], errors: tuple[float, ...], spending: Spending
) -> _Walk:
    """Go on from the look before to the last one that is given."""
    rates = np.array(errors)
    start = _Walk(rates, np.zeros((rates.size, 1)), np.ones((rates.size, 1)), np.zeros(rates.size))
    before = _step(fractions[:-1], times[:-1], errors, spending) if fractions[1:] else start
    step = math.sqrt(fractions[-1] - (fractions[-2] if fractions[1:] else 0.0))
    upto = _spent(rates, times[-1], spending)
    limits = _bound(before, step, np.maximum(upto - before.spent, 0.0), scale=math.sqrt(fractions[-1]))
    nodes, weights = np.polynomial.legendre.leggauss(_PLACES)
    edge = (np.minimum(limits, _FAR) * math.sqrt(fractions[-1]))[:, None]
    places = edge * nodes
    reached = np.exp(-(((places[:, :, None] - before.places[:, None, :]) / step) ** 2) / 2) @ before.masses[:, :, None]
    return _Walk(limits, places, reached[:, :, 0] * weights * edge / (step * math.sqrt(2 * math.pi)), upto)


def _bound(walk: _Walk, step: float, error: npt.NDArray[np.float64], *, scale: float) -> npt.NDArray[np.float64]:
    """Halve until the walk leaves with just that error."""
    from scipy import special  # noqa: PLC0415 - most commands need no statistics

    low, high = np.zeros(error.size), np.full(error.size, _FAR)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        edge = (middle * scale)[:, None]
        outside = special.ndtr((walk.places - edge) / step) + special.ndtr((-walk.places - edge) / step)
        leaves = (walk.masses * outside).sum(axis=1)
        low, high = np.where(leaves > error, middle, low), np.where(leaves > error, high, middle)
    # What only a place too far away could spend is not spent at this look.
    return np.asarray(np.where(high < _FAR, high, np.inf))


def _spent(errors: npt.NDArray[np.float64], time: float, spending: Spending) -> npt.NDArray[np.float64]:
    """Tell how much of each error may be spent up to a share of the plan."""
    from scipy import special  # noqa: PLC0415 - most commands need no statistics

    if time >= 1:
        return errors
    match spending:
        case Spending.OBRIEN_FLEMING:
            return np.asarray(4 * special.ndtr(special.ndtri(errors / 4) / np.sqrt(time)))
        case Spending.POCOCK:
            return np.asarray(errors * np.log1p((np.e - 1) * time))
        case Spending.SQUARE:
            return errors * time**2
