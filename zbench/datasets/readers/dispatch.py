"""Which reader a file takes."""

from __future__ import annotations

import contextlib
import lzma
import struct
import tarfile
import zipfile
import zlib
from importlib import import_module
from typing import TYPE_CHECKING

from zbench.datasets.readers.member import check_array, choose
from zbench.errors import DataError, RefusedError, ZbenchError
from zbench.model import Provenance, Volume

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SUFFIXES", "read_file"]

# Longest first: a .h5.gz is HDF5, not a gzip of something.
SUFFIXES = {
    ".mrc.bz2": "mrc",
    ".mrc.gz": "mrc",
    ".map.gz": "mrc",
    ".tar.gz": "archive",
    ".h5.gz": "hdf5",
    ".mrcs": "mrc",
    ".mrc": "mrc",
    ".map": "mrc",
    ".rec": "mrc",
    ".ali": "mrc",
    ".st": "mrc",
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
_LATER = {
    ".am.gz": "AmiraMesh",
    ".am": "AmiraMesh",
    ".fits": "FITS",
    ".nc": "NetCDF",
    ".grib": "GRIB",
    ".dcm": "DICOM",
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
}
_PACKAGES = {"mrc": "mrcfile", "tiff": "tifffile", "planes": "pillow", "hdf5": "h5py", "zarr_array": "zarr"}

# What the format libraries raise for files that are cut, garbled or lie about themselves.
_DAMAGE = (
    ArithmeticError,
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
    try:
        members = import_module(f"zbench.datasets.readers.{reader}").members(path)
        chosen = choose(members, member, path)
        array = chosen.open()
    except ZbenchError:
        raise
    except ImportError as error:
        package = _PACKAGES.get(reader, error.name or reader)
        msg = (
            f"Reading {str(path)!r} needs the package {package}: it is not installed ({error}). Run: pip install "
            f"{package}, or prepare the dataset where it is with 'zbench data fetch'."
        )
        raise RefusedError(msg) from error
    except _DAMAGE as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        msg = f"A volume file must be whole and of the form its name says: {str(path)!r} is not ({told})."
        raise DataError(msg) from error
    check_array(array, path)
    axes = "zyx" if len(array.shape) == 3 else "tzyx"[-len(array.shape) :] if len(array.shape) == 4 else "yx"
    if not 2 <= len(array.shape) <= 4 or min(array.shape) < 1:
        msg = f"A volume has two to four axes, none empty: {str(path)!r} has shape {array.shape}. Choose a part of it."
        raise RefusedError(msg)
    spacing = chosen.spacing if chosen.spacing is not None and len(chosen.spacing) == len(array.shape) else None
    return Volume(
        name=path.name,
        array=array,
        axes=axes,
        spacing=spacing,
        spacing_unit=chosen.spacing_unit if spacing else None,
        provenance=Provenance(source=str(path), licence="unknown", citation="unknown"),
    )


def _reader(path: Path) -> str:
    name = path.name.lower()
    if path.is_dir():
        with contextlib.suppress(PermissionError):
            if any((path / key).is_file() for key in ("zarr.json", ".zarray", ".zgroup")):
                return "zarr_array"
        return "planes"
    for suffix, kind in _LATER.items():
        if name.endswith(suffix):
            msg = f"Format {kind} cannot be read yet: got {str(path)!r}. Convert it to MRC, TIFF or npy."
            raise RefusedError(msg)
    for suffix, reader in SUFFIXES.items():
        if name.endswith(suffix):
            if not path.is_file():
                msg = f"A volume file must exist: there is no {str(path)!r}. Check the path."
                raise DataError(msg)
            return reader
    msg = f"A volume file is known by its suffix: {str(path)!r} has none of {', '.join(sorted(SUFFIXES))}. Rename it."
    raise RefusedError(msg)
