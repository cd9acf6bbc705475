"""The most memory that an operation takes, of this process and of those that it starts."""

from __future__ import annotations

import ctypes
import gc
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from zbench.errors import RefusedError
from zbench.probes.tree import PROC, descendants, fields, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["MemoryMethod", "PeakMemory", "peak_memory"]

_KIB = 1024
_INTERVAL_S = 0.005
# Asks the kernel to forget the highest resident size so far (proc_pid_clear_refs(5)).
_FORGET_PEAK = "5"


class MemoryMethod(StrEnum):
    """How a peak was found."""

    HIGH_WATER = "high-water mark of the process"
    SAMPLED_TREE = "samples of the process tree, shared pages divided"
    SAMPLED_TREE_RESIDENT = "samples of the process tree, shared pages counted for each process"
    SAMPLED = "samples of the process"


@dataclass(frozen=True, kw_only=True, slots=True)
class PeakMemory:
    """The most memory that was resident at once.

    Attributes
    ----------
    peak_bytes
        While the operation was executed, interpreter and libraries included. The page cache is not in it.
    before_bytes
        Resident when it began.
    method
        How the peak was found. Samples can miss a peak that lasts less than some milliseconds; the mark cannot.
    processes
        Most processes that were seen at once, this one included.
    """

    peak_bytes: int
    before_bytes: int
    method: MemoryMethod
    processes: int

    @property
    def added_bytes(self) -> int:
        """What the operation took beyond what was there.

        In a process that has worked before it is the least that it can have taken: an allocator keeps some of what was
        freed, and uses it again.
        """
        return self.peak_bytes - self.before_bytes


@dataclass(frozen=True, slots=True)
class _Seen:
    resident_bytes: int
    processes: int
    is_divided: bool


def peak_memory(execute: Callable[[], object], *, proc: Path = PROC, interval_s: float = _INTERVAL_S) -> PeakMemory:
    """Execute an operation and find the most memory that was resident at once.

    It looks at the processes meanwhile, which takes time from the operation: time and memory are measured in
    executions of their own.

    Parameters
    ----------
    execute
        The operation.
    proc
        Where the kernel tells.
    interval_s
        Seconds between two looks at the process tree.

    Returns
    -------
    PeakMemory
        Of this process and its descendants.

    Raises
    ------
    RefusedError
        If this system does not tell the resident size of a process.
    """
    _give_back()
    before, mark_before = _own(proc, "VmRSS"), _own(proc, "VmHWM")
    is_forgotten = _forget_peak(proc)
    with _sampled(proc, interval_s) as seen:
        execute()
    mark = _own(proc, "VmHWM")
    # A mark that could not be put back holds for the operation only if the operation has raised it.
    marked = mark if is_forgotten or mark > mark_before else 0
    # Without children the mark alone is exact; the sampler itself has seen the process at least once.
    most = max(seen, key=lambda one: one.resident_bytes)
    processes = max(one.processes for one in seen)
    if processes > 1:
        divided = all(one.is_divided for one in seen if one.processes > 1)
        method = MemoryMethod.SAMPLED_TREE if divided else MemoryMethod.SAMPLED_TREE_RESIDENT
    else:
        method = MemoryMethod.HIGH_WATER if marked else MemoryMethod.SAMPLED
    return PeakMemory(
        peak_bytes=max(marked, most.resident_bytes), before_bytes=before, method=method, processes=processes
    )


def _give_back() -> None:
    """Return what earlier executions freed: memory that an allocator keeps would hide what this one takes."""
    gc.collect()
    # A function of glibc; elsewhere the peak is right and the part that was added too small.
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _own(proc: Path, name: str) -> int:
    told = fields(text_of(proc / "self" / "status")).get(name)
    if told is None:
        msg = f"Peak memory is told by Linux in /proc/self/status: {proc}/self/status has no {name}. Measure on Linux."
        raise RefusedError(msg)
    return told * _KIB


def _forget_peak(proc: Path) -> bool:
    try:
        (proc / "self" / "clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
    except OSError:
        return False  # Some containers mount /proc read-only.
    return True


@contextmanager
def _sampled(proc: Path, interval_s: float) -> Iterator[list[_Seen]]:
    seen = [_look(proc)]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(interval_s):
            seen.append(_look(proc))

    sampler = threading.Thread(target=sample, name="zbench-memory", daemon=True)
    sampler.start()
    try:
        yield seen
    finally:
        ended.set()
        sampler.join()
        seen.append(_look(proc))


def _look(proc: Path) -> _Seen:
    own = fields(text_of(proc / "self" / "status"))
    children = {process: fields(text_of(proc / str(process) / "status")) for process in descendants(proc=proc)}
    # One that has ended has no size. One of exactly our own sizes is between vfork and exec, and is our own memory.
    alive = {
        process: status for process, status in children.items() if "VmRSS" in status and _sizes(status) != _sizes(own)
    }
    if not alive:
        return _Seen(own.get("VmRSS", 0) * _KIB, 1, is_divided=True)
    found = [_look_at(proc, "self", own), *(_look_at(proc, process, status) for process, status in alive.items())]
    return _Seen(sum(size for size, _ in found), len(found), is_divided=all(is_divided for _, is_divided in found))


def _sizes(status: dict[str, int]) -> tuple[int, int]:
    return status.get("VmSize", 0), status.get("VmRSS", 0)


def _look_at(proc: Path, process: int | str, status: dict[str, int]) -> tuple[int, bool]:
    # Memory that a forked child shares would count twice; its proportional size does not.
    divided = fields(text_of(proc / str(process) / "smaps_rollup")).get("Pss")
    if divided is not None:
        return divided * _KIB, True
    # It may have ended since its status was read, and then takes nothing.
    is_alive = "VmRSS" in fields(text_of(proc / str(process) / "status"))
    return (status.get("VmRSS", 0) * _KIB, False) if is_alive else (0, True)
