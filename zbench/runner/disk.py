"""Room on the disk: what an array may take, what a folder takes, and which errors mean that there is none."""

from __future__ import annotations

import errno
import os
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zbench.model import ArrayLayout
    from zbench.units import Shape

__all__ = ["DISK_FULL", "bound_bytes", "is_disk_full", "used_bytes"]

# What a worker calls the error of a full disk.
DISK_FULL = "DiskFull"

# An object takes whole blocks of the filesystem, and its folder some more; codecs add some bytes to noise.
_OBJECT_BYTES = 8 * 1024
_EXPANSION = 1.01
_METADATA_OBJECTS = 4
_BLOCK_BYTES = 512
_ERRORS = (errno.ENOSPC, errno.EDQUOT)
# Libraries that write by native code tell it in words alone.
_WORDS = ("no space left", "disk quota exceeded", "os error 28", "enospc")


def bound_bytes(shape: Shape, layout: ArrayLayout, itemsize: int) -> int:
    """Tell what a stored array may take on the disk at most.

    Parameters
    ----------
    shape
        Extent of the volume in voxels.
    layout
        Chunks and shards.
    itemsize
        Bytes of a voxel.

    Returns
    -------
    int
        Bytes, if nothing can be compressed, with the blocks of the filesystem.
    """
    grid = [-(-extent // edge) for extent, edge in zip(shape, layout.objects_shape, strict=True)]
    # Objects at the edge are stored whole, and one may be there twice while it is written.
    object_bytes = int(prod(layout.objects_shape) * itemsize * _EXPANSION) + _OBJECT_BYTES
    index_bytes = 16 * prod(layout.objects_shape) // prod(layout.chunks)
    return (prod(grid) + 1) * (object_bytes + index_bytes) + _METADATA_OBJECTS * _OBJECT_BYTES


def used_bytes(place: Path) -> int:
    """Add up what a file or folder takes on the disk.

    Parameters
    ----------
    place
        It, with all in it; files may come and go meanwhile.

    Returns
    -------
    int
        Bytes of whole blocks.
    """
    if not place.is_dir():
        return _blocks(str(place))
    return sum(_blocks(f"{folder}/{name}") for folder, _, names in os.walk(place) for name in (".", *names))


def _blocks(path: str) -> int:
    try:
        return os.lstat(path).st_blocks * _BLOCK_BYTES
    except OSError:
        return 0


def is_disk_full(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, is that of a full disk.

    Parameters
    ----------
    error
        Whatever was raised.

    Returns
    -------
    bool
        Also for a quota that is used up.
    """
    return any(
        getattr(one, "errno", None) in _ERRORS or any(word in str(one).lower() for word in _WORDS)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
