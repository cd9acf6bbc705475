"""What comes out of measuring: samples, counts, traces, and the environment they hold for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Counts", "Environment", "Operation", "Request", "Sample", "Trace"]

Operation: TypeAlias = Literal["get", "put", "head", "delete", "list"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One time.

    Attributes
    ----------
    wall_ns
        Wall time of one iteration in nanoseconds.
    cpu_ns
        CPU time of the process, all threads, of one iteration in nanoseconds.
    iterations
        Number of iterations that the two are means of.
    """

    wall_ns: int
    cpu_ns: int
    iterations: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request to a store.

    Attributes
    ----------
    operation
        ``get``, ``put``, ``head`` (does it exist, how long is it), ``delete`` or ``list``.
    key
        Key below the root of the store.
    start
        First byte that was asked for. ``None`` asks for the object from its beginning; negative counts from its end.
    length
        Number of bytes that were asked for; ``None`` asks for all that follow.
    size_bytes
        Bytes of payload that went over.
    found
        Whether the key was there.
    offset_ns
        Begin of the request in nanoseconds after the trace began.
    """

    operation: Operation
    key: str
    start: int | None = None
    length: int | None = None
    size_bytes: int = 0
    found: bool = True
    offset_ns: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """The requests of one execution in order.

    Attributes
    ----------
    requests
        In the order in which the store saw them.
    """

    requests: tuple[Request, ...]

    def of(self, *operations: Operation) -> tuple[Request, ...]:
        """Keep the requests of some operations.

        Parameters
        ----------
        *operations
            Operations to keep.

        Returns
        -------
        tuple of Request
            In order.
        """
        return tuple(request for request in self.requests if request.operation in operations)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What one execution cost in exact numbers; they repeat to the digit.

    Attributes
    ----------
    requests
        All requests to the store.
    reads
        Requests that fetched (or tried to fetch) bytes.
    writes
        Requests that stored bytes.
    bytes_fetched
        Payload bytes that came from the store, metadata included.
    bytes_written
        Payload bytes that went to the store, metadata included.
    bytes_decoded
        Bytes of all chunks that had to be decoded, in their decoded size.
    bytes_needed
        Bytes of the voxels that were asked for.
    objects
        Objects that the stored array consists of, metadata included.
    stored_bytes
        Bytes of those objects.
    """

    requests: int
    reads: int
    writes: int
    bytes_fetched: int
    bytes_written: int
    bytes_decoded: int
    bytes_needed: int
    objects: int
    stored_bytes: int

    @property
    def amplification(self) -> float:
        """Bytes decoded ÷ bytes needed, the project's one meaning of read amplification."""
        return self.bytes_decoded / self.bytes_needed


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What a time holds for.

    Attributes
    ----------
    machine
        Name of the machine.
    os
        System and release.
    cpu
        Model of the processor.
    cores
        Logical processors that this process may use.
    memory_bytes
        Main memory.
    python
        Version of the interpreter.
    packages
        Name and version of every package that could matter, sorted.
    threads
        Name and value of every setting that limits threads, sorted.
    filesystem
        Type of the filesystem that the stores lie on.
    """

    machine: str
    os: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str
    packages: tuple[tuple[str, str], ...]
    threads: tuple[tuple[str, str], ...]
    filesystem: str
