"""AmiraMesh lattices, images and labels: a header of text, then the data of each, raw or packed.

No library that is kept reads them, so this does; the form is that of the "AmiraMesh File Format" of Amira's guide.
"""

from __future__ import annotations

import math
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.hdf5 import unpacked
from zbench.datasets.readers.member import Member, Opened, check_bytes
from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.units import Shape

__all__ = ["members"]

_HEADER_BYTES = 1 << 20
_START = re.compile(rb"#\s*AmiraMesh\s+(?:3D\s+)?(?P<kind>BINARY-LITTLE-ENDIAN|BINARY|ASCII)\b")
_EXTENT = re.compile(r"define\s+Lattice\s+(?P<x>\d+)\s+(?P<y>\d+)\s+(?P<z>\d+)\s")
_FIELD = re.compile(
    r"^\s*Lattice\s*\{\s*(?P<type>\w+)(?P<many>\[\d+\])?\s+(?P<name>\w+)\s*\}\s*=?\s*@(?P<place>\d+)"
    r"(?:\((?P<packing>\w+)\s*,\s*(?P<size>\d+)\))?",
    re.MULTILINE,
)
_BOX = re.compile(r"\bBoundingBox\s+\"?(?P<box>(?:[-+.\deE]+\s+){5}[-+.\deE]+)")
_UNIT = re.compile(r"\bCoordinates\s+\"(?P<unit>[^\"]+)\"")
_UNITS = {
    "\u00c5": "angstrom",
    "angstrom": "angstrom",
    "nm": "nanometer",
    "\u00b5m": "micrometer",
    "\u03bcm": "micrometer",
    "um": "micrometer",
    "mm": "millimeter",
    "m": "meter",
}
_TYPES = {"byte": "u1", "short": "i2", "ushort": "u2", "int": "i4", "float": "f4", "double": "f8"}
# Of a packet of HxByteRLE: the rest is a count, of bytes as they are with this bit, of one byte repeated without.
_AS_THEY_ARE = 128


def members(path: Path) -> list[Member]:
    """List the lattices of an AmiraMesh file.

    Parameters
    ----------
    path
        The file, perhaps compressed by gzip.

    Returns
    -------
    list of Member
        One for each, mapped where neither the file nor the lattice is packed.

    Raises
    ------
    DataError
        If its header is none.
    RefusedError
        If it is written in text.
    """
    data: Any = unpacked(path).getbuffer() if path.suffix.lower() == ".gz" else np.memmap(path, np.uint8, "r")
    head = bytes(data[:_HEADER_BYTES])
    start, end = _START.match(head), re.search(rb"^@1\r?\n", head, re.MULTILINE)
    text = head[: end.start() if end else 0].decode("latin1")
    extent = _EXTENT.search(text)
    if start is None or extent is None:
        msg = (
            f"An AmiraMesh file begins with its kind and says 'define Lattice': {str(path)!r} does not. It is "
            "damaged, or no lattice."
        )
        raise DataError(msg)
    if start["kind"] == b"ASCII":
        msg = f"An AmiraMesh file is read when it is binary: {str(path)!r} is text. Save it as binary."
        raise RefusedError(msg)
    order = "<" if start["kind"].endswith(b"LITTLE-ENDIAN") else ">"
    shape = tuple(int(extent[axis]) for axis in "zyx")
    spacing, unit = _spacing(text, shape)
    fields = list(_FIELD.finditer(text))
    firsts = _firsts(data, fields, math.prod(shape))
    return [
        Member(
            name=field["name"],
            open=lambda field=field: Opened(  # type: ignore[misc]
                array=_lattice(data, firsts[field["place"]], field, order, shape=shape, path=path),
                spacing=spacing,
                spacing_unit=unit,
            ),
        )
        for field in fields
    ]


