"""One gate at a time on a machine: two would disturb each other's times."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LOCK", "alone"]

LOCK = "zbench-measuring.lock"


@contextlib.contextmanager
def alone(what: str, *, folder: Path | None = None) -> Iterator[None]:
    """Measure alone on this machine, for every user and every repository on it.

    Parameters
    ----------
    what
        What measures, as the refusal of another says it.
    folder
        Folder of the lock; that for temporary files unless given.

    Raises
    ------
    ResultsError
        If another measures now. Nothing waits: a gate in a queue would hold a machine without a word.
    """
    path = (folder or Path(tempfile.gettempdir())) / LOCK
    # It stays, and ends with the process that holds it, whatever way that ends.
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 400, 0).decode(errors="replace").strip() or "another process"
            msg = f"One run measures on a machine at a time: {holder} does now. Wait until it has ended, or end it."
            raise ResultsError(msg) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} ({what})".encode(), 0)
        yield
        os.ftruncate(lock, 0)
    finally:
        os.close(lock)
