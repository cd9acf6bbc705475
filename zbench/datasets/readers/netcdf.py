"""NetCDF files, classic and on HDF5: packed integers stay packed, their scale and offset are kept as meaning."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.member import Member, Opened
from zbench.datasets.readers.netcdf_classic import MAGIC, end_of_data
from zbench.errors import DataError
from zbench.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["axis_letters", "members"]

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# By the names of dimensions, as models and instruments write them.
_LETTERS = {
    "c": ("band", "bands", "channel", "channels"),
    "m": ("ensemble", "member", "members", "number", "realization"),
    "s": ("step",),
    "t": ("date", "day", "hour", "month", "season", "time", "valid_time", "year"),
    "x": ("easting", "lon", "longitude", "rlon"),
    "y": ("lat", "latitude", "northing", "rlat"),
    "z": ("alt", "altitude", "depth", "height", "isobaricinhpa", "lev", "level", "plev", "pressure"),
}


def members(path: Path) -> list[Member]:
    """List the variables of a NetCDF file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Member
        One for each variable of three axes or more, or of two if there is none, groups included; read box by box.

    Raises
    ------
    DataError
        If the file is cut.
    """
    import netCDF4  # noqa: PLC0415 - only for this format

    _check_whole(path)
    file = netCDF4.Dataset(str(path))
    file.set_auto_maskandscale(False)
    found = {name: node for name, node in _variables(file, "") if node.ndim >= 2}
    deep = {name: node for name, node in found.items() if node.ndim >= 3}
    return [Member(name=name, open=partial(_opened, node)) for name, node in (deep or found).items()]


def _check_whole(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(4) in MAGIC:
            file.seek(0)
            size_bytes, end = path.stat().st_size, end_of_data(file)
            if size_bytes < end:
                msg = (
                    f"The header of a NetCDF file describes its data: {str(path)!r} says {end} bytes or more, and has "
                    f"{size_bytes}. Get it again."
                )
                raise DataError(msg)


def _variables(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, node in group.variables.items():
        if isinstance(node.dtype, np.dtype) and node.dtype.kind in "iuf":
            yield f"{prefix}{name}", node
    for name, inner in group.groups.items():
        yield from _variables(inner, f"{prefix}{name}/")


def _opened(node: Any) -> Opened:
    coordinates = [node.group().variables.get(name) for name in node.dimensions]
    told = [str(getattr(line, "axis", "")).lower() if line is not None else "" for line in coordinates]
    steps = [_step(line) for line in coordinates]
    units = {unit for _, unit in steps}
    known = len(units) == 1 and None not in units
    return Opened(
        array=node,
        axes=axis_letters(node.dimensions, told),
        spacing=tuple(step for step, _ in steps) if known else None,
        spacing_unit=units.pop() if known else None,
        meaning=_meaning(node),
    )


def axis_letters(names: tuple[str, ...], told: list[str]) -> str:
    """Call each axis by a letter of its own.

    Parameters
    ----------
    names
        Names of the axes.
    told
        Letters that the file itself gives, empty where it gives none.

    Returns
    -------
    str
        One letter an axis, by its meaning where that is known, else one of its name.
    """
    found: dict[int, str] = {}

    def take(place: int, candidates: Iterable[str]) -> None:
        free = [one for one in candidates if one in _ALPHABET and one not in found.values()]
        if free and place not in found:
            found[place] = free[0]

    # Those that are known first, lest another takes their letter.
    for place, (name, letter) in enumerate(zip(names, told, strict=True)):
        meant = [one for one, meanings in _LETTERS.items() if name.lower() in meanings or name.lower() == one]
        take(place, [letter, *meant] if letter else meant)
    for place, name in enumerate(names):
        take(place, [*name.lower(), *_ALPHABET])
    return "".join(found[place] for place in range(len(names)))


def _step(line: Any) -> tuple[float, str | None]:
    """Tell the step of a coordinate that goes up or down evenly, and its unit."""
    unit = str(getattr(line, "units", "")).strip()
    if line is None or line.ndim != 1 or line.size < 2 or not unit or line.dtype.kind not in "iuf":
        return 0.0, None
    steps = np.abs(np.diff(np.asarray(line[:], np.float64)))
    step = float(steps.mean())
    even = 0 < step < math.inf and np.allclose(steps, step, rtol=1e-3, atol=0)
    return step, unit if even else None


def _meaning(node: Any) -> Meaning:
    names = ("units", "scale_factor", "add_offset", "_FillValue", "missing_value")
    unit, scale, offset, *fills = (node.getncattr(name) if name in node.ncattrs() else None for name in names)
    # Some tools write NaN, which no integer is.
    numbers = [fill for fill in fills if isinstance(fill, np.number | int | float) and np.isfinite(fill)]
    return Meaning(
        unit=str(unit) if unit else None,
        scale=float(1 if scale is None else scale),
        offset=float(0 if offset is None else offset),
        fill=float(numbers[0]) if numbers else None,
    )
