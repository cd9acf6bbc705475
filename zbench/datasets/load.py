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
from zbench.datasets.readers import part_of, read_file, read_voxels, split_member, split_source
from zbench.datasets.registry import card
from zbench.datasets.remote import is_address
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
        Name in the registry, path of a file or folder, or address of a Zarr array or group; what is a name and a path
        is the dataset. ``SOURCE::MEMBER`` has the member with it.
    member
        Which array of a file that holds several, and which place on its axes: ``NAME``, ``NAME@c=1@t=5`` or ``@t=5``.

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
    found, member = _find(source, member)
    if isinstance(found, Path | str):
        place = found if isinstance(found, str) else str(found.absolute())
        provenance = Provenance(source=place, licence="unknown", citation="unknown")
        return replace(read_file(found, member=member), provenance=provenance)
    return part_of(_from_card(found), _places(found, member))


def _find(source: str, member: str | None = None) -> tuple[Card | Path | str, str | None]:
    """Look a volume up: the registry comes first, lest a file that happens to be here stands in for a dataset."""
    name, named = split_source(source)
    if named is not None and member is not None:
        msg = f"One member is chosen: got {source!r} and member {member!r}. Give one of them."
        raise DataError(msg)
    member = named if named is not None else member
    if is_address(name):
        return name, member
    try:
        return card(name), member
    except UnknownNameError as error:
        if Path(name).exists():
            return Path(name), member
        if os.sep in name:
            msg = f"A volume is a name in the registry or a file that exists: there is no {name!r}. Check the path."
            raise DataError(msg) from error
        msg = f"{error} There is no file of that name either."
        raise UnknownNameError(msg) from error


def _places(found: Card, member: str | None) -> dict[str, int]:
    name, places = split_member(member)
    if name is not None:
        msg = (
            f"A dataset of the registry is one array: got member {member!r} for {found.name!r}. Leave the member "
            "out, or choose a place on an axis alone, as in @t=0."
        )
        raise DataError(msg)
    return places


def _from_card(found: Card) -> Volume:
    read = None if found.generator else read_card(found)
    return Volume(
        name=found.name,
        array=Phantom(found.shape, seed=found.seed) if read is None else read.array,
        axes=found.axes,
        spacing=found.spacing,
        spacing_unit=found.spacing_unit,
        meaning=None if read is None else read.meaning,
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
        Name in the registry, or path of a file or folder, perhaps with ``::MEMBER`` as `load` takes it.
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
    found, member = _find(name)
    if isinstance(found, str):
        msg = f"A dataset of a grid lies on this machine: got the address {found!r}. Give it to zbench cryoet instead."
        raise DataError(msg)
    if isinstance(found, Path):
        return _prepared_file(found, member, volume_size)
    places = _places(found, member)
    chosen = "".join(f"-{axis}{place}" for axis, place in places.items())
    crop = f"-{volume_size}" if volume_size is not None else ""
    target = cache_folder() / "prepared" / f"{found.name}{chosen}{crop}-{found.voxel_digest[-16:]}.npy"

    def cropped() -> npt.NDArray[Any]:
        part = part_of(replace(_from_card(found), array=card_voxels(found)), places)
        return read_voxels(part, centre_crop(part.shape, volume_size))

    return _kept(target, cropped)


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


def _prepared_file(path: Path, member: str | None, volume_size: int | None) -> Path:
    # A folder changes without its own time changing: every file in it counts.
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [(str(file), told.st_size, told.st_mtime_ns) for file in files if file.exists() for told in (file.stat(),)]
    key = hashlib.sha256(repr((str(path.absolute()), member, volume_size, states)).encode()).hexdigest()[:16]
    target = cache_folder() / "prepared" / f"{path.stem}-{key}.npy"

    def cropped() -> npt.NDArray[Any]:
        volume = read_file(path, member=member)
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
