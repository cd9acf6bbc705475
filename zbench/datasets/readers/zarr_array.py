"""Zarr arrays and groups on a local disk, of either format."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from zbench.datasets.readers.member import Member, Opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["arrays_of", "batched", "first_level", "full_size_level", "levels_of", "members"]

_Level: TypeAlias = "tuple[str | None, tuple[float, ...] | None, str | None]"
_PIPELINE = "zarr.core.codec_pipeline.BatchedCodecPipeline"


def members(path: Path) -> list[Member]:
    """List the arrays of a Zarr hierarchy.

    Parameters
    ----------
    path
        Its folder.

    Returns
    -------
    list of Member
        One for each array of two axes or more, named by its path; read box by box.
    """
    with batched():
        return arrays_of(_root(path))


def first_level(path: Path) -> str | None:
    """Name the level of an OME-Zarr that is of full size.

    Parameters
    ----------
    path
        A folder, or anything else.

    Returns
    -------
    str or None
        ``None`` if there are no levels, or it is nothing of the kind.
    """
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError), batched():
        if path.is_dir():
            return full_size_level(_root(path))
    return None


def _root(path: Path) -> Any:
    import zarr  # noqa: PLC0415 - importing zbench stays light

    return zarr.open(str(path), mode="r")


@contextlib.contextmanager
def batched() -> Iterator[None]:
    """Let zarr use its own pipeline: an engine measured in this process may have set one that knows fewer codecs.

    Yields
    ------
    None
        While arrays are opened.
    """
    import zarr  # noqa: PLC0415 - importing zbench stays light

    # zarr 2 has none.
    config = getattr(zarr, "config", None)
    with config.set({"codec_pipeline.path": _PIPELINE}) if config is not None else contextlib.nullcontext():
        yield


def arrays_of(root: Any, *, listed: bool = True) -> list[Member]:
    """List the arrays of a node.

    Parameters
    ----------
    root
        An array or a group as zarr opens it.
    listed
        Whether the store can list what it has; if not, a group gives the levels that its metadata name.

    Returns
    -------
    list of Member
        One for each array of two axes or more, named by its path.
    """
    if hasattr(root, "chunks"):
        return [Member(name="data", open=lambda: Opened(array=root))]
    if listed:
        return list(_arrays(root, ""))
    return [_member(root[name], name, levels) for levels in [levels_of(root)] for name in levels]


def _arrays(group: Any, prefix: str) -> Iterator[Member]:
    levels = levels_of(group)
    for name, node in group.arrays():
        if len(node.shape) >= 2:
            yield replace(_member(node, name, levels), name=f"{prefix}{name}")
    for name, node in group.groups():
        yield from _arrays(node, f"{prefix}{name}/")


def _member(node: Any, name: str, levels: Mapping[str, _Level]) -> Member:
    axes, spacing, unit = levels.get(name, (None, None, None))
    return Member(name=name, open=partial(Opened, array=node, axes=axes, spacing=spacing, spacing_unit=unit))


def full_size_level(root: Any) -> str | None:
    """Name the first level of an OME-Zarr, which is the one of full size.

    Parameters
    ----------
    root
        An array or a group as zarr opens it.

    Returns
    -------
    str or None
        ``None`` if its metadata name none.
    """
    with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):
        return str(_multiscales(root)[0]["datasets"][0]["path"])
    return None


def _multiscales(group: Any) -> Any:
    told = dict(group.attrs)
    # Format 0.5 nests under "ome", 0.4 does not.
    return told.get("ome", told)["multiscales"]


def levels_of(group: Any) -> dict[str, _Level]:
    """Take axes and spacing of each level from OME-NGFF; whatever stands there, the voxels can be read.

    Parameters
    ----------
    group
        As zarr opens it.

    Returns
    -------
    dict
        By path, the letters of the axes, the size of a voxel on those in space, and its unit, as far as they are told.
    """
    found: dict[str, _Level] = {}
    with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError):
        for multiscale in _multiscales(group):
            letters = "".join(axis["name"] for axis in multiscale["axes"])
            axes = letters if len(letters) == len(multiscale["axes"]) else None
            # Channels and times have no size in space, and come first.
            spatial = [axis for axis in multiscale["axes"] if axis.get("type", "space") == "space"]
            units = {axis.get("unit") for axis in spatial}
            whole = _scale(multiscale.get("coordinateTransformations", ()), len(letters))
            for level in multiscale["datasets"]:
                scale = _scale(level["coordinateTransformations"], len(letters))
                edges = [float(one * of_all) for one, of_all in zip(scale, whole, strict=True)]
                spacing = tuple(edges[len(edges) - len(spatial) :])
                known = len(units) == 1 and None not in units and all(0 < edge < math.inf for edge in spacing)
                found[level["path"]] = (axes, spacing, units.copy().pop()) if known else (axes, None, None)
    return found


def _scale(steps: Any, count: int) -> list[float]:
    """Take the one scale of some transformations; none leaves everything as large as it is."""
    scales = [step["scale"] for step in steps if step["type"] == "scale"] or [[1.0] * count]
    (scale,) = scales
    return list(scale)
