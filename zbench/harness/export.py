"""Results of every kind as one file for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.harness.imports import collect
from zbench.results import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zbench.results import Results

__all__ = ["export"]


def export(paths: Iterable[Path], output: Path, *, form: str | None = None) -> Results:
    """Read results and write them as one table.

    Parameters
    ----------
    paths
        Files and folders of any kind.
    output
        File to write.
    form
        ``parquet``, ``csv`` or ``json``; ``None`` takes it from the ending of the file.

    Returns
    -------
    Results
        What was written, and what was skipped with the reason.

    Raises
    ------
    ResultsError
        If nothing could be read, or the file cannot be written.
    UnknownNameError
        If there is no such format.
    """
    found = collect(paths)
    write_table(output, found.table, form=form)
    return found
