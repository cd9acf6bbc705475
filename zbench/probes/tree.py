"""The processes that a process has started, and what they have used so far, from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["PROC", "Used", "descendants", "fields", "text_of", "threads", "used"]

PROC = Path("/proc")

# More than any file that is read here holds of what is wanted of it.
_LONGEST = 1 << 16
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Used(NamedTuple):
    """What one or several processes have used since they began, their ended children included.

    Attributes
    ----------
    user_ns, system_ns
        CPU time.
    minor_faults, major_faults
        Page faults without and with a disk.
    voluntary_switches, involuntary_switches
        How often a thread gave its core away, and had it taken.
    disk_read_bytes, disk_write_bytes
        Bytes that came from a disk and that are to go to one.
    call_read_bytes, call_write_bytes
        Bytes that went through read and write calls, from wherever.
    """

    user_ns: int = 0
    system_ns: int = 0
    minor_faults: int = 0
    major_faults: int = 0
    voluntary_switches: int = 0
    involuntary_switches: int = 0
    disk_read_bytes: int = 0
    disk_write_bytes: int = 0
    call_read_bytes: int = 0
    call_write_bytes: int = 0


def threads(pid: int | str = "self", *, proc: Path = PROC) -> tuple[int, ...]:
    """List the threads of a process.

    Parameters
    ----------
    pid
        The process; this one unless given.
    proc
        Where the kernel tells.

    Returns
    -------
    tuple of int
        Empty if the process is gone, or the system has no /proc.
    """
    try:
        return tuple(int(name) for name in os.listdir(f"{proc}/{pid}/task"))  # noqa: PTH208 - read around every sample
    except OSError:
        return ()


def descendants(pid: int | str = "self", *, proc: Path = PROC) -> tuple[int, ...]:
    """List the living processes that a process has started, and those that they have started.

    Parameters
    ----------
    pid
        The process; this one unless given.
    proc
        Where the kernel tells.

    Returns
    -------
    tuple of int
        Without the process itself. None are seen where the kernel does not list children (CONFIG_PROC_CHILDREN).
    """
    found: list[int] = []
    for thread in threads(pid, proc=proc):
        for child in text_of(f"{proc}/{pid}/task/{thread}/children").split():
            found += [int(child), *descendants(child, proc=proc)]
    return tuple(found)


def used(pid: int, *, proc: Path = PROC) -> Used | None:
    """Tell what a living process has used.

    Parameters
    ----------
    pid
        The process.
    proc
        Where the kernel tells.

    Returns
    -------
    Used or None
        CPU time to the tick of the kernel, most often 10 ms. ``None`` if the process is gone.
    """
    place = f"{proc}/{pid}"
    # The name in parentheses may hold anything; behind it the fields are numbers.
    numbers = text_of(f"{place}/stat").rpartition(")")[2].split()
    if not numbers:
        return None
    switches = [fields(text_of(f"{place}/task/{thread}/status")) for thread in threads(pid, proc=proc)]
    transferred = fields(text_of(f"{place}/io"))
    # Each field is followed by the same of the children that have ended (proc_pid_stat(5), 10 to 17).
    minor, major, user, system = (
        int(numbers[first]) + int(numbers[second]) for first, second in ((7, 8), (9, 10), (11, 13), (12, 14))
    )
    return Used(
        user_ns=user * _TICK_NS,
        system_ns=system * _TICK_NS,
        minor_faults=minor,
        major_faults=major,
        voluntary_switches=sum(thread.get("voluntary_ctxt_switches", 0) for thread in switches),
        involuntary_switches=sum(thread.get("nonvoluntary_ctxt_switches", 0) for thread in switches),
        disk_read_bytes=transferred.get("read_bytes", 0),
        disk_write_bytes=transferred.get("write_bytes", 0),
        call_read_bytes=transferred.get("rchar", 0),
        call_write_bytes=transferred.get("wchar", 0),
    )


def fields(text: str) -> dict[str, int]:
    """Read lines of a name, a colon or space, and a number.

    Parameters
    ----------
    text
        Content of a file of /proc or of a control group.

    Returns
    -------
    dict
        Name to number; lines without a number are left out.
    """
    found = {}
    for line in text.splitlines():
        name, *rest = line.replace(":", " ", 1).split()[:2] or [""]
        if rest and rest[0].isdigit():
            found[name] = int(rest[0])
    return found


def text_of(path: str | Path) -> str:
    """Read a file of the kernel, in a fifth of the time that `pathlib` takes.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        Its first 64 KiB. Empty if the process has ended meanwhile, or the kernel does not tell.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(file, _LONGEST).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(file)
