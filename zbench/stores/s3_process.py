"""The tracing S3 service as seen from the process that uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from zbench.errors import ResultsError
from zbench.model import Request
from zbench.stores.s3_server import BUCKET

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["S3Server"]


class S3Server:
    """Serves a folder over S3 on loopback while its context lasts, and then knows what was asked.

    Parameters
    ----------
    folder
        What is below it is the content of the one bucket.

    Attributes
    ----------
    bucket
        Name of the bucket.
    endpoint
        Address of the service.
    requests
        Known when the context has ended: the begin of each request on the clock of ``time.perf_counter_ns``, and the
        request.
    """

    bucket = BUCKET

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.endpoint = ""
        self.requests: list[tuple[int, Request]] = []

    def __enter__(self) -> Self:
        program = Path(__file__).with_name("s3_server.py")
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            # Without site-packages (-S), which it needs not, it starts in half the time.
            [sys.executable, "-I", "-S", str(program), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            self._process.communicate()
            msg = f"Tracing needs a server on loopback: it ended with status {self._process.returncode} and no port."
            raise ResultsError(msg)
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told, _ = self._process.communicate(timeout=60)
        for fields in json.loads(told):
            at_ns = fields.pop("at_ns")
            self.requests.append((at_ns, Request(**fields)))
