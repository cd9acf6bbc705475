"""Which levels explain the cells that moved: the shortest account, the most telling cause first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats.compare import RatioTest
from zbench.stats.contrasts import Grid, level_sets
from zbench.stats.paired import paired_test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zbench.stats.sequential import SequentialRule

__all__ = ["Cause", "explain"]

# All cells, one level, two levels that meet, one cell: the wider the choice, the more it takes to be chosen.
_KINDS = 4
# How they share the error: it is levels that one asks for, and cells have tests of their own.
_SHARES = (0.2, 0.5, 0.15, 0.15)
# Candidates that are tried before one gives up.
_TRIES = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """One thing that changed, beyond what the causes before it explain.

    Attributes
    ----------
    levels
        Factor and level; two where only cells with both changed, none where all cells did or one alone.
    aliases
        Other levels with the same cells: the data cannot tell them apart.
    cells
        The cells with it.
    logs
        One value a block, the logarithm of candidate ÷ baseline that this cause alone makes; NaN where none can be
        told.
    test
        Of these values; its p value is corrected for everything that could have been named instead.
    whole
        Whether it is all cells.
    """

    levels: tuple[tuple[str, str], ...]
    aliases: tuple[tuple[tuple[str, str], ...], ...]
    cells: tuple[str, ...]
    logs: tuple[float, ...]
    test: RatioTest
    whole: bool

    @property
    def name(self) -> str:
        """The cause in one line, for example ``"chain=zstd-3"``, the name of a cell, or ``"all cells"``."""
        if self.whole:
            return "all cells"
        return " and ".join(f"{factor}={level}" for factor, level in self.levels) or self.cells[0]


@dataclass(frozen=True, slots=True)
class _Candidate:
    kind: int
    levels: tuple[tuple[str, str], ...]
    rows: tuple[int, ...]
    aliases: tuple[tuple[tuple[str, str], ...], ...] = ()


def explain(
    values: Mapping[str, Sequence[float]],
    levels: Mapping[str, Mapping[str, str]],
    *,
    error_rate: float = 0.01,
    confidence: float = 0.95,
    min_effect: float = 0.0,
    rule: SequentialRule | None = None,
    blocks_left: int = 0,
    most: int = 5,
) -> tuple[Cause, ...]:
    """Find the smallest set of levels that explains the cells that moved.

    When one codec gets slower, every layout that has cells of it gets slower a little. Causes are therefore added one
    by one, each judged on what is left when those before it are taken off: all cells, the cells of one level, those
    where two levels meet, or a single cell, whichever accounts for most of the movement for what it costs to name it.
    What all cells of a block share, the luck of its two processes, is told from a change by its scatter over blocks.

    Parameters
    ----------
    values
        By cell, one logarithm of candidate ÷ baseline for each block; NaN where there is none. The blocks of all cells
        are the same.
    levels
        By cell, the level of each factor that it has.
    error_rate
        Chance that a cause is named where nothing changed.
    confidence
        Of the intervals.
    min_effect
        Smaller causes are not named: 0.01 is 1 %.
    rule
        The rule that the measuring stopped by, if what was seen made it stop: the p values and intervals then pay for
        its looks, and its confidence is taken.
    blocks_left
        Blocks that the rule would still have allowed; 0 if it was the budget that ended the measuring.
    most
        Number of causes that are named at most.

    Returns
    -------
    tuple of Cause
        The most telling first; none where nothing can be told.

    Raises
    ------
    InsufficientSamplesError
        If cells have different numbers of blocks.
    """
    if not values:
        return ()

    def tested(logs: Sequence[float]) -> RatioTest | None:
        if rule:
            return rule.decide(logs, blocks_left=blocks_left).test
        try:
            return paired_test(logs, confidence=confidence)
        except InsufficientSamplesError:
            return None

    search = _Search(Grid.of(values), levels, tested)
    chosen: list[_Candidate] = []
    while len(chosen) < most:
        found = search.next(chosen, error_rate=error_rate, min_effect=min_effect)
        if found is None:
            break
        # A cause that the new one explains away goes.
        kept = [*chosen, found]
        tests = search.tests(kept)
        kept = [
            one for one, test in zip(kept, tests, strict=True) if one is found or (test and test.p_value <= error_rate)
        ]
        if kept == chosen:
            break
        chosen = kept
    return tuple(search.causes(chosen)) if chosen else ()


class _Search:
    """The model: each cell's block value is what its causes make, plus noise of its own, plus noise that all share."""

    def __init__(
        self,
        grid: Grid,
        levels: Mapping[str, Mapping[str, str]],
        test: Callable[[Sequence[float]], RatioTest | None],
    ) -> None:
        self.grid = grid
        self.test = test
        self.candidates = _candidates(grid.cells, levels)
        self.counts = [sum(one.kind == kind for one in self.candidates) for kind in range(_KINDS)]
        self.members = np.zeros((len(self.candidates), len(grid.cells)))
        for place, one in enumerate(self.candidates):
            self.members[place, list(one.rows)] = 1.0
        there = np.isfinite(grid.values)
        numbers = there.sum(axis=1)
        self.means = np.where(there, grid.values, 0.0).sum(axis=1) / np.maximum(numbers, 1)
        self.weights = np.where(numbers > 0, numbers / grid.variances, 0.0)
        # What all cells of a block share is one number a block: its variance in a mean over blocks.
        self.offset = grid.shared / max(1.0, float(np.median(numbers)))

    def next(self, chosen: Sequence[_Candidate], *, error_rate: float, min_effect: float) -> _Candidate | None:
        """Find what explains most of what is left, and is no chance."""
        gains = self._gains(chosen)
        places: list[int] = np.argsort(-gains)[:_TRIES].tolist()
        for candidate in (self.candidates[place] for place in places if gains[place] > 0):
            if candidate in chosen:
                continue
            test = self.tests([*chosen, candidate])[-1]
            if test and test.p_value <= error_rate and max(test.ratio, 1 / test.ratio) >= 1 + min_effect:
                return candidate
        return None

    def tests(self, chosen: Sequence[_Candidate]) -> list[RatioTest | None]:
        """Test each cause beside the others, blocks being the sample; corrected for the choice there was."""
        found: list[RatioTest | None] = []
        for one, logs in zip(chosen, self.effects(chosen).tolist(), strict=True):
            test = self.test(logs)
            p_value = min(1.0, test.p_value * self.counts[one.kind] / _SHARES[one.kind]) if test else 1.0
            found.append(test and RatioTest(ratio=test.ratio, low=test.low, high=test.high, p_value=p_value))
        return found

    def effects(self, chosen: Sequence[_Candidate]) -> npt.NDArray[np.float64]:
        """Estimate what each cause makes in each block: generalised least squares over the cells that are there."""
        values = self.grid.values
        design = self._design(chosen)
        effects = np.full((len(chosen), values.shape[1]), np.nan)
        patterns, places = np.unique(np.isfinite(values), axis=1, return_inverse=True)
        for pattern, there in enumerate(patterns.T):
            blocks = places.ravel() == pattern
            used = design[there]
            if not used.size or np.linalg.matrix_rank(used) < len(chosen):
                continue
            weighed = _weigh(used, 1 / self.grid.variances[there], self.grid.shared)
            effects[:, blocks] = np.linalg.solve(weighed.T @ used, weighed.T @ values[np.ix_(there, blocks)])
        return effects

    def causes(self, chosen: Sequence[_Candidate]) -> list[Cause]:
        """Tell the causes as they stand beside each other."""
        effects = self.effects(chosen)
        return [
            Cause(
                levels=one.levels,
                aliases=one.aliases,
                cells=tuple(self.grid.cells[row] for row in one.rows),
                logs=tuple(logs.tolist()),
                test=test,
                whole=one.kind == 0,
            )
            for one, logs, test in zip(chosen, effects, self.tests(chosen), strict=True)
            if test is not None
        ]

    def _gains(self, chosen: Sequence[_Candidate]) -> npt.NDArray[np.float64]:
        """Tell how much movement each candidate accounts for beyond the chosen, less what it costs to name it."""
        rest = self.means
        if chosen:
            design = self._design(chosen)
            weighed = _weigh(design, self.weights, self.offset)
            rest = rest - design @ np.linalg.lstsq(weighed.T @ design, weighed.T @ rest, rcond=None)[0]
        scores = self.members @ _weigh(rest[:, None], self.weights, self.offset)[:, 0]
        sums = self.members @ self.weights
        sizes = sums - sums**2 * self.offset / (1 + self.offset * self.weights.sum())
        gains = np.where(sizes > 0, scores**2 / np.where(sizes > 0, sizes, 1.0), 0.0)
        costs = [2 * math.log(max(1, count)) + 3 * kind for kind, count in enumerate(self.counts)]
        return np.asarray(gains - np.array([costs[one.kind] for one in self.candidates]))

    def _design(self, chosen: Sequence[_Candidate]) -> npt.NDArray[np.float64]:
        design = np.zeros((len(self.grid.cells), len(chosen)))
        for column, one in enumerate(chosen):
            design[list(one.rows), column] = 1.0
        return design


def _candidates(cells: Sequence[str], levels: Mapping[str, Mapping[str, str]]) -> list[_Candidate]:
    sets = level_sets(cells, levels)
    found = {
        rows: _Candidate(0 if not names else 1, names[:1], rows, tuple((name,) for name in names[1:]))
        for rows, names in sets.items()
        if len(rows) > 1
    }
    single = [(set(rows), names[0]) for rows, names in sets.items() if names]
    for (first, first_name), (second, second_name) in combinations(single, 2):
        rows = tuple(sorted(first & second))
        if len(rows) > 1 and first_name[0] != second_name[0]:
            found.setdefault(rows, _Candidate(2, (first_name, second_name), rows))
    for row in range(len(cells)):
        found.setdefault((row,), _Candidate(3, (), (row,)))
    return list(found.values())


def _weigh(
    columns: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], shared: float
) -> npt.NDArray[np.float64]:
    """Multiply by the inverse of noise of each cell's own plus noise that all share (Sherman and Morrison)."""
    factor = shared / (1 + shared * float(weights.sum()))
    weighed = weights[:, None] * columns
    return np.asarray(weighed - factor * np.outer(weights, weighed.sum(axis=0)))
