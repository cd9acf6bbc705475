"""``zbench gate``: two sides measured side by side until it is decided which benchmarks changed."""

from __future__ import annotations

import math
import os
import statistics
from typing import TYPE_CHECKING

from zbench.environment import environment
from zbench.errors import ResultsError
from zbench.harness.gate.calibrate import noise_of, read_calibration
from zbench.harness.gate.instructions import count_both
from zbench.harness.gate.judge import in_doubt, judge, looks
from zbench.harness.gate.prepare import INSTRUCTIONS, GateStatus, prepared
from zbench.report.gate import GateReport, NotMeasured
from zbench.runner.pairs import Item, Kind, Pair
from zbench.runner.pairs.lock import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from zbench.harness.gate.judge import Judged
    from zbench.harness.gate.prepare import PreparedRun
    from zbench.harness.gate.question import GateQuestion
    from zbench.harness.gate.settings import GateSettings
    from zbench.report.gate import GateCell
    from zbench.runner.pairs.rounds import Measured, Rounds

__all__ = ["gate"]

_BUSY = 0.5
_NOISIER = 1.5
_FEWEST_ROUNDS, _MOST_ROUNDS = 12, 120
_SHORTER = 1.5


def gate(
    question: GateQuestion,
    settings: GateSettings,
    *,
    work: Path,
    fresh: bool = False,
    report: Callable[[GateStatus], None] = lambda _: None,
) -> GateReport:
    """Measure two sides side by side until it is decided which benchmarks changed, or the budget is spent.

    A gate that was ended goes on from the rounds that it had.

    Parameters
    ----------
    question
        The two sides.
    settings
        What counts as a regression.
    work
        Folder for environments and records.
    fresh
        Whether to forget the rounds of an earlier run of the same question.
    report
        Told of each step.

    Returns
    -------
    GateReport
        Verdicts of all benchmarks and factor levels.

    Raises
    ------
    ResultsError
        If a side cannot be built, nothing matches, or another gate measures on this machine.
    """
    with alone(f"zbench gate of {question.repository.resolve()}"):
        run = prepared(question, settings, work=work, fresh=fresh, report=report)
        return _Gate(question, settings, run, report).answer()


