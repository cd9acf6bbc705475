"""What the kernel and the interpreter count of this process and its children while one sample is taken."""

from __future__ import annotations

import gc
import os
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from zbench.probes.throttling import SYSTEM, throttle_files, throttled_ns
from zbench.probes.tree import PROC, Used, descendants, fields, text_of, threads, used

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["CounterReader", "Counters", "Reading"]

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
# Of the first line of /proc/stat: cpu user nice system idle iowait irq softirq steal.
_STEAL = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """What was counted between two readings; ``None`` where this machine does not tell.

    Attributes
    ----------
    user_ns, system_ns
        CPU time of the process tree.
    minor_faults, major_faults
        Its page faults without and with a disk.
    voluntary_switches, involuntary_switches
        How often its threads gave a core away, and had it taken.
    disk_read_bytes, disk_write_bytes
        Bytes that came from a disk for it, and that it made to be written to one.
    call_read_bytes, call_write_bytes
        Bytes that went through its read and write calls, from wherever.
    waited_ns
        Time that threads of this process could have run and had no core, added up.
    steal_ns
        Time that the hypervisor gave to others, all cores of the machine, to the tick of the kernel.
    throttled_ns
        Time that the quota of the control group or the heat of the processor held it back.
    collections, collection_ns
        Runs of Python's garbage collector, and their time.
    reading_ns
        Time that the two readings took, all of it outside what lies between them.
    """

    user_ns: int
    system_ns: int
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int
    disk_read_bytes: int | None
    disk_write_bytes: int | None
    call_read_bytes: int | None
    call_write_bytes: int | None
    waited_ns: int | None
    steal_ns: int | None
    throttled_ns: int | None
    collections: int
    collection_ns: int
    reading_ns: int

    @property
    def cpu_ns(self) -> int:
        """CPU time of the process tree, in and out of the kernel."""
        return self.user_ns + self.system_ns


class Reading(NamedTuple):
    """What had been counted at one moment.

    Attributes
    ----------
    process
        By this process and its ended children, bytes left out.
    transfers
        Bytes of the two, as the kernel tells them.
    own_bytes
        Bytes of the text that tells them, if it is not in its own numbers yet.
    waits_ns
        Time without a core of each living thread.
    outer
        The rest.
    collections, collection_ns
        Of the garbage collector.
    reading_ns
        Time that the reading took.
    """

    process: Used
    transfers: str
    own_bytes: int
    waits_ns: dict[int, int]
    outer: _Outer
    collections: int
    collection_ns: int
    reading_ns: int

    @property
    def used(self) -> Used:
        """Everything of the process tree."""
        found = fields(self.transfers)
        transfers = Used(
            disk_read_bytes=found.get("read_bytes", 0),
            disk_write_bytes=found.get("write_bytes", 0),
            call_read_bytes=found.get("rchar", 0) + self.own_bytes,
            call_write_bytes=found.get("wchar", 0),
        )
        return Used(*map(sum, zip(self.process, transfers, *self.outer.children, strict=True)))


class _Outer(NamedTuple):
    """What is read first before a sample and last after it."""

    children: list[Used]
    steal_ns: int | None
    throttled_ns: int | None


class CounterReader:
    """Reads all counters before and after a sample, and listens to the garbage collector meanwhile.

    Parameters
    ----------
    proc, system
        Where the kernel tells of processes and of the machine.
    """

    def __init__(self, *, proc: Path = PROC, system: Path = SYSTEM) -> None:
        self._proc = proc
        self._io = f"{proc}/self/io"
        self._throttles = throttle_files(proc=proc, system=system)
        self._collections = 0
        self._collection_ns = 0
        self._collection_began_ns = 0
        gc.callbacks.append(self._collected)

    def begin(self) -> Reading:
        """Read before a sample; what reading itself uses comes first and is not in the difference.

        Returns
        -------
        Reading
            For `end`.
        """
        began_ns = time.perf_counter_ns()
        outer, waits_ns, process, transfers = self._outer(), self._waits_ns(), _this_process(), text_of(self._io)
        # The kernel counts the bytes of this very read after it has told their number.
        own_bytes = len(transfers)
        reading_ns = time.perf_counter_ns() - began_ns
        return Reading(
            process, transfers, own_bytes, waits_ns, outer, self._collections, self._collection_ns, reading_ns
        )

    def end(self, before: Reading) -> Counters:
        """Read after a sample, in the opposite order.

        Parameters
        ----------
        before
            What `begin` gave.

        Returns
        -------
        Counters
            What was counted between the two.
        """
        began_ns = time.perf_counter_ns()
        collections, collection_ns = self._collections, self._collection_ns
        transfers, process, waits_ns, outer = text_of(self._io), _this_process(), self._waits_ns(), self._outer()
        reading_ns = time.perf_counter_ns() - began_ns
        return _difference(
            before, Reading(process, transfers, 0, waits_ns, outer, collections, collection_ns, reading_ns)
        )

    def close(self) -> None:
        """Stop listening to the garbage collector."""
        gc.callbacks.remove(self._collected)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _waits_ns(self) -> dict[int, int]:
        waits = {}
        for thread in threads(proc=self._proc):
            # Time on a core, time without one, number of slices.
            numbers = text_of(f"{self._proc}/self/task/{thread}/schedstat").split()
            if len(numbers) > 1:
                waits[thread] = int(numbers[1])
        return waits

    def _outer(self) -> _Outer:
        living = (used(child, proc=self._proc) for child in descendants(proc=self._proc))
        return _Outer(
            children=[child for child in living if child is not None],
            steal_ns=_stolen_ns(text_of(f"{self._proc}/stat")),
            throttled_ns=throttled_ns(self._throttles),
        )

    def _collected(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._collection_began_ns = time.perf_counter_ns()
            return
        self._collections += 1
        self._collection_ns += time.perf_counter_ns() - self._collection_began_ns


def _this_process() -> Used:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Used(
        user_ns=sum(round(one.ru_utime * 1e9) for one in both),
        system_ns=sum(round(one.ru_stime * 1e9) for one in both),
        minor_faults=sum(one.ru_minflt for one in both),
        major_faults=sum(one.ru_majflt for one in both),
        voluntary_switches=sum(one.ru_nvcsw for one in both),
        involuntary_switches=sum(one.ru_nivcsw for one in both),
    )


def _stolen_ns(text: str) -> int | None:
    numbers = text.partition("\n")[0].split()
    return int(numbers[_STEAL]) * _TICK_NS if len(numbers) > _STEAL else None


def _difference(before: Reading, after: Reading) -> Counters:
    used_up: dict[str, Any] = {
        name: end - begin for name, end, begin in zip(Used._fields, after.used, before.used, strict=True)
    }
    if not (before.transfers and after.transfers):
        used_up |= {name: None for name in used_up if name.endswith("_bytes")}
    # A thread that ended meanwhile took its number with it.
    waited_ns = sum(wait - before.waits_ns.get(thread, 0) for thread, wait in after.waits_ns.items())
    return Counters(
        **used_up,
        waited_ns=waited_ns if after.waits_ns else None,
        steal_ns=_less(after.outer.steal_ns, before.outer.steal_ns),
        throttled_ns=_less(after.outer.throttled_ns, before.outer.throttled_ns),
        collections=after.collections - before.collections,
        collection_ns=after.collection_ns - before.collection_ns,
        reading_ns=before.reading_ns + after.reading_ns,
    )


def _less(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before
