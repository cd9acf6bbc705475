"""Which reader a file takes."""

from __future__ import annotations

import contextlib
import lzma
import struct
import tarfile
import tokenize
import zipfile
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.later import later_kind, refusal
from zbench.datasets.readers.member import MRC_SUFFIXES, check_array, check_bytes, choose
from zbench.errors import DataError, RefusedError, ZbenchError
from zbench.model import Box, Provenance, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["SUFFIXES", "read_file", "read_voxels"]

# A suffix of two parts comes before its last part alone: a .h5.gz is HDF5, not a gzip of something.
SUFFIXES = {
    **{f"{kind}{packed}": "mrc" for kind in MRC_SUFFIXES for packed in (".bz2", ".gz", "")},
    ".tar.gz": "archive",
    ".h5.gz": "hdf5",
    ".hdf5.gz": "hdf5",
    ".bcif": "bcif",
    ".em": "em",
    ".tiff": "tiff",
    ".tif": "tiff",
    ".png": "planes",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
    ".h5": "hdf5",
    ".tgz": "archive",
    ".tar": "archive",
    ".zip": "archive",
    ".npy": "npy",
}
# Where the name of the package is not that of the module.
_PACKAGES = {"PIL": "pillow"}

# What the format libraries raise for files that are cut, garbled or lie about themselves.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_file(path: Path, *, member: str | None = None) -> Volume:
    """Open a volume file.

    Parameters
    ----------
    path
        A file, a folder of planes, or a Zarr array or group.
    member
        Which array of a file that holds several.

    Returns
    -------
    Volume
        Axes ``z, y, x`` (a fourth one before them is ``t``).

    Raises
    ------
    DataError
        If the file is damaged, or says what cannot be.
    RefusedError
        If the format or the type of its voxels cannot be used, or the library for it is missing.
    """
    reader = _reader(path)
    with _damage_told(path):
        try:
            members = import_module(f"zbench.datasets.readers.{reader}").members(path)
            opened = choose(members, member, path).open()
        except ImportError as error:
            module = (error.name or reader).partition(".")[0]
            package = _PACKAGES.get(module, module)
            msg = (
                f"Reading {str(path)!r} needs the package {package}: it is not installed ({error}). Run: pip install "
                f"{package}, or prepare the dataset where it is with 'zbench data fetch'."
            )
            raise RefusedError(msg) from error
        check_array(opened.array, path)
    shape = opened.array.shape
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        msg = f"A volume has two to four axes, none empty: {str(path)!r} has shape {shape}. Choose a part of it."
        raise RefusedError(msg)
    spacing = opened.spacing if opened.spacing is not None and len(opened.spacing) == len(shape) else None
    return Volume(
        name=path.name,
        array=opened.array,
        axes=opened.axes if opened.axes is not None and len(opened.axes) == len(shape) else "tzyx"[-len(shape) :],
        spacing=spacing,
        spacing_unit=opened.spacing_unit if spacing else None,
        provenance=Provenance(source=str(path), licence="unknown", citation="unknown"),
    )


def read_voxels(volume: Volume, box: Box | None = None) -> npt.NDArray[Any]:
    """Read voxels of an opened volume into memory.

    Parameters
    ----------
    volume
        As `read_file` gives it.
    box
        Which voxels; ``None`` takes all.

    Returns
    -------
    ndarray
        The voxels, C order.

    Raises
    ------
    DataError
        If they cannot be read, for what is read box by box may be damaged in its middle, or do not fit the memory.
    """
    taken = Box.whole(volume.shape) if box is None else box
    check_bytes(taken.voxels * volume.array.dtype.itemsize, volume.provenance.source)
    with _damage_told(volume.provenance.source):
        return np.ascontiguousarray(volume.array[taken.slices])


@contextlib.contextmanager
def _damage_told(place: Path | str) -> Iterator[None]:
    try:
        yield
    except ZbenchError:
        raise
    except _DAMAGE as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        msg = (
            f"A volume file must be whole and of the form its name says: {str(place)!r} is not ({told}). Get it again, "
            "or rename it."
        )
        raise DataError(msg) from error


def _reader(path: Path) -> str:
    name = path.name.lower()
    if path.is_dir():
        with contextlib.suppress(PermissionError):
            if any((path / key).is_file() for key in ("zarr.json", ".zarray", ".zgroup")):
                return "zarr_array"
        return "planes"
    if not path.is_file():
        msg = f"A volume file must exist: there is no {str(path)!r}. Check the path."
        raise DataError(msg)
    kind = later_kind(name)
    if kind is not None:
        raise refusal(kind, path)
    for suffix, reader in SUFFIXES.items():
        if name.endswith(suffix):
            return reader
    msg = f"A volume file is known by its suffix: {str(path)!r} has none of {', '.join(sorted(SUFFIXES))}. Rename it."
    raise RefusedError(msg)
