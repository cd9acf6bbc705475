"""One asv process per environment: a second would swap the installed commit under the first one's timings."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
from typing import TYPE_CHECKING

from asv.console import log

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["hold"]

# Locks of this process by path. A lock ends with the process, whatever way that ends, so nothing goes stale.
_HELD: dict[Path, int] = {}


def hold(path: Path, *, what: str) -> None:
    """Take a lock until this process ends, waiting for its present holder.

    Parameters
    ----------
    path
        The lock file; it is made, with its folder, and stays.
    what
        What the lock is for, in the line that says why asv waits.
    """
    if path in _HELD:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode().strip()
        parent = multiprocessing.parent_process()
        if parent is not None and holder == str(parent.pid):
            # `asv run --parallel` builds in workers while the process that started them holds the lock for them.
            os.close(lock)
            return
        log.warning(f"Waiting for asv process {holder or 'of unknown id'} to leave {what}")
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    _HELD[path] = lock
