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
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.choice import part_of, split_member
from zbench.datasets.readers.dicom import DICOM_SUFFIXES
from zbench.datasets.readers.member import MRC_SUFFIXES, Opened, check_array, check_bytes, choose
from zbench.datasets.remote import SCHEMES
from zbench.errors import DataError, RefusedError, ZbenchError
from zbench.model import Box, Meaning, Provenance, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["SUFFIXES", "first_level", "read_file", "read_voxels"]

# A suffix of two parts comes before its last part alone: a .h5.gz is HDF5, not a gzip of something.
SUFFIXES = {
    **{f"{kind}{packed}": "mrc" for kind in MRC_SUFFIXES for packed in (".bz2", ".gz", "")},
    ".tar.gz": "archive",
    ".h5.gz": "hdf5",
    ".hdf5.gz": "hdf5",
    ".fits.gz": "fits",
    ".nii.gz": "nifti",
    ".am.gz": "amira",
    **dict.fromkeys(DICOM_SUFFIXES, "dicom"),
    ".am": "amira",
    ".bcif": "bcif",
    ".em": "em",
    ".fits": "fits",
    ".fit": "fits",
    ".fts": "fits",
    ".grib1": "grib",
    ".grib2": "grib",
    ".grib": "grib",
    ".grb2": "grib",
    ".grb": "grib",
    ".nii": "nifti",
    ".nc4": "netcdf",
    ".nc": "netcdf",
    ".cdf": "netcdf",
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
# How axes are called that the file does not name.
_NAMELESS = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tczyx"}
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


def read_file(path: Path | str, *, member: str | None = None) -> Volume:
    """Open a volume file.

    Parameters
    ----------
    path
        A file, a folder of planes, or a Zarr array or group; a text is the address of such an array or group.
    member
        Which array of a file that holds several, and which place on axes that are not in space: ``NAME``,
        ``NAME@c=1@t=5``, or ``@t=5`` where there is one array.

    Returns
    -------
    Volume
        Axes ``z, y, x`` unless the file says otherwise; one before them is ``t``, two are ``t, c``.

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
            members = list(import_module(f"zbench.datasets.readers.{reader}").members(path))
            name, places = (member, {}) if member in {one.name for one in members} else split_member(member)
            opened = choose(members, name, path).open()
        except ImportError as error:
            module = (error.name or reader).partition(".")[0]
            package = _PACKAGES.get(module, module)
            msg = (
                f"Reading {str(path)!r} needs the package {package}: it is not installed ({error}). Run: pip install "
                f"{package}, or prepare the dataset where it is with 'zbench data fetch'."
            )
            raise RefusedError(msg) from error
        check_array(opened.array, path)
    return part_of(_volume(opened, path), places)


def first_level(path: Path | str) -> str | None:
    """Name the level of an OME-Zarr that is of full size.

    Parameters
    ----------
    path
        As `read_file` takes it.

    Returns
    -------
    str or None
        ``None`` if it is nothing of the kind.

    Raises
    ------
    DataError
        If it is an address that cannot be reached.
    RefusedError
        If it is an address of another kind, or a library is missing.
    """
    reader = _address_reader(path) if isinstance(path, str) else "zarr_array"
    level: str | None = import_module(f"zbench.datasets.readers.{reader}").first_level(path)
    return level


def _volume(opened: Opened, path: Path | str) -> Volume:
    shape = opened.array.shape
    axes = opened.axes if opened.axes is not None and len(opened.axes) == len(shape) else _NAMELESS.get(len(shape))
    if axes is None or min(shape) < 1:
        msg = (
            f"A volume has two to five axes, or more that its file names, none empty: {str(path)!r} has shape {shape}. "
            "Choose a part of it."
        )
        raise RefusedError(msg)
    spacing = opened.spacing
    fits = spacing is not None and (len(spacing) == len(axes) or _are_in_space(axes, len(spacing)))
    return Volume(
        name=PurePosixPath(path).name,
        array=opened.array,
        axes=axes,
        spacing=spacing if fits else None,
        spacing_unit=opened.spacing_unit if fits else None,
        # A number that is its own value, of no unit, says nothing.
        meaning=opened.meaning if opened.meaning != Meaning() else None,
        provenance=Provenance(source=str(path), licence="unknown", citation="unknown"),
    )


def _are_in_space(axes: str, count: int) -> bool:
    """Tell whether the last axes, and no others, are those in space."""
    return set(axes[len(axes) - count :]) == set(axes) & set("xyz")


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


def _reader(path: Path | str) -> str:
    if isinstance(path, str):
        return _address_reader(path)
    name = path.name.lower()
    if path.is_dir():
        with contextlib.suppress(PermissionError):
            if any((path / key).is_file() for key in ("zarr.json", ".zarray", ".zgroup")):
                return "zarr_array"
        return "planes"
    if not path.is_file():
        msg = f"A volume file must exist: there is no {str(path)!r}. Check the path."
        raise DataError(msg)
    for suffix, reader in SUFFIXES.items():
        if name.endswith(suffix):
            return reader
    msg = f"A volume file is known by its suffix: {str(path)!r} has none of {', '.join(sorted(SUFFIXES))}. Rename it."
    raise RefusedError(msg)


def _address_reader(address: str) -> str:
    if address.partition("://")[0] not in SCHEMES:
        msg = (
            f"A volume is read from this machine, or from {', '.join(f'{one}://' for one in SCHEMES)}: got the address "
            f"{address!r}. Download it and give its path."
        )
        raise RefusedError(msg)
    if address.lower().endswith(tuple(SUFFIXES)):
        msg = f"Of what lies at an address Zarr can be read in part: {address!r} is a file. Download it, give its path."
        raise RefusedError(msg)
    return "zarr_address"
