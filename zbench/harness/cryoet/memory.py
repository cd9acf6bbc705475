"""How much memory a process may use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["memory_limit"]

_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def memory_limit(groups: Path = Path("/proc/self/cgroup"), root: Path = _CONTROL_GROUPS) -> int:
    """Tell how much memory this process and its children may use.

    Parameters
    ----------
    groups
        File that lists the control groups of the process.
    root
        Folder on which they are mounted.

    Returns
    -------
    int
        Bytes: the memory of the machine, or the lowest limit of the control groups (version 1 or 2) that the process is
        in.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _limit_files(groups, root):
        # Without a limit version 2 says "max", and version 1 a number beyond any memory.
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(file.read_text(encoding="ascii")))
    return min(limits)


def _limit_files(groups: Path, root: Path) -> Iterator[Path]:
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # Not Linux, or nothing told.
    for line in lines:
        _, _, told = line.partition(":")
        controllers, _, place = told.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        mount, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        # A group is held to the limits of all above it, too. In a container the group may be mounted as the root.
        parts = [part for part in place.split("/") if part]
        yield from (mount.joinpath(*parts[:depth]) / name for depth in range(len(parts) + 1))
