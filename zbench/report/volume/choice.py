"""Which configuration is fastest, which is smallest, what lies between, and which cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.report.volume.evidence import TimeKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.report.volume.contrast import Measured
    from zbench.report.volume.evidence import Condition, Configuration, Evidence

__all__ = ["EQUAL_TIME", "Choice", "Chosen", "Smallest", "chosen", "every_pair", "front", "smallest", "versus"]

# A reader does not notice a twentieth; the report says so wherever it counts times as equal.
EQUAL_TIME = 1.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A configuration that is best in some sense.

    Attributes
    ----------
    configuration
        The one with the best estimate.
    time
        Seconds, the geometric mean over the patterns.
    ratio
        Its compression ratio; ``None`` where it is not known.
    tied
        Those that cannot be told apart from it, best estimate first.
    """

    configuration: Configuration
    time: Measured
    ratio: float | None
    tied: tuple[Configuration, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The answers for one purpose in one condition.

    Attributes
    ----------
    condition
        Store and cache state.
    patterns
        Access patterns of the purpose.
    compared
        Number of configurations that have a time for all of them.
    fastest
        Shortest time.
    equal
        The smallest of those whose estimate is at most `EQUAL_TIME` times that of the fastest; ``None`` where no
        compression ratio is known.
    equal_cost
        Time of ``equal`` ÷ time of the fastest; ``None`` where the two are one.
    compromise
        Least product of time and stored bytes; ``None`` where no compression ratio is known.
    """

    condition: Condition
    patterns: tuple[str, ...]
    compared: int
    fastest: Choice
    equal: Choice | None
    equal_cost: Measured | None
    compromise: Choice | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Smallest:
    """The answer for storage.

    Attributes
    ----------
    configuration
        Fewest stored bytes; of equals the one that reads the whole volume fastest.
    ratio
        Compression ratio.
    stored_bytes, objects
        Exact; ``None`` where they are not known.
    equals
        Others with just as many bytes.
    cost
        Time of a whole read ÷ that of the fastest configuration; ``None`` where one is missing.
    """

    configuration: Configuration
    ratio: float
    stored_bytes: float | None
    objects: float | None
    equals: tuple[Configuration, ...]
    cost: Measured | None


def every_pair(count: int) -> int:
    """Count the comparisons that must hold at once when the best is picked from the same numbers.

    Parameters
    ----------
    count
        Number of configurations.

    Returns
    -------
    int
        Number of pairs: any of them could have come to be the best and the one that is compared with it.
    """
    return count * (count - 1) // 2


def versus(
    evidence: Evidence,
    condition: Condition,
    patterns: Sequence[str],
    *,
    candidate: Configuration,
    baseline: Configuration,
    comparisons: int = 1,
) -> Measured:
    """Compare two configurations by the geometric mean over patterns.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    patterns
        Access patterns that both have.
    candidate, baseline
        The two.
    comparisons
        Number of intervals that shall hold at once.

    Returns
    -------
    Measured
        Time of the candidate ÷ time of the baseline.
    """
    share = 1 / len(patterns)
    sides = ((share, candidate), (-share, baseline))
    powers = [(power, TimeKey(condition, side, pattern)) for pattern in patterns for power, side in sides]
    return evidence.contrast(powers, comparisons=comparisons)


def _mean(evidence: Evidence, condition: Condition, configuration: Configuration, patterns: Sequence[str]) -> Measured:
    share = 1 / len(patterns)
    return evidence.contrast((share, TimeKey(condition, configuration, pattern)) for pattern in patterns)


def chosen(
    evidence: Evidence, condition: Condition, patterns: Sequence[str], *, among: Sequence[Configuration] | None = None
) -> Chosen | None:
    """Choose for a purpose.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    patterns
        Access patterns of the purpose; only configurations that have all of them take part.
    among
        Configurations to choose from; ``None`` for all.

    Returns
    -------
    Chosen or None
        ``None`` where no configuration was read by all patterns.
    """
    having = evidence.having(condition, patterns)
    candidates = [configuration for configuration in having if among is None or configuration in among]
    if not candidates:
        return None
    times = {configuration: _mean(evidence, condition, configuration, patterns) for configuration in candidates}
    ratios = {
        configuration: ratio
        for configuration in candidates
        if (ratio := evidence.stored(condition.store, configuration, "compression_ratio"))
    }
    best = min(candidates, key=lambda configuration: times[configuration].value)
    costs = {
        configuration: versus(
            evidence,
            condition,
            patterns,
            candidate=configuration,
            baseline=best,
            comparisons=every_pair(len(candidates)),
        )
        for configuration in candidates
        if configuration != best
    }
    by_time = sorted(costs, key=lambda configuration: times[configuration].value)
    tied = tuple(configuration for configuration in by_time if not costs[configuration].excludes_one)
    equal = _equal(best, costs, ratios)
    return Chosen(
        condition=condition,
        patterns=tuple(patterns),
        compared=len(candidates),
        fastest=Choice(configuration=best, time=times[best], ratio=ratios.get(best), tied=tied),
        equal=equal and Choice(configuration=equal, time=times[equal], ratio=ratios[equal]),
        equal_cost=costs.get(equal) if equal else None,
        compromise=_compromise(evidence, condition, patterns, times=times, ratios=ratios),
    )


def _equal(
    best: Configuration, costs: dict[Configuration, Measured], ratios: dict[Configuration, float]
) -> Configuration | None:
    near = [
        configuration for configuration, cost in costs.items() if configuration in ratios and cost.value <= EQUAL_TIME
    ]
    near += [best] if best in ratios else []
    # Of equally small ones that which is nearest to the fastest.
    cost = {best: 1.0} | {configuration: cost.value for configuration, cost in costs.items()}
    return max(near, key=lambda configuration: (ratios[configuration], -cost[configuration]), default=None)


def _compromise(
    evidence: Evidence,
    condition: Condition,
    patterns: Sequence[str],
    *,
    times: dict[Configuration, Measured],
    ratios: dict[Configuration, float],
) -> Choice | None:
    """Find the least product of time and stored bytes: a tenth less of one is worth a tenth more of the other."""
    if not ratios:
        return None
    ranked = sorted(ratios, key=lambda configuration: times[configuration].value / ratios[configuration])
    best, *others = ranked
    tied = []
    for configuration in others:
        cost = versus(
            evidence, condition, patterns, candidate=configuration, baseline=best, comparisons=every_pair(len(ranked))
        )
        # Stored bytes are exact, so they move both ends alike.
        factor = ratios[best] / ratios[configuration]
        if cost.low is None or cost.high is None or cost.low * factor <= 1 <= cost.high * factor:
            tied.append(configuration)
    return Choice(configuration=best, time=times[best], ratio=ratios[best], tied=tuple(tied))


def smallest(evidence: Evidence, condition: Condition, *, pattern: str = "full_read") -> Smallest | None:
    """Choose for storage.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    pattern
        Access pattern by which the cost in time is told.

    Returns
    -------
    Smallest or None
        ``None`` where no compression ratio is known.
    """
    ratios = {
        configuration: ratio
        for configuration in evidence.configurations
        if (ratio := evidence.stored(condition.store, configuration, "compression_ratio"))
    }
    if not ratios:
        return None
    most = max(ratios.values())
    equals = [configuration for configuration, ratio in ratios.items() if ratio == most]
    times = {configuration: evidence.time(condition, configuration, pattern) for configuration in equals}
    timed = {configuration: time.value for configuration, time in times.items() if time is not None}
    best = min(timed, key=timed.__getitem__) if timed else equals[0]
    fast = chosen(evidence, condition, (pattern,))
    cost = None
    if timed and fast is not None and fast.fastest.configuration != best:
        baseline = fast.fastest.configuration
        cost = versus(evidence, condition, (pattern,), candidate=best, baseline=baseline)
    return Smallest(
        configuration=best,
        ratio=most,
        stored_bytes=evidence.stored(condition.store, best, "stored_bytes"),
        objects=evidence.stored(condition.store, best, "objects"),
        equals=tuple(configuration for configuration in equals if configuration != best),
        cost=cost,
    )


def front(evidence: Evidence, condition: Condition, pattern: str) -> tuple[Configuration, ...]:
    """Find the configurations that none beats in both time and size, by their estimates.

    Parameters
    ----------
    evidence
        The rows of the volume.
    condition
        Store and cache state.
    pattern
        Access pattern.

    Returns
    -------
    tuple of Configuration
        Fastest first, smallest last.
    """
    points = sorted(
        (time.value, -ratio, configuration)
        for configuration in evidence.having(condition, (pattern,))
        if (time := evidence.time(condition, configuration, pattern))
        and (ratio := evidence.stored(condition.store, configuration, "compression_ratio"))
    )
    found: list[Configuration] = []
    least = float("inf")
    for _, size, configuration in points:
        if size < least:
            found.append(configuration)
            least = size
    return tuple(found)
