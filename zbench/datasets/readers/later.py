"""Formats that are known by name and have no reader yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["START_BYTES", "later_kind", "refusal"]

_SUFFIXES = {
    "AmiraMesh": (".am", ".am.gz"),
    "DICOM": (".dcm", ".dicom", ".ima"),
    "FITS": (".fits", ".fits.gz", ".fit", ".fts"),
    "GRIB": (".grib", ".grib2", ".grb", ".grb2"),
    "NIfTI": (".nii", ".nii.gz"),
    "NetCDF": (".nc", ".nc4", ".cdf"),
}
# DICOM files often have no suffix: "DICM" stands behind a preamble.
_DICOM = slice(128, 132)
START_BYTES = _DICOM.stop


def later_kind(name: str, start: bytes = b"") -> str | None:
    """Tell whether a file is of a format that is known and not read.

    Parameters
    ----------
    name
        Its name.
    start
        Its first `START_BYTES` bytes, if they are at hand.

    Returns
    -------
    str or None
        The format; ``None`` if it is none of these.
    """
    for kind, suffixes in _SUFFIXES.items():
        if name.lower().endswith(suffixes):
            return kind
    return "DICOM" if start[_DICOM] == b"DICM" else None


def refusal(kind: str, path: Path) -> RefusedError:
    """Say that a format cannot be read.

    Parameters
    ----------
    kind
        The format.
    path
        The file.

    Returns
    -------
    RefusedError
        Ready to raise.
    """
    return RefusedError(f"Format {kind} cannot be read yet: got {str(path)!r}. Convert it to MRC, TIFF or npy.")
