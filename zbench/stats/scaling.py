"""How a quantity grows with the size of a volume: a power law, what it leaves over, what it says of other sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["FEWEST_SIZES", "PowerLaw", "fit_power_law"]

# Two sizes lie on a law whatever they are, and leave nothing over to tell how sure it is.
FEWEST_SIZES = 3
# Variance of the median of many normal values ÷ that of their mean; for few values it is less.
_MEDIAN = math.pi / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerLaw:
    """A quantity as ``factor * size ** exponent``.

    Attributes
    ----------
    sizes
        Those that it was fitted to.
    factor
        The quantity at size 1, in its own unit.
    exponent
        The power, with its interval.
    residuals
        What was measured ÷ what the law says, at each size.
    spread
        Standard deviation of the logarithms of the residuals, two degrees of freedom taken off.
    noises
        Variance of the logarithm of the quantity at each size, as the values of that size tell it; empty where a size
        has one value.
    noise_freedom
        Degrees of freedom of all these variances together.
    misfit_p
        How likely the values of the sizes alone scatter as far from the law as they do; ``None`` where a size has one
        value.
    confidence
        Of all intervals.
    """

    sizes: tuple[float, ...]
    factor: float
    exponent: Interval
    residuals: tuple[float, ...]
    spread: float
    noises: tuple[float, ...]
    noise_freedom: int
    misfit_p: float | None
    confidence: float

    @property
    def is_rough(self) -> bool:
        """Whether the quantity is told apart from the law: it bends, or steps."""
        return self.misfit_p is not None and self.misfit_p < 1 - self.confidence

    def at(self, size: float) -> Interval:
        """Say what would be measured at a size, if the law holds there.

        Parameters
        ----------
        size
            Any positive size.

        Returns
        -------
        Interval
            In the unit of the quantity. It has room for what one more size would be off the law, as the others are.
        """
        logs = np.log(np.asarray(self.sizes))
        weights = 1 / logs.size + (math.log(size) - logs.mean()) * (logs - logs.mean()) / _square(logs)
        middle = math.log(self.factor) + self.exponent.estimate * math.log(size)
        half = _half_width(
            spread=self.spread,
            noises=self.noises,
            freedom=(logs.size - 2, self.noise_freedom),
            weights=weights,
            confidence=self.confidence,
            is_new=True,
        )
        low, high = _exp(middle - half), _exp(middle + half)
        return Interval(_exp(middle), low, high, logs.size)


def fit_power_law(sizes: Sequence[float], samples: Sequence[Sequence[float]], *, confidence: float = 0.95) -> PowerLaw:
    """Fit a power law to the logarithms of sizes and medians, by least squares.

    The intervals are Student's, from what the medians leave over: they hold if these deviations, of whatever cause, are
    alike and independent. With few sizes they are wide. Where the sizes have several values, the intervals are at least
    as wide as the scatter of these values makes them, lest three sizes that lie on a line by chance look sure.

    Parameters
    ----------
    sizes
        For example voxels an axis, each once.
    samples
        Values at each size, most often one a process; their median counts.
    confidence
        Share of such intervals that hold the truth.

    Returns
    -------
    PowerLaw
        With intervals.

    Raises
    ------
    InsufficientSamplesError
        If there are fewer than three sizes, or a size or value is not positive.
    """
    given = np.asarray(sizes, dtype=float)
    values = [np.asarray(one, dtype=float) for one in samples]
    if len(set(sizes)) < max(FEWEST_SIZES, len(sizes)) or not all(map(_are_positive, (given, *values))):
        msg = (
            f"A law of growth needs at least {FEWEST_SIZES} sizes, each once, with positive values: got "
            f"{dict(zip(sizes, map(list, samples), strict=False))!r}. Measure more sizes."
        )
        raise InsufficientSamplesError(msg)
    logs = np.log(given)
    medians = np.log([float(np.median(one)) for one in values])
    apart = logs - logs.mean()
    slope = float(apart @ medians / _square(logs))
    left = medians - medians.mean() - slope * apart
    spread = math.sqrt(float(left @ left) / (logs.size - 2))
    noises, freedom = _noises(values)
    half = _half_width(
        spread=spread,
        noises=noises,
        freedom=(logs.size - 2, freedom),
        weights=apart / _square(logs),
        confidence=confidence,
        is_new=False,
    )
    return PowerLaw(
        sizes=tuple(map(float, sizes)),
        factor=_exp(float(medians.mean()) - slope * float(logs.mean())),
        exponent=Interval(slope, slope - half, slope + half, logs.size),
        residuals=tuple(map(_exp, left.tolist())),
        spread=spread,
        noises=noises,
        noise_freedom=freedom,
        misfit_p=_misfit(spread, noises, (logs.size - 2, freedom)),
        confidence=confidence,
    )


def _are_positive(values: npt.NDArray[np.float64]) -> bool:
    return bool(values.size) and bool(np.isfinite(values).all()) and bool((values > 0).all())


def _square(logs: npt.NDArray[np.float64]) -> float:
    apart = logs - logs.mean()
    return float(apart @ apart)


def _exp(value: float) -> float:
    # Three sizes that are far from any law have an interval beyond all numbers.
    return math.exp(value) if value < math.log(1e300) else math.inf


def _noises(values: Sequence[npt.NDArray[np.float64]]) -> tuple[tuple[float, ...], int]:
    if any(one.size < 2 for one in values):
        return (), 0
    variances = (float(np.log(one).var(ddof=1)) * _MEDIAN / one.size for one in values)
    return tuple(variances), sum(one.size - 1 for one in values)


def _half_width(
    *,
    spread: float,
    noises: tuple[float, ...],
    freedom: tuple[int, int],
    weights: npt.NDArray[np.float64],
    confidence: float,
    is_new: bool,
) -> float:
    """Take the wider of what the deviations from the law say and what the values of the sizes say."""
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and most commands need no statistics

    reach = (1 + confidence) / 2
    squares = float(weights @ weights) + (1 if is_new else 0)
    half = float(stats.t.ppf(reach, freedom[0])) * spread * math.sqrt(squares)
    if not noises:
        return half
    told = float(weights**2 @ np.asarray(noises)) + (sum(noises) / len(noises) if is_new else 0)
    return max(half, float(stats.t.ppf(reach, freedom[1])) * math.sqrt(told))


def _misfit(spread: float, noises: tuple[float, ...], freedom: tuple[int, int]) -> float | None:
    noise = sum(noises)
    if not noise:
        return None
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and most commands need no statistics

    return float(stats.f.sf(spread**2 / (noise / len(noises)), *freedom))
