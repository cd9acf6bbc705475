"""What the asv suite found at a commit."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.report.summary import CellSummary, summarise
from zbench.results import read_asv_results

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Summary", "summary"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The suite's results at one commit.

    Attributes
    ----------
    commit
        Full hash.
    cells
        One entry for each cell in each environment.
    problems
        Result files that could not be read, with the reason.
    dashboard
        Page that `asv publish` made, if it did.
    """

    commit: str
    cells: tuple[CellSummary, ...]
    problems: tuple[str, ...]
    dashboard: Path | None


def summary(repository: Path, *, commit: str = "HEAD") -> Summary:
    """Read what the suite found.

    Parameters
    ----------
    repository
        Folder with ``asv.conf.json``; results are looked for in its ``.asv``.
    commit
        A commit as git names it.

    Returns
    -------
    Summary
        Cells and what could not be read.

    Raises
    ------
    ResultsError
        If there are no results of that commit.
    """
    full = _full_hash(repository, commit)
    results = repository / ".asv" / "results"
    found = read_asv_results(results, commit=full)
    cells = summarise(found.rows)
    if not cells:
        raise ResultsError(_nothing(results, full, found.problems))
    page = repository / ".asv" / "html" / "index.html"
    dashboard = page if page.is_file() else None
    return Summary(commit=full, cells=tuple(cells), problems=found.problems, dashboard=dashboard)


def _nothing(results: Path, commit: str, problems: tuple[str, ...]) -> str:
    """Say what there is in place of what was asked for."""
    known = {path.name.split("-", 1)[0] for path in results.glob("*/*-*.json")} - {commit[:8]}
    others = f", or give one of {', '.join(sorted(known))}" if known else ""
    told = "".join(f" {problem}" for problem in problems)
    return (
        f"A summary needs results of the suite: there are none of commit {commit[:8]}.{told} Run 'make bench'{others}."
    )


def _full_hash(repository: Path, commit: str) -> str:
    command = ["git", "-C", str(repository), "rev-parse", "--verify", f"{commit}^{{commit}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - fixed command
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        msg = (
            f"A summary is of a commit of a git repository: {commit!r} in {str(repository)!r} is none ({told.strip()})."
        )
        raise ResultsError(msg) from error
    return done.stdout.strip()
