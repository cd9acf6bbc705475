"""Datasets for people: list, show, fetch, verify, find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets import DOMAINS, Card, card, card_names, fetch, load, locate, prepared, read_voxels
from zbench.errors import DataError, RefusedError, UnknownNameError
from zbench.model import voxel_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["Checked", "Look", "cards", "fetch_all", "look", "place", "verify"]

_BINS = 40
# At once, so that a large volume needs no second one of its size in float64.
_PIECE_VOXELS = 1 << 22


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
        Number of voxels in each of forty equal bins from ``low`` to ``high``; in the first if all are equal.
    """

    low: float
    high: float
    mean: float
    histogram: tuple[int, ...]


def cards(names: Sequence[str] = (), *, domain: str | None = None) -> tuple[Card, ...]:
    """Look datasets up.

    Parameters
    ----------
    names
        Names or aliases; none means all.
    domain
        Keep one kind; ``None`` keeps all.

    Returns
    -------
    tuple of Card
        In that order.

    Raises
    ------
    UnknownNameError
        If there is no such dataset or domain.
    """
    if domain is not None and domain not in DOMAINS:
        raise UnknownNameError.of(kind="domain", name=domain, known=DOMAINS)
    found = [card(name) for name in names or card_names()]
    return tuple(one for one in found if domain in (None, one.domain))


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
    values = read_voxels(load(name))
    finite = values[np.isfinite(values)]
    if not finite.size:
        msg = f"A volume has at least one finite voxel to look at: {name!r} has none."
        raise DataError(msg)
    low, high = float(finite.min()), float(finite.max())
    return Look(low=low, high=high, mean=float(finite.mean(dtype=np.float64)), histogram=_histogram(finite, low, high))


def _histogram(values: npt.NDArray[Any], low: float, high: float) -> tuple[int, ...]:
    # numpy's own refuses a range so narrow that it has fewer floating-point numbers than there are bins.
    counts = np.zeros(_BINS, np.int64)
    for piece in np.array_split(values.reshape(-1), max(1, values.size // _PIECE_VOXELS)):
        # Halves, for the difference of two large numbers may be none.
        above = piece.astype(np.float64) / 2 - low / 2
        place = above / max(high / 2 - low / 2, np.finfo(float).tiny)
        counts += np.bincount(np.minimum((place * _BINS).astype(np.int64), _BINS - 1), minlength=_BINS)
    return tuple(int(count) for count in counts)


def place(name: str) -> Path:
    """Find the file of a dataset, getting it first if needed.

    Parameters
    ----------
    name
        Name or alias.

    Returns
    -------
    Path
        The file, verified; for a generated dataset, the prepared array.
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
    for found in cards(names):
        report(found.name)
        if found.path:
            fetch(found)
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
        state, reason = _verified(found)
        yield Checked(name=found.name, state=state, reason=reason)


def _verified(found: Card) -> tuple[str, str]:
    try:
        digest = voxel_digest(read_voxels(load(found.name)))
    except RefusedError as error:
        return "unread", str(error)
    except DataError as error:
        # With a file here, the file is the matter.
        return "missing" if locate(found) is None else "wrong", str(error)
    if digest != found.voxel_digest:
        return "wrong", f"voxels are {digest}, the card says {found.voxel_digest}"
    return "right", ""
