"""BinaryCIF volumes as Mol* Volumes & Segmentations writes them, https://github.com/molstar/BinaryCIF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse_bcif"]


def parse_bcif(data: bytes, path: Path) -> Any:
    """Take the stored codes out of a BinaryCIF volume.

    Parameters
    ----------
    data
        The file.
    path
        Where it is, for messages.

    Returns
    -------
    ndarray
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
    extent = tuple(
        int(np.frombuffer(columns["_volume_data_3d_info", f"sample_count[{axis}]"]["data"], "<i4")[0])
        for axis in (2, 1, 0)
    )
    values = columns["_volume_data_3d", "values"]
    kinds = [encoding["kind"] for encoding in values["encoding"]]
    if kinds != ["IntervalQuantization", "ByteArray"]:
        msg = f"A BinaryCIF volume is read when it is quantised to bytes: {str(path)!r} is encoded as {kinds}."
        raise DataError(msg)
    return np.frombuffer(values["data"], "<u1").reshape(extent)
