"""Zarr arrays and groups on a local disk, of either format."""

from __future__ import annotations

import contextlib
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.member import Member, Opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["members"]

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
    import zarr  # noqa: PLC0415 - importing zbench stays light

    # An engine that is measured in this process may have set a pipeline that knows fewer codecs; zarr 2 has none.
    config = getattr(zarr, "config", None)
    with config.set({"codec_pipeline.path": _PIPELINE}) if config is not None else contextlib.nullcontext():
        root = zarr.open(str(path), mode="r")
        if hasattr(root, "chunks"):
            return [Member(name="data", open=lambda: Opened(array=root))]
        return list(_arrays(root, ""))


def _arrays(group: Any, prefix: str) -> Iterator[Member]:
    levels = _levels(group)
    for name, node in group.arrays():
        if len(node.shape) >= 2:
            axes, spacing, unit = levels.get(name, (None, None, None))
            opened = partial(Opened, array=node, axes=axes, spacing=spacing, spacing_unit=unit)
            yield Member(name=f"{prefix}{name}", open=opened)
    for name, node in group.groups():
        yield from _arrays(node, f"{prefix}{name}/")


def _levels(group: Any) -> dict[str, tuple[str | None, tuple[float, ...] | None, str | None]]:
    """Take axes and spacing of each level from OME-NGFF; whatever stands there, the voxels can be read."""
    found: dict[str, tuple[str | None, tuple[float, ...] | None, str | None]] = {}
    with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError):
        told = dict(group.attrs)
        # Format 0.5 nests under "ome", 0.4 does not.
        for multiscale in told.get("ome", told)["multiscales"]:
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
