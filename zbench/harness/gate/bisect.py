"""``zbench bisect``: which commit, or which release of a package, made a benchmark slower, bigger or chattier."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.harness.gate.prepare import GateStatus, prepared
from zbench.runner.pairs import Kind
from zbench.runner.pairs.lock import alone
from zbench.stats.paired import block_ratio, paired_test
from zbench.stats.sequential import Outcome, SequentialRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from zbench.harness.gate.question import GateQuestion, SideWanted
    from zbench.harness.gate.settings import GateSettings
    from zbench.runner.pairs import Item
    from zbench.runner.pairs.rounds import Measured, Rounds
    from zbench.stats.compare import RatioTest

__all__ = ["Bisected", "Standing", "Step", "bisect"]

_CONFIDENCE = 0.95
# Rounds that the looks of one comparison are planned for.
_MOST_ROUNDS = 120


class Standing(StrEnum):
    """Where a commit stands between the good and the bad one."""

    GOOD = "good"
    BAD = "bad"
    UNDECIDED = "undecided"
    UNTESTABLE = "untestable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One commit or release that was held against the good one.

    Attributes
    ----------
    side
        The commit or release.
    standing
        What was found.
    ratio, low, high
        To the good one, with its interval; NaN where there is none.
    blocks
        Pairs of processes.
    note
        Why it could not be tested or decided.
    """

    side: str
    standing: Standing
    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    blocks: int = 0
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bisected:
    """Where a change lies.

    Attributes
    ----------
    last_good, first_bad
        The change came after the one and with the other, or, if ``between`` is not empty, with one of those between
        or with ``first_bad``.
    between
        What could not be told apart.
    ratio, low, high
        Bad to good, with its interval; equal for exact numbers.
    error_rate
        Chance that the search went wrong somewhere.
    steps
        All that was tested, in order.
    benchmarks
        What was measured.
    """

    last_good: str
    first_bad: str
    between: tuple[str, ...]
    ratio: float
    low: float
    high: float
    error_rate: float
    steps: tuple[Step, ...]
    benchmarks: tuple[str, ...]

    @property
    def status(self) -> int:
        """Exit status: 1 the change was found, 2 it could only be narrowed down."""
        return 2 if self.between else 1


def bisect(
    question: GateQuestion,
    settings: GateSettings,
    candidates: Sequence[SideWanted],
    *,
    work: Path,
    error_rate: float = 0.01,
    report: Callable[[GateStatus], None] = lambda _: None,
    told: Callable[[Step], None] = lambda _: None,
) -> Bisected:
    """Search for the first of some commits or releases that has a change, by paired tests with a stated error.

    Each step asks whether a commit lies on the near or the far side of half the change. It takes blocks until that is
    known at its share of the error, or says that it is not known: noise never decides.

    Parameters
    ----------
    question
        Benchmarks, environments, and the budget of each step; its sides are set by the search.
    settings
        Which metrics are better when they are larger.
    candidates
        In order; the first is good, the last is bad.
    work
        Folder for environments and records.
    error_rate
        Chance that the search goes wrong somewhere.
    report
        Told of each measurement.
    told
        Told of each step.

    Returns
    -------
    Bisected
        The change, or between which ones it lies.

    Raises
    ------
    ResultsError
        If good and bad cannot be built, do not differ, or another run measures on this machine.
    """
    if len(candidates) < 2:
        msg = f"A search needs a good and a bad one: got {len(candidates)}. Widen the range."
        raise ResultsError(msg)
    with alone(f"zbench bisect of {question.repository.resolve()}"):
        return _Search(question, settings, candidates, work, error_rate, report, told).run()


