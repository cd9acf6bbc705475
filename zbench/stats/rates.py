"""How often something happens, from how often it was seen."""

from __future__ import annotations

from zbench.errors import InsufficientSamplesError
from zbench.stats.intervals import Interval

__all__ = ["rate_interval"]


def rate_interval(seen: int, tries: int, *, confidence: float = 0.95) -> Interval:
    """Estimate a rate, for example of detections or of false alarms.

    Parameters
    ----------
    seen
        How often it happened.
    tries
        How often it could have happened.
    confidence
        Share of such intervals that hold the true rate, at least.

    Returns
    -------
    Interval
        Between 0 and 1, exact for any number of tries (Clopper and Pearson).

    Raises
    ------
    InsufficientSamplesError
        If it was never tried, or seen more often than tried.
    """
    if not 0 <= seen <= tries or not tries:
        msg = f"A rate needs at least one try, and no more seen than tried: got {seen} of {tries}. Repeat it first."
        raise InsufficientSamplesError(msg)
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and most commands need no statistics

    found = stats.binomtest(seen, tries).proportion_ci(confidence, method="exact")
    return Interval(seen / tries, float(found.low), float(found.high), tries)
