"""How many blocks a change needs to be found, and which change so many blocks can find."""

from __future__ import annotations

import math
from statistics import NormalDist

from zbench.errors import InsufficientSamplesError
from zbench.stats.paired import fewest_blocks

__all__ = ["blocks_needed", "detectable_effect", "power_of"]

# More blocks than anybody measures.
_MOST = 10_000_000


def power_of(*, sd: float, effect: float, blocks: int, error_rate: float = 0.01) -> float:
    """Tell how likely a change is found.

    Parameters
    ----------
    sd
        Standard deviation of the logarithm that one block gives.
    effect
        The change: 0.03 is a candidate that takes 3 % longer, -0.03 one that takes 3 % less.
    blocks
        Number of blocks.
    error_rate
        Two-sided error of the test, after its correction.

    Returns
    -------
    float
        Chance that Student's test of so many blocks finds it, on the right side.

    Raises
    ------
    InsufficientSamplesError
        If a number makes no sense.
    """
    _check(sd=sd, effect=effect, error_rate=error_rate)
    from scipy import special  # noqa: PLC0415 - most commands need no statistics

    if blocks < fewest_blocks(error_rate):
        return 0.0
    limit = float(special.stdtrit(blocks - 1, 1 - error_rate / 2))
    noncentral = abs(math.log1p(effect)) / sd * math.sqrt(blocks)
    return 1 - float(special.nctdtr(blocks - 1, noncentral, limit))


def blocks_needed(*, sd: float, effect: float, power: float = 0.95, error_rate: float = 0.01) -> int:
    """Tell how many blocks find a change.

    Parameters
    ----------
    sd
        Standard deviation of the logarithm that one block gives.
    effect
        The change: 0.03 is a candidate that takes 3 % longer.
    power
        Chance to find it.
    error_rate
        Two-sided error of the test, after its correction.

    Returns
    -------
    int
        The fewest blocks with that chance, looked at once; looking again and again costs a few per cent more.

    Raises
    ------
    InsufficientSamplesError
        If a number makes no sense, or no number of blocks that could be measured is enough.
    """
    _check(sd=sd, effect=effect, error_rate=error_rate, power=power)
    fewest = fewest_blocks(error_rate)
    ratio = sd / abs(math.log1p(effect))
    if (_quantiles(power, error_rate) * ratio) ** 2 > _MOST:
        msg = f"No number of blocks that could be measured finds {effect:.2%} among {sd:.2%} of noise. Ask for more."
        raise InsufficientSamplesError(msg)
    low, high = fewest - 1, fewest
    while power_of(sd=sd, effect=effect, blocks=high, error_rate=error_rate) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(sd=sd, effect=effect, blocks=middle, error_rate=error_rate) < power:
            low = middle
        else:
            high = middle
    return high


def detectable_effect(*, sd: float, blocks: int, power: float = 0.95, error_rate: float = 0.01) -> float:
    """Tell which slowdown so many blocks find.

    Parameters
    ----------
    sd
        Standard deviation of the logarithm that one block gives.
    blocks
        Number of blocks.
    power
        Chance to find it.
    error_rate
        Two-sided error of the test, after its correction.

    Returns
    -------
    float
        The smallest such change: 0.03 is 3 %. Infinite where there are too few blocks to find any.

    Raises
    ------
    InsufficientSamplesError
        If a number makes no sense.
    """
    _check(sd=sd, effect=1.0, error_rate=error_rate, power=power)
    if blocks < fewest_blocks(error_rate):
        return math.inf
    from scipy import special  # noqa: PLC0415 - most commands need no statistics

    limit = float(special.stdtrit(blocks - 1, 1 - error_rate / 2))
    shift = float(special.nctdtrinc(blocks - 1, 1 - power, limit))
    return math.expm1(shift * sd / math.sqrt(blocks))


def _quantiles(power: float, error_rate: float) -> float:
    return NormalDist().inv_cdf(1 - error_rate / 2) + NormalDist().inv_cdf(power)


def _check(*, sd: float, effect: float, error_rate: float, power: float = 0.5) -> None:
    if not (sd > 0 and effect > -1 and effect and 0 < error_rate < power < 1):
        msg = (
            "Power needs noise above 0, an effect that is not 0 and more than -100 %, and an error below the power: "
            f"got sd {sd!r}, effect {effect!r}, error_rate {error_rate!r}, power {power!r}."
        )
        raise InsufficientSamplesError(msg)
