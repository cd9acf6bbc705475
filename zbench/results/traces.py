"""Traces as files: which requests one cell made to its store, and when."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.model import Request, Trace
from zbench.results.files import read_json, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["TRACE_ENDING", "StoredTrace", "read_trace", "write_trace"]

TRACE_ENDING = ".trace.json"
_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTrace:
    """A trace with what it is of.

    Attributes
    ----------
    cell
        Value of each parameter: dataset, engine, layout, chain, pattern.
    machine
        Name of the machine.
    position
        Commit or release that was measured; empty where it is not known.
    trace
        The requests.
    """

    cell: Mapping[str, str]
    trace: Trace
    machine: str = ""
    position: str = ""


def write_trace(path: Path, stored: StoredTrace) -> None:
    """Write a trace so that `zbench publish` shows it.

    Parameters
    ----------
    path
        File to write, whose name ends with `TRACE_ENDING`.
    stored
        What to write.

    Raises
    ------
    ResultsError
        If the file cannot be written, or its name ends otherwise.
    """
    if not path.name.endswith(TRACE_ENDING):
        msg = f"The name of a trace ends with {TRACE_ENDING}: {path.name!r} does not. Name it so."
        raise ResultsError(msg)
    content = {
        "schema_version": _VERSION,
        "kind": "trace",
        "cell": dict(stored.cell),
        "machine": stored.machine,
        "position": stored.position,
        "requests": [asdict(request) for request in stored.trace.requests],
    }
    write_atomically(path, json.dumps(content))


def read_trace(path: Path) -> StoredTrace:
    """Read what `write_trace` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    StoredTrace
        The trace.

    Raises
    ------
    ResultsError
        If it cannot be read or is no trace.
    """
    raw = read_json(path)
    try:
        _check(raw)
        return StoredTrace(
            cell={str(name): str(value) for name, value in raw["cell"].items()},
            machine=str(raw["machine"]),
            position=str(raw["position"]),
            trace=Trace(tuple(_request(one) for one in raw["requests"])),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        msg = f"A trace is written by zbench in version {_VERSION}: {str(path)!r} is none ({error}). It is skipped."
        raise ResultsError(msg) from error


def _check(raw: Any) -> None:
    if (raw["kind"], raw["schema_version"]) != ("trace", _VERSION):
        msg = f"it is a {raw['kind']!r} of version {raw['schema_version']!r}"
        raise ValueError(msg)


def _request(raw: Mapping[str, Any]) -> Request:
    whole = {name: None if raw[name] is None else int(raw[name]) for name in ("start", "length")}
    return Request(
        operation=raw["operation"],
        key=str(raw["key"]),
        start=whole["start"],
        length=whole["length"],
        size_bytes=int(raw["size_bytes"]),
        found=bool(raw["found"]),
        offset_ns=int(raw["offset_ns"]),
    )
