"""Crops in the cache: a plain array each, with a record of what it is and where it came from."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.fetch import cache_folder, write_whole
from zbench.datasets.portal.client import portal_address
from zbench.errors import DataError
from zbench.model import Box, Provenance, Volume, voxel_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from zbench.datasets.portal.nouns import Wanted
    from zbench.units import Shape

__all__ = ["checked", "found", "keep", "locked", "place", "point", "record_path", "sound"]

_RECORD_VERSION = 1


def place(parts: tuple[object, ...]) -> Path:
    """Tell where a crop is kept.

    Parameters
    ----------
    parts
        What tells it from others; the first three are shown in the name.

    Returns
    -------
    Path
        In the cache.
    """
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return _folder() / f"{'-'.join(map(str, parts[:3]))}-{key}.npy"


def record_path(target: Path) -> Path:
    """Tell where the record of a crop is.

    Parameters
    ----------
    target
        The crop.

    Returns
    -------
    Path
        The JSON file beside it.
    """
    return target.with_suffix(".json")


def found(wanted: Wanted) -> Path | None:
    """Look for what the same wish brought before.

    Parameters
    ----------
    wanted
        The wish.

    Returns
    -------
    Path or None
        The crop, if it is there; its digest is not verified.
    """
    pointer = _read_json(_pointer(wanted))
    name = pointer.get("crop") if isinstance(pointer, dict) else None
    target = _folder() / str(name)
    return target if name and target.is_file() and _record(target) else None


def point(wanted: Wanted, target: Path) -> None:
    """Remember what a wish brought.

    Parameters
    ----------
    wanted
        The wish.
    target
        The crop.
    """
    told = {"wanted": json.loads(wanted.text), "portal": portal_address(), "crop": target.name}
    write_whole(_pointer(wanted), lambda file: file.write(json.dumps(told, indent=2).encode()))


def sound(target: Path) -> Volume | None:
    """Open a crop, its digest verified.

    Parameters
    ----------
    target
        The crop.

    Returns
    -------
    Volume or None
        Mapped; ``None`` if it is not there, lacks its record, or holds other voxels than were put into it.
    """
    record = _record(target)
    array, digest = _voxels(target)
    if record is None or digest != record["voxel_digest"]:
        return None
    return Volume(
        name=target.stem,
        array=array,
        **{field: value for field, value in record.items() if field != "voxel_digest"},
    )


def checked(target: Path) -> Volume | None:
    """Open a crop or refuse it; the caller holds its lock.

    Parameters
    ----------
    target
        The crop.

    Returns
    -------
    Volume or None
        Mapped; ``None`` if it is not there or lacks its record.

    Raises
    ------
    DataError
        If it holds other voxels than were put into it. It is set aside, so that the next call fetches it again.
    """
    volume = sound(target)
    record = _record(target)
    if volume is not None or record is None or not target.is_file():
        return volume
    digest = _voxels(target)[1]
    aside = target.parent / "refused" / f"{target.stem}-{uuid.uuid4().hex[:8]}.npy"
    with _room(target):
        aside.parent.mkdir(exist_ok=True)
        record_path(target).replace(record_path(aside))
        target.replace(aside)
    msg = (
        f"A crop in the cache has fixed voxels: {str(target)!r} gave {digest}, its record says "
        f"{record['voxel_digest']}. It was set aside as {str(aside)!r}; look at it or remove it, and ask again to "
        "fetch the crop anew."
    )
    raise DataError(msg)


def keep(
    target: Path,
    *,
    shape: Shape,
    dtype: np.dtype[Any],
    fill: Callable[[npt.NDArray[Any]], None],
    record: dict[str, Any],
) -> None:
    """Make a crop, whole or not at all; the caller holds its lock.

    Parameters
    ----------
    target
        The crop.
    shape
        Extent in voxels.
    dtype
        Type of a voxel; stored little-endian.
    fill
        Writes the voxels into the mapped file, which begins as zeros.
    record
        What to say of it beside its digest, shape and type.

    Raises
    ------
    DataError
        If there is no room for it.
    """
    # Nobody else writes while the lock is held: what is left was left by a process that was killed.
    for left in target.parent.glob(f".{target.name}.*"):
        left.unlink(missing_ok=True)
    little = np.dtype(dtype).newbyteorder("<")
    told: dict[str, Any] = {}

    def write(file: Any) -> None:
        header = {"descr": np.lib.format.dtype_to_descr(little), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        offset, nbytes = file.tell(), Box.whole(shape).voxels * little.itemsize
        # Written through a map, a full disk would end the process; so all room is taken first.
        os.posix_fallocate(file.fileno(), 0, offset + nbytes)
        array = np.memmap(file.name, dtype=little, mode="r+", offset=offset, shape=shape)
        fill(array)
        array.flush()
        told["voxel_digest"] = voxel_digest(array)

    with _room(target):
        write_whole(target, write)
        whole = {"version": _RECORD_VERSION, **told, "shape": shape, "dtype": little.str, **record}
        write_whole(record_path(target), lambda file: file.write(json.dumps(whole, indent=2).encode()))


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock of a crop, waiting for its present holder.

    Parameters
    ----------
    target
        The crop.

    Yields
    ------
    None
        While it is held. It ends with the process, whatever way that ends.

    Raises
    ------
    DataError
        If the cache cannot be written to.
    """
    # The file of a lock stays: one that is removed may still be waited for, and then two hold one of the same name.
    lock = target.parent / "locks" / f"{target.stem}.lock"
    with contextlib.ExitStack() as stack:
        with _room(target):
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(lock.open("a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _folder() -> Path:
    return cache_folder() / "portal"


def _pointer(wanted: Wanted) -> Path:
    key = hashlib.sha256(f"{portal_address()} {wanted.text}".encode()).hexdigest()[:32]
    return _folder() / "wanted" / f"{key}.json"


def _record(target: Path) -> dict[str, Any] | None:
    told = _read_json(record_path(target))
    try:
        if told["version"] != _RECORD_VERSION:
            return None
        return {
            "voxel_digest": str(told["voxel_digest"]),
            "axes": str(told["axes"]),
            "spacing": tuple(map(float, told["spacing"])),
            "spacing_unit": str(told["spacing_unit"]),
            "provenance": Provenance(**told["provenance"]),
        }
    except (LookupError, TypeError, ValueError):
        return None  # Damaged: whose record it was is not to be trusted without one.


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None  # None, or a damaged one: it says nothing.


def _voxels(target: Path) -> tuple[Any, str | None]:
    """Map a crop and hash it; a file that is no array has no digest that a record could have."""
    try:
        array = np.load(target, mmap_mode="r")
        return array, voxel_digest(array)
    except FileNotFoundError:
        return None, None
    except (EOFError, OSError, SyntaxError, ValueError) as error:
        return None, f"no voxels ({type(error).__name__})"


@contextlib.contextmanager
def _room(target: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        msg = (
            f"A crop of the portal needs room in the cache: {str(target)!r} could not be written ({error}). Free some, "
            "or set ZBENCH_CACHE_DIR to another folder."
        )
        raise DataError(msg) from error