class _Gate:
    def __init__(
        self,
        question: GateQuestion,
        settings: GateSettings,
        run: PreparedRun,
        report: Callable[[GateStatus], None],
    ) -> None:
        self._question, self._settings, self._run, self._report = question, settings, run, report
        self._warnings: list[str] = []
        self._open = len(run.items)

    def answer(self) -> GateReport:
        packages = self._packages()
        rounds = self._run.rounds(self._progress)
        self._warn_of_load()
        rounds.values(self._run.items)
        counted = self._instructions()
        judged = self._time(self._run.items, rounds)
        self._run.tidy()
        self._warn_of_noise(rounds.measured)
        return self._reported(rounds.measured, judged, packages, counted)

    def _time(self, items: list[Item], rounds: Rounds) -> Judged:
        """Measure rounds until all is decided, no more can be, or the budget ends."""
        noisy = [item for item in items if item.kind is not Kind.VALUE]
        measured, wanted = rounds.measured, noisy
        begun_with = measured.rounds
        while True:
            plan = self._plan(measured)
            left = self._rounds_left(measured, plan)
            if measured.rounds in {*looks(plan), begun_with} - {0} or not left:
                judged = judge(items, measured, self._settings, most_blocks=plan, blocks_left=left, final=False)
                wanted = [item for item in noisy if item.key in judged.undecided]
            settled = measured.failed.keys() | measured.skipped.keys()
            wanted = [item for item in wanted if item.key not in settled]
            if not (wanted and left):
                # Where all is decided some of the error is left, and nothing is to be had for it.
                judged = judge(items, measured, self._settings, most_blocks=plan, blocks_left=left)
                # What is told slower and does not fail the gate is what its budget is for; the cells that are decided
                # tell what of it is the luck of the processes.
                wanted = [item for item in noisy if item.key not in settled] if left and in_doubt(judged) else []
                if not wanted:
                    return judged
            self._open = len(wanted)
            rounds.round(wanted)

    def _plan(self, measured: Measured) -> int:
        """Tell how many rounds the looks are planned for: what the budget pays for, as far as one round can tell."""
        planned = next(self._run.log.of("plan"), None)
        if planned is None:
            if not measured.rounds:
                return _MOST_ROUNDS
            # Rounds get shorter as benchmarks are decided.
            estimate = _SHORTER * self._question.budget_s / max(measured.last_round_s, 0.1)
            planned = {"rounds": max(_FEWEST_ROUNDS, min(_MOST_ROUNDS, math.ceil(estimate)))}
            self._run.log.add("plan", **planned)
        return int(planned["rounds"])

    def _rounds_left(self, measured: Measured, plan: int) -> int:
        """Estimate how many rounds the budget still pays for."""
        left_s = self._question.budget_s - measured.seconds
        if left_s <= 0:
            return 0
        most = max(plan - measured.rounds, 0)
        pace_s = measured.last_round_s
        return min(most, max(1, int(left_s / pace_s))) if pace_s else most

    def _instructions(self) -> list[GateCell]:
        if INSTRUCTIONS not in self._question.metrics:
            return []
        return count_both(
            [item for item in self._run.built.items if item.kind is Kind.TIME],
            self._run.sides,
            suite=self._run.built.suite,
            log=self._run.log,
            cache=self._run.folder.parent,
            settings=self._settings,
            report=lambda text: self._report(GateStatus(stage=text)),
        )

    def _packages(self) -> dict[str, tuple[tuple[str, str, str], ...]]:
        found = {}
        for name, (baseline, candidate) in self._run.built.sides.items():
            with Pair(baseline, candidate, self._run.built.suite, seed=f"packages/{name}") as pair:
                base, other = pair.packages()
            project = self._run.built.project.lower()
            changed = tuple(
                (package, base.get(package, "none"), other.get(package, "none"))
                for package in sorted(base | other)
                if base.get(package) != other.get(package) and package.lower() != project
            )
            found[name] = changed
            self._warn_of_packages(name, changed)
            if changed and not self._question.candidate.requirements:
                told = ", ".join(f"{package} {before} and {after}" for package, before, after in changed)
                msg = (
                    f"Two commits are compared with the same packages: in {name} they have {told}. Pin them, or "
                    "compare the packages themselves with --against."
                )
                raise ResultsError(msg)
        return found

    def _warn_of_packages(self, environment: str, changed: tuple[tuple[str, str, str], ...]) -> None:
        asked = {name for name, _ in (*self._question.baseline.requirements, *self._question.candidate.requirements)}
        others = [package for package, _, _ in changed if package.lower() not in asked]
        if asked and others:
            told = ", ".join(others)
            self._warnings.append(
                f"in {environment} more differs than was asked for: {told}; the ratios are of all of it"
            )

    def _warn_of_load(self) -> None:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        if load > _BUSY * cores:
            self._warnings.append(f"the machine was busy when measuring began: load {load:.1f} on {cores} cores")

    def _warn_of_noise(self, measured: Measured) -> None:
        known = read_calibration(self._run.folder.parent.parent)
        found = [one.block_sd for one in noise_of(self._run.items, measured, self._settings)]
        if known is None or not found:
            return
        middle = statistics.median(found)
        if middle > _NOISIER * known.middle_sd:
            self._warnings.append(
                f"the machine is noisier than at its calibration of {known.day}: the middle pair of processes spreads "
                f"by {middle:.1%}, then {known.middle_sd:.1%}; small changes stay unseen"
            )

    def _progress(self, text: str, measured: Measured) -> None:
        self._report(
            GateStatus(
                stage=text,
                rounds=measured.rounds,
                open_items=self._open,
                items=len(self._run.items),
                spent_s=measured.seconds,
                budget_s=self._question.budget_s,
            )
        )

    def _reported(
        self,
        measured: Measured,
        judged: Judged,
        packages: Mapping[str, tuple[tuple[str, str, str], ...]],
        counted: list[GateCell],
    ) -> GateReport:
        question, built = self._question, self._run.built
        facts = environment(self._run.folder)
        return GateReport(
            project=built.project,
            baseline=question.baseline.text,
            candidate=question.candidate.text,
            commits=built.commits,
            machine={"machine": facts.machine, "cpu": facts.cpu, "cores": str(facts.cores), "system": facts.os},
            environments=tuple(built.sides),
            packages=packages,
            cells=(*judged.cells, *counted),
            contrasts=judged.contrasts,
            explanation=judged.explanation,
            failed=_not_measured(self._run.items, measured.failed),
            skipped=_not_measured(self._run.items, measured.skipped),
            rounds=measured.rounds,
            most_rounds=_MOST_ROUNDS,
            spent_s=measured.seconds,
            budget_s=question.budget_s,
            min_effects=dict(self._settings.min_effects),
            error_rate=self._settings.error_rate,
            seed=question.seed,
            warnings=tuple(self._warnings),
        )


def _not_measured(items: Iterable[Item], reasons: Mapping[str, str]) -> tuple[NotMeasured, ...]:
    return tuple(
        NotMeasured(cell=item.cell, environment=item.environment, reason=reasons[item.key])
        for item in items
        if item.key in reasons
    )
