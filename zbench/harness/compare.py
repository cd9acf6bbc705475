"""Two sets of results held against each other: what is paired, what may be compared, and what the numbers say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from zbench.errors import ResultsError
from zbench.harness.imports import collect
from zbench.harness.pairs import CONFIDENCE, compared, mismatch
from zbench.harness.places import Difference, differences, matched, package_changes, place_labels
from zbench.model import Verdict
from zbench.report.compare import ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zbench.report.compare import ComparedMetric
    from zbench.results import Row, Table

__all__ = ["Compared", "Side", "Unpaired", "compare"]

# What is compared: workload, metric, and the environment under its name on the side of the baseline.
_Key: TypeAlias = tuple[str, str, str]
_Placed: TypeAlias = "tuple[Row, _Key]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """The baseline or the candidate.

    Attributes
    ----------
    path
        Where its results are.
    commits
        Full hashes, at most one; empty where the results do not say.
    rows
        Number of numbers.
    """

    path: str
    commits: tuple[str, ...]
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpaired:
    """A number that could not be compared.

    Attributes
    ----------
    workload, metric
        What it is of.
    side
        Where it is: ``baseline``, ``candidate`` or ``both``.
    reason
        Why.
    """

    workload: str
    metric: str
    side: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What a comparison found.

    Attributes
    ----------
    baseline, candidate
        The two sides.
    min_effect
        Smallest change of a time that counts: 0.03 is 3 %.
    confidence
        Of the intervals.
    differences
        In what matters, of the environments that were compared all the same.
    packages
        Packages that are others in the candidate; they may be what is compared.
    unknown
        What matters and one side does not say of its environment.
    metrics
        Each pair, the worst first.
    broken
        Workloads that the baseline has numbers of and that failed in the candidate.
    unpaired
        Numbers that could not be compared, with the reason.
    problems
        Files that were skipped.
    """

    baseline: Side
    candidate: Side
    min_effect: float
    confidence: float
    differences: tuple[Difference, ...]
    packages: tuple[Difference, ...]
    unknown: tuple[str, ...]
    metrics: tuple[ComparedMetric, ...]
    broken: tuple[str, ...]
    unpaired: tuple[Unpaired, ...]
    problems: tuple[str, ...]

    @property
    def status(self) -> int:
        """Exit status: 1 if anything is slower, bigger or broken; 2 if nothing could be told; 0 otherwise."""
        verdicts = {one.comparison.verdict for one in self.metrics}
        if Verdict.SLOWER in verdicts or self.broken:
            return 1
        return 0 if verdicts - {Verdict.INCONCLUSIVE} else 2


def compare(
    baseline: Path,
    candidate: Path,
    *,
    baseline_commit: str | None = None,
    candidate_commit: str | None = None,
    min_effect: float = 0.03,
    across_environments: bool = False,
) -> Compared:
    """Compare two results, workload by workload and metric by metric.

    Parameters
    ----------
    baseline, candidate
        Result folders or files of any kind.
    baseline_commit, candidate_commit
        Commit of each, needed where the results hold several.
    min_effect
        Smallest change of a time that counts.
    across_environments
        Whether to compare where the environments differ in what matters.

    Returns
    -------
    Compared
        Every pair with its ratio and verdict, and what could not be paired.

    Raises
    ------
    ResultsError
        If results cannot be read, hold several commits, or the environments differ in what matters.
    """
    base = collect([baseline], commit=baseline_commit)
    other = collect([candidate], commit=candidate_commit)
    sides = (
        _side(baseline, base.table, "--baseline-commit"),
        _side(candidate, other.table, "--candidate-commit"),
    )
    places = matched(base.table.environments, other.table.environments)
    pairs = [(base.table.environments[ours], other.table.environments[theirs]) for theirs, ours in places.items()]
    differing, unknown = differences(pairs)
    if differing and not across_environments:
        raise ResultsError(_refusal(differing))
    before = _numbers(_placed(base.table, {name: name for name in base.table.environments}))
    rows = tuple(_placed(other.table, places))
    after = _numbers(rows)
    both = [(key, before[key], after[key]) for key in sorted(set(before) & set(after))]
    alike = [(ours, theirs) for _, ours, theirs in both if not mismatch(ours, theirs)]
    metrics = compared(alike, min_effect=min_effect)
    labels = place_labels(other.table.environments)
    return Compared(
        baseline=sides[0],
        candidate=sides[1],
        min_effect=min_effect,
        confidence=CONFIDENCE,
        differences=differing,
        packages=package_changes(pairs),
        unknown=unknown,
        metrics=tuple(ordered(replace(one, place=labels[one.environment]) for one in metrics)),
        broken=tuple(_broken(before, after, rows)),
        unpaired=(*_others(both), *_unpaired(before, after)),
        problems=(*base.problems, *other.problems),
    )


def _side(path: Path, table: Table, option: str) -> Side:
    commits = tuple(sorted({row.commit for row in table.rows if row.commit}))
    if len(commits) > 1:
        shown = ", ".join(commit[:8] for commit in commits[:8]) + (", ..." if len(commits) > 8 else "")
        msg = (
            f"Each side of a comparison is of one commit: {str(path)!r} holds {len(commits)}, {shown}. Choose one "
            f"by {option}."
        )
        raise ResultsError(msg)
    return Side(path=str(path), commits=commits, rows=sum(row.value is not None for row in table.rows))


def _refusal(differing: tuple[Difference, ...]) -> str:
    told = "; ".join(f"{one.what} is {one.baseline!r} there and {one.candidate!r} here" for one in differing)
    return (
        f"Times are compared in like environments: {told}. Measure both sides in one, or give --across-environments "
        "and read the ratios as those of the environments too."
    )


def _placed(table: Table, places: dict[str, str]) -> Iterator[_Placed]:
    """Give each row its key, in which an environment has its name on the side of the baseline."""
    for row in table.rows:
        place = places.get(row.environment, f"candidate's {row.environment}")
        yield row, (row.workload, row.metric, place)


def _numbers(rows: Iterable[_Placed]) -> dict[_Key, list[Row]]:
    found: dict[_Key, list[Row]] = defaultdict(list)
    for row, key in rows:
        if row.value is not None:
            found[key].append(row)
    return found


def _others(both: Iterable[tuple[_Key, list[Row], list[Row]]]) -> Iterator[Unpaired]:
    for (workload, metric, _), ours, theirs in both:
        reason = mismatch(ours, theirs)
        if reason:
            yield Unpaired(workload=workload, metric=metric, side="both", reason=reason)


def _unpaired(before: dict[_Key, list[Row]], after: dict[_Key, list[Row]]) -> Iterator[Unpaired]:
    for side, only in (("baseline", set(before) - set(after)), ("candidate", set(after) - set(before))):
        for workload, metric, _ in sorted(only):
            yield Unpaired(workload=workload, metric=metric, side=side, reason="the other side has no such number")


def _broken(before: dict[_Key, list[Row]], after: dict[_Key, list[Row]], rows: Iterable[_Placed]) -> Iterator[str]:
    for row, key in rows:
        # A cell that is measured twice may fail once.
        if row.failed and key in before and key not in after:
            yield f"{row.workload} {row.metric}: {row.note}"
