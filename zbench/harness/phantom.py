"""The calibration of the phantom: its compression ratios beside published ones and those of real tomograms."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zbench.cell import store_cell
from zbench.datasets import centre_crop, load
from zbench.grid import CellSpec
from zbench.harness.status import Status
from zbench.report.phantom import CALIBRATED_CHAINS, Calibrated, draw_planes, phantom_page
from zbench.results import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

__all__ = ["calibrate"]

# Crops of the extents that the published ratios are of, then of the real tomograms' extents with chunks that fit them.
_CASES = (
    ("cryoet-phantom-128", None, "v2-c64"),
    ("cryoet-phantom-256", None, "v2-c64"),
    ("pytom-p1-goldbead", None, "v2-c50"),
    ("cryoet-phantom-256", 100, "v2-c50"),
    ("pytom-p1-tilts", None, "v2-c41x50x50"),
)


def calibrate(output: Path, *, report: Callable[[Status], None]) -> tuple[Path, ...]:
    """Store the phantom and the real float32 tomograms alike, and write the page.

    Parameters
    ----------
    output
        Folder for ``phantom.md`` and its figure.
    report
        Told after every volume.

    Returns
    -------
    tuple of Path
        What was written, the page first.

    Raises
    ------
    DataError
        If a real tomogram cannot be had.
    """
    output = output.resolve()
    found: list[Calibrated] = []
    planes: dict[str, npt.NDArray[np.float32]] = {}
    for done, (dataset, size, layout) in enumerate(_CASES, start=1):
        array = load(dataset).array
        box = centre_crop(tuple(array.shape), size)
        values = np.ascontiguousarray(array[box.slices])
        found.append(_calibrated(dataset, values, layout))
        planes.setdefault(dataset, values[values.shape[0] // 2])
        report(Status(stage="calibrate", what=dataset, done=done, total=len(_CASES), note=layout))
    figure = draw_planes(planes)
    page = phantom_page(found, date=dt.datetime.now(tz=dt.UTC).date().isoformat())
    write_atomically(output / "phantom.md", page)
    for ending, data in figure.items():
        write_atomically(output / f"phantom-planes.{ending}", data)
    return (output / "phantom.md", *(output / f"phantom-planes.{ending}" for ending in figure))


def _calibrated(dataset: str, values: npt.NDArray[np.float32], layout: str) -> Calibrated:
    with tempfile.TemporaryDirectory(prefix="zbench-phantom-") as folder:
        cells = [
            store_cell(CellSpec(dataset, "zarr-python", layout, chain), values, Path(folder))
            for chain in CALIBRATED_CHAINS
        ]
    wide = values.astype(np.float64)
    centred = wide - wide.mean()
    correlations = tuple(
        float((centred.take(range(extent - 1), axis) * centred.take(range(1, extent), axis)).mean() / centred.var())
        for axis, extent in enumerate(values.shape)
    )
    return Calibrated(
        dataset=dataset,
        shape=values.shape,
        layout=layout,
        ratios=tuple(cell.compression_ratio for cell in cells),
        correlations=correlations,
        top_byte_bits=_entropy_bits(values),
    )


def _entropy_bits(values: npt.NDArray[np.float32]) -> float:
    top = np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8)[3::4]
    shares = np.bincount(top, minlength=256) / top.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())
