"""The output folder of a run: one run at a time, one record, and nothing left in it that is not a result."""

from __future__ import annotations

import fcntl
import json
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError, ZbenchError
from zbench.results.files import remove_unfinished
from zbench.runner import RunLog
from zbench.runner.disk import is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["RECORD", "begun_head", "opened", "record_of", "room_told"]

RECORD = "run.jsonl"
# Hidden and with our name: what is in it is removed, and the folder may be one that the user has other things in.
_WORK = ".zbench-work"


def begun_head(output: Path, *, study: str = "cryoet") -> dict[str, Any] | None:
    """Read how the run of a folder began.

    Parameters
    ----------
    output
        The folder.
    study
        Command that it must have been begun by.

    Returns
    -------
    dict or None
        First entry of its record; ``None`` if there is none.

    Raises
    ------
    ResultsError
        If there is a record that cannot be read.
    """
    path = output / RECORD
    try:
        with path.open("rb") as file:
            line = file.readline()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        msg = f"The record of a run must be readable: {str(path)!r} is not ({error})."
        raise ResultsError(msg) from error
    # The run may have been killed in the middle of its first line.
    if not line.endswith(b"\n"):
        return None
    try:
        head = json.loads(line)
    except ValueError:
        head = None
    if not isinstance(head, dict) or head.get("kind") != "head" or head.get("study") != study:
        msg = (
            f"A run goes on from its own record: {str(path)!r} was not begun by 'zbench {study}'. It is kept; give "
            "another --output-dir."
        )
        raise ResultsError(msg)
    return head


@contextmanager
def opened(output: Path, *, resume: bool, study: str = "cryoet") -> Iterator[Path]:
    """Hold an output folder for one run.

    Parameters
    ----------
    output
        The folder; it is made.
    resume
        Whether a run that was begun in it is to go on.
    study
        Command that it belongs to.

    Yields
    ------
    Path
        A folder for what is needed meanwhile, empty; it is removed in the end.

    Raises
    ------
    ResultsError
        If the folder cannot be written, another process runs in it, or it holds a run that is not to go on.
    """
    if not resume and begun_head(output, study=study) is not None:
        msg = (
            f"A folder holds one run: {str(output)!r} has the record of one. Give --resume to go on with it, or "
            "another --output-dir."
        )
        raise ResultsError(msg)
    is_new = not output.exists()
    # Workers have a working folder of their own, and tensorstore takes no path with ".." in it.
    record, work = output / RECORD, output.resolve() / _WORK
    try:
        output.mkdir(parents=True, exist_ok=True)
        file = record.open("ab")
    except OSError as error:
        msg = (
            f"Results need a folder that can be written: {str(output)!r} cannot ({error}). Choose another --output-dir."
        )
        raise ResultsError(msg) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"One run at a time writes to a folder: another process runs in {str(output)!r}. Wait till it ends."
            raise ResultsError(msg) from error
        try:
            shutil.rmtree(work, ignore_errors=True)
            remove_unfinished(output)
            with room_told(output):
                work.mkdir()
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            _remove_nothing(output, record, is_new=is_new)


def record_of(output: Path, head: dict[str, Any]) -> RunLog:
    """Open the record of a folder; one that was begun otherwise is refused with what differs.

    Parameters
    ----------
    output
        The folder.
    head
        What the run is; ``study`` is the command that it belongs to.

    Returns
    -------
    RunLog
        New, or to go on from.

    Raises
    ------
    ResultsError
        If a run was begun in it with another volume, grid or environment.
    """
    begun = begun_head(output, study=head["study"])
    differing = [name for name in head if begun is not None and begun.get(name) != head[name]]
    if differing:
        msg = (
            f"A run goes on only as it began, or its numbers could not be compared: in {str(output)!r} another "
            f"{' and another '.join(differing)} is recorded. Bring it back as it was, or give another --output-dir."
        )
        raise ResultsError(msg)
    return RunLog(output / RECORD, head=head)


def _remove_nothing(output: Path, record: Path, *, is_new: bool) -> None:
    """Leave no trace of a run that did not begin."""
    with suppress(OSError):
        if record.stat().st_size == 0:
            record.unlink()
        if is_new:
            output.rmdir()


@contextmanager
def room_told(output: Path) -> Iterator[None]:
    """Tell of a full disk in one line, whoever finds it full.

    Parameters
    ----------
    output
        The folder.

    Yields
    ------
    None
        While something is written to it.

    Raises
    ------
    ResultsError
        If something was not written for lack of room or rights.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, ZbenchError):
            raise
        what = "the disk is full" if is_disk_full(error) else "it cannot be written"
        msg = (
            f"Results need room that can be written: {str(output)!r}, {what} ({error}). What was measured is kept. "
            "Free some room or mend the rights, and run again with --resume."
        )
        raise ResultsError(msg) from error
