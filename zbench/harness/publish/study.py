"""The scale of publishing: `zbench publish` beside `asv publish` on the same files, and the site in a browser."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zbench.environment import environment
from zbench.errors import ResultsError
from zbench.harness.publish.browse import browse
from zbench.harness.publish.generated import GeneratedHistory
from zbench.harness.status import Status
from zbench.report.site.study import PublishFindings, Run, publish_page
from zbench.results import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PublishPlan", "study_publish"]

_RESULTS = "results"
# A turn is one commit more, and all of it anew; the median of six lies between the least and the most with 97 %.
_TURNS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishPlan:
    """What is generated and measured.

    Attributes
    ----------
    benchmarks, commits
        Of the whole history; a benchmark has 100 cells.
    asv_series
        Number of series of the smaller histories that both programs publish; asv gets no larger one once a run of it
        would take more than `asv_limit_s`, by what the last one took.
    asv_limit_s
        Seconds.
    visits
        How often each view is visited.
    """

    benchmarks: int = 100
    commits: int = 1000
    asv_series: tuple[int, ...] = (250, 1000, 10_000)
    asv_limit_s: float = 600.0
    visits: int = 3

    @property
    def series(self) -> int:
        """Of the whole history."""
        return self.benchmarks * GeneratedHistory().cells


def study_publish(output: Path, *, plan: PublishPlan, report: Callable[[Status], None]) -> tuple[Path, ...]:
    """Generate, publish, visit, and write the page.

    Parameters
    ----------
    output
        Folder for ``publish.md``.
    plan
        What to measure.
    report
        Told after each step.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    ResultsError
        If a program fails or there is no browser.
    """
    with tempfile.TemporaryDirectory(prefix="zbench-publish-") as work:
        findings = _Study(Path(work), plan, report).findings()
    path = output / "publish.md"
    write_atomically(path, publish_page(findings))
    return (path,)


class _Study:
    """One run of the study."""

    def __init__(self, work: Path, plan: PublishPlan, report: Callable[[Status], None]) -> None:
        self._work, self._plan, self._report = work, plan, report
        self._done, self._note = 0, ""

    def findings(self) -> PublishFindings:
        """Measure everything; the whole history last."""
        pairs = self._both()
        folder = self._generated(self._plan.benchmarks, engines=4)
        site = self._work / "site"
        size = sum(path.stat().st_size for path in (folder / _RESULTS).rglob("*.json"))
        late = _late(folder, _TURNS, self._work / "later")
        self._publish(folder, site, "all but the last commits")
        turns = [self._turn(folder, site, path, f"{at} of {len(late)}") for at, path in enumerate(late, start=1)]
        again = self._publish(folder, site, "nothing new")
        bytes_of_site = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        index = (site / "data" / "index.js").stat().st_size
        self._told("visit the views")
        return PublishFindings(
            series=self._plan.series,
            commits=self._plan.commits,
            input_bytes=size,
            site_bytes=bytes_of_site,
            index_bytes=index,
            turns=tuple(turns),
            nothing=again,
            pairs=pairs,
            views=tuple(browse(site, _views(), visits=self._plan.visits)),
            machine=environment(self._work),
            date=dt.datetime.now(dt.UTC).date().isoformat(),
        )

    def _turn(self, folder: Path, site: Path, late: Path, which: str) -> tuple[Run, Run]:
        """Publish one commit more, then the same results anew: what else the machine does falls on both."""
        shutil.move(late, folder / _RESULTS / "box" / late.name)
        more = self._publish(folder, site, f"one commit more, {which}")
        anew = self._publish(folder, self._work / "anew", f"all of it anew, {which}")
        shutil.rmtree(self._work / "anew")
        return more, anew

    def _told(self, what: str) -> None:
        self._done += 1
        total = 5 + 2 * _TURNS + 3 * len(self._plan.asv_series)
        self._report(Status(stage="publish", what=what, done=self._done, total=max(total, self._done), note=self._note))

    def _generated(self, benchmarks: int, *, engines: int) -> Path:
        folder = self._work / f"history-{benchmarks}-{engines}"
        self._told(f"generate {benchmarks * 25 * engines} series of {self._plan.commits} points")
        GeneratedHistory(benchmarks=benchmarks, commits=self._plan.commits, engines=engines).write(folder)
        return folder

    def _both(self) -> tuple[tuple[int, Run, Run], ...]:
        """Publish smaller histories by both programs, one after the other on the same files."""
        pairs: list[tuple[int, Run, Run]] = []
        for series in self._plan.asv_series:
            if pairs and pairs[-1][1].seconds * series / pairs[-1][0] > self._plan.asv_limit_s:
                break
            # Small histories have fewer cells a benchmark, so that each has benchmarks of every kind.
            engines = 1 if series < 1000 else 4
            folder = self._generated(series // (25 * engines), engines=engines)
            self._told(f"asv publish, {series} series")
            asv = self._measured([sys.executable, "-m", "asv", "publish", "--no-pull"], folder)
            pairs.append((series, asv, self._publish(folder, folder / "site", f"{series} series")))
            shutil.rmtree(folder)
        return tuple(pairs)

    def _publish(self, folder: Path, site: Path, what: str) -> Run:
        self._told(f"zbench publish, {what}")
        words = ["publish", str(folder / _RESULTS), "--output", str(site), "--repository", str(folder)]
        return self._measured([sys.executable, "-m", "zbench", *words], folder)

    def _measured(self, command: Sequence[str], folder: Path) -> Run:
        run = _measured(command, folder)
        self._note = f"the last one took {run.seconds:.1f} s"
        return run


def _measured(command: Sequence[str], folder: Path) -> Run:
    """Run a program; its memory is that of its largest process."""
    # What the one before left to the disk is not its business.
    os.sync()
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, cwd=folder, stdout=told, stderr=told)  # noqa: S603 - our own commands
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            words = told.read().decode(errors="replace")[-500:]
            msg = f"Both programs must publish what was generated: {' '.join(command[2:4])} failed ({words})."
            raise ResultsError(msg)
    return Run(seconds, usage.ru_maxrss * 1024)


def _late(folder: Path, count: int, aside: Path) -> list[Path]:
    """Put the result files of the last commits aside."""
    command = ["git", "-C", str(folder), "rev-list", f"--max-count={count}", "main"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - fixed command
    aside.mkdir()
    box = folder / _RESULTS / "box"
    return [Path(shutil.move(box / f"{commit[:8]}-py3.11.json", aside)) for commit in reversed(listed.stdout.split())]


def _views() -> dict[str, tuple[str, str]]:
    time_page, other = "read.Case000.time_cell", "open.Case002.time_cell"
    point = "0.7"
    return {
        "overview": ("#/", "table.changes tbody tr"),
        "a benchmark of 100 cells, all pictures": (f"#/b/{time_page}", ".facets canvas"),
        "two points compared": (f"#/b/{time_page}?a={point}.1&b={point}.2", ".panel .answer"),
        "Pareto of two benchmarks": (f"#/pareto?x={time_page}&y={other}", ".dot circle"),
        "environments": ("#/environments", "table"),
    }
