"""``zbench gate``: two sides measured side by side until it is decided which benchmarks changed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zbench.environment import environment
from zbench.errors import ResultsError
from zbench.harness.gate.build import build
from zbench.harness.gate.instructions import count_both
from zbench.harness.gate.judge import judge, looks
from zbench.report.gate import GateReport, NotMeasured
from zbench.runner.log import RunLog
from zbench.runner.pairs import Item, Kind, Pair
from zbench.runner.pairs.caches import with_caches
from zbench.runner.pairs.lock import alone
from zbench.runner.pairs.rounds import Measured, Rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from zbench.harness.gate.build import Built
    from zbench.harness.gate.judge import Judged
    from zbench.harness.gate.question import GateQuestion
    from zbench.harness.gate.settings import GateSettings

__all__ = ["GateStatus", "gate"]

_VALUE, _TIME, _PEAK, _INSTRUCTIONS = "value", "time", "peakmemory", "instructions"
_KINDS = {_VALUE: Kind.VALUE, _TIME: Kind.TIME, _PEAK: Kind.PEAK}
_BUSY = 0.5
_FEWEST_ROUNDS, _MOST_ROUNDS = 12, 120
_SHORTER = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class GateStatus:
    """How far a gate is.

    Attributes
    ----------
    stage
        What is done now.
    rounds
        Rounds that are done.
    open_items, items
        Benchmarks that are not decided, and all.
    spent_s, budget_s
        Seconds of measuring.
    """

    stage: str
    rounds: int = 0
    open_items: int = 0
    items: int = 0
    spent_s: float = 0.0
    budget_s: float = 0.0


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
    work = work.resolve()
    with alone(f"zbench gate of {question.repository.resolve()}"):
        built = build(question, settings, work, lambda text: report(GateStatus(stage=text)))
        folder = work / "runs" / _key(question, built)
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        log = RunLog(folder / "run.jsonl", head=_head(question, built))
        return _Gate(question, settings, built, log, folder, report).run()


class _Gate:
    def __init__(
        self,
        question: GateQuestion,
        settings: GateSettings,
        built: Built,
        log: RunLog,
        folder: Path,
        report: Callable[[GateStatus], None],
    ) -> None:
        self._question, self._settings, self._built = question, settings, built
        self._log, self._folder, self._report = log, folder, report
        kinds = {_KINDS[metric] for metric in question.metrics if metric in _KINDS}
        self._items = [item for item in built.items if item.kind in kinds]
        self._warnings: list[str] = []
        self._open = len(self._items)

    def run(self) -> GateReport:
        packages = self._packages()
        sides, failed = self._with_caches()
        lost = {item.key: failed[item.cache_key] for item in self._items if item.cache_key in failed}
        items = [item for item in self._items if item.key not in lost]
        rounds = Rounds(sides, suite=self._built.suite, log=self._log, seed=self._question.seed, report=self._progress)
        self._warn_of_load()
        rounds.values(items)
        counted = self._instructions(items, sides)
        judged = self._time(items, rounds)
        # What both sides shared is large, and made again if more is to be measured.
        shutil.rmtree(self._folder / "cache", ignore_errors=True)
        return self._reported(rounds.measured, judged, lost, packages, counted)

    def _with_caches(self) -> tuple[dict[str, Any], dict[str, str]]:
        sides: dict[str, Any] = {}
        failed: dict[str, str] = {}
        for name, both in self._built.sides.items():
            own = [item for item in self._items if item.environment == name]
            sides[name], lost = with_caches(
                both,
                own,
                suite=self._built.suite,
                folder=self._folder / "cache" / name,
                timeouts_s=self._built.cache_timeouts_s,
                report=lambda text: self._report(GateStatus(stage=text)),
            )
            failed |= lost
        return sides, failed

    def _time(self, items: list[Item], rounds: Rounds) -> Judged:
        """Measure rounds until all is decided, no more can be, or the budget ends."""
        noisy = [item for item in items if item.kind is not Kind.VALUE]
        measured, wanted = rounds.measured, noisy
        while True:
            plan = self._plan(measured)
            left = self._rounds_left(measured, plan)
            if measured.rounds in looks(plan) or not left:
                judged = judge(items, measured, self._settings, most_blocks=plan, blocks_left=left)
                wanted = [item for item in noisy if item.key in judged.undecided]
            settled = measured.failed.keys() | measured.skipped.keys()
            wanted = [item for item in wanted if item.key not in settled]
            self._open = len(wanted)
            if not (wanted and left):
                return judge(items, measured, self._settings, most_blocks=plan, blocks_left=0)
            rounds.round(wanted)

    def _plan(self, measured: Measured) -> int:
        """Tell how many rounds the looks are planned for: what the budget pays for, as far as one round can tell."""
        planned = next(self._log.of("plan"), None)
        if planned is None:
            if not measured.rounds:
                return _MOST_ROUNDS
            # Rounds get shorter as benchmarks are decided.
            estimate = _SHORTER * self._question.budget_s / max(measured.last_round_s, 0.1)
            planned = {"rounds": max(_FEWEST_ROUNDS, min(_MOST_ROUNDS, math.ceil(estimate)))}
            self._log.add("plan", **planned)
        return int(planned["rounds"])

    def _rounds_left(self, measured: Measured, plan: int) -> int:
        """Estimate how many rounds the budget still pays for."""
        left_s = self._question.budget_s - measured.seconds
        if left_s <= 0:
            return 0
        most = max(plan - measured.rounds, 0)
        pace_s = measured.last_round_s
        return min(most, max(1, int(left_s / pace_s))) if pace_s else most

    def _instructions(self, items: list[Item], sides: Mapping[str, Any]) -> list[Any]:
        if _INSTRUCTIONS not in self._question.metrics:
            return []
        wanted = [item for item in items if item.kind is Kind.TIME] or [
            item for item in self._built.items if item.kind is Kind.TIME
        ]
        return count_both(
            wanted,
            sides,
            suite=self._built.suite,
            log=self._log,
            cache=self._folder.parent,
            settings=self._settings,
            report=lambda text: self._report(GateStatus(stage=text)),
        )

    def _packages(self) -> dict[str, tuple[tuple[str, str, str], ...]]:
        found = {}
        for name, (baseline, candidate) in self._built.sides.items():
            with Pair(baseline, candidate, self._built.suite, seed=f"packages/{name}") as pair:
                base, other = pair.packages()
            project = self._built.project.lower()
            changed = tuple(
                (package, base.get(package, "none"), other.get(package, "none"))
                for package in sorted(base | other)
                if base.get(package) != other.get(package) and package.lower() != project
            )
            found[name] = changed
            if changed and not self._question.candidate.requirements:
                told = ", ".join(f"{package} {before} and {after}" for package, before, after in changed)
                msg = (
                    f"Two commits are compared with the same packages: in {name} they have {told}. Pin them, or "
                    "compare the packages themselves with --against."
                )
                raise ResultsError(msg)
        return found

    def _warn_of_load(self) -> None:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        if load > _BUSY * cores:
            self._warnings.append(f"the machine was busy when measuring began: load {load:.1f} on {cores} cores")

    def _progress(self, text: str, measured: Measured) -> None:
        self._report(
            GateStatus(
                stage=text,
                rounds=measured.rounds,
                open_items=self._open,
                items=len(self._items),
                spent_s=measured.seconds,
                budget_s=self._question.budget_s,
            )
        )

    def _reported(
        self,
        measured: Measured,
        judged: Judged,
        lost: Mapping[str, str],
        packages: Mapping[str, tuple[tuple[str, str, str], ...]],
        counted: list[Any],
    ) -> GateReport:
        question, built = self._question, self._built
        facts = environment(self._folder)
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
            failed=_not_measured(self._items, {**lost, **measured.failed}),
            skipped=_not_measured(self._items, measured.skipped),
            rounds=measured.rounds,
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


def _head(question: GateQuestion, built: Built) -> dict[str, Any]:
    return {
        "gate": built.project,
        "commits": list(built.commits),
        "baseline": list(map(list, question.baseline.requirements)),
        "candidate": list(map(list, question.candidate.requirements)),
        "environments": list(built.sides),
        "suite": _suite_digest(built.suite),
        "seed": question.seed,
        "preset": {name: os.environ[name] for name in sorted(os.environ) if name.startswith("ZBENCH_")},
    }


def _key(question: GateQuestion, built: Built) -> str:
    """Name the run by what is compared: asked again, it goes on."""
    return hashlib.sha256(json.dumps(_head(question, built), sort_keys=True).encode()).hexdigest()[:16]


def _suite_digest(suite: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(suite.rglob("*.py")):
        digest.update(str(path.relative_to(suite)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
