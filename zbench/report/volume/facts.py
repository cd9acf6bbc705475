"""What the report says beside the table of results: the volume, and how the run was made."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.model import Box, Volume
    from zbench.units import Shape

__all__ = ["ReportInfo", "VolumeFacts", "volume_facts"]

# A histogram of some planes looks like that of all of them, and a volume may be larger than memory.
_HISTOGRAM_VOXELS = 2**24
_FEWEST_PLANES = 16
_BINS = 128
# More pixels than the widest figure has are thrown away by the eye, but not by the file.
_LARGEST_PLANE = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeFacts:
    """A volume as the report shows it.

    Attributes
    ----------
    name
        As in the rows of the table.
    title
        What it is, in one line.
    shape
        Extent in voxels, ``(z, y, x)``.
    dtype
        Type of a voxel, as numpy writes it.
    spacing
        Size of a voxel on each axis; ``None`` when it is not known.
    spacing_unit
        Unit of the spacing.
    source, licence, citation
        Provenance; empty where it is not known.
    planes
        The middle planes across z, y and x, each in the order of the other two axes; empty for none.
    counts, edges
        Histogram: number of voxels in each bin, and the edges of the bins, one more; empty for none.
    counted
        Share of the voxels that the histogram counts, above 0 up to 1.
    crop
        The box of a larger volume that this one is; ``None`` for a whole volume.
    whole
        Extent of that larger volume in voxels; ``None`` where it is not known.
    """

    name: str
    title: str = ""
    shape: Shape
    dtype: str
    spacing: tuple[float, ...] | None = None
    spacing_unit: str | None = None
    source: str = ""
    licence: str = ""
    citation: str = ""
    planes: tuple[npt.NDArray[Any], ...] = ()
    counts: npt.NDArray[Any] | None = None
    edges: npt.NDArray[Any] | None = None
    counted: float = 1.0
    crop: Box | None = None
    whole: Shape | None = None

    @property
    def logical_bytes(self) -> int:
        """Number of bytes that the voxels take as they are."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def type_name(self) -> str:
        """Type of a voxel as people write it, for example ``uint8``."""
        given = np.dtype(self.dtype)
        return given.name if given.byteorder != ">" else f"big-endian {given.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportInfo:
    """How the run was made.

    Attributes
    ----------
    command
        What makes the folder again.
    date
        When the run ended, ISO 8601.
    version
        Of zbench.
    remarks
        Sentences about the run as a whole, such as that its budget ended before the last cell.
    """

    command: str
    date: str
    version: str
    remarks: tuple[str, ...] = ()


def volume_facts(
    volume: Volume, *, title: str = "", crop: Box | None = None, whole: Shape | None = None
) -> VolumeFacts:
    """Look at a volume once, plane by plane.

    Parameters
    ----------
    volume
        With its voxels; they may be read lazily.
    title
        What it is, in one line.
    crop
        The box of a larger volume that it is.
    whole
        Extent of that larger volume in voxels.

    Returns
    -------
    VolumeFacts
        With the middle planes, thinned to at most 512 pixels an axis, and a histogram: of all voxels, or of evenly
        spread planes if there are more than 16 million.

    Raises
    ------
    DataError
        If the volume has not three axes.
    """
    shape = volume.shape
    if len(shape) != 3:
        msg = (
            f"The report shows volumes of three axes: {volume.name!r} has the shape {shape}. Choose a channel or time."
        )
        raise DataError(msg)
    middle = tuple(extent // 2 for extent in shape)
    planes = tuple(
        _thinned(np.asarray(volume.array[(slice(None),) * axis + (middle[axis],)])) for axis in range(len(shape))
    )
    most = max(_FEWEST_PLANES, _HISTOGRAM_VOXELS // prod(shape[1:]))
    step = -(-shape[0] // most)
    places = range(0, shape[0], step)
    counts, edges = _histogram(volume, places)
    return VolumeFacts(
        name=volume.name,
        title=title,
        shape=shape,
        dtype=volume.array.dtype.str,
        spacing=volume.spacing,
        spacing_unit=volume.spacing_unit,
        source=volume.provenance.source,
        licence=volume.provenance.licence,
        citation=volume.provenance.citation,
        planes=planes,
        counts=counts,
        edges=edges,
        counted=len(places) / shape[0],
        crop=crop,
        whole=whole,
    )


def _thinned(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    steps = tuple(-(-extent // _LARGEST_PLANE) for extent in plane.shape)
    return plane[:: steps[0], :: steps[1]]


def _histogram(volume: Volume, places: range) -> tuple[npt.NDArray[Any] | None, npt.NDArray[Any] | None]:
    low, high = np.inf, -np.inf
    for place in places:
        plane = _finite(np.asarray(volume.array[place]))
        if plane.size:
            low, high = min(low, float(plane.min())), max(high, float(plane.max()))
    if not low <= high:
        return None, None
    whole_numbers = volume.array.dtype.kind in "iub"
    if whole_numbers:
        # One bin for as many whole values as it takes, the value in the middle of its bin.
        width = max(1.0, np.ceil((high - low + 1) / _BINS))
        edges = low - 0.5 + width * np.arange(np.ceil((high - low + 1) / width) + 1)
    else:
        edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    counts = np.zeros(edges.size - 1, dtype=np.int64)
    for place in places:
        counts += np.histogram(_finite(np.asarray(volume.array[place])), bins=edges)[0]
    return counts, edges


def _finite(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    flat = plane.reshape(-1).astype(np.float64)
    return flat[np.isfinite(flat)]
