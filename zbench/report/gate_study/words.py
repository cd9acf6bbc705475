"""How the page writes rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.report.text import NOTHING

if TYPE_CHECKING:
    from zbench.stats import Interval

__all__ = ["percent", "share"]


def share(found: Interval | None) -> str:
    """Write a rate with its interval.

    Parameters
    ----------
    found
        Of Clopper and Pearson; ``None`` where it was never tried.

    Returns
    -------
    str
        For example ``"97.5 % of 40 [86.8, 99.9]"``.
    """
    if found is None:
        return NOTHING
    return f"{percent(found.estimate)} % of {found.count} [{percent(found.low)}, {percent(found.high)}]"


def percent(value: float) -> str:
    """Write a share in per cent.

    Parameters
    ----------
    value
        Between 0 and 1.

    Returns
    -------
    str
        With one figure behind the point where it is not 0.
    """
    return f"{100 * value:.1f}".removesuffix(".0")
