"""Zarr arrays and groups in a bucket or on a web server, of either format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.zarr_array import arrays_of, batched, full_size_level, levels_of
from zbench.datasets.remote import object_store, reached
from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    import numpy as np

    from zbench.datasets.readers.member import Member, Opened

__all__ = ["first_level", "members"]


@dataclass(frozen=True, slots=True)
class _Array:
    """An array of which a network lies in front."""

    node: Any
    address: str

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.node.shape)

    @property
    def chunks(self) -> tuple[int, ...]:
        return tuple(self.node.chunks)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.node.dtype
        return dtype

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        with reached(self.address):
            return self.node[key]


def members(address: str) -> list[Member]:
    """List the arrays of a Zarr hierarchy.

    Parameters
    ----------
    address
        Of an array, or of a group.

    Returns
    -------
    list of Member
        One for each array of two axes or more, named by its path; read box by box. A web server lists nothing: of a
        group there, those that its metadata name.

    Raises
    ------
    DataError
        If nothing of the kind is there, or cannot be reached.
    RefusedError
        If zarr-python is too old, or obstore is missing.
    """
    root = _root(address)
    with reached(address), batched():
        found = arrays_of(root, listed=_lists(address, root))
    if not found and not _lists(address, root):
        msg = (
            f"A web server does not list what it has: the group {address} names no arrays in its metadata. Give the "
            "address of an array."
        )
        raise DataError(msg)
    return [replace(member, open=_through(member, address)) for member in found]


def _through(member: Member, address: str) -> Any:
    def opened() -> Opened:
        plain = member.open()
        return replace(plain, array=_Array(plain.array, address))

    return opened


def first_level(address: str) -> str | None:
    """Name the level of an OME-Zarr that is of full size.

    Parameters
    ----------
    address
        Of a group or an array.

    Returns
    -------
    str or None
        ``None`` if there are no levels.

    Raises
    ------
    DataError
        If nothing of the kind is there, or cannot be reached.
    RefusedError
        If zarr-python is too old, or obstore is missing.
    """
    return full_size_level(_root(address))


def _root(address: str) -> Any:
    import zarr  # noqa: PLC0415 - importing zbench stays light

    if not hasattr(zarr.storage, "ObjectStore"):
        msg = f"Reading {address} needs zarr 3.0.7 or newer: {zarr.__version__} is installed. Install a newer one."
        raise RefusedError(msg)
    with reached(address), batched():
        return zarr.open(zarr.storage.ObjectStore(object_store(address), read_only=True), mode="r")


def _lists(address: str, root: Any) -> bool:
    if not address.startswith(("http://", "https://")) or hasattr(root, "chunks"):
        return True
    return root.metadata.consolidated_metadata is not None and not levels_of(root)
