"""Result folders of asv as rows of the table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.model import Environment
from zbench.results.asv_files import read_asv_results
from zbench.results.files import read_json
from zbench.results.table import EXACT_METRICS, Results, Row, Table, engine_package, environment_id

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.results.asv_files import AsvRow

__all__ = ["read_asv_table"]

_CELL = ("dataset", "engine", "layout", "chain")
_NAMED = (*_CELL, "pattern")
_CONFIDENCE = 0.99
_UNITS = {"seconds": "s", "ratio": "1"}
# Kind of the benchmark, which asv reads from the begin of its name, and the metric that it measures; "" is told by the
# rest of the name.
_KINDS = {"time": "wall_time", "timeraw": "wall_time", "peakmem": "peak_memory", "mem": "memory", "track": ""}


def read_asv_table(folder: Path, *, commit: str | None = None) -> Results:
    """Read a result folder of asv as rows of the table.

    Parameters
    ----------
    folder
        ``results_dir`` of asv.conf.json.
    commit
        Keep one commit, by the first digits of its hash; ``None`` keeps all.

    Returns
    -------
    Results
        Rows, refused and failed ones among them, and the files that were left out with the reason. How many processes
        the samples come from is not in asv's files.

    Raises
    ------
    ResultsError
        If there are no results at all.
    """
    found = read_asv_results(folder, commit=commit)
    machines, problems = _machines(folder, {row.machine for row in found.rows})
    environments: dict[str, Environment] = {}
    rows: list[Row] = []
    for row in found.rows:
        environment = _environment(row, machines.get(row.machine, {}))
        identity = environment_id(environment)
        environments[identity] = environment
        rows.append(_row(row, identity))
    return Results(Table(tuple(rows), environments), (*found.problems, *problems))


def _machines(folder: Path, names: set[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    machines: dict[str, dict[str, Any]] = {}
    problems = []
    for path in sorted(folder.glob("*/machine.json")):
        try:
            raw = read_json(path)
        except ResultsError as error:
            problems.append(str(error))
            continue
        if isinstance(raw, dict) and raw.get("machine") in names:
            machines[raw["machine"]] = raw
    return machines, problems


def _environment(row: AsvRow, machine: dict[str, Any]) -> Environment:
    requirements = dict(row.requirements)
    return Environment(
        machine=row.machine,
        os=str(machine.get("os", "")),
        cpu=str(machine.get("cpu", "")),
        cores=_whole(machine.get("num_cpu")),
        memory_bytes=_whole(machine.get("ram")),
        python=requirements.pop("python", ""),
        packages=tuple(sorted(requirements.items())),
        threads=(),
        filesystem="",
    )


def _whole(text: object) -> int:
    return int(str(text)) if str(text).isdigit() else 0


def _row(row: AsvRow, environment: str) -> Row:
    parameters = dict(row.parameters)
    kind, _, rest = row.benchmark.rpartition(".")[-1].partition("_")
    named: dict[str, Any] = {name: parameters[name] for name in _NAMED if name in parameters}
    metric = _KINDS.get(kind, row.benchmark.rpartition(".")[-1]) or rest
    exact = metric in EXACT_METRICS
    if kind in _KINDS and kind != "track":
        named.setdefault("pattern", rest)
    # The suite raises before it measures what did not come back as it was written.
    cell = set(_CELL) <= set(named)
    value, note = _value(row)
    interval = None if exact or value is None or row.low is None or row.high is None else (row.low, row.high)
    return Row(
        source="asv",
        # The name that asv gives the file.
        run=f"{row.commit[:8]}-{row.environment}",
        commit=row.commit,
        environment=environment,
        machine=row.machine,
        benchmark=_benchmark(row),
        engine_version=dict(row.requirements).get(engine_package(named["engine"]), "") if cell else "",
        store="local" if cell else "",
        cache_state="warm" if cell and metric == "wall_time" else "",
        metric=metric,
        unit=_UNITS.get(row.unit, row.unit),
        value=value,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        confidence=_CONFIDENCE if interval else None,
        samples=() if exact else row.samples,
        verified=cell and value is not None,
        note=note,
        **named,
    )


def _benchmark(row: AsvRow) -> str:
    others = [f"{name}={value}" for name, value in row.parameters if name not in _NAMED]
    return f"{row.benchmark}[{','.join(others)}]" if others else row.benchmark


def _value(row: AsvRow) -> tuple[float | None, str]:
    if row.failed:
        return None, "failed: the log of asv run says why"
    if row.skipped:
        return None, "refused: the benchmark skipped this combination"
    if row.value is None or not math.isfinite(row.value):
        return None, f"failed: the number is {row.value}"
    return row.value, ""
