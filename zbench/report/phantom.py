"""The page that holds the generated tomogram against real ones."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.report.text import table
from zbench.units import format_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zbench.units import Shape

__all__ = ["CALIBRATED_CHAINS", "Calibrated", "draw_planes", "phantom_page"]

CALIBRATED_CHAINS = ("blosc-zstd-5-shuffle", "blosc-lz4-5-shuffle", "zstd-5")
# Lowest and highest published ratio of each chain: crops of 128 and 256 voxels of tomogram TS_100_3 of data set 10445,
# float32, chunks of 64; zarr-benchmarks-cryoet, commit 7af486b, https://github.com/MaadhavKothari/zarr-benchmarks-cryoet
_PUBLISHED = ((1.168, 1.185), (1.09, 1.118), (1.077, 1.077))
_TOLERANCE = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibrated:
    """What was found of one volume.

    Attributes
    ----------
    dataset
        Name in the registry.
    shape
        Extent that was stored, in voxels.
    layout
        Chunks.
    ratios
        Compression ratio with each of `CALIBRATED_CHAINS`.
    correlations
        Of neighbouring voxels along z, y, x.
    top_byte_bits
        Entropy of the byte that holds sign and most of the exponent.
    """

    dataset: str
    shape: Shape
    layout: str
    ratios: tuple[float, ...]
    correlations: tuple[float, ...]
    top_byte_bits: float


def phantom_page(found: Sequence[Calibrated], *, date: str) -> str:
    """Write the page.

    Parameters
    ----------
    found
        Phantoms and real tomograms.
    date
        Day on which they were stored.

    Returns
    -------
    str
        Markdown.
    """
    rows = [
        [
            volume.dataset,
            format_shape(volume.shape),
            volume.layout,
            *(f"{ratio:.3f}" for ratio in volume.ratios),
            ", ".join(f"{value:.2f}" for value in volume.correlations),
            f"{volume.top_byte_bits:.2f}",
        ]
        for volume in found
    ]
    published = ["published tomogram", "128, 256", "v2-c64", *map(_range, _PUBLISHED), "", ""]
    heads = ["volume", "shape", "layout", *CALIBRATED_CHAINS, "correlation z, y, x", "top byte, bits"]
    parts = (
        "# The generated tomogram beside real ones",
        "This page is generated; edit neither numbers nor sentences.",
        _verdict(found),
        (
            "Compression ratio is logical ÷ stored bytes, metadata and padding included, of arrays stored by "
            "zarr-python and read back. Correlation is that of neighbouring voxels; the top byte of a float32 holds "
            f"its sign and most of its exponent and is nearly all that can be compressed. Stored on {date}."
        ),
        table(heads, [published, *rows], texts=3),
        "![Middle planes of the phantom and of real tomograms, in grey](phantom-planes.svg)",
        (
            "Published: zarr-benchmarks-cryoet, commit 7af486b "
            "(<https://github.com/MaadhavKothari/zarr-benchmarks-cryoet>), crops of 128 and 256 voxels of tomogram "
            "TS_100_3 of data set 10445 of the CryoET Data Portal."
        ),
        "## Make this page again\n\n```\nmake phantom-calibration\n```",
    )
    return "\n\n".join(parts) + "\n"


def _range(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"


def _verdict(found: Sequence[Calibrated]) -> str:
    phantoms = [volume for volume in found if volume.dataset.startswith("cryoet-phantom") and volume.layout == "v2-c64"]
    apart = [
        max(low - ratio, ratio - high, 0.0) / low
        for volume in phantoms
        for ratio, (low, high) in zip(volume.ratios, _PUBLISHED, strict=True)
    ]
    worst = max(apart)
    held = "within" if worst <= _TOLERANCE else "NOT within"
    return (
        f"**The ratios of the phantom lie {held} {100 * _TOLERANCE:.0f} % of the published range: of {len(apart)}, the "
        f"furthest is {100 * worst:.2f} % outside.**"
    )


def draw_planes(planes: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, bytes]:
    """Draw middle planes side by side.

    Parameters
    ----------
    planes
        Plane ``(y, x)`` by name of its volume.

    Returns
    -------
    dict
        The figure by the ending of its file, ``svg`` and ``png``.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only drawing needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(3 * len(planes), 3.3), layout="constrained")
    for axis, (name, plane) in zip(np.atleast_1d(figure.subplots(1, len(planes))), planes.items(), strict=True):
        low, high = np.percentile(plane, (0.5, 99.5))
        axis.imshow(plane, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(name, fontsize=8)
        axis.set_xlabel("x / voxel", fontsize=7)
        axis.set_ylabel("y / voxel", fontsize=7)
        axis.tick_params(labelsize=6)
    drawn = {}
    with mpl.rc_context({"svg.hashsalt": "zbench"}):
        for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 150})):
            stream = io.BytesIO()
            figure.savefig(stream, format=ending, **options)
            drawn[ending] = stream.getvalue()
    return drawn
