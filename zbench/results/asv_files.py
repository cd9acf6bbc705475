"""Result files of asv, format 2, as rows: one for each benchmark, parameter combination, commit and environment."""

from __future__ import annotations

import ast
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.results.files import read_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AsvResults", "AsvRow", "read_asv_results"]

_VERSION = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class AsvRow:
    """One number of the suite.

    Attributes
    ----------
    machine, environment, commit
        What it holds for.
    requirements
        Package and version of the environment's matrix, with ``python``.
    benchmark
        Full name, for example ``read.CodecPatterns.time_read``.
    parameters
        Name and value of each parameter.
    value
        Median of a time in seconds, or the tracked number; NaN for a skip, ``None`` for a failure.
    low, high
        Ends of asv's 99 % interval of a time, in seconds; ``None`` without samples.
    unit
        Unit of the value.
    samples
        Times in seconds; empty for tracked numbers.
    """

    machine: str
    environment: str
    commit: str
    requirements: tuple[tuple[str, str], ...]
    benchmark: str
    parameters: tuple[tuple[str, str], ...]
    value: float | None
    low: float | None
    high: float | None
    unit: str
    samples: tuple[float, ...]

    @property
    def skipped(self) -> bool:
        """Whether the benchmark refused this combination."""
        return self.value is not None and math.isnan(self.value)

    @property
    def failed(self) -> bool:
        """Whether the benchmark failed."""
        return self.value is None


@dataclass(frozen=True, slots=True)
class AsvResults:
    """What a result folder holds.

    Attributes
    ----------
    rows
        All numbers that could be read.
    problems
        One line for each file that could not be; the files are kept.
    """

    rows: tuple[AsvRow, ...]
    problems: tuple[str, ...]


def read_asv_results(folder: Path, *, commit: str | None = None) -> AsvResults:
    """Read a result folder of asv.

    Parameters
    ----------
    folder
        ``results_dir`` of asv.conf.json.
    commit
        Keep one commit, by the first digits of its hash; ``None`` keeps all.

    Returns
    -------
    AsvResults
        Rows, and the files that were left out with the reason.

    Raises
    ------
    ResultsError
        If there are no results at all.
    """
    index = folder / "benchmarks.json"
    if not index.is_file():
        msg = (
            f"asv results lie beside benchmarks.json: there is none in {str(folder)!r}. Run 'asv run' or 'make bench'."
        )
        raise ResultsError(msg)
    benchmarks = read_json(index)
    rows: list[AsvRow] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*/*.json")):
        if path.name == "machine.json" or (commit is not None and not _holds(path, commit)):
            continue
        try:
            rows.extend(_rows(read_json(path), benchmarks, path))
        except ResultsError as error:
            problems.append(str(error))
    return AsvResults(tuple(rows), tuple(problems))


def _holds(path: Path, commit: str) -> bool:
    # asv names a file by the first eight digits of the commit.
    named = path.name.split("-", 1)[0]
    return named.startswith(commit[:8]) or commit.startswith(named)


def _rows(raw: Any, benchmarks: dict[str, Any], path: Path) -> list[AsvRow]:
    try:
        if raw["version"] != _VERSION:
            msg = (
                f"asv's result files are of version {_VERSION}: {str(path)!r} is of {raw['version']!r}. It is skipped."
            )
            raise ResultsError(msg)
        columns = raw["result_columns"]
        rows: list[AsvRow] = []
        for name, values in raw["results"].items():
            # Trailing columns that are empty are not written.
            entry = dict(itertools.zip_longest(columns, values))
            # Numbers of an older version of a benchmark are of something else.
            if name in benchmarks and _is_current(entry.get("version"), benchmarks[name].get("version")):
                rows.extend(_benchmark_rows(raw, name, entry, benchmarks[name]))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        msg = f"A result file must have the form that asv writes: {str(path)!r} has not ({error!r}). It is skipped."
        raise ResultsError(msg) from error
    return rows


def _is_current(measured: str | None, present: str | None) -> bool:
    return measured is None or present is None or str(measured) == str(present)


def _benchmark_rows(raw: dict[str, Any], name: str, entry: dict[str, Any], benchmark: dict[str, Any]) -> list[AsvRow]:
    combinations = list(itertools.product(*entry["params"]))
    if entry["result"] is None:
        # asv writes one null for a benchmark of which every combination failed.
        entry["result"] = [None] * len(combinations)
    requirements = {"python": raw["python"], **raw.get("requirements", {})}
    rows = []
    for place, combination in enumerate(combinations):
        rows.append(
            AsvRow(
                machine=raw["params"]["machine"],
                environment=raw["env_name"],
                commit=raw["commit_hash"],
                requirements=tuple(
                    sorted((key.removeprefix("pip+"), str(value)) for key, value in requirements.items())
                ),
                benchmark=name,
                parameters=tuple(
                    zip(benchmark["param_names"], (_parameter(text) for text in combination), strict=False)
                ),
                value=entry["result"][place],
                low=_at(entry.get("stats_ci_99_a"), place),
                high=_at(entry.get("stats_ci_99_b"), place),
                unit=benchmark["unit"],
                samples=tuple(_at(entry.get("samples"), place) or ()),
            )
        )
    return rows


def _parameter(text: str) -> str:
    """Undo the repr that asv stores of a parameter."""
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _at(column: list[Any] | None, place: int) -> Any:
    value = None if column is None else column[place]
    # asv writes an infinite end of an interval, of too few samples, as such.
    return None if isinstance(value, float) and not math.isfinite(value) else value
