"""How long a classic NetCDF file must be: the library reads zeros where one was cut, and does not say so.

The form of the header is that of the NetCDF classic format specification, versions 1, 2 and 5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAGIC", "end_of_data"]

MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
# Bytes of a number, by the type that the header gives.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}


def end_of_data(file: BinaryIO) -> int:
    """Read the header of a classic file.

    Parameters
    ----------
    file
        At its beginning.

    Returns
    -------
    int
        Bytes that a whole file of this header has at least.

    Raises
    ------
    EOFError
        If the header itself is cut.
    KeyError
        If it has a type that there is not.
    """
    return _Header(file).end()


class _Header:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        version = self._bytes(4)[3]
        self._count_bytes = 8 if version == 5 else 4
        self._place_bytes = 4 if version == 1 else 8

    def end(self) -> int:
        records = self._number(self._count_bytes)
        extents = [self._extent() for _ in self._entries()]
        self._attributes()
        ends, of_records = [0], []
        for _ in self._entries():
            place, size_bytes, is_record = self._variable(extents)
            if is_record:
                of_records.append((place, size_bytes))
            else:
                ends.append(place + size_bytes)
        # All ones say that the number of records is not known.
        if of_records and 0 < records < 256**self._count_bytes - 1:
            padded = [_padded(size_bytes) for _, size_bytes in of_records]
            step = sum(padded) if len(padded) > 1 else of_records[0][1]
            ends += [place + (records - 1) * step + size_bytes for place, size_bytes in of_records]
        return max(ends)

    def _variable(self, extents: list[int]) -> tuple[int, int, bool]:
        """Read a variable: where it begins, its bytes (of one record, if it has records), whether it has."""
        self._skip_name()
        shape = [extents[self._number(self._count_bytes)] for _ in range(self._number(self._count_bytes))]
        self._attributes()
        itemsize = _SIZES[self._number(4)]
        # The size that stands here is capped for large ones.
        self._number(self._count_bytes)
        # The axis of records is the first one, and has no extent of its own.
        is_record = bool(shape) and shape[0] == 0
        return self._number(self._place_bytes), math.prod(shape[is_record:]) * itemsize, is_record

    def _extent(self) -> int:
        self._skip_name()
        return self._number(self._count_bytes)

    def _attributes(self) -> None:
        for _ in self._entries():
            self._skip_name()
            itemsize = _SIZES[self._number(4)]
            self._bytes(_padded(self._number(self._count_bytes) * itemsize))

    def _entries(self) -> Iterator[int]:
        self._number(4)
        return iter(range(self._number(self._count_bytes)))

    def _skip_name(self) -> None:
        self._bytes(_padded(self._number(self._count_bytes)))

    def _number(self, size_bytes: int) -> int:
        return int.from_bytes(self._bytes(size_bytes), "big")

    def _bytes(self, count: int) -> bytes:
        data = self._file.read(min(count, 1 << 30))
        if len(data) < count:
            msg = f"the header ends {count - len(data)} bytes too early"
            raise EOFError(msg)
        return data


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // 4) * 4
