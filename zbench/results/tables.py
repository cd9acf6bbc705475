"""The table as JSON, CSV and Parquet, each with the version of its columns inside, and back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError, UnknownNameError
from zbench.results.files import read_json, write_atomically
from zbench.results.parquet import from_parquet, to_parquet
from zbench.results.schema import COLUMNS, environment_fields, environment_of, row_of
from zbench.results.table import SCHEMA_VERSION, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["FORMATS", "read_table", "table_files", "writable_formats", "write_table", "write_tables"]

FORMATS = ("json", "parquet", "csv")
# A column more than the row has: what is known of an environment stands in the first row of it, and nowhere else.
_FACTS = "environment_facts"
# Samples of one row may fill more than the 128 KiB that Python's reader takes for a mistake.
_LONGEST_CELL = 2**31 - 1


def writable_formats() -> tuple[str, ...]:
    """List the formats that can be written here.

    Returns
    -------
    tuple of str
        Without ``parquet`` where pyarrow is not installed.
    """
    return FORMATS if find_spec("pyarrow") else tuple(name for name in FORMATS if name != "parquet")


def write_table(path: Path, table: Table, *, form: str | None = None) -> None:
    """Write a table so that a reader sees the old file or the new, never a part.

    Parameters
    ----------
    path
        File to write; its folder is made.
    table
        What to write.
    form
        One of `FORMATS`; ``None`` takes it from the ending of the file.

    Raises
    ------
    ResultsError
        If the file cannot be written, or Parquet without pyarrow.
    UnknownNameError
        If there is no such format.
    """
    form = form or path.suffix.removeprefix(".")
    if form not in FORMATS:
        raise UnknownNameError.of(kind="format", name=form, known=FORMATS)
    if form == "parquet":
        write_atomically(path, _to_parquet(table))
    else:
        write_atomically(path, _to_json(table) if form == "json" else _to_csv(table))


def write_tables(folder: Path, table: Table) -> tuple[Path, ...]:
    """Write ``results.json``, ``results.csv`` and, where pyarrow is installed, ``results.parquet``.

    Parameters
    ----------
    folder
        Where; it is made.
    table
        What to write.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    ResultsError
        If a file cannot be written.
    """
    paths = tuple(folder / f"results.{form}" for form in writable_formats())
    for path in paths:
        write_table(path, table)
    return paths


def table_files(folder: Path) -> tuple[Path, ...]:
    """List the tables that lie in a folder.

    Parameters
    ----------
    folder
        Where to look.

    Returns
    -------
    tuple of Path
        They hold the same; the first is the one to read.
    """
    return tuple(path for form in FORMATS if (path := folder / f"results.{form}").is_file())


def read_table(path: Path) -> Table:
    """Read a table.

    Parameters
    ----------
    path
        A file in one of `FORMATS`, told by its ending.

    Returns
    -------
    Table
        All of its rows.

    Raises
    ------
    ResultsError
        If the file is cut, of another origin, or of a newer version; it is kept.
    """
    try:
        if path.suffix == ".csv":
            return _from_csv(path)
        if path.suffix == ".parquet":
            return _from_parquet(path)
        return _from_json(read_json(path))
    except ResultsError:
        raise
    except (ValueError, OSError) as error:
        msg = f"A table of results is whole and as zbench writes it: {str(path)!r} is not ({error}). It is kept."
        raise ResultsError(msg) from error


def _to_json(table: Table) -> str:
    # One row a line: differences between two files can be read.
    rows = ",\n  ".join(json.dumps(asdict(row), ensure_ascii=False, allow_nan=False) for row in table.rows)
    environments = json.dumps(_environments(table), ensure_ascii=False)
    return f'{{\n"schema_version": {SCHEMA_VERSION},\n"environments": {environments},\n"rows": [\n  {rows}\n]\n}}\n'


def _environments(table: Table) -> dict[str, Any]:
    return {name: environment_fields(environment) for name, environment in table.environments.items()}


def _from_json(raw: Any) -> Table:
    if not isinstance(raw, dict) or "schema_version" not in raw:
        msg = "schema_version, environments and rows are expected"
        raise ValueError(msg)
    # Before anything else is asked of it: a newer version may have another form.
    _check_version(raw["schema_version"])
    shaped = isinstance(raw.get("environments"), dict) and isinstance(raw.get("rows"), list)
    if not shaped:
        msg = "environments by id and a list of rows are expected"
        raise ValueError(msg)
    return _table(raw["rows"], raw["environments"])


def _check_version(version: object) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        msg = f"its schema_version is {version!r}"
        raise ValueError(msg)
    if version > SCHEMA_VERSION:
        msg = (
            f"its schema_version is {version}, this zbench knows {SCHEMA_VERSION} and older: update zbench, or "
            "export the table anew with the zbench that wrote it"
        )
        raise ValueError(msg)


def _table(rows: Iterable[Any], environments: Mapping[str, Any]) -> Table:
    return Table(
        tuple(_numbered(rows)), {name: environment_of(environment) for name, environment in environments.items()}
    )


def _numbered(rows: Iterable[Any]) -> Iterator[Row]:
    for number, raw in enumerate(rows, start=1):
        try:
            yield row_of(raw)
        except ValueError as error:
            msg = f"row {number}: {error}"
            raise ValueError(msg) from error


def _to_csv(table: Table) -> str:
    out = io.StringIO()
    # The line ends of RFC 4180: Python quotes a cell with a carriage return only where that ends lines, too.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, _FACTS])
    facts = {name: json.dumps(fields, ensure_ascii=False) for name, fields in _environments(table).items()}
    for row in table.rows:
        cells = [column.to_text(getattr(row, name)) for name, column in COLUMNS.items()]
        writer.writerow([*cells, facts.pop(row.environment, "")])
    return out.getvalue()


def _from_csv(path: Path) -> Table:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            if lines.fieldnames is None or "schema_version" not in lines.fieldnames:
                msg = "its first line should name the columns, schema_version among them"
                raise ValueError(msg)
            cells = list(lines)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    finally:
        csv.field_size_limit(before)
    for line in cells:
        _check_version(int(line["schema_version"] or 0))
    facts = {line["environment"]: line[_FACTS] for line in cells if line.get(_FACTS)}
    environments = {name: json.loads(text) for name, text in facts.items()}
    return _table((_from_cells(line) for line in cells), environments)


def _from_cells(line: dict[str, str]) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    for name, text in line.items():
        if name == _FACTS:
            continue
        if text is None or name not in COLUMNS:
            msg = f"its cells do not fit its columns at {name or text!r}"
            raise ValueError(msg)
        value = COLUMNS[name].from_text(text)
        raw[name] = list(value) if isinstance(value, tuple) else value
    return raw


def _to_parquet(table: Table) -> bytes:
    columns = {name: [getattr(row, name) for row in table.rows] for name in COLUMNS}
    head = {"schema_version": SCHEMA_VERSION, "environments": _environments(table)}
    return to_parquet(columns, {name: column.arrow for name, column in COLUMNS.items()}, json.dumps(head))


def _from_parquet(path: Path) -> Table:
    head, rows = from_parquet(path)
    return _from_json(json.loads(head) | {"rows": rows})
