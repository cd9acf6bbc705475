"""Datasets for people: list, show, fetch, verify, find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.datasets import Card, card, card_names, fetch, load, prepared
from zbench.errors import DataError, RefusedError, ZbenchError
from zbench.model import voxel_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Checked", "Look", "cards", "fetch_all", "look", "place", "verify"]

_BINS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What verifying one dataset found.

    Attributes
    ----------
    name
        Name of the dataset.
    state
        ``"right"``, ``"wrong"`` (bytes or voxels are others), ``"missing"`` (cannot be had here) or ``"unread"`` (no
        reader here).
    reason
        Why, if it is not right.
    """

    name: str
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A first look at voxels.

    Attributes
    ----------
    low, high, mean
        Smallest, largest and mean value.
    histogram
        Number of voxels in each of forty equal bins from ``low`` to ``high``.
    """

    low: float
    high: float
    mean: float
    histogram: tuple[int, ...]


def cards(names: Sequence[str] = ()) -> tuple[Card, ...]:
    """Look datasets up.

    Parameters
    ----------
    names
        Names or aliases; none means all.

    Returns
    -------
    tuple of Card
        In that order.
    """
    return tuple(card(name) for name in names or card_names())


def look(name: str) -> Look:
    """Read a dataset and describe its values.

    Parameters
    ----------
    name
        Name in the registry, or path of a file.

    Returns
    -------
    Look
        Of all finite voxels.

    Raises
    ------
    DataError
        If it cannot be had or read, or has no finite voxel.
    """
    values = np.asarray(load(name).array[...])
    finite = values[np.isfinite(values)]
    if not finite.size:
        msg = f"A volume has at least one finite voxel to look at: {name!r} has none."
        raise DataError(msg)
    counts, _ = np.histogram(finite, bins=_BINS)
    return Look(
        low=float(finite.min()),
        high=float(finite.max()),
        mean=float(finite.mean(dtype=np.float64)),
        histogram=tuple(int(count) for count in counts),
    )


def place(name: str) -> Path:
    """Find the file of a dataset, getting it first if needed.

    Parameters
    ----------
    name
        Name or alias.

    Returns
    -------
    Path
        The file, verified; for a generated dataset, or one that was packed, the prepared array.
    """
    found = card(name)
    return prepared(found.name) if found.generator else fetch(found)


def fetch_all(
    names: Sequence[str], *, volume_size: int | None = None, report: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[str, Path]]:
    """Get datasets and prepare them for environments without readers.

    Parameters
    ----------
    names
        Names or aliases.
    volume_size
        Keep at most so many voxels an axis, from the middle.
    report
        Told each name before its work begins.

    Yields
    ------
    name : str
        Name of the dataset.
    path : Path
        The prepared array.
    """
    for name in names:
        found = card(name)
        report(found.name)
        if found.path:
            fetch(found, progressbar=False)
        yield found.name, prepared(found.name, volume_size=volume_size)


def verify(names: Sequence[str] = ()) -> Iterator[Checked]:
    """Read datasets and compare every byte and voxel with their cards.

    Parameters
    ----------
    names
        Names or aliases; none means all.

    Yields
    ------
    Checked
        What was found, one dataset after the other.
    """
    for found in cards(names):
        state, reason = "right", ""
        try:
            digest = voxel_digest(np.asarray(load(found.name).array[...]))
            if digest != found.voxel_digest:
                state, reason = "wrong", f"voxels are {digest}, the card says {found.voxel_digest}"
        except RefusedError as error:
            state, reason = "unread", str(error)
        except ZbenchError as error:
            state = "wrong" if "fixed bytes" in str(error) else "missing"
            reason = str(error)
        yield Checked(name=found.name, state=state, reason=reason)
