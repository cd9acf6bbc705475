"""What is wanted of the portal, what it has, and what a crop costs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from zbench.errors import DataError, LayoutError
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from zbench.model import Box
    from zbench.units import Shape

__all__ = ["SOURCES", "Piece", "Planned", "Source", "Tomogram", "Wanted", "choices", "choose"]

SOURCES = ("omezarr", "mrc")
_COLUMNS = ("id", "run", "voxel spacing", "size z,y,x", "processing", "author", "bytes")
# A dataset may have thousands of tomograms; more lines than fit a screen help nobody to choose.
_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Tomogram:
    """A tomogram as the portal describes it.

    Attributes
    ----------
    id, run_id, dataset_id, deposition_id
        Numbers of the portal.
    name, run_name, dataset_title
        For people.
    shape
        Extent in voxels at level 0, ``(z, y, x)``.
    spacing
        Size of a voxel at level 0 in angstrom, on every axis.
    processing, reconstruction
        What was done to it, in the words of the portal.
    authors
        Who made the tomogram, in the order of the portal.
    publications
        Identifiers, DOIs for the most part.
    omezarr, mrc
        Address of either form; empty if there is none.
    size_bytes
        Of the OME-Zarr with all its levels, or else of the MRC file; 0 if the portal does not say.
    """

    id: int
    run_id: int
    dataset_id: int
    deposition_id: int | None
    name: str
    run_name: str
    dataset_title: str
    shape: Shape
    spacing: float
    processing: str
    reconstruction: str
    authors: tuple[str, ...]
    publications: tuple[str, ...]
    omezarr: str
    mrc: str
    size_bytes: int

    @property
    def row(self) -> tuple[str, ...]:
        """The tomogram as a line of a table: id, run, voxel spacing, size, processing, author, bytes."""
        author = f"{self.authors[0]} et al." if len(self.authors) > 1 else "".join(self.authors)
        size = format_bytes(self.size_bytes) if self.size_bytes else ""
        extent = ",".join(map(str, self.shape))
        return (str(self.id), self.run_name, f"{self.spacing:g} Å", extent, self.processing, author, size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A crop of a tomogram of the portal.

    Attributes
    ----------
    dataset
        Number of the dataset.
    run
        Name or number of the run.
    tomogram
        Number of the tomogram.
    voxel_spacing
        In angstrom; 0.1 % off is the same.
    level
        Level of the OME-Zarr, 0 is full size.
    box
        Voxels of that level, ``(z, y, x)``.
    size
        Instead of a box: at most so many voxels an axis, from the middle; with neither, the whole tomogram is meant.
    source
        One of `SOURCES`; ``None`` takes the OME-Zarr, or else the MRC file.

    Raises
    ------
    DataError
        If a number is below what it can be, or the source is none.
    LayoutError
        If there are box and size, or either cannot be of a volume.
    """

    dataset: int
    run: str | None = None
    tomogram: int | None = None
    voxel_spacing: float | None = None
    level: int = 0
    box: Box | None = None
    size: int | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        rules = {
            "the number of a dataset is at least 1": (self.dataset >= 1, self.dataset),
            "the number of a tomogram is at least 1": (self.tomogram is None or self.tomogram >= 1, self.tomogram),
            "a voxel spacing is above 0 angstrom": (
                self.voxel_spacing is None or self.voxel_spacing > 0,
                self.voxel_spacing,
            ),
            "a level is 0 or above": (self.level >= 0, self.level),
            f"a source is one of {', '.join(SOURCES)}": (self.source in (None, *SOURCES), self.source),
            "an MRC file has level 0 alone": (self.source != "mrc" or self.level == 0, self.level),
        }
        for rule, (holds, given) in rules.items():
            if not holds:
                msg = f"Of a tomogram of the portal, {rule}: got {given!r}. Correct it, or leave it out."
                raise DataError(msg)
        if self.box is not None and self.size is not None:
            msg = f"A crop is a box or a size from the middle: got both, {self.box} and {self.size}. Leave one out."
            raise LayoutError(msg)
        if (self.size is not None and self.size < 1) or (self.box is not None and len(self.box.start) != 3):
            msg = f"A crop has three axes of at least one voxel: got {self.box or self.size}. Correct it."
            raise LayoutError(msg)

    @property
    def text(self) -> str:
        """Canonical text: equal for equal wishes."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What getting a crop comes to.

    Attributes
    ----------
    tomogram
        Which one.
    box
        Voxels of its level, ``(z, y, x)``.
    requests
        Number of chunks, or of ranges of a file, to fetch.
    size_bytes
        To fetch.
    logical_bytes
        Of the crop as it will lie in the cache.
    """

    tomogram: Tomogram
    box: Box
    requests: int
    size_bytes: int
    logical_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """What one request brings.

    Attributes
    ----------
    key
        Of the object.
    span
        First byte and one past the last; ``None`` takes the whole object.
    size_bytes
        To fetch.
    box
        The voxels of the volume that it holds.
    """

    key: str
    span: tuple[int, int] | None
    size_bytes: int
    box: Box


class Source(Protocol):
    """A remote volume of which parts can be had.

    Attributes
    ----------
    address
        Where it is.
    shape
        Extent in voxels, ``(z, y, x)``.
    dtype
        As it is stored.
    fill
        Value of voxels that are in no piece.
    scale
        Size of a voxel in units of one at full size, by axis.
    """

    address: str
    shape: Shape
    dtype: np.dtype[Any]
    fill: Any
    scale: tuple[float, ...]

    def pieces(self, box: Box) -> list[Piece]:
        """List what to fetch for a box.

        Parameters
        ----------
        box
            Voxels of the volume.

        Returns
        -------
        list of Piece
            Together they hold the box, but for voxels that have the value of ``fill``.
        """

    def read(self, piece: Piece, report: Callable[[int], None]) -> bytearray:
        """Fetch a piece.

        Parameters
        ----------
        piece
            Which one.
        report
            Told the number of bytes of each part that arrives; may raise to give up.

        Returns
        -------
        bytearray
            As stored.
        """

    def voxels(self, piece: Piece, data: bytearray) -> npt.NDArray[Any]:
        """Decode a piece.

        Parameters
        ----------
        piece
            Which one.
        data
            As stored.

        Returns
        -------
        ndarray
            Voxels of its box.
        """


def choices(tomograms: Sequence[Tomogram], *, limit: int | None = None) -> str:
    """Write tomograms as a table, to choose one from.

    Parameters
    ----------
    tomograms
        The choice.
    limit
        Stop after so many lines and say how many are left.

    Returns
    -------
    str
        A line of titles and one for each tomogram.
    """
    rows = [_COLUMNS, *(tomogram.row for tomogram in tomograms[:limit])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    left = len(tomograms) - (len(rows) - 1)
    return "\n".join([*lines, f"... and {left} more"] if left else lines)


def choose(tomograms: Sequence[Tomogram], wanted: Wanted) -> Tomogram:
    """Take the one tomogram that is meant.

    Parameters
    ----------
    tomograms
        Those that fit.
    wanted
        Asked for.

    Returns
    -------
    Tomogram
        The one.

    Raises
    ------
    DataError
        If there are several; they are listed.
    """
    if len(tomograms) == 1:
        return tomograms[0]
    msg = (
        f"A crop is of one tomogram: {len(tomograms)} of portal dataset {wanted.dataset} fit. Choose by run, voxel "
        f"spacing or the id of the tomogram:\n{choices(tomograms, limit=_SHOWN)}"
    )
    raise DataError(msg)
