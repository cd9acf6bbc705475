"""A crop of a volume: what is wanted, where it lies, and how its voxels come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from zbench.errors import LayoutError
from zbench.model import Box
from zbench.units import format_shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbench.model import Volume
    from zbench.units import Shape

__all__ = ["Crop", "Download", "Keep", "VolumeRequest", "crop_box", "slug"]

Keep: TypeAlias = "Callable[[Path, Callable[[Download], bool], Callable[[int, int], None]], tuple[Volume, Path]]"

_NAME_LENGTH = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeRequest:
    """Which voxels are wanted.

    Attributes
    ----------
    source
        Number of a dataset of the portal, name in the registry, path of a file, a folder of planes, or a Zarr array
        or group, or address of such an array or group, perhaps with ``::MEMBER``; ``None`` is the embedded phantom.
    volume_size
        Keep at most so many voxels an axis; ``None`` keeps all.
    at
        Voxel in the middle of the crop, ``(z, y, x)``; ``None`` is the middle of the volume.
    member
        Which array of a file that holds several, and which place on axes beyond three: ``NAME@c=1@t=5``.
    run, tomogram, voxel_spacing
        Which tomogram of a dataset of the portal: name or number of the run, number of the tomogram, spacing in
        angstrom.
    """

    source: str | None = None
    volume_size: int | None = 256
    at: Shape | None = None
    member: str | None = None
    run: str | None = None
    tomogram: int | None = None
    voxel_spacing: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """What is to be fetched over the network.

    Attributes
    ----------
    what
        For people.
    most_bytes
        No more than so many bytes.
    """

    what: str
    most_bytes: int


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A crop of a volume that is known and not yet read.

    Attributes
    ----------
    name
        For the keys of results: letters, digits, points and hyphens.
    title
        Where it is from, for people.
    whole
        Extent of the volume in voxels, ``(z, y, x)``.
    box
        What is taken of it.
    itemsize
        Bytes of a voxel.
    keep
        Brings the voxels to a ``.npy`` file: told the folder for it, whom to ask before a download, and whom to tell
        the bytes that are there and those that will be; gives the volume, mapped, and its file.
    notes
        What was decided for the user, one sentence each.
    download_bytes
        What is still to be fetched over the network, at most.
    """

    name: str
    title: str
    whole: Shape
    box: Box
    itemsize: int
    keep: Keep
    notes: tuple[str, ...] = ()
    download_bytes: int = 0

    @property
    def logical_bytes(self) -> int:
        """Number of bytes of the voxels of the crop."""
        return self.box.voxels * self.itemsize


def crop_box(shape: Shape, size: int | None, at: Shape | None) -> Box:
    """Lay a crop into a volume.

    Parameters
    ----------
    shape
        Extent of the volume in voxels, ``(z, y, x)``.
    size
        Keep at most so many voxels an axis; ``None`` keeps all.
    at
        Voxel in its middle; ``None`` is the middle of the volume.

    Returns
    -------
    Box
        Inside the volume. An axis that is no longer than the size is taken whole.

    Raises
    ------
    LayoutError
        If the crop would leave the volume.
    """
    kept = tuple(extent if size is None else min(extent, size) for extent in shape)
    if at is None:
        start = tuple((extent - keep) // 2 for extent, keep in zip(shape, kept, strict=True))
    else:
        low = tuple(keep // 2 if keep < extent else 0 for extent, keep in zip(shape, kept, strict=True))
        high = tuple(
            extent - keep + keep // 2 if keep < extent else extent - 1 for extent, keep in zip(shape, kept, strict=True)
        )
        if len(at) != len(shape) or not all(a <= place <= b for a, place, b in zip(low, at, high, strict=True)):
            ranges = ", ".join(f"{axis} {a} to {b}" for axis, a, b in zip("zyx", low, high, strict=True))
            msg = (
                f"A crop lies inside its volume: {format_shape(kept)} voxels around {','.join(map(str, at))} leave the "
                f"volume of {','.join(map(str, shape))} (z, y, x). Its middle can be at {ranges}."
            )
            raise LayoutError(msg)
        start = tuple(
            place - keep // 2 if keep < extent else 0 for place, keep, extent in zip(at, kept, shape, strict=True)
        )
    return Box(start, tuple(first + keep for first, keep in zip(start, kept, strict=True)))


def slug(name: str) -> str:
    """Make a name of a volume fit for the keys of results and the names of folders.

    Parameters
    ----------
    name
        For example that of a file.

    Returns
    -------
    str
        Letters, digits, points and hyphens, without the endings of the formats.
    """
    stem = re.sub(
        r"(\.(ome|tar|gz|bz2|zarr|mrc|rec|map|tiff?|npy|em|h5|hdf5?|zip|st|ali|mrcs|am|dcm|fits?|grib2?|grb2?|nii|nc4?))+$",
        "",
        name.lower(),
    )
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:_NAME_LENGTH] or "volume"
