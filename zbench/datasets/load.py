"""Volumes by name: read lazily where the format allows, or prepared as a plain array for bare environments."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.fetch import cache_folder, fetch
from zbench.datasets.phantom import Phantom
from zbench.datasets.readers import read_file
from zbench.datasets.registry import card
from zbench.errors import DataError, UnknownNameError
from zbench.model import Box, Provenance, Volume, voxel_digest

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.datasets.cards import Card
    from zbench.units import Shape

__all__ = ["centre_crop", "load", "prepared"]


def load(source: str, *, member: str | None = None) -> Volume:
    """Open a volume.

    Parameters
    ----------
    source
        Name in the registry, or path of a file or folder.
    member
        Which array of a file that holds several.

    Returns
    -------
    Volume
        Its array is read box by box where the format allows, and is in memory otherwise.

    Raises
    ------
    DataError
        If it cannot be had or read.
    RefusedError
        If its format or type cannot be used.
    UnknownNameError
        If there is no such dataset and no such file.
    """
    path = Path(source)
    if path.exists():
        provenance = Provenance(source=str(path.absolute()), licence="unknown", citation="unknown")
        return replace(read_file(path, member=member), provenance=provenance)
    if os.sep in source:
        msg = f"A volume is a name in the registry or a file that exists: there is no {source!r}. Check the path."
        raise DataError(msg)
    try:
        return _from_card(card(source))
    except UnknownNameError as error:
        msg = f"{error} There is no file of that name either."
        raise UnknownNameError(msg) from error


def _from_card(found: Card) -> Volume:
    array = Phantom(found.shape, seed=found.seed) if found.generator else read_card(found).array
    return Volume(
        name=found.name,
        array=array,
        axes=found.axes,
        spacing=found.spacing,
        spacing_unit=found.spacing_unit,
        provenance=found.provenance,
    )


def read_card(found: Card) -> Volume:
    """Read the file of a dataset.

    Parameters
    ----------
    found
        Card of a dataset that is a file.

    Returns
    -------
    Volume
        As the file says.

    Raises
    ------
    DataError
        If shape or type are not those of the card.
    """
    volume = read_file(fetch(found), member=found.member)
    if volume.shape != found.shape or np.dtype(volume.array.dtype).name != np.dtype(found.dtype).name:
        msg = (
            f"A dataset is what its card says: {found.name!r} should be {found.shape} {found.dtype}, the file has "
            f"{volume.shape} {volume.array.dtype}. Correct the card or the reader."
        )
        raise DataError(msg)
    return volume


def centre_crop(shape: Shape, size: int | None) -> Box:
    """Take the middle of a volume.

    Parameters
    ----------
    shape
        Extent of the volume in voxels.
    size
        Keep at most so many voxels an axis; ``None`` keeps all.

    Returns
    -------
    Box
        The middle.
    """
    kept = tuple(extent if size is None else min(extent, size) for extent in shape)
    start = tuple((extent - keep) // 2 for extent, keep in zip(shape, kept, strict=True))
    return Box(start, tuple(low + keep for low, keep in zip(start, kept, strict=True)))


def prepared(name: str, *, volume_size: int | None = None) -> Path:
    """Get a dataset as a plain ``.npy`` file, made once and kept in the cache.

    Environments of the benchmark suite hold no reader libraries: they map this file.

    Parameters
    ----------
    name
        Name in the registry, or path of a file or folder.
    volume_size
        Keep at most so many voxels an axis, from the middle.

    Returns
    -------
    Path
        The file, little-endian, C order; its voxels had the digest of the card when it was made.

    Raises
    ------
    DataError
        If the dataset cannot be had, read or trusted.
    """
    if Path(name).exists():
        return _prepared_file(Path(name), volume_size)
    found = card(name)
    crop = f"-{volume_size}" if volume_size is not None else ""
    target = cache_folder() / "prepared" / f"{found.name}{crop}-{found.voxel_digest[-16:]}.npy"
    if not target.is_file():
        values = np.ascontiguousarray(_from_card(found).array[...])
        digest = voxel_digest(values)
        if digest != found.voxel_digest:
            msg = (
                f"A dataset has fixed voxels: {found.name!r} gave {digest}, its card says {found.voxel_digest}. "
                "Nothing was kept; check the file and the reader."
            )
            raise DataError(msg)
        _keep(values[centre_crop(values.shape, volume_size).slices], target)
    return target


def _prepared_file(path: Path, volume_size: int | None) -> Path:
    told = path.stat()
    key = voxel_digest(np.array([told.st_size, told.st_mtime_ns, volume_size or 0, *map(ord, str(path.absolute()))]))
    target = cache_folder() / "prepared" / f"{path.stem}-{key[-16:]}.npy"
    if not target.is_file():
        volume = read_file(path)
        _keep(np.ascontiguousarray(volume.array[centre_crop(volume.shape, volume_size).slices]), target)
    return target


def _keep(values: npt.NDArray[Any], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.save(file, np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")), allow_pickle=False)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"A prepared volume needs room in the cache: {str(target.parent)!r} has none ({error}). Free some."
        raise DataError(msg) from error
