"""A worker process as seen from the side that asks."""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["WorkerProcess"]

# A worker that falls closes its answers first and says why afterwards.
_LAST_WORDS_S = 5.0


class WorkerProcess:
    """One worker of one environment.

    Parameters
    ----------
    python
        Interpreter of the environment; zbench is installed in it.
    folder
        Folder for stores.
    timeout_s
        Longest time that one answer may take.
    """

    def __init__(self, python: Path, folder: Path, *, timeout_s: float = 600.0) -> None:
        self._python = python
        self._timeout_s = timeout_s
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module in an environment that the caller chose
            [str(python), "-m", "zbench.runner.worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            # Not the working folder: a zbench folder there would hide the installed one.
            cwd=folder,
        )

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a message and wait for its answer.

        Parameters
        ----------
        **message
            What `zbench.runner.worker` understands.

        Returns
        -------
        dict
            The answer; with ``error`` and ``message`` if zbench itself refused or found something wrong.

        Raises
        ------
        ResultsError
            If the process died or did not answer in time.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
            ready, _, _ = select.select([stdout], [], [], self._timeout_s)
            line = stdout.readline() if ready else ""
        except OSError:
            line = ""
        if not line:
            self._end(patience_s=_LAST_WORDS_S)
            msg = (
                f"A worker answers every message within {self._timeout_s:.0f} s: {self._python} did not answer "
                f"{message.get('do')!r} and ended with status {self._process.returncode}. Mend what it says and run "
                f"again: {self._last_words()}"
            )
            raise ResultsError(msg)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").strip()[-2000:] or "nothing"

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            # What a dead worker did not take is still to be flushed, which fails and would hide why it died.
            with suppress(OSError):
                self._process.stdin.close()
        self._end(patience_s=10.0)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._complaints.close()

    def _end(self, *, patience_s: float) -> None:
        try:
            self._process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
