"""HDF5 files, also compressed by gzip as a whole."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.member import Member, check_bytes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["members", "unpacked"]

_PIECE_BYTES = 1 << 24


def members(path: Path) -> list[Member]:
    """List the arrays of an HDF5 file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One for each array of three axes or more, or of two if there is none; read box by box.
    """
    import h5py  # noqa: PLC0415 - only for this format

    file = h5py.File(unpacked(path) if path.suffix.lower() == ".gz" else path, "r")
    found: dict[str, Any] = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and node.ndim >= 2:
            found[name] = node

    file.visititems(visit)
    deep = {name: node for name, node in found.items() if node.ndim >= 3}
    return [Member(name=name, open=lambda node=node: node) for name, node in (deep or found).items()]  # type: ignore[misc]


def unpacked(path: Path) -> io.BytesIO:
    """Unpack a gzip file into memory, as long as it fits.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    BytesIO
        At its beginning.
    """
    kept = io.BytesIO()
    with gzip.open(path) as stream:
        while piece := stream.read(_PIECE_BYTES):
            check_bytes(kept.tell() + len(piece), path)
            kept.write(piece)
    kept.seek(0)
    return kept
