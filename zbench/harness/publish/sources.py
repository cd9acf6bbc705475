"""Where results lie, and what each place holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.harness.publish.asv_source import ASV_INDEX, AsvSource
from zbench.harness.publish.source import GATE, HISTORY, TraceSource, result_files
from zbench.results import table_files
from zbench.results.traces import TRACE_ENDING

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.harness.publish.source import Source

__all__ = ["default_sources", "source_of"]

_SUITE, _SWEEPS = ".asv/results", "results/sweep"


def default_sources(repository: Path) -> tuple[Path, ...]:
    """Find the results that lie where zbench and asv put them.

    Parameters
    ----------
    repository
        Folder of the clone.

    Returns
    -------
    tuple of Path
        Those that are there.
    """
    suite = repository / _SUITE
    sweeps = sorted(path.parent for path in (repository / _SWEEPS).glob(f"*/history/{HISTORY}"))
    return (*([suite] if suite.is_dir() else []), *sweeps)


def source_of(path: Path) -> Source:
    """Find out what a path holds.

    Parameters
    ----------
    path
        A folder or a file.

    Returns
    -------
    Source
        To read it with.
    """
    if path.is_dir():
        return _folder(path)
    if path.name.endswith(TRACE_ENDING):
        return TraceSource(path)
    return _other(path, gates=path.name == GATE)


def _folder(path: Path) -> Source:
    if (path / HISTORY).is_file():
        from zbench.harness.publish.table_sources import SweepSource  # noqa: PLC0415 - as in `_other`

        return SweepSource(path)
    if not table_files(path) and (path / ASV_INDEX).is_file():
        return AsvSource(path)
    found = list(result_files(path))
    if not found and any(path.rglob(f"*{TRACE_ENDING}")):
        return TraceSource(path)
    return _other(path, gates=bool(found) and all(one.name == GATE for one in found if one.suffix == ".json"))


def _other(path: Path, *, gates: bool) -> Source:
    """Import what reads gates or tables where there are some: suites are published most, after each commit."""
    if gates:
        from zbench.harness.publish.gate_source import GateSource  # noqa: PLC0415 - see above

        return GateSource(path)
    from zbench.harness.publish.table_sources import TableSource  # noqa: PLC0415 - see above

    return TableSource(path)
