"""The study of the gate: every program on the same suite at the same budget, again and again, and a page on it."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zbench.environment import environment
from zbench.errors import RefusedError, ResultsError
from zbench.harness.gate import GateQuestion, SideWanted, gate, read_settings
from zbench.harness.gate_study.kept import study_of
from zbench.harness.gate_study.others import TOOL_PINS, Others, load, make_tools
from zbench.harness.gate_study.plan import SIZES, cells, repetitions
from zbench.harness.gate_study.project import ALIKE, BASE, LONE, PINS, SLOW, make_project
from zbench.harness.gate_study.rounds import CODEC, cell_of, rounds_path
from zbench.harness.status import Status
from zbench.model import Verdict
from zbench.report.gate_study import ASV, GATE, GATE_ALONE, GATE_LISTED
from zbench.report.gate_study.figure import draw_power
from zbench.report.gate_study.page import gate_page
from zbench.report.gate_study.table import rates_table
from zbench.results import write_atomically
from zbench.runner.log import RunLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbench.harness.gate_study.plan import GateStudyPlan, Repetition
    from zbench.harness.gate_study.project import Project
    from zbench.report.gate import GateReport

__all__ = ["study_gate"]

_RECORD = "record.jsonl"
_PAGE = "gate"
# What a gate does beside measuring while its environments are there: it looks at the repository, installs, discovers.
_SETUP_S = 3.0


def study_gate(
    output: Path,
    *,
    work: Path,
    plan: GateStudyPlan,
    report: Callable[[Status], None],
    report_only: bool = False,
) -> tuple[Path, ...]:
    """Run what of the repetitions is missing, and write the page.

    Parameters
    ----------
    output
        Folder for ``gate.md``, its figure and its table.
    work
        Folder for the record, the project and the environments.
    plan
        How much is measured; a record that was begun with another budget or seed is refused.
    report
        Told after every program.
    report_only
        Whether to measure nothing.

    Returns
    -------
    tuple of Path
        What was written, the page first.

    Raises
    ------
    ResultsError
        If a program fails, another run measures on this machine, or there is nothing to tell.
    """
    work = work.resolve()
    record = work / _RECORD
    if report_only and not record.is_file():
        msg = f"A page is written from a record: there is none in {str(work)!r}. Measure first, without --report-only."
        raise ResultsError(msg)
    log = RunLog(record, head=_kept_head(record) if report_only else _head(plan))
    if not report_only:
        _Study(work, plan, log, report).run()
    report(Status(stage="page", what="gates made anew from the rounds", done=0, total=1))
    found = study_of(log, work / "rounds")
    return _written(output, found)


def _head(plan: GateStudyPlan) -> dict[str, Any]:
    return {
        "study": "gate",
        "budget_s": plan.budget_s,
        "seed": plan.seed,
        "levels": cells(),
        "pins": [*PINS, *TOOL_PINS],
    }


def _kept_head(record: Path) -> dict[str, Any]:
    with record.open(encoding="utf-8") as file:
        head = json.loads(file.readline())
    return {name: value for name, value in head.items() if name not in ("kind", "schema")}


def _written(output: Path, found: Any) -> tuple[Path, ...]:
    figures = {output / f"{_PAGE}-power.{ending}": content for ending, content in draw_power(found).items()}
    pages: dict[Path, str | bytes] = {
        output / f"{_PAGE}.md": gate_page(found, figure=f"{_PAGE}-power.svg", table_name=f"{_PAGE}.csv"),
        output / f"{_PAGE}.csv": rates_table(found),
    }
    for path, content in {**pages, **figures}.items():
        write_atomically(path, content)
    return (*pages, *figures)


class _Study:
    def __init__(self, work: Path, plan: GateStudyPlan, log: RunLog, report: Callable[[Status], None]) -> None:
        self._work, self._plan, self._log, self._report = work, plan, log, report

    def run(self) -> None:
        wanted = [
            (one, program) for one in repetitions(self._plan) for program in one.programs if not self._has(one, program)
        ]
        total = sum(len(one.programs) for one in repetitions(self._plan))
        if not wanted and self._counted():
            return
        project, others = self._prepared()
        begin, before = time.monotonic(), total - len(wanted)
        for done, (one, program) in enumerate(wanted, start=1):
            with load(busy=one.busy):
                if program in (GATE, GATE_ALONE):
                    self._gate(project, one, program)
                else:
                    self._other(others, one, program)
            left = (time.monotonic() - begin) / done * (len(wanted) - done)
            note = f"{'slow' if one.injected else 'alike'}, {'busy' if one.busy else 'quiet'}"
            what = f"{one.number + 1} with {program}"
            self._report(Status(stage="repetition", what=what, done=before + done, total=total, note=note, left_s=left))
        self._count(project)

    def _has(self, one: Repetition, program: str) -> bool:
        return any(e["repetition"] == one.number and e["program"] == program for e in self._log.of("run"))

    def _prepared(self) -> tuple[Project, Others]:
        """Make everything that a measurement must not wait for, and build what is built; nothing of it counts."""
        self._report(Status(stage="environment", what="project and programs", done=0, total=1))
        project = make_project(self._work)
        others = Others(project, self._work, make_tools(self._work))
        if not any(True for _ in self._log.of("machine")):
            self._log.add("machine", **asdict(environment(self._work)))
        for side, gates in ((ALIKE, GATE), (SLOW, GATE), (LONE, GATE_ALONE)):
            self._report(Status(stage="environment", what=f"both programs that build, {side}", done=0, total=1))
            if gates in self._plan.programs:
                self._ask(project, side, budget_s=1.0, seed=0, metrics=("time",))
            if ASV in self._plan.programs and side != LONE:
                others.build(side)
        return project, others

    def _counted(self) -> bool:
        return not self._plan.instructions or any(True for _ in self._log.of("instructions"))

    def _count(self, project: Project) -> None:
        """Count instructions of both sides, once: they tell what the slow side really does more."""
        if self._counted():
            return
        self._report(Status(stage="environment", what="instructions of both sides", done=0, total=1))
        try:
            found = self._ask(
                project, SLOW, budget_s=1.0, seed=0, metrics=("instructions",), benchmarks=(f"{SIZES[-1]}",)
            )
        except RefusedError as error:
            self._log.add("instructions", note=str(error), ratios={})
            return
        ratios = {cell_of(one.parameters): one.comparison.ratio for one in found.cells if not one.note}
        notes = {one.note for one in found.cells if one.note}
        self._log.add("instructions", note="; ".join(sorted(notes)), ratios=ratios)

    def _ask(
        self,
        project: Project,
        side: str,
        *,
        budget_s: float,
        seed: int,
        metrics: tuple[str, ...],
        benchmarks: tuple[str, ...] = (),
    ) -> GateReport:
        shutil.rmtree(self._gates() / "runs", ignore_errors=True)
        question = GateQuestion(
            repository=project.folder,
            baseline=SideWanted(commit=project.commits[BASE]),
            candidate=SideWanted(commit=project.commits[side]),
            benchmarks=benchmarks,
            budget_s=budget_s,
            metrics=metrics,
            seed=seed,
        )
        found = gate(question, read_settings(project.folder), work=self._gates())
        if found.failed:
            msg = f"Every cell of the study can be measured: {found.failed[0].cell} failed. {found.failed[0].reason}"
            raise ResultsError(msg)
        return found

    def _gates(self) -> Path:
        return self._work / "gates"

    def _gate(self, project: Project, one: Repetition, program: str) -> None:
        side = LONE if program == GATE_ALONE else SLOW if one.injected else ALIKE
        budget_s = max(self._plan.budget_s - _SETUP_S, self._plan.budget_s / 2)
        before, begin = os.getloadavg()[0], time.monotonic()
        found = self._ask(project, side, budget_s=budget_s, seed=one.number + 1, metrics=("time",))
        seconds = time.monotonic() - begin
        kept = rounds_path(self._work / "rounds", one.number, program)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(next((self._gates() / "runs").glob("*/run.jsonl")), kept)
        told = _of_gate(found, seconds)
        if program == GATE_ALONE:
            self._add(one, program, {GATE_ALONE: told}, load_before=before)
            return
        listed = dict.fromkeys(cells(), False) | {
            cell_of(cell.parameters): cell.comparison.verdict is Verdict.SLOWER for cell in found.cells if cell.decides
        }
        beside = {"alarm": any(listed.values()), "slower": listed, "ratios": told["ratios"], "seconds": seconds}
        self._add(one, GATE, {GATE: told, GATE_LISTED: beside}, load_before=before)

    def _other(self, others: Others, one: Repetition, program: str) -> None:
        before = os.getloadavg()[0]
        said = others.run[program](SLOW if one.injected else ALIKE, self._plan.budget_s)
        self._add(one, program, {name: asdict(entry) for name, entry in said.items()}, load_before=before)

    def _add(self, one: Repetition, program: str, tools: dict[str, dict[str, Any]], *, load_before: float) -> None:
        self._log.add(
            "run",
            repetition=one.number,
            program=program,
            injected=one.injected,
            busy=one.busy,
            load=load_before,
            tools=tools,
        )


def _of_gate(found: GateReport, seconds: float) -> dict[str, Any]:
    deciding = [cell for cell in found.cells if cell.decides]
    prefix = f"{CODEC} = "
    alarming = {one.what for one in found.explanation if one.alarm}
    return {
        "alarm": found.status == 1,
        "slower": dict.fromkeys(cells(), False) | {cell_of(cell.parameters): cell.alarm for cell in deciding},
        "ratios": {cell_of(cell.parameters): cell.comparison.ratio for cell in deciding},
        "contrasts": {
            one.what.removeprefix(prefix): {
                "ratio": one.comparison.ratio,
                "alarm": one.what in alarming,
                "listed": one.comparison.verdict is Verdict.SLOWER,
            }
            for one in found.contrasts
            if one.what.startswith(prefix)
        },
        "causes": [one.name for one in found.explanation if one.comparison.verdict is Verdict.SLOWER],
        "rounds": found.rounds,
        "measured_s": found.spent_s,
        "seconds": seconds,
    }
