"""A volume: voxels with their meaning and origin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.units import Shape

__all__ = ["ArrayLike", "Meaning", "Provenance", "Volume", "voxel_digest"]


class ArrayLike(Protocol):
    """Voxels that are there, or that are read when a box of them is asked for."""

    @property
    def shape(self) -> Shape:
        """Extent in voxels."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""

    def __getitem__(self, index: Any, /) -> npt.NDArray[Any]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where voxels come from and what may be done with them.

    Attributes
    ----------
    source
        Public address, or the generator with its seed.
    licence
        Licence of the data.
    citation
        How to cite it.
    """

    source: str
    licence: str
    citation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What a stored number stands for: packed numbers stay packed, and this unpacks them.

    Attributes
    ----------
    unit
        Unit of the quantity, for example ``"HU"``; ``None`` when it is not known.
    scale, offset
        The quantity is ``scale`` times the number, plus ``offset``.
    fill
        The number that stands for no value; ``None`` if there is none.
    """

    unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    fill: float | None = None

    @property
    def text(self) -> str:
        """In words."""
        number = "number" if self.scale == 1 else f"{self.scale!r} \u00d7 number"
        number += f" {'-' if self.offset < 0 else '+'} {abs(self.offset)!r}" if self.offset else ""
        unit = f", in {self.unit}" if self.unit else ""
        fill = f"; {self.fill!r} stands for no value" if self.fill is not None else ""
        return f"value = {number}{unit}{fill}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """A volume with its meaning.

    Attributes
    ----------
    name
        Name in the registry, or of the file.
    array
        Voxels, ``(z, y, x)`` unless the axes say otherwise; may be read lazily, box by box.
    axes
        One letter an axis, slowest first, for example ``"zyx"``.
    spacing
        Size of a voxel on each axis, or on the last ones when those before them are not in space; ``None`` when it is
        not known.
    spacing_unit
        Unit of the spacing, for example ``"angstrom"``; ``None`` with no spacing.
    meaning
        What a stored number stands for; ``None`` when the source does not say.
    provenance
        Source, licence, citation.
    """

    name: str
    array: ArrayLike
    axes: str = "zyx"
    spacing: tuple[float, ...] | None = None
    spacing_unit: str | None = None
    meaning: Meaning | None = None
    provenance: Provenance

    @property
    def shape(self) -> Shape:
        """Extent in voxels."""
        return tuple(int(extent) for extent in self.array.shape)

    @property
    def nbytes(self) -> int:
        """Logical bytes."""
        size = self.array.dtype.itemsize
        for extent in self.shape:
            size *= extent
        return int(size)


def voxel_digest(array: npt.NDArray[Any]) -> str:
    """Stand for voxels by a short text: equal digests mean equal shape, type and bits.

    Parameters
    ----------
    array
        Voxels in any order and byte order; NaN payloads and the sign of zero count.

    Returns
    -------
    str
        ``"blake2b:"`` and 32 hexadecimal digits.
    """
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    state = hashlib.blake2b(f"{little.dtype.str}{little.shape}".encode(), digest_size=16)
    # One plane of the slowest axis at a time: hashing must not double the memory of a large volume.
    for plane in little if little.ndim > 1 else (little,):
        state.update(np.ascontiguousarray(plane).reshape(-1).view(np.uint8).data)
    return f"blake2b:{state.hexdigest()}"
