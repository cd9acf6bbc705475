"""BinaryCIF volumes as Mol* Volumes & Segmentations writes them, https://github.com/molstar/BinaryCIF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.member import Member, Opened
from zbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["members", "parse_bcif"]

# Of the ByteArray encoding.
_TYPES = {1: "<i1", 2: "<i2", 3: "<i4", 4: "<u1", 5: "<u2", 6: "<u4", 32: "<f4", 33: "<f8"}


def members(path: Path) -> list[Member]:
    """List the one volume of a BinaryCIF file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One, in memory.
    """
    return [Member(name="volume", open=lambda: parse_bcif(path.read_bytes(), path))]


def parse_bcif(data: bytes, path: Path) -> Opened:
    """Take the stored codes out of a BinaryCIF volume.

    Parameters
    ----------
    data
        The file.
    path
        Where it is, for messages.

    Returns
    -------
    Opened
        Codes of the interval quantisation, ``uint8``, ``(z, y, x)``: what is stored, not the densities they stand for.

    Raises
    ------
    DataError
        If the volume is encoded in another way.
    """
    import msgpack  # noqa: PLC0415 - only for this format

    columns: dict[tuple[str, str], Any] = {}
    for block in msgpack.unpackb(data, raw=False)["dataBlocks"]:
        for category in block["categories"]:
            for column in category["columns"]:
                columns[category["name"], column["name"]] = column["data"]

    def of_each_axis(name: str) -> list[float]:
        return [_first(columns["_volume_data_3d_info", f"{name}[{axis}]"]) for axis in (2, 1, 0)]

    values = columns["_volume_data_3d", "values"]
    kinds = [(encoding["kind"], encoding.get("type")) for encoding in values["encoding"]]
    order = of_each_axis("axis_order")
    if kinds != [("IntervalQuantization", None), ("ByteArray", 4)] or order != [2, 1, 0]:
        msg = (
            f"A BinaryCIF volume is read when it is quantised to bytes, x fastest: {str(path)!r} is encoded as {kinds} "
            f"with axes {order}, slowest first. Convert it to MRC."
        )
        raise DataError(msg)
    extent = tuple(int(count) for count in of_each_axis("sample_count"))
    array = np.frombuffer(values["data"], "<u1").reshape(extent)
    cell, share = of_each_axis("spacegroup_cell_size"), of_each_axis("dimensions")
    edges = tuple(size * part / count for size, part, count in zip(cell, share, extent, strict=True))
    known = all(edge > 0 for edge in edges)
    return Opened(array=array, spacing=edges if known else None, spacing_unit="angstrom" if known else None)


def _first(column: Any) -> float:
    (encoding,) = column["encoding"]
    return float(np.frombuffer(column["data"], _TYPES[encoding["type"]])[0])
