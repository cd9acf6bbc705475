"""When to stop measuring blocks: when the candidate is known to be slower, faster or the same, or never will be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.model import Verdict
from zbench.stats.compare import RatioTest
from zbench.stats.family import verdict_of
from zbench.stats.paired import fewest_blocks, p_values, paired_test, spread
from zbench.stats.power import blocks_needed, detectable_effect
from zbench.stats.spending import Spending, bounds, repeated_p_value

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Outcome", "SequentialRule", "Stage"]

_GROWTH = 1.2
# A look just before the last one is not worth it.
_NEARLY = 0.9
_FEWEST = 3
# Less than this chance to decide with the blocks that are left is no reason to measure them.
_HOPELESS = 0.05


class Outcome(StrEnum):
    """What is known of a benchmark after so many blocks."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    UNDECIDED = "undecided"
    FUTILE = "futile"

    @property
    def verdict(self) -> Verdict:
        """What a comparison that ends here says."""
        return Verdict(self.value) if self in {Outcome.SLOWER, Outcome.FASTER, Outcome.SAME} else Verdict.INCONCLUSIVE


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What the blocks so far say.

    Attributes
    ----------
    outcome
        Undecided asks for more blocks, if there are any left; futile says that those that are left will hardly decide.
    test
        The ratio with an interval and a two-sided p value that hold whenever one stops: the looks at the data are
        paid for in both. ``None`` with fewer blocks than the first look has.
    blocks
        Number of blocks with a value that the test rests on.
    detectable
        Smallest slowdown that so many blocks find in 95 of 100 cases: 0.03 is 3 %. Infinite where unknown.
    needed
        Blocks that would find the smallest effect of the rule in 95 of 100 cases; ``None`` where unknown.
    """

    outcome: Outcome
    test: RatioTest | None
    blocks: int
    detectable: float = math.inf
    needed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SequentialRule:
    """Look at a benchmark again and again while its blocks come in, at a stated error.

    Attributes
    ----------
    error_rate
        Chance, over all looks together, that a benchmark that did not change is told slower or faster; half of it for
        slower alone. Already divided by the number of benchmarks: see `error_share`.
    min_effect
        The slowdown that is to be found: 0.03 is 3 %.
    confidence
        Of the interval. One that lies within the smallest effect is told the same, so a slowdown of the smallest
        effect is told the same in at most half of one minus confidence.
    fewest
        Blocks of the first look.
    most_blocks
        Blocks that the plan ends with.

    Raises
    ------
    InsufficientSamplesError
        If no number of blocks could ever satisfy the rule.
    """

    error_rate: float
    min_effect: float
    confidence: float = 0.95
    fewest: int = 5
    most_blocks: int = 60

    def __post_init__(self) -> None:
        rates = 0 < self.error_rate < 0.5 and 0 < self.confidence < 1 and self.min_effect > 0
        if not (rates and _FEWEST <= self.fewest <= self.most_blocks):
            msg = (
                "A rule needs an error below 0.5, a confidence between 0 and 1, a smallest effect above 0 "
                f"and {_FEWEST} <= fewest <= most blocks: got {self}."
            )
            raise InsufficientSamplesError(msg)

    @property
    def looks(self) -> tuple[int, ...]:
        """At how many blocks the data are looked at: ever more, so that looking costs little."""
        sizes = [self.fewest]
        while (following := math.ceil(sizes[-1] * _GROWTH)) < _NEARLY * self.most_blocks:
            sizes.append(following)
        return (*sizes, self.most_blocks) if sizes[-1] < self.most_blocks else tuple(sizes)

    def decide(self, logs: Sequence[float], *, blocks_left: int) -> Stage:
        """Decide what is known.

        The same blocks always give the same answer, whatever was asked before: all looks are made again.

        Parameters
        ----------
        logs
            One logarithm of candidate ÷ baseline for each block, in their order; NaN where there is none.
        blocks_left
            Blocks that can still be measured; with 0 the last look spends what is left of the error.

        Returns
        -------
        Stage
            What is known.
        """
        values = np.asarray(logs, dtype=float)
        values = values[np.isfinite(values)][: self.most_blocks]
        plan = self._plan(values.size, ends=not blocks_left)
        looks = [look for look in plan if look <= values.size]
        if not looks:
            return Stage(outcome=Outcome.UNDECIDED, test=None, blocks=values.size)
        used = values[: looks[-1]].tolist()
        test = self._test(used, looks, plan)
        outcome = self._outcome(test)
        last = min(self.most_blocks, values.size + blocks_left)
        noise = spread(used)
        if outcome is Outcome.UNDECIDED and last > looks[-1] and self._hopeless(test, noise, (looks[-1], last)):
            outcome = Outcome.FUTILE
        return Stage(
            outcome=outcome,
            test=test,
            blocks=len(used),
            detectable=detectable_effect(sd=noise, blocks=len(used), error_rate=self.error_rate) if noise else math.inf,
            needed=self._needed(noise),
        )

    def _needed(self, noise: float) -> int | None:
        try:
            return blocks_needed(sd=noise, effect=self.min_effect, error_rate=self.error_rate)
        except InsufficientSamplesError:
            # No noise, or more than any number of blocks could average out.
            return None

    def _plan(self, blocks: int, *, ends: bool) -> tuple[int, ...]:
        """Tell all looks; what ends early ends with a look at what there is."""
        if not ends or blocks < _FEWEST or blocks >= self.most_blocks:
            return self.looks
        return (*(look for look in self.looks if look < blocks), blocks)

    def _test(self, used: Sequence[float], looks: Sequence[int], plan: Sequence[int]) -> RatioTest:
        fractions = tuple(look / self.most_blocks for look in plan)
        times = (*fractions[:-1], 1.0)
        limits = bounds(fractions, error_rate=1 - self.confidence, spending=Spending.POCOCK, times=times)
        # What a bound says of a normal statistic is asked of the test at the same level (Jennison and Turnbull).
        now = paired_test(used, confidence=1 - 2 * NormalDist().cdf(-limits[len(looks) - 1]))
        statistics = [_normal(float(p_values(np.array([used[:look]]))[0])) for look in looks]
        p_value = repeated_p_value(statistics, fractions, spending=Spending.SQUARE, times=times)
        return RatioTest(ratio=now.ratio, low=now.low, high=now.high, p_value=p_value)

    def _outcome(self, test: RatioTest) -> Outcome:
        verdict = verdict_of(test, told=test.p_value <= self.error_rate, min_effect=self.min_effect)
        return Outcome.UNDECIDED if verdict is Verdict.INCONCLUSIVE else Outcome(verdict.value)

    def _hopeless(self, test: RatioTest, noise: float, blocks: tuple[int, int]) -> bool:
        """Tell whether the blocks that are left will hardly decide, from what is known of ratio and noise."""
        now, last = blocks
        error = noise / math.sqrt(last)
        if not error or last < fewest_blocks(self.error_rate):
            return bool(error)
        ahead = NormalDist(math.log(test.ratio), noise * math.sqrt(1 / now - 1 / last))
        told = _normal(self.error_rate) * error
        inside = math.log1p(self.min_effect) - _normal(1 - self.confidence) * error
        same = ahead.cdf(inside) - ahead.cdf(-inside) if inside > 0 else 0.0
        return 1 - ahead.cdf(told) + ahead.cdf(-told) + same < _HOPELESS


def _normal(p_value: float) -> float:
    return -NormalDist().inv_cdf(max(p_value, 1e-300) / 2)
