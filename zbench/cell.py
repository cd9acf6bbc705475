"""A cell made ready to be measured: stored once and verified, then opened, read, written and counted at will.

It stands above the strangers of the floor below (datasets, engines, stores, grid) because it is where they meet: the
asv suite and zbench's own runner measure the very same thing.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zbench.codecs import parse_chain
from zbench.datasets import prepared
from zbench.engines import engine, write_verified
from zbench.errors import ZbenchError
from zbench.layouts import resolve_layout
from zbench.model import StorageConfig, StoreKind, StoreSpec
from zbench.patterns import access_pattern
from zbench.stores import inventory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Executor

    import numpy.typing as npt

    from zbench.engines import Array
    from zbench.grid import CellSpec
    from zbench.model import AccessPattern
    from zbench.units import Shape

__all__ = [
    "Outcome",
    "StoredCell",
    "blank_array",
    "cell_fields",
    "cell_pattern",
    "open_array",
    "read",
    "restored_cell",
    "store_cell",
    "store_cells",
    "stored",
    "voxels",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCell:
    """One dataset as one engine stored it, proved to come back.

    Attributes
    ----------
    spec
        What was asked for, by name.
    config
        What that means for this volume.
    store
        Where it lies.
    shape, dtype
        Extent in voxels and type of a voxel.
    digest
        Of the voxels that were read back.
    objects, stored_bytes
        Number and bytes of all objects, metadata included.
    """

    spec: CellSpec
    config: StorageConfig
    store: StoreSpec
    shape: Shape
    dtype: str
    digest: str
    objects: int
    stored_bytes: int

    @property
    def logical_bytes(self) -> int:
        """Number of bytes of the voxels."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def compression_ratio(self) -> float:
        """Logical bytes ÷ stored bytes, metadata included: the project's one meaning of compression ratio."""
        return self.logical_bytes / self.stored_bytes


# A cell, or the reason why there is none; errors are kept so that each benchmark of the cell can raise its own.
Outcome: TypeAlias = StoredCell | ZbenchError


@lru_cache(maxsize=1)
def voxels(dataset: str, volume_size: int | None = None) -> npt.NDArray[Any]:
    """Load a dataset into memory.

    Parameters
    ----------
    dataset
        Name in the registry.
    volume_size
        Keep at most so many voxels an axis, from the middle; ``None`` keeps all.

    Returns
    -------
    ndarray
        Voxels, ``(z, y, x)``, C order, not to be written to.

    Raises
    ------
    DataError
        If the dataset cannot be had.
    UnknownNameError
        If there is no such dataset.
    """
    values = np.array(np.load(prepared(dataset, volume_size=volume_size), mmap_mode="r"))
    values.flags.writeable = False
    return values


def store_cell(spec: CellSpec, values: npt.NDArray[Any], folder: Path) -> StoredCell:
    """Store a volume, read it back, compare, and prove that the stored metadata says what was asked.

    Parameters
    ----------
    spec
        What to store and how.
    values
        The voxels of its dataset.
    folder
        In which the cell gets a folder of its own; an older one of the same cell is replaced.

    Returns
    -------
    StoredCell
        Ready to be measured.

    Raises
    ------
    RefusedError
        If the engine or the volume cannot.
    VerificationError
        If what was read or stored is not what was written or asked for.
    """
    config = _config(spec, values.shape)
    store = _store(spec, folder, config)
    # Two layouts that follow the volume may mean the same numbers, and so the same folder.
    shutil.rmtree(store.location, ignore_errors=True)
    verified = write_verified(engine(spec.engine), store, config, values)
    kept = inventory(store)
    return StoredCell(
        spec=spec,
        config=config,
        store=store,
        shape=values.shape,
        dtype=values.dtype.str,
        digest=verified.digest,
        objects=kept.objects,
        stored_bytes=kept.stored_bytes,
    )


def store_cells(specs: Iterable[CellSpec], folder: Path) -> dict[str, Outcome]:
    """Store many cells; one that cannot be does not keep the others from it.

    Parameters
    ----------
    specs
        What to store and how.
    folder
        In which each cell gets a folder of its own.

    Returns
    -------
    dict
        From the text of each cell to the stored cell, or to the error that says why there is none.
    """
    outcomes: dict[str, Outcome] = {}
    for spec in specs:
        try:
            outcomes[spec.text] = store_cell(spec, voxels(spec.dataset), folder)
        except ZbenchError as error:
            outcomes[spec.text] = error
    return outcomes


