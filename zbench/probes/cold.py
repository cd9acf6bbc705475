"""Take a store out of the page cache, and prove that it is out."""

from __future__ import annotations

import ctypes
import mmap
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import RefusedError
from zbench.model import StoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.model import StoreSpec

__all__ = ["Chilled", "ColdMethod", "Residency", "chill", "residency"]

# Of the bytes of a store, what may still be in memory when it counts as cold.
_WARMEST = 0.01
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")
# Page cache, and what is known of folders and files.
_EVERYTHING = "3"


class ColdMethod(StrEnum):
    """How a store is taken out of the page cache."""

    DROP = "drop"
    FADVISE = "fadvise"

    @property
    def sentence(self) -> str:
        """What it does, for a report."""
        if self is ColdMethod.DROP:
            return (
                "the page cache of the machine, with what it knew of folders and files, was dropped (sync, drop_caches)"
            )
        return "every file of the store was taken out of the page cache (fsync, posix_fadvise); folders were left in it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Residency:
    """How much of a store lies in the page cache.

    Attributes
    ----------
    files
        Number of files that hold bytes.
    pages, resident_pages
        Their pages, and those of them that are in memory.
    """

    files: int
    pages: int
    resident_pages: int

    @property
    def share(self) -> float:
        """Resident pages ÷ pages; 0 for a store without bytes."""
        return self.resident_pages / self.pages if self.pages else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Chilled:
    """A store after it was taken out of the page cache.

    Attributes
    ----------
    method
        How.
    residency
        What is left of it in memory.
    """

    method: ColdMethod
    residency: Residency

    @property
    def is_cold(self) -> bool:
        """Whether at most a hundredth is left."""
        return self.residency.share <= _WARMEST


def chill(store: StoreSpec, *, method: ColdMethod | None = None, drop_caches: Path = _DROP_CACHES) -> Chilled:
    """Take a store out of the page cache of this machine, and look whether it is out.

    The cache of a disk, of a hypervisor or of a file server stays as it is. What a library keeps of the store is not
    reached: close its arrays before, and open them after.

    Parameters
    ----------
    store
        The store.
    method
        `ColdMethod.DROP` needs root, and takes the cache from all who use the machine. Unless given, it is used where
        it may be, and `ColdMethod.FADVISE` elsewhere.
    drop_caches
        The switch of the kernel.

    Returns
    -------
    Chilled
        With the proof; it may say that the store is not cold.

    Raises
    ------
    RefusedError
        If the store is not a local one, or cannot be taken out in this way.
    """
    files = _files(store)
    if method is None:
        method = ColdMethod.DROP if os.access(drop_caches, os.W_OK) else ColdMethod.FADVISE
    if method is ColdMethod.DROP:
        _drop(drop_caches)
    else:
        for file in files:
            _forget(file)
    return Chilled(method=method, residency=_residency(files))


def residency(store: StoreSpec) -> Residency:
    """Look how much of a local store lies in the page cache.

    Parameters
    ----------
    store
        The store.

    Returns
    -------
    Residency
        Of all its files. Those of other users count as resident: the kernel does not tell (mincore(2)).

    Raises
    ------
    RefusedError
        If the store is not a local one, or this system has no mincore.
    """
    return _residency(_files(store))


def _files(store: StoreSpec) -> tuple[Path, ...]:
    if store.kind is not StoreKind.LOCAL:
        msg = (
            f"Only files leave the page cache: got a {store.kind} store, whose bytes are cached elsewhere or nowhere. "
            "Read it warm, or take a local store."
        )
        raise RefusedError(msg)
    return tuple(path for path in sorted(Path(store.location).rglob("*")) if path.is_file() and path.stat().st_size)


def _drop(switch: Path) -> None:
    os.sync()
    try:
        switch.write_text(_EVERYTHING, encoding="ascii")
    except OSError as error:
        msg = f"Dropping the page cache needs root and a writable {switch}: {error}. Use the method fadvise."
        raise RefusedError(msg) from error


def _forget(path: Path) -> None:
    if not hasattr(os, "posix_fadvise"):
        msg = "Taking files out of the page cache needs posix_fadvise: this system has none. Read warm."
        raise RefusedError(msg)
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            # A page that is still to be written stays.
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
    except OSError as error:
        msg = f"A file of a store must be readable to leave the page cache: {str(path)!r} is not ({error}). Read warm."
        raise RefusedError(msg) from error


def _residency(files: Sequence[Path]) -> Residency:
    pages = resident = 0
    for path in files:
        flags = _resident_pages(path)
        pages += flags.size
        resident += int(np.count_nonzero(flags))
    return Residency(files=len(files), pages=pages, resident_pages=resident)


def _resident_pages(path: Path) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        length = len(mapped)
        flags = np.zeros(-(-length // mmap.PAGESIZE), dtype=np.uint8)
        view = np.frombuffer(mapped, dtype=np.uint8)
        try:
            library = ctypes.CDLL(None, use_errno=True)
            failed = library.mincore(
                ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(length), ctypes.c_void_p(flags.ctypes.data)
            )
        except AttributeError as error:
            msg = "Proving what is in the page cache needs mincore: this system has none. Read warm."
            raise RefusedError(msg) from error
        finally:
            # The mapping closes only when no array looks at it.
            del view
    if failed:
        reason = os.strerror(ctypes.get_errno())
        msg = f"mincore tells what is in the page cache: it failed on {str(path)!r} ({reason}). Read warm."
        raise RefusedError(msg)
    # The other bits are reserved.
    return flags & np.uint8(1)
