"""A run made ready: both sides built, its record opened, what was measured before read in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zbench.harness.gate.build import build
from zbench.runner.log import RunLog
from zbench.runner.pairs import Kind
from zbench.runner.pairs.caches import with_caches
from zbench.runner.pairs.rounds import Measured, Rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from zbench.harness.gate.build import Built
    from zbench.harness.gate.question import GateQuestion
    from zbench.harness.gate.settings import GateSettings
    from zbench.runner.pairs import Side

__all__ = ["INSTRUCTIONS", "GateStatus", "PreparedRun", "prepared"]

INSTRUCTIONS = "instructions"
_KINDS = {"value": Kind.VALUE, "time": Kind.TIME, "peakmemory": Kind.PEAK}


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


class PreparedRun:
    """Both sides of a question, ready to be measured.

    Parameters
    ----------
    question
        The two sides, and which metrics are measured.
    settings
        How its benchmarks are measured.
    built
        Both sides.
    folder
        Folder of the record and of what both sides share.
    report
        Told of each step.

    Attributes
    ----------
    items
        The benchmarks that are measured.
    log
        The record.
    """

    def __init__(
        self,
        question: GateQuestion,
        settings: GateSettings,
        built: Built,
        folder: Path,
        report: Callable[[GateStatus], None],
    ) -> None:
        self.built, self.folder, self._seed, self._report = built, folder, question.seed, report
        self._settings = settings
        kinds = {_KINDS[metric] for metric in question.metrics if metric in _KINDS}
        self.items = [item for item in built.items if item.kind in kinds]
        self.log = RunLog(folder / "run.jsonl", head=_head(question, built))

    @cached_property
    def _shared(self) -> dict[str, tuple[Side, Side]]:
        return {
            name: with_caches(
                both,
                [item for item in self.built.items if item.environment == name],
                suite=self.built.suite,
                folder=self.folder / "cache" / name,
                timeouts_s=self.built.cache_timeouts_s,
                report=lambda text: self._report(GateStatus(stage=text)),
            )
            for name, both in self.built.sides.items()
        }

    def sides(self) -> Mapping[str, tuple[Side, Side]]:
        """Give both sides of each environment, with what their benchmarks share; made when it is first asked for.

        Returns
        -------
        Mapping
            From the name of each environment to baseline and candidate.
        """
        return self._shared

    def rounds(self, progress: Callable[[str, Measured], None]) -> Rounds:
        """Go on with the measuring, or begin it.

        Parameters
        ----------
        progress
            Told of each thing that was learnt.

        Returns
        -------
        Rounds
            With what the record holds.
        """
        return Rounds(
            self.sides,
            suite=self.built.suite,
            log=self.log,
            seed=self._seed,
            one_core=self._settings.one_core,
            report=progress,
        )

    def tidy(self) -> None:
        """Remove what both sides shared: it is large, and is made again if more is to be measured."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)


def prepared(
    question: GateQuestion,
    settings: GateSettings,
    *,
    work: Path,
    fresh: bool = False,
    report: Callable[[GateStatus], None] = lambda _: None,
) -> PreparedRun:
    """Build both sides and open the record of their comparison.

    Parameters
    ----------
    question
        The two sides.
    settings
        How benchmarks are measured, and which metrics are better when they are larger.
    work
        Folder for environments and records.
    fresh
        Whether to forget what an earlier run of the same question measured.
    report
        Told of each step.

    Returns
    -------
    PreparedRun
        Ready to be measured.

    Raises
    ------
    ResultsError
        If a side cannot be built, nothing matches, or the record is damaged.
    """
    work = work.resolve()
    built = build(question, settings, work, lambda text: report(GateStatus(stage=text)))
    folder = work / "runs" / _key(question, built)
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    return PreparedRun(question, settings, built, folder, report)


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
