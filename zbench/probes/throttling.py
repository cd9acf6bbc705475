"""How long a quota or the heat of the processor has held this process back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zbench.probes.tree import PROC, fields, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SYSTEM", "throttle_files", "throttled_ns"]

SYSTEM = Path("/sys")

# What version 2 and version 1 of control groups call it, with the unit in nanoseconds.
_NAMES = {"throttled_usec": 1000, "throttled_time": 1}
_HEAT = Path("devices", "system", "cpu", "cpu0", "thermal_throttle", "package_throttle_total_time_ms")
_HEAT_NS = 1_000_000


def throttle_files(*, proc: Path = PROC, system: Path = SYSTEM) -> tuple[Path, ...]:
    """Find the files that tell how long this process was held back.

    Parameters
    ----------
    proc, system
        Where the kernel tells of processes and of the machine.

    Returns
    -------
    tuple of Path
        For `throttled_ns`; empty where nothing is told.
    """
    groups = (path for path in _group_files(proc, system) if _NAMES.keys() & fields(text_of(path)))
    heat = system / _HEAT
    return (*list(groups)[:1], *([heat] if text_of(heat) else []))


def _group_files(proc: Path, system: Path) -> Iterator[Path]:
    root = system / "fs" / "cgroup"
    for line in text_of(proc / "self" / "cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # In a container the group may be told by its name outside, and its files lie at the root.
        for place in (root / controllers / group.lstrip("/"), root / controllers):
            yield place / "cpu.stat"


def throttled_ns(files: tuple[Path, ...]) -> int | None:
    """Read how long this process has been held back so far.

    Parameters
    ----------
    files
        What `throttle_files` found.

    Returns
    -------
    int or None
        Nanoseconds since the beginning of the group and of the machine; ``None`` where nothing is told.
    """
    told = [_told(text) for path in files if (text := text_of(path))]
    return sum(told) if told else None


def _told(text: str) -> int:
    if text.strip().isdigit():
        return int(text) * _HEAT_NS
    found = fields(text)
    return sum(found[name] * unit for name, unit in _NAMES.items() if name in found)
