"""GRIB files of both editions, by ecCodes.

Each message packs its field with a reference of its own, so there is no one scale under which the integers of several
could stay packed: values are unpacked, to ``float32`` as cfgrib has them, field by field.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import struct
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from zbench.datasets.readers.lazy import Planes
from zbench.datasets.readers.member import Member, Opened
from zbench.errors import DataError, RefusedError
from zbench.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbench.units import Shape

__all__ = ["members"]

# Slowest axis first: ensemble member, time, step of the forecast, level.
_AXES = "mtsz"
_VALUE_TYPE = np.dtype("f4")
# Of a message of edition 2: what comes before its sections, and the section that a field has once.
_HEAD_BYTES = 16
_DATA_SECTION = 7
# Far more than a bulletin puts between messages.
_LOOK_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class _Field:
    offset: int
    size_bytes: int
    names: tuple[str, ...]
    place: tuple[float, ...]
    shape: Shape
    unit: str


def members(path: Path) -> list[Member]:
    """List the variables of a GRIB file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One for each variable, decoded field by field.

    Raises
    ------
    DataError
        If a message is damaged.
    RefusedError
        If the rows of a grid differ in length, or the library does not work here.
    """
    with _told(path):
        fields = list(_fields(path))
    found: dict[tuple[Any, ...], list[_Field]] = {}
    for field in fields:
        found.setdefault((field.names, field.shape), []).append(field)
    calls: dict[str, list[_Field]] = {}
    for (names, shape), of_one in found.items():
        # As many words as tell it apart.
        for count in (*range(1, len(names) + 1), None):
            same = [other for other, extent in found if other[:count] == names[:count] and (count or extent == shape)]
            if len(same) == 1 or count is None:
                calls["-".join(names[:count]) if count else f"{'-'.join(names)}-{shape[0]}x{shape[1]}"] = of_one
                break
    return [Member(name=call, open=partial(_opened, call, of_one, path)) for call, of_one in calls.items()]


def _fields(path: Path) -> Iterator[_Field]:
    """Read the head of every message."""
    import eccodes  # noqa: PLC0415 - only for this format

    end = 0
    with path.open("rb") as file, path.open("rb") as again:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            try:
                field = _field(handle, path)
            finally:
                eccodes.codes_release(handle)
            _check_between(again, end, field.offset, path)
            _check_alone(again, field, path)
            end = field.offset + field.size_bytes
            yield field
        _check_between(again, end, path.stat().st_size, path)


def _check_between(file: BinaryIO, start: int, stop: int, path: Path) -> None:
    """Refuse what ecCodes does not know for a message and steps over, such as one that was cut or garbled."""
    file.seek(start)
    data = file.read(min(stop - start, _LOOK_BYTES))
    # Bulletins put some lines of text before each message.
    is_text = all(byte in b"\0\t\n\r\x03" or 32 <= byte < 127 for byte in data)
    if not is_text or stop - start >= _LOOK_BYTES or b"GRIB" in data or b"7777" in data:
        msg = f"A GRIB file is whole messages: {str(path)!r} has something else at byte {start}. Get it again."
        raise DataError(msg)


def _check_alone(file: BinaryIO, field: _Field, path: Path) -> None:
    """Refuse a message of several fields: the library reads the first of them."""
    file.seek(field.offset)
    head = file.read(_HEAD_BYTES)
    place, stop, found = field.offset + _HEAD_BYTES, field.offset + field.size_bytes - len(b"7777"), 0
    while head[7] == 2 and place < stop:
        file.seek(place)
        length, number = struct.unpack(">IB", file.read(5))
        found += number == _DATA_SECTION
        place += max(length, 5)
    if found > 1:
        msg = (
            f"A GRIB message holds one field: {str(path)!r} has one of {found} at byte {field.offset}. Write them to "
            "messages of their own, with grib_copy."
        )
        raise RefusedError(msg)


def _field(handle: Any, path: Path) -> _Field:
    import eccodes  # noqa: PLC0415 - only for this format

    def get(key: str, kind: Any = None) -> Any:
        if not eccodes.codes_is_defined(handle, key) or eccodes.codes_is_missing(handle, key):
            return None
        return eccodes.codes_get(handle, key, kind)

    columns, rows = get("Ni", int), get("Nj", int)
    if not columns or not rows or columns * rows != get("numberOfDataPoints", int) or get("jPointsAreConsecutive", int):
        msg = (
            f"The points of a field are rows of one length: {str(path)!r} has a grid of type {get('gridType', str)}, "
            f"{rows} by {columns}. Interpolate it to a regular grid."
        )
        raise RefusedError(msg)
    name = get("shortName", str)
    name = f"param{get('paramId', int)}" if name in (None, "unknown") else name
    return _Field(
        offset=int(eccodes.codes_get_message_offset(handle)),
        size_bytes=int(eccodes.codes_get_message_size(handle)),
        names=(name, str(get("typeOfLevel", str)), str(get("stepType", str))),
        place=(
            get("number", int) or 0,
            (get("dataDate", int) or 0) * 10000 + (get("dataTime", int) or 0),
            get("endStep", float) or 0,
            # Pressure falls with height: the ground comes first.
            (-1 if get("typeOfLevel", str) == "isobaricInhPa" else 1) * (get("level", float) or 0),
        ),
        shape=(rows, columns),
        unit=str(get("units", str) or ""),
    )


def _opened(name: str, fields: list[_Field], path: Path) -> Opened:
    ordered = sorted(fields, key=lambda field: field.place)
    extents = [len({field.place[axis] for field in fields}) for axis in range(len(_AXES))]
    if math.prod(extents) != len(fields) or any(a.place == b.place for a, b in itertools.pairwise(ordered)):
        told = ", ".join(f"{letter} {extent}" for letter, extent in zip(_AXES, extents, strict=True))
        msg = (
            f"A variable has one field at every place: {name!r} of {str(path)!r} has {len(fields)} for {told}. Copy "
            "what belongs together into a file of its own, with grib_copy."
        )
        raise DataError(msg)
    shape = (*(extent for extent in extents if extent > 1), *fields[0].shape)
    letters = "".join(letter for letter, extent in zip(_AXES, extents, strict=True) if extent > 1)
    units = {field.unit for field in fields}
    return Opened(
        array=Planes(shape, _VALUE_TYPE, lambda numbers: _decoded([ordered[one] for one in numbers], path), path),
        axes=f"{letters}yx",
        meaning=Meaning(unit=units.pop()) if len(units) == 1 and "" not in units else None,
    )


def _decoded(fields: list[_Field], path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for field in fields:
            file.seek(field.offset)
            with _told(path):
                values = _values(file.read(field.size_bytes))
            yield values.reshape(field.shape)


def _values(message: bytes) -> Any:
    import eccodes  # noqa: PLC0415 - only for this format

    handle = eccodes.codes_new_from_message(message)
    try:
        values = np.asarray(eccodes.codes_get_values(handle))
        if eccodes.codes_get(handle, "bitmapPresent", int):
            values[values == eccodes.codes_get(handle, "missingValue", float)] = math.nan
    finally:
        eccodes.codes_release(handle)
    with np.errstate(over="ignore"):
        return values.astype(_VALUE_TYPE)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what ecCodes raises into what zbench does, and have it told once: the library prints it too."""
    try:
        import eccodes  # noqa: PLC0415 - only for this format
    except RuntimeError as error:
        # The package is there, the C library that it calls is not.
        msg = (
            f"Reading {str(path)!r} needs the library ecCodes: {error}. Run: pip install --upgrade eccodes eccodeslib."
        )
        raise RefusedError(msg) from error
    with Path(os.devnull).open("w") as nowhere:
        eccodes.codes_context_set_logging(nowhere)
        try:
            yield
        except eccodes.CodesInternalError as error:
            msg = f"A GRIB file is whole messages: {str(path)!r} has one that is not ({error}). Get it again."
            raise DataError(msg) from error
        finally:
            eccodes.codes_context_set_logging(sys.__stderr__)
