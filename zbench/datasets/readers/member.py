"""An array in a file, before it is read; and the rules that hold for all formats."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from zbench.model.volume import ArrayLike

__all__ = ["Member", "check_bytes", "choose", "natural", "stack"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One array of a file.

    Attributes
    ----------
    name
        Name within the file.
    open
        Opens it: lazily where the format allows, else into memory.
    spacing
        Size of a voxel on each axis, if the file says so.
    spacing_unit
        Its unit.
    """

    name: str
    open: Callable[[], ArrayLike]
    spacing: tuple[float, ...] | None = None
    spacing_unit: str | None = None


def choose(members: Iterable[Member], name: str | None, path: Path) -> Member:
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
        msg = f"A file with several arrays needs one to be chosen: {str(path)!r} has {listed}; {asked}. Name a member."
        raise DataError(msg)
    return found[name]


def check_array(array: ArrayLike, path: Path) -> None:
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


def check_bytes(size_bytes: int, path: Path) -> None:
    """Refuse to unpack more than the memory holds: a small file can claim to be anything.

    Parameters
    ----------
    size_bytes
        What unpacking would take.
    path
        The file, for messages.

    Raises
    ------
    DataError
        If it is more than the memory of the machine.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size_bytes > memory:
        msg = (
            f"A packed file must fit the memory when unpacked: {str(path)!r} unpacks to {size_bytes} bytes, the "
            f"machine has {memory}. Unpack it first, or crop it."
        )
        raise DataError(msg)


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


def stack(planes: list[Any], path: Path) -> Any:
    """Put equal planes on top of each other.

    Parameters
    ----------
    planes
        Arrays of one shape and type.
    path
        Their file, for messages.

    Returns
    -------
    ndarray
        With the new axis first.

    Raises
    ------
    DataError
        If they differ.
    """
    kinds = {(plane.shape, plane.dtype.str) for plane in planes}
    if len(kinds) != 1:
        msg = f"The planes of a stack have one shape and type: {str(path)!r} has {sorted(kinds)[:4]}. Sort them apart."
        raise DataError(msg)
    return np.stack(planes)
