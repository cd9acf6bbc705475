"""Result files of asv, format 2, as columns of numbers: for histories that are too long for a row each."""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zbench.errors import ResultsError
from zbench.results.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "ABSENT",
    "FAILED",
    "REFUSED",
    "AsvBenchmark",
    "AsvColumn",
    "AsvFile",
    "read_asv_benchmarks",
    "read_asv_file",
]

_VERSION = 2
# What a number stands for that is none: not measured, a benchmark that failed, one that refused.
ABSENT = float("nan")
FAILED = float("-inf")
REFUSED = float("inf")

Cells: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AsvBenchmark:
    """What ``benchmarks.json`` says of a benchmark.

    Attributes
    ----------
    names
        Names of its parameters.
    unit
        Unit of its numbers.
    kind
        What asv calls its type: time, peakmemory, memory, track.
    version
        Numbers of other versions are of something else; empty where it is not known.
    """

    names: tuple[str, ...]
    unit: str
    kind: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AsvColumn:
    """The numbers of one benchmark in one file.

    Attributes
    ----------
    name
        Full name of the benchmark.
    version
        Version that was measured; empty where the file does not say.
    cells
        Value of each parameter, cell by cell.
    values
        A number for each cell; `FAILED` and `REFUSED` where there is none.
    low, high
        Ends of asv's 99 % interval; NaN without one.
    """

    name: str
    version: str
    cells: Cells
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class AsvFile:
    """One result file: a commit in an environment on a machine.

    Attributes
    ----------
    machine
        Facts of the machine by name, ``machine`` and ``cpu`` among them.
    environment, python
        Name that asv gives the environment, and its Python.
    requirements, variables
        What the matrix of the environment asks for.
    commit
        Full hash.
    date_ms
        Date of the commit, in milliseconds since 1970.
    columns
        One for each benchmark.
    """

    machine: Mapping[str, str]
    environment: str
    python: str
    requirements: tuple[tuple[str, str], ...]
    variables: tuple[tuple[str, str], ...]
    commit: str
    date_ms: int
    columns: tuple[AsvColumn, ...]


def read_asv_benchmarks(path: Path) -> dict[str, AsvBenchmark]:
    """Read ``benchmarks.json``.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        By full name.

    Raises
    ------
    ResultsError
        If it cannot be read or is of another form.
    """
    raw = read_json(path)
    try:
        return {
            name: AsvBenchmark(
                names=tuple(map(str, entry.get("param_names", ()))),
                unit=str(entry.get("unit", "")),
                kind=str(entry.get("type", "")),
                version=str(entry.get("version") or ""),
            )
            for name, entry in raw.items()
            if name != "version"
        }
    except (AttributeError, TypeError) as error:
        msg = f"benchmarks.json must have the form that asv writes: {str(path)!r} has not ({error!r}). It is skipped."
        raise ResultsError(msg) from error


def read_asv_file(path: Path) -> AsvFile:
    """Read one result file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    AsvFile
        Its numbers.

    Raises
    ------
    ResultsError
        If it cannot be read, is cut short, or is no result file of asv.
    """
    raw = read_json(path)
    try:
        if raw["version"] != _VERSION:
            msg = (
                f"asv's result files are of version {_VERSION}: {str(path)!r} is of {raw['version']!r}. It is skipped."
            )
            raise ResultsError(msg)
        facts = {name: str(value) for name, value in raw["params"].items() if value is not None}
        return AsvFile(
            machine={name: facts.get(name, "") for name in ("machine", "arch", "cpu", "num_cpu", "os", "ram")},
            environment=str(raw["env_name"]),
            python=str(raw.get("python") or ""),
            requirements=_pairs(raw.get("requirements")),
            variables=_pairs(raw.get("env_vars")),
            commit=str(raw["commit_hash"]),
            date_ms=int(raw["date"]),
            columns=tuple(_columns(raw)),
        )
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        if isinstance(error, ResultsError):
            raise
        msg = f"A result file must have the form that asv writes: {str(path)!r} has not ({error!r}). It is skipped."
        raise ResultsError(msg) from error


def _pairs(raw: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name.removeprefix("pip+"), str(value)) for name, value in (raw or {}).items()))


def _columns(raw: dict[str, Any]) -> Iterator[AsvColumn]:
    names = raw["result_columns"]
    place = {name: names.index(name) for name in names}
    for name, given in raw["results"].items():
        # asv's older files hold a bare number where there are no parameters.
        entry = given if isinstance(given, list) else [given]
        found = {key: entry[at] for key, at in place.items() if at < len(entry)}
        cells = _cells(tuple(tuple(map(str, values)) for values in found.get("params") or ()))
        values = _numbers(found.get("result"), len(cells), FAILED)
        yield AsvColumn(
            name=name,
            version=str(found.get("version") or ""),
            cells=cells,
            values=values,
            low=_ends(found.get("stats_ci_99_a"), len(cells)),
            high=_ends(found.get("stats_ci_99_b"), len(cells)),
        )


@lru_cache(maxsize=4096)
def _cells(grid: tuple[tuple[str, ...], ...]) -> Cells:
    """Combine parameters as asv does; the same grid in a thousand files is combined once."""
    return tuple(itertools.product(*(tuple(map(_parameter, values)) for values in grid)))


def _parameter(text: str) -> str:
    """Undo the repr that asv stores of a parameter."""
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _numbers(raw: Any, count: int, missing: float) -> np.ndarray:
    given = raw if isinstance(raw, list) else [raw] * (count if raw is None else 1)
    if len(given) != count:
        msg = f"it has {len(given)} numbers for {count} cells"
        raise ValueError(msg)
    # None becomes NaN, which is also what asv writes for a skip.
    values = np.array(given, dtype=float)
    for place in np.flatnonzero(~np.isfinite(values)):
        skipped = given[place] is not None and np.isnan(values[place])
        values[place] = REFUSED if skipped else missing
    return values


def _ends(raw: Any, count: int) -> np.ndarray:
    # asv writes an infinite end of an interval, of too few samples, as such.
    ends = _numbers(raw, count, ABSENT)
    ends[~np.isfinite(ends)] = ABSENT
    return ends
