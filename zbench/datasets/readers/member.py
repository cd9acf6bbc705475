"""An array in a file, before it is read; and the rules that hold for all formats."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from zbench.model import Meaning
    from zbench.model.volume import ArrayLike

__all__ = [
    "MRC_SUFFIXES",
    "Member",
    "Opened",
    "check_array",
    "check_bytes",
    "choose",
    "is_companion",
    "natural",
    "stack",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """One array of a file, and what the file says about it.

    Attributes
    ----------
    array
        The voxels.
    axes
        One letter an axis, slowest first, if the file says so.
    spacing
        Size of a voxel on each axis, or on those in space alone when they come last, if the file says so.
    spacing_unit
        Its unit.
    meaning
        What a stored number stands for, if the file says so.
    """

    array: ArrayLike
    axes: str | None = None
    spacing: tuple[float, ...] | None = None
    spacing_unit: str | None = None
    meaning: Meaning | None = None


# Micrographs and tilt series of IMOD have names of their own.
MRC_SUFFIXES = (".mrcs", ".mrc", ".map", ".rec", ".ali", ".st")


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One array of a file, before it is opened.

    Attributes
    ----------
    name
        Name within the file.
    open
        Opens it: lazily where the format allows, else into memory.
    """

    name: str
    open: Callable[[], Opened]


def choose(members: Iterable[Member], name: str | None, path: Path | str) -> Member:
    """Pick an array of a file.

    Parameters
    ----------
    members
        All that the file holds.
    name
        Which one; needed only if there are several.
    path
        The file, for messages.

    Returns
    -------
    Member
        The one.

    Raises
    ------
    DataError
        If there is none, none of that name, or several without a name.
    """
    found = {member.name: member for member in members}
    if not found:
        msg = f"A volume file holds at least one array of two axes or more: {str(path)!r} holds none."
        raise DataError(msg)
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        asked = "none was chosen" if name is None else f"there is no {name!r}"
        listed = ", ".join(sorted(found, key=natural)[:20])
        msg = (
            f"A file with several arrays needs one to be chosen: {str(path)!r} has {listed}; {asked}. Give --member "
            "NAME, or PATH::NAME."
        )
        raise DataError(msg)
    return found[name]


def check_array(array: ArrayLike, path: Path | str) -> None:
    """Refuse voxels that are no real numbers.

    Parameters
    ----------
    array
        The array.
    path
        Its file, for messages.

    Raises
    ------
    RefusedError
        If its type is complex, a structure or no number.
    """
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        msg = f"Voxels are integers or floating-point numbers of up to 64 bits: {str(path)!r} has {dtype}. Convert it."
        raise RefusedError(msg)


def check_bytes(size_bytes: int, path: Path | str) -> None:
    """Refuse to read more than the memory holds: a small file can claim to be anything.

    Parameters
    ----------
    size_bytes
        What reading would take.
    path
        The file, for messages.

    Raises
    ------
    DataError
        If it is more than half the memory of the machine: on the way there may be a second copy.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size_bytes > memory // 2:
        msg = (
            f"What is read at once must fit half the memory: {str(path)!r} takes {size_bytes} bytes or more, the "
            f"machine has {memory}. Unpack it first, or crop it."
        )
        raise DataError(msg)


def is_companion(name: str) -> bool:
    """Tell the ``._`` file that macOS puts beside every file from the file itself.

    Parameters
    ----------
    name
        Name of a file, perhaps with folders.

    Returns
    -------
    bool
        Whether it is a companion.
    """
    return PurePosixPath(name).name.startswith("._")


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key under which ``plane10`` comes after ``plane9``.

    Parameters
    ----------
    name
        Name of a file.

    Returns
    -------
    list
        To compare by.
    """
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def stack(planes: Iterable[Any], count: int, path: Path) -> Any:
    """Put equal planes on top of each other.

    Parameters
    ----------
    planes
        Arrays of one shape and type; each is let go before the next is asked for.
    count
        How many there are.
    path
        Their file, for messages.

    Returns
    -------
    ndarray
        With the new axis first.

    Raises
    ------
    DataError
        If they differ, or do not fit the memory.
    """
    stacked = np.empty(0)
    for index, plane in enumerate(planes):
        if index == 0:
            check_bytes(plane.nbytes * count, path)
            stacked = np.empty((count, *plane.shape), plane.dtype)
        if plane.shape != stacked.shape[1:] or plane.dtype != stacked.dtype:
            msg = (
                f"The planes of a stack have one shape and type: {str(path)!r} begins with {stacked.shape[1:]} "
                f"{stacked.dtype}, plane {index} is {plane.shape} {plane.dtype}. Sort them apart."
            )
            raise DataError(msg)
        stacked[index] = plane
    return stacked
