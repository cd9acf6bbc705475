"""A crop of a tomogram of the portal: from the cache, or just its chunks from where the portal keeps them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zbench.datasets.load import centre_crop
from zbench.datasets.portal import kept
from zbench.datasets.portal.client import find_tomograms, portal_address, written_up
from zbench.datasets.portal.mrc_ranges import MrcFile
from zbench.datasets.portal.nouns import Planned, Tomogram, choose
from zbench.datasets.portal.omezarr import OmeZarrLevel
from zbench.datasets.portal.transfer import transfer
from zbench.errors import DataError, LayoutError
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbench.datasets.portal.nouns import Piece, Source, Wanted
    from zbench.model import Box, Volume

__all__ = ["cached", "planned_bytes", "read_crop"]

# The portal says so of all it has.
_LICENCE = "CC0 1.0"


class _Way:
    """The way to a crop: which tomogram, which form of it, which voxels."""

    def __init__(self, wanted: Wanted) -> None:
        fitting = find_tomograms(
            wanted.dataset, run=wanted.run, tomogram=wanted.tomogram, voxel_spacing=wanted.voxel_spacing
        )
        self.wanted = wanted
        self.tomogram = choose(fitting, wanted)
        self.source, self.form = _source(self.tomogram, wanted)
        self.box = _box(wanted, self.source)
        self.target = kept.place(
            (wanted.dataset, self.tomogram.id, self.form, self.source.address, self.box.start, self.box.stop)
        )

    def fetch(self, approve: Callable[[Planned], bool], progress: Callable[[int, int], None]) -> None:
        pieces = self.source.pieces(self.box)
        planned = self.planned(pieces)
        if not approve(planned):
            msg = (
                f"A download must be approved: {format_bytes(planned.size_bytes)} of {self.source.address} were not. "
                "Approve it, or ask for a smaller crop or another level."
            )
            raise DataError(msg)
        kept.keep(
            self.target,
            shape=self.box.shape,
            dtype=self.source.dtype,
            fill=lambda out: transfer(self.source, pieces, self.box, out, progress=progress),
            record=self._record(planned),
        )

    def _record(self, planned: Planned) -> dict[str, Any]:
        told = asdict(self.tomogram)
        cited = written_up(self.tomogram)
        places = zip("zyx", self.box.start, self.box.stop, strict=True)
        crop = ", ".join(f"{axis} {low}:{high}" for axis, low, high in places)
        return {
            "axes": "zyx",
            "spacing": [self.tomogram.spacing * scale for scale in self.source.scale],
            "spacing_unit": "angstrom",
            "provenance": {
                "source": f"{self.source.address} [{crop}]",
                "licence": _LICENCE,
                "citation": cited["citation"],
            },
            "doi": cited["doi"],
            "box": {"start": self.box.start, "stop": self.box.stop},
            "level": self.wanted.level,
            "form": self.form,
            "address": self.source.address,
            "portal": {"address": portal_address(), "tomogram": told},
            "fetched": {
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "requests": planned.requests,
                "bytes": planned.size_bytes,
            },
        }

    def planned(self, pieces: list[Piece]) -> Planned:
        return Planned(
            tomogram=self.tomogram,
            box=self.box,
            requests=len(pieces),
            size_bytes=sum(piece.size_bytes for piece in pieces),
            logical_bytes=self.box.voxels * self.source.dtype.itemsize,
        )


def cached(wanted: Wanted) -> Path | None:
    """Find a crop in the cache, without asking the portal.

    Parameters
    ----------
    wanted
        Worded as when it was fetched.

    Returns
    -------
    Path or None
        The ``.npy`` file; its record, a JSON file, lies beside it. The digest is not verified.
    """
    return kept.found(wanted)


def planned_bytes(wanted: Wanted) -> Planned:
    """Tell what fetching a crop comes to; the portal and the server are asked, no voxel is fetched.

    Parameters
    ----------
    wanted
        The crop.

    Returns
    -------
    Planned
        Number of requests and bytes, as if the cache were empty.

    Raises
    ------
    DataError
        If there is no such tomogram or level, there are several, or a server does not answer.
    LayoutError
        If the box leaves the volume.
    RefusedError
        If its form cannot be read, or a library is missing.
    UnknownNameError
        If the dataset has no such run.
    """
    way = _Way(wanted)
    return way.planned(way.source.pieces(way.box))


def read_crop(
    wanted: Wanted,
    *,
    approve: Callable[[Planned], bool] = lambda _: True,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Volume:
    """Get a crop of a tomogram: from the cache if the same was asked before, or else just its part of the tomogram.

    Several processes may ask for the same at once: one fetches, the others wait and use what it got.

    Parameters
    ----------
    wanted
        The crop.
    approve
        Asked before anything is fetched; false ends it.
    progress
        Told the bytes that have come and those that will have in the end, never from two threads at once.

    Returns
    -------
    Volume
        Mapped from the cache, digest verified; spacing in angstrom.

    Raises
    ------
    DataError
        If there is no such tomogram or level, there are several, a server does not answer, what is in the cache is not
        what was put there, or it was not approved.
    LayoutError
        If the box leaves the volume.
    RefusedError
        If its form cannot be read, or a library is missing.
    UnknownNameError
        If the dataset has no such run.
    """
    known = kept.found(wanted)
    if known is not None:
        volume = kept.sound(known)
        if volume is None:
            with kept.locked(known):
                volume = kept.checked(known)
        if volume is not None:
            return volume
    way = _Way(wanted)
    with kept.locked(way.target):
        # Another process may have made it since, or other words may mean the same crop.
        volume = kept.checked(way.target)
        if volume is None:
            way.fetch(approve, progress)
            volume = kept.checked(way.target)
        kept.point(wanted, way.target)
    if volume is None:
        msg = f"A crop that was fetched lies in the cache: {str(way.target)!r} is gone. Ask again."
        raise DataError(msg)
    return volume


def _source(tomogram: Tomogram, wanted: Wanted) -> tuple[Source, str]:
    form = wanted.source or ("omezarr" if tomogram.omezarr else "mrc")
    address = tomogram.omezarr if form == "omezarr" else tomogram.mrc
    if not address or (form == "mrc" and wanted.level):
        there = [name for name, given in (("OME-Zarr", tomogram.omezarr), ("MRC file", tomogram.mrc)) if given]
        msg = (
            f"A crop is taken from a form that the tomogram has: {tomogram.id} of portal dataset {tomogram.dataset_id} "
            f"has {' and '.join(there) or 'none'}; asked for was {form}, level {wanted.level}. Ask for another."
        )
        raise DataError(msg)
    return (
        (OmeZarrLevel(address, wanted.level), f"{form}{wanted.level}")
        if form == "omezarr"
        else (MrcFile(address), form)
    )


def _box(wanted: Wanted, source: Source) -> Box:
    if wanted.box is None:
        return centre_crop(source.shape, wanted.size)
    if any(stop > extent for stop, extent in zip(wanted.box.stop, source.shape, strict=True)):
        msg = (
            f"A crop lies inside its volume: {wanted.box.start}..{wanted.box.stop} leaves the {source.shape} voxels "
            f"(z, y, x) of {source.address}. Move it, or take another level."
        )
        raise LayoutError(msg)
    return wanted.box
