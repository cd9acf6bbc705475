"""Parquet through pyarrow, which is imported when it is used: the floors up to cells do without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["from_parquet", "to_parquet"]

_KEY = b"zbench"


def to_parquet(columns: Mapping[str, list[Any]], types: Mapping[str, str], head: str) -> bytes:
    """Write columns.

    Parameters
    ----------
    columns
        Values by name of the column.
    types
        Name of the type of each column, with ``list:`` before that of its items.
    head
        Text that is kept with the file.

    Returns
    -------
    bytes
        Content of a Parquet file.

    Raises
    ------
    ResultsError
        If pyarrow is not installed.
    """
    pa, parquet = _pyarrow()

    def typed(name: str) -> Any:
        kind = types[name]
        inner = pa.type_for_alias(kind.removeprefix("list:"))
        return pa.list_(inner) if kind.startswith("list:") else inner

    schema = pa.schema([(name, typed(name)) for name in columns], metadata={_KEY: head})
    out = pa.BufferOutputStream()
    parquet.write_table(pa.table(dict(columns), schema=schema), out, compression="zstd")
    return bytes(out.getvalue())


def from_parquet(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """Read what `to_parquet` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    head : str
        Text that was kept with it.
    rows : list of dict
        Value by name of the column.

    Raises
    ------
    ResultsError
        If pyarrow is not installed.
    ValueError
        If it is no such file.
    """
    _, parquet = _pyarrow()
    # Memory mapped, a file that another process cuts short would end this one.
    table = parquet.read_table(path, memory_map=False)
    head = (table.schema.metadata or {}).get(_KEY)
    if head is None:
        msg = "it does not say that zbench wrote it"
        raise ValueError(msg)
    return head.decode(), table.to_pylist()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and asv's environments have none
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        msg = "Parquet needs the package pyarrow: it is not installed. Run: pip install 'zbench[tables]'"
        raise ResultsError(msg) from error
    return pa, parquet
