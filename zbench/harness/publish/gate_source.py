"""What gates found as batches: two positions of each, and the changes that they are sure of."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import ResultsError
from zbench.harness.publish.source import GATE, Source
from zbench.model import Environment, Verdict
from zbench.report.gate.record import read_gate
from zbench.report.site.lines import JUDGED
from zbench.report.site.metrics import measure_of
from zbench.report.site.nouns import Batch, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from zbench.harness.publish.commits import Commits
    from zbench.report.gate.nouns import GateCell, GateReport

__all__ = ["GateSource"]

_MOVED = (Verdict.SLOWER, Verdict.FASTER)


class GateSource(Source):
    """Records of gates, one or a folder of them."""

    def files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        return tuple(sorted(self.path.rglob(GATE))) if self.path.is_dir() else (self.path,)

    def grows_by(self, paths: Iterable[Path]) -> bool:  # noqa: ARG002, D102 - each record stands alone
        return True

    def batches(  # noqa: D102 - as in the base
        self, paths: Iterable[Path], commits: Commits, problems: dict[str, str]
    ) -> Iterator[Batch]:
        for path in paths:
            try:
                yield from _batches(read_gate(path), commits)
            except ResultsError as error:
                problems[str(path)] = str(error)


def _batches(report: GateReport, commits: Commits) -> Iterator[Batch]:
    pages: dict[tuple[str, str, str, str, tuple[str, ...]], list[GateCell]] = defaultdict(list)
    for cell in report.cells:
        pages[cell.benchmark, cell.metric, cell.unit, cell.environment, tuple(cell.parameters)].append(cell)
    before, after = _positions(report, commits)
    for (benchmark, metric, unit, environment, names), cells in pages.items():
        low, high = (
            np.array([cell.baseline * end for cell in cells for end in (getattr(cell.comparison, side),)])
            for side in ("low", "high")
        )
        nothing = np.full(len(cells), np.nan)
        exact = np.array([cell.exact for cell in cells])
        for position, values, ends, moved in (
            (before, [cell.baseline for cell in cells], (nothing, nothing), ()),
            (after, [cell.candidate for cell in cells], (low, high), tuple(map(_moved, cells))),
        ):
            yield Batch(
                benchmark=f"gate.{benchmark}.{metric}",
                measure=measure_of(metric, {"seconds": "s"}.get(unit, unit)),
                environment=_environment(report, environment, candidate=position is after),
                line=f"{JUDGED}{environment}",
                position=position,
                names=names,
                cells=tuple(tuple(cell.parameters.values()) for cell in cells),
                values=np.array(values, dtype=float),
                low=np.where(exact, np.nan, ends[0]),
                high=np.where(exact, np.nan, ends[1]),
                moved=moved,
            )


def _moved(cell: GateCell) -> tuple[float, float] | None:
    """Give the interval of a change that the gate is sure of."""
    found = cell.comparison
    return (found.low, found.high) if found.verdict in _MOVED and found.ratio != 1 else None


def _positions(report: GateReport, commits: Commits) -> tuple[Position, Position]:
    first, second = report.commits
    if first and second and first != second:
        return commits.position(first), commits.position(second)
    # Of one commit with other packages: the two are told apart by what was asked for.
    return _run(report, report.baseline, 0), _run(report, report.candidate, 1)


def _run(report: GateReport, side: str, rank: int) -> Position:
    name = f"{report.baseline} -> {report.candidate}"
    return Position(axis="run", key=f"{name}: {side}", order=(*map(float, name.encode()[:24]), rank), label=side)


def _environment(report: GateReport, name: str, *, candidate: bool) -> Environment:
    machine: Mapping[str, str] = report.machine
    packages = tuple((package, sides[candidate]) for package, *sides in report.packages.get(name, ()))
    return Environment(
        machine=machine.get("machine", ""),
        os=machine.get("os", ""),
        cpu=machine.get("cpu", ""),
        cores=_whole(machine.get("cores", "") or machine.get("num_cpu", "")),
        memory_bytes=_whole(machine.get("memory_bytes", "") or machine.get("ram", "")),
        python=machine.get("python", ""),
        packages=packages,
        threads=(),
        filesystem="",
    )


def _whole(text: str) -> int:
    return int(text) if str(text).isdigit() else 0
