"""Result files of pytest-benchmark as rows; those of zbench's fixture with everything that it noted down."""

from __future__ import annotations

import json
import math
import statistics
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.model import Environment
from zbench.results.files import read_json
from zbench.results.schema import environment_of
from zbench.results.table import EXACT_METRICS, Row, Table, environment_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["EXTRA_KEY", "benchmark_file", "machine_of", "read_pytest_benchmark", "timing"]

# Under it zbench's fixture notes down the workload in each benchmark's extra_info, and the environment in the file.
EXTRA_KEY = "zbench"

_CONFIDENCE = 0.95
_UNITS = {"objects": "objects", "reads": "requests", "requests": "requests", "writes": "requests"}
_RATIOS = ("amplification", "compression_ratio")
_NAMED = ("dataset", "engine", "engine_version", "store", "layout", "chain", "pattern", "dtype")
# Beyond this the binomial distribution is as good as normal.
_MANY = 500


def benchmark_file(path: Path) -> dict[str, Any]:
    """Read a file and see that pytest-benchmark wrote it.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        What it holds.

    Raises
    ------
    ResultsError
        If it is cut or of another origin.
    """
    raw = read_json(path)
    shaped = isinstance(raw, dict) and isinstance(raw.get("machine_info"), dict)
    if not shaped or not isinstance(raw.get("benchmarks"), list):
        msg = (
            f"A file of pytest-benchmark has machine_info and benchmarks: {str(path)!r} has not. It is skipped; "
            "write one by pytest --benchmark-json FILE."
        )
        raise ResultsError(msg)
    return dict(raw)


def machine_of(raw: dict[str, Any]) -> Environment:
    """Take what a file says of the machine; what it does not say stays empty.

    Parameters
    ----------
    raw
        Content of the file.

    Returns
    -------
    Environment
        The environment.
    """
    info = raw["machine_info"]
    cpu = info.get("cpu")
    cpu = cpu if isinstance(cpu, dict) else {}
    return Environment(
        machine=str(info.get("node", "")),
        os=f"{info.get('system', '')} {info.get('release', '')}".strip(),
        cpu=str(cpu.get("brand_raw") or info.get("processor") or ""),
        cores=int(cpu.get("count") or 0),
        memory_bytes=0,
        python=str(info.get("python_version", "")),
        packages=(),
        threads=(),
        filesystem="",
    )


def timing(benchmark: dict[str, Any]) -> dict[str, Any]:
    """Take the times of one benchmark.

    Parameters
    ----------
    benchmark
        Its entry in the file.

    Returns
    -------
    dict
        Fields of a row: metric, unit, value, interval, samples, processes. The interval is the distribution-free one
        of the median, from order statistics; it says nothing of what differs between processes.
    """
    stats = benchmark["stats"]
    samples = tuple(float(sample) for sample in stats.get("data") or ())
    low, high = _median_interval(sorted(samples))
    return {
        "metric": "wall_time",
        "unit": "s",
        "value": float(statistics.median(samples) if samples else stats["median"]),
        "low": low,
        "high": high,
        "confidence": None if low is None else _CONFIDENCE,
        "samples": samples,
        "processes": 1,
    }


def _median_interval(ordered: list[float]) -> tuple[float, float] | tuple[None, None]:
    """Take the order statistics between which the median lies in 95 of 100 cases."""
    count = len(ordered)
    if count > _MANY:
        place = math.floor(count / 2 - statistics.NormalDist().inv_cdf(0.5 + _CONFIDENCE / 2) * math.sqrt(count) / 2)
    else:
        place, below = 0, 0.0
        while (below := below + math.comb(count, place) / 2**count) <= (1 - _CONFIDENCE) / 2:
            place += 1
    return (ordered[place - 1], ordered[count - place]) if place else (None, None)


def read_pytest_benchmark(path: Path) -> Table:
    """Read a file of pytest-benchmark.

    Parameters
    ----------
    path
        What ``pytest --benchmark-json`` or ``--benchmark-save`` wrote.

    Returns
    -------
    Table
        The times, and of zbench's fixture also the exact numbers. Samples are there if the file holds them, which
        needs ``--benchmark-save-data`` with ``--benchmark-save``.

    Raises
    ------
    ResultsError
        If the file is cut or of another origin.
    """
    raw = benchmark_file(path)
    try:
        noted = raw.get(EXTRA_KEY)
        environment = environment_of(noted["environment"]) if noted else machine_of(raw)
        identity = environment_id(environment)
        common = _common(raw, path) | {"environment": identity, "machine": environment.machine}
        rows = [row for benchmark in raw["benchmarks"] for row in _rows(benchmark, common)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        msg = f"A file of pytest-benchmark must have its form: {str(path)!r} has not ({error!r}). It is skipped."
        raise ResultsError(msg) from error
    return Table(tuple(rows), {identity: environment})


def _common(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    commit = raw.get("commit_info") or {}
    known = str(commit.get("id", "unknown"))
    return {
        "source": "pytest-benchmark",
        "run": " ".join(part for part in (path.stem, str(raw.get("datetime", ""))) if part),
        "commit": "" if known == "unknown" else known,
        "note": "measured with uncommitted changes" if commit.get("dirty") else "",
    }


def _rows(benchmark: dict[str, Any], common: dict[str, Any]) -> Iterator[Row]:
    named = common | {"benchmark": benchmark["fullname"]}
    extra = dict(benchmark.get("extra_info") or {})
    noted = extra.pop(EXTRA_KEY, None)
    if extra:
        kept = f"extra_info {json.dumps(extra, sort_keys=True)}"
        named["note"] = "; ".join(part for part in (named["note"], kept) if part)
    if noted is None:
        # The names of the columns are the words that everyone uses.
        params = benchmark.get("params") or {}
        yield Row(**named | {name: str(params[name]) for name in _NAMED if name in params}, **timing(benchmark))
        return
    named |= {name: noted[name] for name in _NAMED}
    named |= {"shape": tuple(noted["shape"]), "voxel_digest": noted["digest"], "verified": True}
    yield Row(**named, cache_state=noted["cache_state"], **timing(benchmark))
    stored = {name: noted[name] for name in ("compression_ratio", "objects", "stored_bytes")}
    for metric, value in stored.items():
        yield Row(**named | {"pattern": ""}, metric=metric, unit=_unit(metric), value=value)
    for metric, value in (noted["counts"] or {}).items():
        if metric in EXACT_METRICS and metric not in stored:
            yield Row(**named, metric=metric, unit=_unit(metric), value=value)


def _unit(metric: str) -> str:
    return "1" if metric in _RATIOS else _UNITS.get(metric, "bytes")
