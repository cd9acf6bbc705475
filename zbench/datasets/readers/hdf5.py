"""HDF5 files, also compressed by gzip as a whole."""

from __future__ import annotations

import gzip
import io
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.member import Member, Opened, check_bytes

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
    return [Member(name=name, open=partial(_opened, node)) for name, node in (deep or found).items()]


def _opened(node: Any) -> Opened:
    # ilastik and PlantSeg write it, slowest axis first.
    told = node.attrs.get("element_size_um")
    spacing = None if told is None else tuple(float(edge) for edge in told)
    known = spacing is not None and len(spacing) == node.ndim and all(0 < edge < math.inf for edge in spacing)
    return Opened(array=node, spacing=spacing if known else None, spacing_unit="micrometer" if known else None)


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
