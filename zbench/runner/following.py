"""Processes that end with whoever started them, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from zbench.runner.process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["FollowingWorker", "end_with"]

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, even if that is killed; Linux alone can.

    Parameters
    ----------
    parent
        Id of the process that started this one.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It was gone before this was set up.
        os.kill(os.getpid(), signal.SIGKILL)


class FollowingWorker(WorkerProcess):
    """A worker that is killed with this process, lest it goes on to write where the next run clears up.

    Parameters
    ----------
    python
        Interpreter of the environment; zbench is installed in it.
    folder
        Folder for stores.
    timeout_s
        Longest time that one answer may take.

    Raises
    ------
    ResultsError
        If it cannot even begin.
    """

    def __init__(self, python: Path, folder: Path, *, timeout_s: float = 600.0) -> None:
        super().__init__(python, folder, timeout_s=timeout_s)
        self._pid: int = self.ask(do="follow", parent=os.getpid())["pid"]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # Nobody waits for the end of what it is doing; it does not hear a Ctrl-C.
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self.close()
