"""Which array of a file, and which place on some of its axes: ``NAME@AXIS=PLACE``, for example ``0@c=1``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zbench.datasets.readers.lazy import Part
from zbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbench.model import Volume

__all__ = ["part_of", "split_member", "split_source"]

_PLACES = re.compile(r"(?P<name>.*?)(?P<places>(?:@[A-Za-z]=\d{1,18})*)", re.DOTALL)


def split_source(source: str) -> tuple[str, str | None]:
    """Take ``PATH::MEMBER`` apart.

    Parameters
    ----------
    source
        Name or path, perhaps with a member.

    Returns
    -------
    source : str
        Name or path alone.
    member : str or None
        What was chosen of it.
    """
    place, mark, member = source.partition("::")
    if not (place and member) or Path(source).exists():
        return source, None
    return place, member if mark else None


def split_member(member: str | None) -> tuple[str | None, dict[str, int]]:
    """Take ``NAME@AXIS=PLACE`` apart.

    Parameters
    ----------
    member
        As a user gives it; ``None`` chooses nothing.

    Returns
    -------
    name : str or None
        Which array; ``None`` if only places are given.
    places : dict of str to int
        The place on each axis that is chosen, counted from 0.
    """
    match = _PLACES.fullmatch(member or "")
    assert match is not None  # It takes any text, if as a name alone.
    pairs = (text.split("=") for text in match["places"].split("@")[1:])
    return match["name"] or None, {axis: int(place) for axis, place in pairs}


def part_of(volume: Volume, places: Mapping[str, int]) -> Volume:
    """Choose places on some axes of a volume.

    Parameters
    ----------
    volume
        The whole.
    places
        The place on each axis that is to go, by its letter.

    Returns
    -------
    Volume
        With the other axes; its voxels are not read.

    Raises
    ------
    DataError
        If there is no such axis or no such place.
    """
    extents = dict(zip(volume.axes, volume.shape, strict=True))
    wrong = [f"@{axis}={place}" for axis, place in places.items() if not 0 <= place < extents.get(axis, 0)]
    if wrong:
        msg = (
            f"A place is on an axis of the array, counted from 0: {volume.provenance.source!r} has {_told(extents)}; "
            f"got {' '.join(wrong)}. Choose as in --member NAME@{volume.axes[0]}=0."
        )
        raise DataError(msg)
    if not places:
        return volume
    left = "".join(axis for axis in volume.axes if axis not in places)
    if len(left) < 2:
        msg = (
            f"A volume has two axes at least: {volume.provenance.source!r} has {_told(extents)}, {left or 'none'} are "
            "left. Choose fewer places."
        )
        raise DataError(msg)
    spacing = volume.spacing
    if spacing is not None:
        # What is known of the last axes alone stays with those that are left of them.
        of_axis = dict(zip(volume.axes[-len(spacing) :], spacing, strict=True))
        spacing = tuple(of_axis[axis] for axis in left if axis in of_axis) or None
    return replace(
        volume,
        array=Part(volume.array, {volume.axes.index(axis): place for axis, place in places.items()}),
        axes=left,
        spacing=spacing,
        spacing_unit=volume.spacing_unit if spacing else None,
    )


def _told(extents: Mapping[str, int]) -> str:
    return ", ".join(f"{axis} of {extent}" for axis, extent in extents.items())
