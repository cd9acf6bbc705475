"""What every engine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zbench.model import Box, StorageConfig, StoreSpec
    from zbench.units import Shape

__all__ = ["Array", "Engine", "Tracing"]

# How the requests of an engine can be seen: by an observer in its Python store, or by a server that it talks to.
Tracing: TypeAlias = Literal["observer", "server"]


class Array(Protocol):
    """An open array."""

    @property
    def shape(self) -> Shape:
        """Extent in voxels."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""

    def write(self, values: npt.NDArray[Any]) -> None:
        """Write the whole array; the voxels are in the store when this returns.

        Parameters
        ----------
        values
            Voxels, of the shape and type of the array.
        """

    def write_box(self, box: Box, values: npt.NDArray[Any]) -> None:
        """Write a box; the voxels are in the store when this returns.

        Parameters
        ----------
        box
            Where.
        values
            Voxels, of the shape of the box.
        """

    def read(self) -> npt.NDArray[Any]:
        """Read the whole array.

        Returns
        -------
        ndarray
            Voxels in memory.
        """

    def read_box(self, box: Box) -> npt.NDArray[Any]:
        """Read a box.

        Parameters
        ----------
        box
            Where.

        Returns
        -------
        ndarray
            Voxels in memory, of the shape of the box.
        """


class Engine(Protocol):
    """A Zarr implementation.

    Attributes
    ----------
    name
        As users call it.
    tracing
        How its requests can be seen.
    """

    name: str
    tracing: Tracing

    def versions(self) -> dict[str, str]:
        """Tell the packages that its numbers depend on.

        Returns
        -------
        dict
            Package to version.
        """

    def refuse(self, config: StorageConfig, *, dtype: np.dtype[Any], store: StoreSpec) -> None:
        """Say before anything is written whether a configuration cannot be.

        Parameters
        ----------
        config
            How a volume is to be stored.
        dtype
            Type of a voxel.
        store
            Where.

        Raises
        ------
        RefusedError
            If the engine, in the release that is installed, cannot.
        """

    def create(self, store: StoreSpec, config: StorageConfig, *, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Make an empty array with fill value 0; every chunk that is written is stored, also one of zeros only.

        Otherwise volumes with empty regions would have other objects and bytes with each engine's own default. zarrs
        0.2 leaves chunks of zeros out whatever it is told.

        Parameters
        ----------
        store
            Where; nothing is there yet.
        config
            How.
        shape
            Extent in voxels.
        dtype
            Type of a voxel.

        Returns
        -------
        Array
            Open for writing and reading.

        Raises
        ------
        RefusedError
            If the engine cannot.
        """

    def open(self, store: StoreSpec, *, writable: bool = False) -> Array:
        """Open an array that is there.

        Parameters
        ----------
        store
            Where.
        writable
            Whether it will be written to.

        Returns
        -------
        Array
            Open.

        Raises
        ------
        RefusedError
            If the engine cannot use such a store.
        """

    def metadata(self, store: StoreSpec) -> dict[str, Any]:
        """Read what the store says of the array, as it stands there.

        Parameters
        ----------
        store
            Where.

        Returns
        -------
        dict
            The content of ``.zarray`` or ``zarr.json``.
        """
