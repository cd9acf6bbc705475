"""Result files of every kind, found out and read into the one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ResultsError, UnknownNameError
from zbench.results import (
    Results,
    Table,
    benchmark_file,
    is_heftie,
    merged,
    read_asv_table,
    read_heftie,
    read_json,
    read_pytest_benchmark,
    read_table,
    table_files,
    write_tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["KINDS", "Imported", "collect", "import_results"]

KINDS = ("zbench", "asv", "pytest-benchmark", "heftie")

_FILE_READERS: dict[str, Callable[[Path], Table]] = {
    "zbench": read_table,
    "pytest-benchmark": read_pytest_benchmark,
    "heftie": read_heftie,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What was read and where it is now.

    Attributes
    ----------
    table
        All rows.
    problems
        One line for each file that was skipped.
    paths
        What was written.
    """

    table: Table
    problems: tuple[str, ...]
    paths: tuple[Path, ...]


def import_results(paths: Iterable[Path], output: Path, *, kind: str | None = None, replace: bool = False) -> Imported:
    """Read result files and write them as one table.

    Parameters
    ----------
    paths
        Files and folders.
    output
        Folder for the table, in every format that can be written.
    kind
        One of `KINDS` for all of them; ``None`` finds it out.
    replace
        Whether a table that lies in the folder may be lost.

    Returns
    -------
    Imported
        The table and what was skipped.

    Raises
    ------
    ResultsError
        If nothing could be read, the folder has a table already, or it cannot be written to.
    UnknownNameError
        If there is no such kind.
    """
    if table_files(output) and not replace:
        msg = f"A table is not overwritten unasked: {str(output)!r} has one. Give another folder, or --replace."
        raise ResultsError(msg)
    found = collect(paths, kind=kind)
    return Imported(table=found.table, problems=found.problems, paths=write_tables(output, found.table))


def collect(paths: Iterable[Path], *, kind: str | None = None, commit: str | None = None) -> Results:
    """Read result files and folders into one table.

    Parameters
    ----------
    paths
        Files and folders.
    kind
        One of `KINDS` for all of them; ``None`` finds it out.
    commit
        Keep one commit, by the first digits of its hash; ``None`` keeps all.

    Returns
    -------
    Results
        All rows, and what was skipped with the reason.

    Raises
    ------
    ResultsError
        If nothing could be read.
    UnknownNameError
        If there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError.of(kind="kind", name=kind, known=KINDS)
    tables: list[Table] = []
    problems: list[str] = []
    for path in paths:
        try:
            found = _read(path, kind)
        except ResultsError as error:
            problems.append(str(error))
        else:
            tables.append(found.table)
            problems.extend(found.problems)
    if not tables:
        raise ResultsError(" ".join(problems) or "Results are read from files: none was given. Name one.")
    return Results(_kept(merged(tables), commit), tuple(problems))


def _kept(table: Table, commit: str | None) -> Table:
    if commit is None:
        return table
    rows = tuple(row for row in table.rows if row.commit and row.commit.startswith(commit))
    if not rows:
        known = sorted({row.commit[:8] for row in table.rows if row.commit})
        msg = f"Results are chosen by commit: there are none of {commit!r}. There are {', '.join(known) or 'none'}."
        raise ResultsError(msg)
    used = {row.environment for row in rows}
    return Table(rows, {name: environment for name, environment in table.environments.items() if name in used})


def _read(path: Path, kind: str | None) -> Results:
    if path.is_dir():
        return _read_folder(path, kind)
    if kind == "asv":
        msg = f"asv's results are a folder with benchmarks.json: {str(path)!r} is none. Name the folder."
        raise ResultsError(msg)
    return Results(_FILE_READERS[kind or _kind_of(path)](path))


def _kind_of(path: Path) -> str:
    if path.suffix in (".csv", ".parquet"):
        return "zbench"
    raw = read_json(path)
    if isinstance(raw, dict) and "schema_version" in raw:
        return "zbench"
    if not isinstance(raw, dict) or not {"machine_info", "benchmarks"} <= set(raw):
        msg = (
            f"A result file is a table of zbench or written by pytest-benchmark: {str(path)!r} is neither. It is "
            "skipped. Name an asv result folder as a whole."
        )
        raise ResultsError(msg)
    return "heftie" if is_heftie(benchmark_file(path)) else "pytest-benchmark"


def _read_folder(folder: Path, kind: str | None) -> Results:
    if kind == "asv" or (kind is None and not table_files(folder) and (folder / "benchmarks.json").is_file()):
        return read_asv_table(folder)
    tables = table_files(folder) if kind in (None, "zbench") else ()
    # The tables of a folder hold the same, so one of them will do; other files each hold something of their own.
    paths = tables or tuple(sorted(folder.rglob("*.json")))
    found: list[Table] = []
    problems: list[str] = []
    for path in paths:
        try:
            found.append(_read(path, kind).table)
        except ResultsError as error:
            problems.append(str(error))
        else:
            if tables:
                break
    if not found:
        told = "".join(f" {problem}" for problem in problems)
        msg = (
            f"A result folder holds results.json, an asv suite's or pytest-benchmark's files: {str(folder)!r} has none."
        )
        raise ResultsError(msg + told)
    return Results(merged(found), tuple(problems))
