"""What the volume looks like: the middle planes and the histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.report.text import number
from zbench.report.volume.blocks import Picture
from zbench.report.volume.drawing import Drawn
from zbench.report.volume.palette import LIGHT, series
from zbench.report.volume.words import extent

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.report.volume.facts import VolumeFacts

__all__ = ["draw_volume"]

_NORMALS = ("z", "y", "x")
_DARKEST, _LIGHTEST = 1, 99
_SYMBOLS = {"angstrom": "Å", "micrometer": "µm", "micrometre": "µm", "nanometer": "nm", "nanometre": "nm"}


def draw_volume(volume: VolumeFacts, *, name: str) -> Drawn | None:
    """Draw the middle planes across the three axes, and the histogram.

    Parameters
    ----------
    volume
        The volume.
    name
        Of the files.

    Returns
    -------
    Drawn or None
        ``None`` where there are neither planes nor a histogram.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy; and pyplot would keep global state

    planes = volume.planes if len(volume.planes) == len(volume.shape) == 3 else ()
    has_counts = volume.counts is not None and volume.edges is not None
    if not planes and not has_counts:
        return None
    canvas = Figure(figsize=(8.4, (2.9 if planes else 0) + (1.9 if has_counts else 0)), layout="constrained")
    parts = canvas.subfigures(
        2 if planes and has_counts else 1,
        1,
        squeeze=False,
        height_ratios=[2.9, 1.9][: 2 if planes and has_counts else 1],
    )
    told = [f"{volume.name}, {extent(volume.shape)} voxels of {volume.type_name}."]
    if planes:
        limits = _limits(planes)
        for axis, plane, normal in zip(parts[0, 0].subplots(1, 3), planes, range(3), strict=True):
            _plane(axis, volume, plane, normal, limits)
        told.append(
            f"The middle planes across z, y and x in grey, from {number(limits[0])} (black) to {number(limits[1])} "
            "(white)."
        )
    if has_counts:
        told.append(_histogram(parts[-1, 0].subplots(), volume))
    caption = (
        f"Middle planes across each axis; black and white are the {_DARKEST}st and the {_LIGHTEST}th percentile of the "
        "three. Below, how often each value occurs"
        + (
            f" in {100 * volume.counted:.0f} % of the planes, evenly spread."
            if volume.counted < 1
            else " in the volume."
        )
    )
    return Drawn(canvas, Picture(name, " ".join(told), caption))


def _limits(planes: tuple[npt.NDArray[Any], ...]) -> tuple[float, float]:
    values = np.concatenate([plane.reshape(-1).astype(np.float64) for plane in planes])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, [_DARKEST, _LIGHTEST]))
    return (low, high) if high > low else (float(values.min()), max(float(values.max()), float(values.min()) + 1))


def _plane(axis: Any, volume: VolumeFacts, plane: npt.NDArray[Any], normal: int, limits: tuple[float, float]) -> None:
    down, across = (place for place in range(3) if place != normal)
    spacing, unit = volume.spacing, _SYMBOLS.get(volume.spacing_unit or "", volume.spacing_unit)
    if spacing is None or unit is None:
        spacing, unit = (1.0, 1.0, 1.0), "voxels"
    size = [volume.shape[place] * spacing[place] for place in range(3)]
    is_thin = not size[across] / 6 < size[down] < 6 * size[across]
    axis.imshow(
        plane.astype(np.float64), cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="none",
        extent=(0, size[across], size[down], 0), aspect="auto" if is_thin else "equal",
    )  # fmt: skip
    axis.grid(visible=False)
    axis.set_title(
        f"across {_NORMALS[normal]}, plane {volume.shape[normal] // 2} of {volume.shape[normal]}", loc="left"
    )
    axis.set_xlabel(f"{_NORMALS[across]}, {unit}")
    axis.set_ylabel(f"{_NORMALS[down]}, {unit}")
    axis.locator_params(nbins=4)


def _histogram(axis: Any, volume: VolumeFacts) -> str:
    counts, edges = np.asarray(volume.counts), np.asarray(volume.edges)
    axis.stairs(counts, edges, fill=True, color=series(0).colour)
    axis.set_xlabel(f"value of a voxel, as stored ({volume.type_name})")
    axis.set_ylabel("voxels in a bin")
    axis.ticklabel_format(axis="y", scilimits=(0, 4), useMathText=False)
    axis.spines[["top", "right"]].set_color(LIGHT["rule"])
    peak = int(counts.argmax())
    return (
        f"The bins of the histogram reach from {number(float(edges[0]))} to {number(float(edges[-1]))}; most voxels in "
        f"a bin lie between {number(float(edges[peak]))} and {number(float(edges[peak + 1]))}."
    )
