"""Which voxels are asked for, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, Self

from zbench.errors import LayoutError

if TYPE_CHECKING:
    from zbench.units import Shape

__all__ = ["AccessPattern", "Box", "CacheState"]


class CacheState(StrEnum):
    """What was in the page cache when a time was taken."""

    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel box of voxels, half open.

    Attributes
    ----------
    start
        First voxel on each axis, ``(z, y, x)``.
    stop
        One past the last voxel on each axis.

    Raises
    ------
    LayoutError
        If the box is empty, begins before zero, or its two corners differ in the number of axes.
    """

    start: Shape
    stop: Shape

    def __post_init__(self) -> None:
        if len(self.start) != len(self.stop) or not all(0 <= a < b for a, b in zip(self.start, self.stop, strict=True)):
            msg = f"A box holds at least one voxel on every axis, 0 <= start < stop: got {self.start}..{self.stop}."
            raise LayoutError(msg)

    @classmethod
    def whole(cls, shape: Shape) -> Self:
        """Take everything.

        Parameters
        ----------
        shape
            Extent of the volume in voxels.

        Returns
        -------
        Box
            The box that is the volume.
        """
        return cls((0,) * len(shape), tuple(shape))

    @property
    def shape(self) -> Shape:
        """Extent in voxels."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box as an index for an array."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessPattern:
    """A deterministic list of boxes.

    Attributes
    ----------
    name
        Canonical text with parameters, for example ``train_patch-64``.
    operations
        What a user does in order; one operation (a click, a batch) asks for one or more boxes.
    concurrency
        Number of boxes that may be asked for at once.
    """

    name: str
    operations: tuple[tuple[Box, ...], ...]
    concurrency: int = 1

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes in order."""
        return tuple(box for operation in self.operations for box in operation)

    @property
    def voxels(self) -> int:
        """Number of voxels that are asked for, each as often as it is asked for."""
        return sum(box.voxels for box in self.boxes)

    def __str__(self) -> str:
        return self.name
