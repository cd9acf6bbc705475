"""What a gate found: one entry for each metric of each benchmark, one for each factor level, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zbench.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbench.model import Comparison

__all__ = ["GateCell", "GateContrast", "GateReport", "NotMeasured"]

_EXACT_METRICS = ("value", "instructions")


@dataclass(frozen=True, kw_only=True, slots=True)
class GateCell:
    """One metric of one benchmark with its parameters in one environment.

    Attributes
    ----------
    environment
        Its name.
    benchmark
        Name of the benchmark.
    parameters
        Text of each parameter by its name.
    metric
        ``value`` (exact), ``wall_time``, ``cpu_time``, ``peak_memory`` or ``instructions``.
    unit
        Of both numbers.
    baseline, candidate
        Exact numbers, or medians over the blocks.
    comparison
        Ratio, interval, corrected p and verdict.
    blocks
        Pairs of processes that it rests on; 0 for an exact number.
    decides
        Whether it counts for the status; the other clock of a time does not.
    alarm
        Whether it is certain enough to fail the gate, all that was measured considered.
    detectable
        Smallest change that so many blocks find in 95 of 100 cases; ``None`` where unknown or exact.
    needed
        Blocks that would find the smallest effect; ``None`` where unknown or exact.
    accepted
        Why a change for the worse does not count; empty if it does.
    note
        What is to be known about it.
    """

    environment: str
    benchmark: str
    parameters: Mapping[str, str]
    metric: str
    unit: str
    baseline: float
    candidate: float
    comparison: Comparison
    blocks: int = 0
    decides: bool = True
    alarm: bool = False
    detectable: float | None = None
    needed: int | None = None
    accepted: str = ""
    note: str = ""

    @property
    def cell(self) -> str:
        """The benchmark with its parameters, as asv writes it."""
        return f"{self.benchmark}({', '.join(self.parameters.values())})" if self.parameters else self.benchmark

    @property
    def exact(self) -> bool:
        """Whether the numbers repeat to the digit."""
        # Not by its p value: a time with too few blocks for a test has none either.
        return self.metric in _EXACT_METRICS

    @property
    def is_regression(self) -> bool:
        """Whether it fails the gate."""
        return self.decides and self.alarm and not self.accepted


@dataclass(frozen=True, kw_only=True, slots=True)
class GateContrast:
    """All cells that share a level of a factor, pooled.

    Attributes
    ----------
    what
        For example ``chain = zstd-5``, several levels where they have the same cells, or the name of one cell; empty
        pools everything.
    metric
        What is pooled.
    cells
        Number of cells.
    blocks
        Pairs of processes that it rests on.
    comparison
        Ratio, interval, corrected p and verdict.
    alarm
        Whether it is certain enough to fail the gate, all that was measured considered.
    accepted
        Why a change for the worse does not count; empty if it does.
    """

    what: str
    metric: str
    cells: int
    blocks: int
    comparison: Comparison
    alarm: bool = False
    accepted: str = ""

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return self.what or "all cells"

    @property
    def is_regression(self) -> bool:
        """Whether it fails the gate."""
        return self.alarm and not self.accepted


@dataclass(frozen=True, kw_only=True, slots=True)
class NotMeasured:
    """A benchmark without a number.

    Attributes
    ----------
    cell
        The benchmark with its parameters.
    environment
        Its name.
    reason
        Why.
    """

    cell: str
    environment: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GateReport:
    """The answer of a gate.

    Attributes
    ----------
    project
        What was measured.
    baseline, candidate
        The two sides, as they were asked for.
    commits
        Full hashes of both.
    machine
        Facts of the machine by name.
    environments
        Names of the environments.
    packages
        Packages that differ between the sides, by environment: name, baseline's version, candidate's version.
    cells
        Every metric of every benchmark that was measured on both sides.
    contrasts
        Pooled over the cells of each level of each factor.
    explanation
        The fewest factor levels and cells that account for what moved, the most telling first.
    failed
        Benchmarks that failed: the gate could not answer for them.
    skipped
        Benchmarks that say themselves that they cannot be measured here.
    rounds
        Number of rounds, one pair of processes an environment in each.
    spent_s, budget_s
        Seconds that measuring took and might have taken.
    min_effects
        Smallest change that counts, by metric.
    error_rate
        Chance that two alike sides fail.
    seed
        Of all orders.
    warnings
        What makes the answer less sure.
    most_rounds
        Rounds that no budget goes beyond; ``None`` where that is not told.
    command
        What asks the same question again; empty where that is not told.
    """

    project: str
    baseline: str
    candidate: str
    commits: tuple[str, str]
    machine: Mapping[str, str]
    environments: tuple[str, ...]
    packages: Mapping[str, tuple[tuple[str, str, str], ...]]
    cells: tuple[GateCell, ...]
    contrasts: tuple[GateContrast, ...]
    explanation: tuple[GateContrast, ...]
    failed: tuple[NotMeasured, ...]
    skipped: tuple[NotMeasured, ...]
    rounds: int
    spent_s: float
    budget_s: float
    min_effects: Mapping[str, float]
    error_rate: float
    seed: int
    warnings: tuple[str, ...] = field(default=())
    most_rounds: int | None = None
    command: str = ""

    @property
    def regressions(self) -> tuple[GateCell, ...]:
        """Cells that fail the gate, exact ones first, then the largest change first."""
        found = [cell for cell in self.cells if cell.is_regression]
        return tuple(sorted(found, key=lambda cell: (not cell.exact, -abs(_log(cell.comparison.ratio)))))

    @property
    def causes(self) -> tuple[GateContrast, ...]:
        """Factor levels that fail the gate, what accounts for most first."""
        explained = [one for one in self.explanation if one.is_regression]
        names = {one.what for one in explained}
        others = [one for one in self.contrasts if one.is_regression and one.what not in names]
        return (*explained, *sorted(others, key=lambda one: -abs(_log(one.comparison.ratio))))

    @property
    def status(self) -> int:
        """Exit status: 1 a regression, 2 could not answer, 0 passed."""
        if self.regressions or self.causes:
            return 1
        deciding = [cell for cell in self.cells if cell.decides]
        decided = [cell for cell in deciding if cell.comparison.verdict is not Verdict.INCONCLUSIVE]
        # Without a ratio nothing at all is known of it.
        unknown = any(math.isnan(cell.comparison.ratio) for cell in deciding)
        return 2 if self.failed or unknown or not decided else 0


def _log(ratio: float) -> float:
    return math.log(ratio) if 0 < ratio < math.inf else math.inf
