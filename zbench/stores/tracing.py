"""See what an engine asks of a store: by an observer where it takes one, else by a server between."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zbench.errors import RefusedError
from zbench.model import Request, StoreKind, StoreSpec, Trace
from zbench.stores.s3_process import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TraceLog", "trace"]


class TraceLog:
    """Takes down requests from any thread, with their begin after the log was made.

    It is an ``Observer``: a store tells of a request when it has ended, and gives its begin on the clock of
    ``time.perf_counter_ns`` for its offset.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin_ns = time.perf_counter_ns()
        self._requests: list[Request] = []

    def __call__(self, request: Request) -> None:  # noqa: D102 - told in the class docstring
        self.add(request, request.offset_ns)

    def add(self, request: Request, at_ns: int) -> None:
        """Take down a request that was made at a known time.

        Parameters
        ----------
        request
            The request.
        at_ns
            Its begin on the clock of ``time.perf_counter_ns``, which all processes of a machine share.
        """
        with self._lock:
            self._requests.append(replace(request, offset_ns=at_ns - self._begin_ns))

    def now_ns(self) -> int:
        """Tell the time on the clock of the trace.

        Returns
        -------
        int
            Nanoseconds since the log was made.
        """
        return time.perf_counter_ns() - self._begin_ns

    def trace(self) -> Trace:
        """Hand out what was taken down so far.

        Returns
        -------
        Trace
            The requests in the order of their begin.
        """
        with self._lock:
            return Trace(tuple(sorted(self._requests, key=lambda request: request.offset_ns)))


@contextmanager
def trace(tracing: Literal["observer", "server"], store: StoreSpec) -> Iterator[tuple[StoreSpec, TraceLog]]:
    """Make a store whose requests are taken down.

    Parameters
    ----------
    tracing
        How the engine's requests can be seen.
    store
        A local store, or for an observer one in memory.

    Yields
    ------
    store : StoreSpec
        To use in its place while the context lasts.
    log : TraceLog
        What is taken down; complete when the context has ended.

    Raises
    ------
    RefusedError
        If a server is needed and the store is not local.
    """
    log = TraceLog()
    if tracing == "observer":
        yield replace(store, observer=log), log
        return
    if store.kind is not StoreKind.LOCAL:
        msg = f"A server can serve a local store: got a {store.kind} store. Trace a local one."
        raise RefusedError(msg)
    place = Path(store.location)
    with S3Server(place.parent) as server:
        served = StoreSpec(kind=StoreKind.S3, location=f"{server.bucket}/{place.name}", endpoint=server.endpoint)
        yield served, log
    for at_ns, request in server.requests:
        log.add(request, at_ns)
