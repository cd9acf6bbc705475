"""The overhead study: zbench's own work around timed calls, beside a bare loop over the same arrays."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from zbench.cell import store_cell, voxels
from zbench.engines import engine
from zbench.environment import environment
from zbench.errors import RefusedError
from zbench.grid import CellSpec
from zbench.harness.status import Status
from zbench.report.overhead import OverheadRow, overhead_page
from zbench.results import write_atomically
from zbench.runner.overhead import measure_overhead
from zbench.stats import ratio_interval

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OverheadPlan", "overhead"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OverheadPlan:
    """What is measured.

    Attributes
    ----------
    dataset
        Name of the volume.
    engines
        Engines; one that is not installed here is left out and named.
    layouts, patterns
        Cells and what is read of them.
    chain
        Codec chain of all cells.
    """

    dataset: str = "cryoet-phantom-128"
    engines: tuple[str, ...] = ("zarr-python", "tensorstore")
    layouts: tuple[str, ...] = ("v2-c32", "v3-c32", "v3-c64", "v3-c32-s128")
    patterns: tuple[str, ...] = ("full_read",)
    chain: str = "blosc-zstd-5-shuffle"


def overhead(output: Path, *, plan: OverheadPlan, report: Callable[[Status], None]) -> tuple[Path, ...]:
    """Measure, and write the page.

    Parameters
    ----------
    output
        Folder for ``overhead.md``.
    plan
        What to measure.
    report
        Told after every step.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    RefusedError
        If none of the engines is installed.
    """
    values = voxels(plan.dataset)
    rows: list[OverheadRow] = []
    refused: list[str] = []
    cells = [CellSpec(plan.dataset, name, layout, plan.chain) for name in plan.engines for layout in plan.layouts]
    with tempfile.TemporaryDirectory(prefix="zbench-overhead-") as folder:
        for done, spec in enumerate(cells, start=1):
            try:
                versions = engine(spec.engine).versions()
                cell = store_cell(spec, values, Path(folder))
            except RefusedError as error:
                refused.append(str(error))
                continue
            for pattern in plan.patterns:
                found = measure_overhead(cell, pattern)
                rows.append(
                    OverheadRow(
                        engine=f"{spec.engine} {next(iter(versions.values()))}",
                        layout=spec.layout,
                        pattern=pattern,
                        bare_ns=median(found.bare_ns),
                        between_ns=found.between_ns,
                        inside_ns=found.inside_ns,
                        ratio=ratio_interval(found.bare_ns, found.ours_ns),
                    )
                )
                note = f"{spec.engine} {spec.layout} {pattern}"
                report(Status(stage="overhead", what=plan.dataset, done=done, total=len(cells), note=note))
    if not rows:
        msg = f"Overhead is measured of at least one engine: all were refused. {' '.join(dict.fromkeys(refused))}"
        raise RefusedError(msg)
    path = output.resolve() / "overhead.md"
    page = overhead_page(
        rows,
        chain=plan.chain,
        dataset=plan.dataset,
        machine=environment(Path(tempfile.gettempdir())),
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        refused=tuple(dict.fromkeys(refused)),
    )
    write_atomically(path, page)
    return (path,)
