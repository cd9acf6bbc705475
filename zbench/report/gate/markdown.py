"""A gate as Markdown for a comment on a pull request: what matters first, the rest folded, never too long to post."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from zbench.model import Verdict
from zbench.report.gate.costs import cost, detectable
from zbench.report.gate.escapes import code, fenced, prose, writable
from zbench.report.gate.nouns import GateCell
from zbench.report.gate.strips import reach, strip, strip_head
from zbench.report.gate.words import change, headline, numbers, ordered, pooled, ratio, verdict
from zbench.report.text import details, listed, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from zbench.report.gate.nouns import GateContrast, GateReport, NotMeasured

__all__ = ["LONGEST", "MARKER", "markdown", "markdown_without_answer"]

# By it a comment is found again and rewritten in place.
MARKER = "<!-- zbench-gate -->"
# GitHub takes 65,536 characters; some are left to those who put more around it.
LONGEST = 60_000
_ROWS = (80, 40, 20, 10, 5, 2, 1)
_NAMES = 3
_One = TypeVar("_One")
_LONGEST_REASON = 4_000
_CHANGED = (Verdict.SLOWER, Verdict.FASTER)
_EXACT_WORDS = {"slower": "worse", "faster": "better"}


def markdown(report: GateReport) -> str:
    """Write a gate as a comment.

    Parameters
    ----------
    report
        What was found.

    Returns
    -------
    str
        Markdown of at most `LONGEST` characters, whose first line is `MARKER`.
    """
    written = ""
    for rows in _ROWS:
        written = writable("\n\n".join(part for part in _Comment(report, rows).parts() if part)) + "\n"
        if len(written) <= LONGEST:
            break
    return written


def markdown_without_answer(project: str, reason: str) -> str:
    """Write that a gate could not answer at all.

    Parameters
    ----------
    project
        Whose gate.
    reason
        Why.

    Returns
    -------
    str
        Markdown, whose first line is `MARKER`.
    """
    told = fenced(writable(reason)[:_LONGEST_REASON])
    return f"{MARKER}\n\n### Could not answer\n\nThe gate of {code(project)} says:\n\n{told}\n"


@dataclass(frozen=True, slots=True)
class _Comment:
    """One attempt, with so many rows for each table."""

    report: GateReport
    rows: int

    def parts(self) -> list[str]:
        report = self.report
        deciding = [cell for cell in ordered(report.cells) if cell.decides]
        exact = [cell for cell in deciding if _is_exact_change(cell)]
        noisy = [cell for cell in deciding if not _is_exact_change(cell)]
        by_verdict = {one: [cell for cell in noisy if cell.comparison.verdict is one] for one in Verdict}
        slower: list[GateCell | GateContrast] = [one for one in pooled(report) if one.is_regression]
        slower += by_verdict[Verdict.SLOWER]
        return [
            MARKER,
            f"### {prose(headline(report))}",
            self._sides(),
            *(f"> Warning: {prose(warning)}" for warning in report.warnings[: self.rows]),
            self._titled("Failed", self._not_measured(report.failed)),
            self._titled("Exact changes", self._exact(exact)),
            self._titled("What explains it", self._explained()),
            self._titled("Slower", self._compared(slower)),
            details("Factor levels", self._compared(pooled(report))),
            details(f"Faster ({len(by_verdict[Verdict.FASTER])})", self._compared(by_verdict[Verdict.FASTER])),
            details(
                f"Inconclusive ({len(by_verdict[Verdict.INCONCLUSIVE])})",
                self._inconclusive(by_verdict[Verdict.INCONCLUSIVE]),
            ),
            details(f"Same ({len(by_verdict[Verdict.SAME])})", self._same(by_verdict[Verdict.SAME])),
            details(f"Skipped ({len(report.skipped)})", self._not_measured(report.skipped)),
            details("Environments", self._environments()),
            details("How to ask again", self._again()),
        ]

    def _sides(self) -> str:
        report = self.report
        commits = " and ".join(code(commit[:12]) for commit in dict.fromkeys(report.commits))
        return (
            f"Baseline {code(report.baseline)}, candidate {code(report.candidate)} (commit {commits}) of "
            f"{code(report.project)}: {report.rounds} rounds in {report.spent_s:.0f} s. A ratio is candidate ÷ "
            "baseline; above 1 is slower, bigger or chattier."
        )

    def _titled(self, title: str, body: str) -> str:
        return f"#### {title}\n\n{body}" if body else ""

    def _table(
        self, heads: Sequence[str], found: Sequence[GateCell], row: Callable[[GateCell], Sequence[str]], *, texts: int
    ) -> str:
        return _cut(table(heads, (row(one) for one in found[: self.rows]), texts=texts), len(found) - self.rows)

    def _exact(self, cells: list[GateCell]) -> str:
        return self._table(
            ("verdict", "benchmark", "metric", "environment", "baseline", "candidate", "ratio"),
            cells,
            lambda one: (
                _EXACT_WORDS.get(verdict(one), verdict(one)),
                *_named(one)[1:],
                code(one.environment),
                *numbers(one),
                ratio(one),
            ),
            texts=4,
        )

    def _explained(self) -> str:
        found = self.report.explanation
        share = reach(one.comparison for one in found[: self.rows])
        rows = (
            (
                code(one.name),
                f"{one.cells} cells",
                code(strip(one.comparison, share)),
                change(one.comparison, one.metric),
            )
            for one in found[: self.rows]
        )
        return _cut(table(("what", "", strip_head(share), "change"), rows, texts=3), len(found) - self.rows)

    def _compared(self, found: Sequence[GateCell | GateContrast]) -> str:
        share = reach(one.comparison for one in found[: self.rows])
        heads = ("verdict", "what", "metric", "", strip_head(share), "ratio", "p", "pairs")
        rows = (
            (
                *_named(one),
                _place(one),
                code(strip(one.comparison, share)),
                ratio(one),
                _p_value(one),
                str(one.blocks),
            )
            for one in found[: self.rows]
        )
        return _cut(table(heads, rows, texts=5), len(found) - self.rows)

    def _inconclusive(self, cells: list[GateCell]) -> str:
        share = reach(cell.comparison for cell in cells[: self.rows])
        return self._table(
            ("benchmark", "metric", "environment", strip_head(share), "ratio", "pairs", "detectable", "to decide"),
            cells,
            lambda one: (
                *_named(one)[1:],
                code(one.environment),
                code(strip(one.comparison, share)),
                ratio(one),
                str(one.blocks),
                detectable(one),
                prose(one.note) or cost(one, self.report),
            ),
            texts=4,
        )

    def _same(self, cells: list[GateCell]) -> str:
        return self._table(
            ("benchmark", "metric", "environment", "baseline", "candidate", "ratio", "pairs"),
            cells,
            lambda one: (
                *_named(one)[1:],
                code(one.environment),
                *numbers(one),
                ratio(one),
                "exact" if one.exact else str(one.blocks),
            ),
            texts=3,
        )

    def _not_measured(self, found: Iterable[NotMeasured]) -> str:
        reasons: dict[str, list[NotMeasured]] = {}
        for one in found:
            reasons.setdefault(one.reason, []).append(one)
        rows = [
            (code(reason, most=400), _some(lost, lambda one: f"{code(one.cell)} in {code(one.environment)}"))
            for reason, lost in list(reasons.items())[: self.rows]
        ]
        return _cut(table(("why", "benchmarks"), rows, texts=2), len(reasons) - self.rows)

    def _environments(self) -> str:
        report = self.report
        facts = list(report.machine.items())[: self.rows]
        machine = table(("fact", "of the machine"), ((prose(name), code(fact)) for name, fact in facts), texts=2)
        rows = [(code(name), self._packages(name)) for name in report.environments[: self.rows]]
        environments = table(("environment", "packages that differ"), rows, texts=2)
        return f"{machine}\n\n{_cut(environments, len(report.environments) - self.rows)}"

    def _packages(self, environment: str) -> str:
        changed = self.report.packages.get(environment, ())
        return _some(changed, lambda one: code(f"{one[0]} {one[1]} -> {one[2]}"), most=10)

    def _again(self) -> str:
        report = self.report
        effects = ", ".join(f"{prose(name)} {share * 100:.2g} %" for name, share in report.min_effects.items())
        settings = (
            f"Smallest changes that count: {effects}. Two alike sides fail in {report.error_rate * 100:.2g} % of all "
            f"gates. Budget {report.budget_s:.0f} s, seed {report.seed}. All numbers and a "
            "picture are in `gate.json` and `gate.svg` beside this text."
        )
        # A command that was cut would ask something else.
        short = report.command and len(report.command) <= _LONGEST_REASON
        return f"{fenced(report.command)}\n\n{settings}" if short else settings


def _is_exact_change(cell: GateCell) -> bool:
    return cell.exact and cell.comparison.verdict in _CHANGED


def _cut(written: str, left: int) -> str:
    return f"{written}\n\nand {left} more, in `gate.json`" if left > 0 else written


def _some(found: Sequence[_One], written: Callable[[_One], str], *, most: int = _NAMES) -> str:
    more = [f"{len(found) - most} more"] if len(found) > most else []
    return listed([*map(written, found[:most]), *more])


def _named(one: GateCell | GateContrast) -> tuple[str, str, str]:
    return verdict(one), code(one.cell if isinstance(one, GateCell) else one.name), code(one.metric)


def _place(one: GateCell | GateContrast) -> str:
    return code(one.environment) if isinstance(one, GateCell) else f"{one.cells} cells"


def _p_value(one: GateCell | GateContrast) -> str:
    return "" if one.comparison.p_value is None else f"{one.comparison.p_value:.2g}"
