"""Volumes by name: read lazily where the format allows, or prepared as a plain array for bare environments."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.fetch import cache_folder, fetch, write_whole
from zbench.datasets.phantom import Phantom
from zbench.datasets.readers import read_file, read_voxels
from zbench.datasets.registry import card
from zbench.errors import DataError, UnknownNameError
from zbench.model import Box, Provenance, Volume, voxel_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zbench.datasets.cards import Card
    from zbench.units import Shape

__all__ = ["card_voxels", "centre_crop", "load", "prepared", "read_card"]


def load(source: str, *, member: str | None = None) -> Volume:
    """Open a volume.

    Parameters
    ----------
    source
        Name in the registry, or path of a file or folder; what is both is the dataset.
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
    found = _find(source)
    if isinstance(found, Path):
        provenance = Provenance(source=str(found.absolute()), licence="unknown", citation="unknown")
        return replace(read_file(found, member=member), provenance=provenance)
    if member is not None:
        msg = f"A dataset of the registry is one array: got member {member!r} for {source!r}. Leave the member out."
        raise DataError(msg)
    return _from_card(found)


def _find(source: str) -> Card | Path:
    """Look a volume up: the registry comes first, lest a file that happens to be here stands in for a dataset."""
    try:
        return card(source)
    except UnknownNameError as error:
        if Path(source).exists():
            return Path(source)
        if os.sep in source:
            msg = f"A volume is a name in the registry or a file that exists: there is no {source!r}. Check the path."
            raise DataError(msg) from error
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
        Name in the registry, or path of a file or folder; what is both is the dataset.
    volume_size
        Keep at most so many voxels an axis, from the middle.

    Returns
    -------
    Path
        The file, little-endian, C order; its voxels had the digest of the card when it was made, and it is made anew
        if it no longer holds them.

    Raises
    ------
    DataError
        If the dataset cannot be had, read or trusted.
    """
    found = _find(name)
    if isinstance(found, Path):
        return _prepared_file(found, volume_size)
    crop = f"-{volume_size}" if volume_size is not None else ""
    target = cache_folder() / "prepared" / f"{found.name}{crop}-{found.voxel_digest[-16:]}.npy"
    return _kept(target, lambda: card_voxels(found)[centre_crop(found.shape, volume_size).slices])


def card_voxels(found: Card) -> npt.NDArray[Any]:
    """Read all voxels of a dataset and hold them against its card.

    Parameters
    ----------
    found
        Its card.

    Returns
    -------
    ndarray
        The voxels, C order.

    Raises
    ------
    DataError
        If they are others.
    """
    values = read_voxels(_from_card(found))
    digest = voxel_digest(values)
    if digest != found.voxel_digest:
        msg = (
            f"A dataset has fixed voxels: {found.name!r} gave {digest}, its card says {found.voxel_digest}. "
            "Nothing was kept; check the file and the reader."
        )
        raise DataError(msg)
    return values


def _prepared_file(path: Path, volume_size: int | None) -> Path:
    # A folder changes without its own time changing: every file in it counts.
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [(str(file), told.st_size, told.st_mtime_ns) for file in files if file.exists() for told in (file.stat(),)]
    key = hashlib.sha256(repr((str(path.absolute()), volume_size, states)).encode()).hexdigest()[:16]
    target = cache_folder() / "prepared" / f"{path.stem}-{key}.npy"

    def cropped() -> npt.NDArray[Any]:
        volume = read_file(path)
        return read_voxels(volume, centre_crop(volume.shape, volume_size))

    return _kept(target, cropped)


def _kept(target: Path, make: Callable[[], npt.NDArray[Any]]) -> Path:
    """Make a file of the cache, unless it is there and holds what was put into it."""
    record = target.with_suffix(".json")
    if _is_sound(target, record):
        return target
    values = make()
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    try:
        write_whole(target, lambda file: np.save(file, little, allow_pickle=False))
        _write_record(record, target, voxel_digest(little))
    except OSError as error:
        msg = (
            f"A prepared volume needs room in the cache: {str(target)!r} of {little.nbytes} bytes could not be written "
            f"({error}). Free some, or set ZBENCH_CACHE_DIR to another folder."
        )
        raise DataError(msg) from error
    return target


def _is_sound(target: Path, record: Path) -> bool:
    """Tell whether a prepared file still holds its voxels: read them again only if it was touched since."""
    try:
        told, known = target.stat(), json.loads(record.read_bytes())
        if [known["size_bytes"], known["mtime_ns"]] == [told.st_size, told.st_mtime_ns]:
            return True
        if voxel_digest(np.lib.format.open_memmap(target, mode="r")) != known["voxel_digest"]:
            return False
        with contextlib.suppress(OSError):
            _write_record(record, target, known["voxel_digest"])
    except (LookupError, OSError, TypeError, ValueError):
        return False  # Not there, or damaged: what was made can be made again.
    return True


def _write_record(record: Path, target: Path, digest: str) -> None:
    told = target.stat()
    known = {"size_bytes": told.st_size, "mtime_ns": told.st_mtime_ns, "voxel_digest": digest}
    write_whole(record, lambda file: file.write(json.dumps(known).encode()))
