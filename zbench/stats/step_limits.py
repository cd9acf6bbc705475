"""What the statistics of steps are held against: quantiles of Student's t, which need the size of a series alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

__all__ = ["EFFICIENCY", "Limits", "SeriesLimits", "chance", "limits_of"]

# The spread of differences tells as much as that of two thirds as many values.
EFFICIENCY = 2 / 3
# Tests that the intervals of a series amount to, for each of its points; they overlap, so there are fewer than it
# looks. With it noise alone steps as seldom as was asked for: tests/statistical/test_steps.py.
_TESTS_A_POINT = 1.0
_CONFIDENCE = 0.95
# Sizes that are made at once beyond the one that is asked for.
_AHEAD = 128


@dataclass(frozen=True, slots=True)
class Limits:
    """What the steps of a series of one size are held against.

    Attributes
    ----------
    threshold
        The largest of Student's t that noise alone exceeds as seldom as was asked for, anywhere in the series.
    normal
        The limit that is as seldom exceeded where the spread is known.
    quantile
        Of the 95 % interval of one change of level.
    """

    threshold: float
    normal: float
    quantile: float


@lru_cache(maxsize=4096)
def limits_of(level: float, size: int, freedom: float) -> Limits:
    """Make the limits of one series.

    Parameters
    ----------
    level
        Chance of any false step in it.
    size
        Number of its points.
    freedom
        Degrees of freedom that its noise is known with.

    Returns
    -------
    Limits
        Of Student's t.
    """
    return Limits(*_table(level, np.array([size]), np.array([freedom]))[0].tolist())


def chance(statistic: float, size: int, freedom: float) -> float:
    """Tell how likely noise alone exceeds a statistic anywhere in a series.

    Parameters
    ----------
    statistic
        Student's t of a step.
    size, freedom
        As for `limits_of`.

    Returns
    -------
    float
        At most 1.
    """
    from scipy import special  # noqa: PLC0415 - takes longer to import than a whole series to search

    return float(min(1.0, 2 * _TESTS_A_POINT * size * special.stdtr(freedom, -statistic)))


def _table(level: float, sizes: np.ndarray, freedoms: np.ndarray) -> np.ndarray:
    from scipy import special  # noqa: PLC0415 - takes longer to import than a whole series to search

    threshold = -special.stdtrit(freedoms, level / (2 * _TESTS_A_POINT * sizes))
    normal = -special.ndtri(special.stdtr(freedoms, -threshold))
    quantile = -special.stdtrit(freedoms, (1 - _CONFIDENCE) / 2)
    return np.stack([threshold, normal, quantile], axis=1)


@dataclass(slots=True)
class SeriesLimits:
    """The limits of many series with one noisy value a point, of any size.

    Attributes
    ----------
    error
        Chance of any false step in all series together.
    family
        Number of series that are searched together.
    table
        A row for each size from 1 on, as far as it was asked for, of what `Limits` holds; kept from one run to the
        next it spares the next one to make them.
    """

    error: float = 0.01
    family: int = 1
    table: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))

    def of(self, size: int) -> Limits:
        """Tell the limits of a series.

        Parameters
        ----------
        size
            Number of its points.

        Returns
        -------
        Limits
            Those of `limits_of` for the degrees of freedom that so many points have.
        """
        if size > len(self.table):
            sizes = np.arange(len(self.table) + 1, size + _AHEAD + 1)
            self.table = np.concatenate([self.table, _table(self.error / self.family, sizes, EFFICIENCY * sizes)])
        return Limits(*self.table[size - 1].tolist())
