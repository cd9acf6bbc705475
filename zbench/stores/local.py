"""What lies in a local store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zbench.errors import RefusedError
from zbench.model import StoreKind

if TYPE_CHECKING:
    from zbench.model import StoreSpec

__all__ = ["Inventory", "inventory"]


@dataclass(frozen=True, slots=True)
class Inventory:
    """All objects of a store.

    Attributes
    ----------
    objects
        Number of objects, metadata included.
    stored_bytes
        Their bytes, without what the filesystem adds.
    """

    objects: int
    stored_bytes: int


def inventory(store: StoreSpec) -> Inventory:
    """Count the objects of a local store.

    Parameters
    ----------
    store
        The store.

    Returns
    -------
    Inventory
        Number and bytes.

    Raises
    ------
    RefusedError
        If the store is not local.
    """
    if store.kind is not StoreKind.LOCAL:
        msg = f"Only the objects of a local store can be counted: got a {store.kind} store. Use a local one."
        raise RefusedError(msg)
    # LocalStore of zarr 3 leaves a lock or temporary file only where a write was cut; such a file is an object too.
    sizes = [path.stat().st_size for path in Path(store.location).rglob("*") if path.is_file()]
    return Inventory(len(sizes), sum(sizes))