class _Search:
    def __init__(
        self,
        question: GateQuestion,
        settings: GateSettings,
        candidates: Sequence[SideWanted],
        work: Path,
        error_rate: float,
        report: Callable[[GateStatus], None],
        told: Callable[[Step], None],
    ) -> None:
        self._question, self._settings, self._candidates = question, settings, candidates
        self._work, self._error_rate, self._report, self._told = work, error_rate, report, told
        comparisons = 1 + math.ceil(math.log2(len(candidates)))
        self._share = error_rate / comparisons
        self._steps: list[Step] = []

    def run(self) -> Bisected:
        whole = self._ends()
        low, high = 0, len(self._candidates) - 1
        unknown: set[int] = set()
        while True:
            open_places = [place for place in range(low + 1, high) if place not in unknown]
            if not open_places:
                break
            middle = min(open_places, key=lambda place: abs(place - (low + high) / 2))
            step = self._step(middle, whole)
            if step.standing is Standing.GOOD:
                low = middle
            elif step.standing is Standing.BAD:
                high = middle
            else:
                unknown.add(middle)
        return Bisected(
            last_good=self._candidates[low].text,
            first_bad=self._candidates[high].text,
            between=tuple(self._candidates[place].text for place in range(low + 1, high)),
            ratio=whole.ratio,
            low=whole.low,
            high=whole.high,
            error_rate=self._error_rate,
            steps=tuple(self._steps),
            benchmarks=self._benchmarks,
        )

    def _ends(self) -> _Whole:
        """Hold bad against good: without a difference there is nothing to search."""
        comparison = self._compared(len(self._candidates) - 1, half=0.0)
        self._benchmarks = tuple(item.cell for item in comparison.items)
        failed = comparison.failure
        if failed:
            msg = f"A search needs a good and a bad one that can be measured: {failed}"
            raise ResultsError(msg)
        base, other = comparison.exact
        test = comparison.test
        if base:
            if base == other:
                msg = f"A search needs a change: both are {base[0]:g} in {self._benchmarks[0]}. Choose other ends."
                raise ResultsError(msg)
            ratio = next(after / before for before, after in zip(base, other, strict=True) if before != after)
            return _Whole(ratio=ratio, low=ratio, high=ratio, half=0.0, good=base)
        if comparison.outcome not in {Outcome.SLOWER, Outcome.FASTER} or test is None:
            told = (
                "nothing is known"
                if test is None
                else f"the ratio is {test.ratio:.3f} [{test.low:.3f}, {test.high:.3f}]"
            )
            msg = (
                f"A search needs a change that can be seen: after {comparison.blocks} blocks {told}. Give a larger "
                "--budget, or choose other ends or another benchmark."
            )
            raise ResultsError(msg)
        return _Whole(ratio=test.ratio, low=test.low, high=test.high, half=math.log(test.ratio) / 2, good=())

    def _step(self, place: int, whole: _Whole) -> Step:
        side = self._candidates[place].text
        try:
            comparison = self._compared(place, half=whole.half)
        except ResultsError as error:
            step = Step(side=side, standing=Standing.UNTESTABLE, note=str(error))
        else:
            step = _standing(side, comparison, whole)
        self._steps.append(step)
        self._told(step)
        return step

    def _compared(self, place: int, *, half: float) -> _Comparison:
        """Measure one against the good one until it is known on which side of half the change it lies."""
        question = replace(self._question, baseline=self._candidates[0], candidate=self._candidates[place])
        self._report(GateStatus(stage=f"{question.candidate.text} against {question.baseline.text}"))
        run = prepared(question, self._settings, work=self._work, report=self._report)
        rounds = run.rounds(lambda text, _: self._report(GateStatus(stage=text)))
        try:
            exact = [item for item in run.items if item.kind is Kind.VALUE]
            rounds.values(exact)
            noisy = [item for item in run.items if item.kind is not Kind.VALUE]
            effect = math.expm1(abs(half)) or self._settings.min_effects["time"]
            rule = SequentialRule(error_rate=self._share, min_effect=effect, most_blocks=_MOST_ROUNDS)
            outcome, test = self._rounds(rounds, noisy, rule, half) if noisy else (Outcome.UNDECIDED, None)
        finally:
            run.tidy()
        return _Comparison(items=run.items, measured=rounds.measured, outcome=outcome, test=test)

    def _rounds(
        self, rounds: Rounds, items: list[Item], rule: SequentialRule, half: float
    ) -> tuple[Outcome, RatioTest | None]:
        measured = rounds.measured
        while True:
            logs = _logs(measured, items)
            left = 0 if measured.seconds >= self._question.budget_s else rule.most_blocks - measured.rounds
            test = rule.decide([log - half for log in logs], blocks_left=left).test
            # On which side it lies is asked, not how far from the middle.
            told = test is not None and test.p_value <= rule.error_rate
            if told or not left or not _measurable(measured, items):
                known = [log for log in logs if math.isfinite(log)]
                outcome = Outcome.UNDECIDED
                if test is not None and told:
                    outcome = Outcome.SLOWER if test.ratio > 1 else Outcome.FASTER
                return outcome, paired_test(known, confidence=_CONFIDENCE) if len(known) >= 3 else None
            rounds.round(items)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Whole:
    """What bad is to good: ratio, half of its logarithm, and the exact numbers of the good one."""

    ratio: float
    low: float
    high: float
    half: float
    good: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Comparison:
    items: list[Item]
    measured: Measured
    outcome: Outcome
    test: RatioTest | None

    @property
    def blocks(self) -> int:
        return self.measured.rounds

    @property
    def failure(self) -> str:
        """Say why it could not be measured: one benchmark failed, or all are skipped."""
        failed, skipped = self.measured.failed, self.measured.skipped
        if any(item.key not in skipped for item in self.items):
            skipped = {}
        return next(iter({**failed, **skipped}.values()), "")

    @property
    def exact(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        pairs = [self.measured.values[item.key][0] for item in self.items if item.key in self.measured.values]
        known = [(base, other) for base, other in pairs if base is not None and other is not None]
        return tuple(base for base, _ in known), tuple(other for _, other in known)


def _standing(side: str, comparison: _Comparison, whole: _Whole) -> Step:
    if comparison.failure:
        return Step(side=side, standing=Standing.UNTESTABLE, note=comparison.failure)
    if whole.good:
        base, other = comparison.exact
        standing = Standing.GOOD if other == base else Standing.BAD
        ratio = next((after / before for before, after in zip(base, other, strict=True) if before != after), 1.0)
        return Step(side=side, standing=standing, ratio=ratio, low=ratio, high=ratio)
    test = comparison.test
    far = Outcome.SLOWER if whole.half > 0 else Outcome.FASTER
    if comparison.outcome not in {Outcome.SLOWER, Outcome.FASTER} or test is None:
        note = f"{comparison.blocks} blocks could not tell on which side of {math.exp(whole.half):.3f} it lies"
        found = (math.nan,) * 3 if test is None else (test.ratio, test.low, test.high)
        return Step(
            side=side, standing=Standing.UNDECIDED, ratio=found[0], low=found[1], high=found[2], note=note,
            blocks=comparison.blocks,
        )  # fmt: skip
    standing = Standing.BAD if comparison.outcome is far else Standing.GOOD
    return Step(side=side, standing=standing, ratio=test.ratio, low=test.low, high=test.high, blocks=comparison.blocks)


def _measurable(measured: Measured, items: list[Item]) -> bool:
    settled = measured.failed.keys() | measured.skipped.keys()
    return any(item.key not in settled for item in items)


def _logs(measured: Measured, items: list[Item]) -> list[float]:
    """Give one value a round: the mean over the benchmarks, which a search takes for one."""
    found = []
    for place in range(measured.rounds):
        own = [_log(measured, item, place) for item in items]
        known = [log for log in own if math.isfinite(log)]
        found.append(statistics.fmean(known) if known else math.nan)
    return found


def _log(measured: Measured, item: Item, place: int) -> float:
    if item.kind is Kind.PEAK:
        peaks = measured.peaks.get(item.key, {}).get(place)
        return math.nan if peaks is None else math.log(peaks[1] / peaks[0])
    turn = measured.turns.get(item.key, {}).get(place)
    return math.nan if turn is None else block_ratio(*turn.wall_ns)
