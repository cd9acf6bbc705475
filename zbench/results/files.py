"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from zbench.errors import ResultsError

__all__ = ["read_json", "remove_unfinished", "write_atomically"]


# In the names of files that are not whole yet.
_UNFINISHED = ".zbench-"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Parameters
    ----------
    path
        File to write; its folder is made.
    content
        Text (written as UTF-8) or bytes.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}{_UNFINISHED}")
    except OSError as error:
        msg = f"Results need a folder that can be written: {str(path.parent)!r} cannot ({error}). Choose another."
        raise ResultsError(msg) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for the owner alone; results are for everyone whom the folder lets in.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        if not isinstance(error, OSError):
            raise
        msg = f"A result file must be written whole: {str(path)!r} could not be ({error}). Free some space or rights."
        raise ResultsError(msg) from error


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed had not written whole; the caller alone writes to the folder.

    Parameters
    ----------
    folder
        Where `write_atomically` wrote.
    """
    for path in folder.glob(f".*{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path
        File to read.

    Returns
    -------
    object
        What it holds.

    Raises
    ------
    ResultsError
        If it cannot be read or is no JSON; the file is left as it is.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"A result file must be readable: {str(path)!r} is not ({error})."
        raise ResultsError(msg) from error
    except ValueError as error:
        msg = f"A result file must be whole JSON: {str(path)!r} is not ({error}). It is kept; measure again."
        raise ResultsError(msg) from error