def _lattice(data: Any, first: int | None, field: re.Match[str], order: str, *, shape: Shape, path: Path) -> Any:
    kind, packing = field["type"], field["packing"]
    if field["many"] or kind not in _TYPES or packing not in (None, "HxByteRLE", "HxZip"):
        told = f"{kind}{field['many'] or ''} {packing or ''}".strip()
        msg = (
            f"A lattice of AmiraMesh is read when it has one number a voxel, raw, HxByteRLE or HxZip: "
            f"{field['name']!r} of {str(path)!r} is {told}. Convert it."
        )
        raise RefusedError(msg)
    dtype = np.dtype(f"{order}{_TYPES[kind]}")
    size_bytes = math.prod(shape) * dtype.itemsize
    stored_bytes = int(field["size"]) if packing else size_bytes
    if first is None or first + stored_bytes > len(data) or size_bytes < 1:
        msg = (
            f"An AmiraMesh file holds what its header says: {str(path)!r} says {shape} {dtype}, {stored_bytes} bytes "
            f"for {field['name']!r}, and is {len(data)} bytes long. Get it again."
        )
        raise DataError(msg)
    stored = data[first : first + stored_bytes]
    if packing is None:
        return np.asarray(stored).view(dtype).reshape(shape)
    check_bytes(size_bytes, path)
    found = _inflated(stored, size_bytes) if packing == "HxZip" else _runs(np.frombuffer(stored, np.uint8), size_bytes)
    if found is None:
        msg = f"A packed lattice of AmiraMesh has all voxels: {field['name']!r} of {str(path)!r} has not. Get it again."
        raise DataError(msg)
    return found.view(dtype).reshape(shape)


def _firsts(data: Any, fields: list[re.Match[str]], voxels: int) -> dict[str, int | None]:
    """Find where the data of each lattice begin, behind a line with its number; ``None`` where there is none."""
    found: dict[str, int | None] = {}
    view, end = memoryview(data), 0
    for field in sorted(fields, key=lambda field: int(field["place"])):
        # From the end of the one before, for its voxels may hold what looks like the line.
        mark = re.compile(rb"(?:^|\n)@%s\r?\n" % field["place"].encode()).search(view, end)
        found[field["place"]] = mark.end() if mark else None
        if mark:
            raw_bytes = voxels * np.dtype(_TYPES.get(field["type"], "u1")).itemsize
            end = mark.end() + (int(field["size"]) if field["size"] else raw_bytes)
    return found


def _inflated(stored: Any, size_bytes: int) -> Any:
    found = zlib.decompressobj().decompress(bytes(stored), size_bytes + 1)
    return np.frombuffer(found, np.uint8) if len(found) == size_bytes else None


def _runs(stored: Any, size_bytes: int) -> Any:
    """Unpack HxByteRLE: stretches of repeated bytes at once, between the packets of bytes as they are."""
    found = np.empty(size_bytes, np.uint8)
    high = np.flatnonzero(stored >= _AS_THEY_ARE)
    # A count stands at every second byte until a packet of bytes as they are.
    ends = [np.append(high[high % 2 == odd], len(stored) - (len(stored) - odd) % 2) for odd in (0, 1)]
    place = filled = 0
    while place + 1 < len(stored):
        stop = int(ends[place % 2][np.searchsorted(ends[place % 2], place)])
        pairs = stored[place:stop].reshape(-1, 2)
        length = int(pairs[:, 0].sum(dtype=np.int64))
        if filled + length > size_bytes:
            return None
        found[filled : filled + length] = np.repeat(pairs[:, 1], pairs[:, 0])
        place, filled = stop, filled + length
        if place + 1 < len(stored):
            count = int(stored[place]) - _AS_THEY_ARE
            packet = stored[place + 1 : place + 1 + count]
            if len(packet) < count or filled + count > size_bytes:
                return None
            found[filled : filled + count] = packet
            place, filled = place + 1 + count, filled + count
    return found if filled == size_bytes else None


def _spacing(text: str, shape: Shape) -> tuple[tuple[float, ...] | None, str | None]:
    """Take the size of a voxel from the box through the middles of the outermost ones, if its unit is known."""
    box, unit = _BOX.search(text), _UNIT.search(text)
    known = _UNITS.get(unit["unit"].strip()) if unit else None
    if box is None or known is None or 'CoordType "uniform"' not in text:
        return None, None
    try:
        low_high = [float(part) for part in box["box"].split()]
    except ValueError:
        return None, None
    spans = zip(low_high[4::-2], low_high[5::-2], shape, strict=True)
    edges = tuple((high - low) / max(count - 1, 1) for low, high, count in spans)
    return (edges, known) if all(0 < edge < math.inf for edge in edges) else (None, None)
