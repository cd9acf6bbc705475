"""A process that answers messages, a line of JSON for a line of JSON, as seen from the side that asks."""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["AnsweringProcess", "WorkerProcess"]

# A process that falls closes its answers first and says why afterwards.
_LAST_WORDS_S = 5.0


class AnsweringProcess:
    """One process that reads messages from its standard input and answers on its standard output.

    Parameters
    ----------
    command
        What to start.
    folder
        Working folder.
    timeout_s
        Longest time that one answer may take.
    variables
        Whole environment of the process; ``None`` is that of this one.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        timeout_s: float = 600.0,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._program = command[0]
        self._timeout_s = timeout_s
        self._asked: object = None
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - a program of an environment that the caller chose
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            cwd=folder,
            env=variables,
        )

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a message and wait for its answer.

        Parameters
        ----------
        **message
            What the process understands.

        Returns
        -------
        dict
            The answer; with ``error`` and ``message`` if the process itself refused or found something wrong.

        Raises
        ------
        ResultsError
            If the process died or did not answer in time.
        """
        self.send(**message)
        return self.receive()

    def send(self, **message: Any) -> None:
        """Send a message, and do something else while the process works on it.

        Parameters
        ----------
        **message
            What the process understands.
        """
        stdin = self._process.stdin
        assert stdin is not None
        self._asked = message.get("do")
        # A process that died says so when its answer is waited for.
        with suppress(OSError):
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()

    def receive(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait for the answer to the message that was sent.

        Parameters
        ----------
        timeout_s
            Longest time that it may take, where it is not that of all answers.

        Returns
        -------
        dict
            The answer.

        Raises
        ------
        ResultsError
            If the process died or did not answer in time; it is ended then.
        """
        stdout, patience_s = self._process.stdout, self._timeout_s if timeout_s is None else timeout_s
        assert stdout is not None
        try:
            ready, _, _ = select.select([stdout], [], [], patience_s)
            line = stdout.readline() if ready else ""
        except OSError:
            line = ""
        if not line:
            self._end(patience_s=_LAST_WORDS_S)
            msg = (
                f"A worker answers every message within {patience_s:.0f} s: {self._program} did not answer "
                f"{self._asked!r} and ended with status {self._process.returncode}. Mend what it says and run "
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
            # What a dead process did not take is still to be flushed, which fails and would hide why it died.
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


class WorkerProcess(AnsweringProcess):
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
        # Not the working folder of the caller: a zbench folder there would hide the installed one.
        super().__init__([str(python), "-m", "zbench.runner.worker", str(folder)], folder, timeout_s=timeout_s)