def stored(outcomes: dict[str, Outcome], spec: CellSpec) -> StoredCell:
    """Take a cell out of what `store_cells` gave.

    Parameters
    ----------
    outcomes
        What it gave.
    spec
        The cell.

    Returns
    -------
    StoredCell
        Ready to be measured.

    Raises
    ------
    ZbenchError
        The error that kept the cell from being stored: refused cells are skips, wrong ones failures.
    """
    outcome = outcomes[spec.text]
    if isinstance(outcome, ZbenchError):
        raise outcome
    return outcome


def open_array(cell: StoredCell) -> Array:
    """Open a stored cell for reading.

    Parameters
    ----------
    cell
        The cell.

    Returns
    -------
    Array
        The engine's handle.
    """
    return engine(cell.spec.engine).open(cell.store)


def blank_array(cell: StoredCell, folder: Path) -> Array:
    """Make an empty array like a stored cell, to write to.

    Parameters
    ----------
    cell
        The cell.
    folder
        In which the array gets a folder of its own; an older one is removed first, so that every write meets an empty
        store.

    Returns
    -------
    Array
        The engine's handle.
    """
    store = _store(cell.spec, folder, cell.config)
    shutil.rmtree(store.location, ignore_errors=True)
    return engine(cell.spec.engine).create(store, cell.config, shape=cell.shape, dtype=np.dtype(cell.dtype))


def cell_fields(cell: StoredCell) -> dict[str, Any]:
    """Write down what cannot be worked out from the spec, as JSON can hold it.

    Parameters
    ----------
    cell
        The cell.

    Returns
    -------
    dict
        For `restored_cell`.
    """
    return {
        "config": cell.config.text,
        "shape": list(cell.shape),
        "dtype": cell.dtype,
        "digest": cell.digest,
        "objects": cell.objects,
        "stored_bytes": cell.stored_bytes,
        "logical_bytes": cell.logical_bytes,
    }


def restored_cell(spec: CellSpec, folder: Path, fields: dict[str, Any]) -> StoredCell:
    """Take up a cell that another process stored.

    Parameters
    ----------
    spec
        What was stored and how.
    folder
        The folder it was stored in.
    fields
        What `cell_fields` wrote down.

    Returns
    -------
    StoredCell
        Ready to be measured.
    """
    shape = tuple(fields["shape"])
    config = _config(spec, shape)
    return StoredCell(
        spec=spec,
        config=config,
        store=_store(spec, folder, config),
        shape=shape,
        dtype=fields["dtype"],
        digest=fields["digest"],
        objects=fields["objects"],
        stored_bytes=fields["stored_bytes"],
    )


def cell_pattern(cell: StoredCell, name: str) -> AccessPattern:
    """Make an access pattern for a stored cell.

    Parameters
    ----------
    cell
        The cell.
    name
        Name of the access pattern.

    Returns
    -------
    AccessPattern
        Its boxes.

    Raises
    ------
    RefusedError
        If the volume is too small for it.
    """
    return access_pattern(name, cell.shape)


def read(array: Array, pattern: AccessPattern, executor: Executor | None = None) -> None:
    """Execute an access pattern; what is read is thrown away.

    Parameters
    ----------
    array
        An open array.
    pattern
        Boxes to read.
    executor
        Runs the boxes of one operation at once; ``None`` reads one after the other.
    """
    for operation in pattern.operations:
        if executor is None or len(operation) == 1:
            for box in operation:
                array.read_box(box)
        else:
            list(executor.map(array.read_box, operation))


def _config(spec: CellSpec, shape: Shape) -> StorageConfig:
    return StorageConfig(layout=resolve_layout(spec.layout, shape), chain=parse_chain(spec.chain))


def _store(spec: CellSpec, folder: Path, config: StorageConfig) -> StoreSpec:
    name = spec.dataset
    if Path(name).name != name:
        # The path of a file: its cells must lie in the folder, not beside it, and apart from those of its namesakes.
        name = f"{Path(name).stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    place = folder / f"{name}-{spec.engine}-{config.digest}.zarr"
    return StoreSpec(kind=StoreKind.LOCAL, location=str(place.absolute()))
