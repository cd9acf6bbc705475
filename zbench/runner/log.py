"""The record of a run: one line of JSON for each thing that was learnt, added as it is learnt."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["RunLog"]

_SCHEMA = 1


class RunLog:
    """A file that only grows; a line that a killed run left unfinished is cut off when the run goes on.

    Parameters
    ----------
    path
        The file; made with a head line if it is missing.
    head
        What the run is (preset, environments, ...). A file of another run is refused.

    Raises
    ------
    ResultsError
        If the file belongs to another run or is damaged before its last line.
    """

    def __init__(self, path: Path, *, head: dict[str, Any]) -> None:
        self._path = path
        wanted = {"kind": "head", "schema": _SCHEMA, **head}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._entries = _read(path)
        if not self._entries:
            self._append(wanted)
        elif self._entries[0] != json.loads(json.dumps(wanted)):
            msg = (
                f"A run goes on only as it began: {str(path)!r} was begun as {self._entries[0]!r}, this is {wanted!r}. "
                "Give another output folder or move the old one away."
            )
            raise ResultsError(msg)

    def add(self, kind: str, **fields: Any) -> None:
        """Add what was learnt; it is on disk when this returns.

        Parameters
        ----------
        kind
            Sort of the entry.
        **fields
            The entry.
        """
        self._append({"kind": kind, **fields})

    def of(self, kind: str) -> Iterator[dict[str, Any]]:
        """Go through the entries of one sort.

        Parameters
        ----------
        kind
            Sort of the entries.

        Yields
        ------
        dict
            Each entry in the order in which it was added.
        """
        yield from (entry for entry in self._entries if entry["kind"] == kind)

    def _append(self, entry: dict[str, Any]) -> None:
        with self._path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._entries.append(entry)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    entries = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entries.append(json.loads(line))
        except ValueError as error:
            msg = (
                f"A run's record is JSON on every line: line {number} of {str(path)!r} is not. It is kept; look at it."
            )
            raise ResultsError(msg) from error
    return entries
