"""Crops of tomograms of the CryoET Data Portal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zbench.datasets.portal import Wanted, cached, choose, find_tomograms, planned_bytes, read_crop
from zbench.errors import DataError
from zbench.harness.cryoet.crop import Crop, Download, crop_box
from zbench.model import Box

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbench.datasets.portal import Planned
    from zbench.harness.cryoet.crop import Keep, VolumeRequest
    from zbench.model import Volume

__all__ = ["portal_crop"]


def portal_crop(request: VolumeRequest, dataset: int) -> Crop:
    """Find a crop of the portal: in the cache, or else by asking which tomogram is meant and what it takes.

    Parameters
    ----------
    request
        What is wanted.
    dataset
        Number of the dataset.

    Returns
    -------
    Crop
        Ready to be kept.

    Raises
    ------
    DataError
        If there is no such tomogram, there are several, or the portal cannot be asked.
    LayoutError
        If the crop leaves the volume.
    """
    wanted = Wanted(
        dataset=dataset,
        run=request.run,
        tomogram=request.tomogram,
        voxel_spacing=request.voxel_spacing,
        size=request.volume_size,
    )
    if request.at is not None:
        found = find_tomograms(dataset, run=request.run, tomogram=request.tomogram, voxel_spacing=request.voxel_spacing)
        shape = choose(found, wanted).shape
        wanted = replace(wanted, size=None, box=crop_box(shape, request.volume_size, request.at))
    known = cached(wanted)

    def keep(
        _folder: Path, approve: Callable[[Download], bool], progress: Callable[[int, int], None]
    ) -> tuple[Volume, Path]:
        def approved(planned: Planned) -> bool:
            return approve(Download(what=f"tomogram {planned.tomogram.id}", most_bytes=planned.size_bytes))

        volume = read_crop(wanted, approve=approved, progress=progress)
        path = cached(wanted)
        if path is None:
            msg = f"A crop that was fetched lies in the cache: that of portal dataset {dataset} is gone. Run again."
            raise DataError(msg)
        return replace(volume, name=_known_crop(dataset, path, keep).name), path

    if known is not None:
        return _known_crop(dataset, known, keep)
    planned = planned_bytes(wanted)
    tomogram = planned.tomogram
    return Crop(
        name=f"portal-{dataset}-{tomogram.id}",
        title=f"tomogram {tomogram.id} of run {tomogram.run_name}, dataset {dataset} of the CryoET Data Portal",
        whole=tomogram.shape,
        box=planned.box,
        itemsize=planned.logical_bytes // planned.box.voxels,
        download_bytes=planned.size_bytes,
        keep=keep,
    )


def _known_crop(dataset: int, path: Path, keep: Keep) -> Crop:
    """Tell of a crop that lies in the cache, without asking the portal."""
    told = json.loads(path.with_suffix(".json").read_bytes())
    tomogram = told["portal"]["tomogram"]
    array = np.load(path, mmap_mode="r")
    return Crop(
        name=f"portal-{dataset}-{tomogram['id']}",
        title=f"tomogram {tomogram['id']} of run {tomogram['run_name']}, dataset {dataset} of the CryoET Data Portal",
        whole=tuple(tomogram["shape"]),
        box=Box(tuple(told["box"]["start"]), tuple(told["box"]["stop"])),
        itemsize=array.dtype.itemsize,
        keep=keep,
    )
