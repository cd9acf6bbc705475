"""The volume of a person with a tomogram: found by whatever names it, cropped without reading the rest."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets import card, first_level, is_address, load, read_voxels, split_member, split_source
from zbench.errors import DataError, RefusedError, UnknownNameError
from zbench.harness.cryoet.crop import Crop, Download, crop_box, slug
from zbench.harness.cryoet.memory import memory_limit
from zbench.harness.cryoet.portal import portal_crop
from zbench.model import Box
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from zbench.harness.cryoet.crop import VolumeRequest
    from zbench.model import Volume
    from zbench.units import Shape

__all__ = ["EMBEDDED", "find_volume", "located", "refuse_too_large"]

EMBEDDED = "cryoet-phantom-256"
# Stored and verified, a crop is in memory as it was written and as it was read, with the chunks on their way.
_COPIES = 4
_SLAB_BYTES = 64 * 1024**2


def find_volume(request: VolumeRequest) -> Crop:
    """Find a volume and the crop of it that is wanted; its voxels are not read, where the format allows.

    Parameters
    ----------
    request
        What is wanted.

    Returns
    -------
    Crop
        Ready to be kept.

    Raises
    ------
    DataError
        If there is no such volume, it cannot be read, or several fit; they are listed.
    LayoutError
        If the crop leaves the volume.
    RefusedError
        If its form cannot be used.
    UnknownNameError
        If there is no such dataset and no such file.
    """
    source = request.source
    if source is not None and _is_number(source):
        return portal_crop(request, int(source))
    given = {"run": request.run, "tomogram": request.tomogram, "voxel spacing": request.voxel_spacing}
    wrong = [name for name, value in given.items() if value is not None]
    if wrong:
        msg = (
            f"Run, tomogram and voxel spacing choose within a dataset of the portal, which has a number: got "
            f"{' and '.join(wrong)} for {source or EMBEDDED!r}. Give the number, or leave them out."
        )
        raise DataError(msg)
    return _of_volume(request, source)


def located(source: str | None) -> str | None:
    """Make the path of a volume absolute, so that the same is found from another folder.

    Parameters
    ----------
    source
        As `VolumeRequest` takes it.

    Returns
    -------
    str or None
        Numbers of the portal, names of the registry and addresses as they are.
    """
    if source is None or _is_number(source) or is_address(source):
        return source
    place, member = split_source(source)
    chosen = "" if member is None else f"::{member}"
    try:
        return f"{card(place).name}{chosen}"
    except UnknownNameError:
        # What does not exist is told of as the user wrote it.
        return f"{Path(place).absolute()}{chosen}" if Path(place).exists() else source


def refuse_too_large(crop: Crop) -> None:
    """Refuse a crop that the memory cannot hold while it is stored and verified.

    Parameters
    ----------
    crop
        The crop.

    Raises
    ------
    DataError
        If it is larger; the message says how much there is.
    """
    limit = memory_limit()
    if crop.logical_bytes * _COPIES > limit:
        msg = (
            f"A crop is stored and verified in memory, which takes about {_COPIES} times its size: "
            f"{','.join(map(str, crop.box.shape))} voxels (z, y, x) of {crop.itemsize} bytes are "
            f"{format_bytes(crop.logical_bytes)}, and this process may use {format_bytes(limit)}. Take a smaller "
            "--volume-size."
        )
        raise DataError(msg)


def _is_number(source: str) -> bool:
    return source.isascii() and source.isdigit()


def _of_volume(request: VolumeRequest, source: str | None) -> Crop:
    notes = [] if source is not None else [f"No volume was named, so the embedded phantom {EMBEDDED} is measured."]
    place, member = split_source(source or EMBEDDED)
    if member is not None and request.member is not None:
        msg = f"One member is chosen: got {source!r} and --member {request.member!r}. Give one of them."
        raise DataError(msg)
    member = chosen = member if member is not None else request.member
    if split_member(member)[0] is None:
        level = first_level(place if is_address(place) else Path(place))
        if level is not None:
            member = f"{level}{member or ''}"
            notes.append(f"The group holds several levels; the first, {level!r}, is measured.")
    volume = load(place, member=member)
    if volume.meaning is not None:
        notes.append(f"Stored numbers are measured as they are: {volume.meaning.text}.")
    name = slug(volume.name) if chosen is None else f"{slug(volume.name)}-{slug(chosen)}"
    read, shape, told = _three_axes(volume)
    box = crop_box(shape, request.volume_size, request.at)

    # What is stored may be smaller, but nobody knows before it was asked for.
    download_bytes = box.voxels * np.dtype(volume.array.dtype).itemsize if is_address(place) else 0

    def keep(
        folder: Path, approve: Callable[[Download], bool], progress: Callable[[int, int], None]
    ) -> tuple[Volume, Path]:
        if download_bytes and not approve(Download(what=place, most_bytes=download_bytes)):
            msg = f"A download must be approved: that of {place} was not. Approve it, or take a smaller crop."
            raise DataError(msg)
        target = folder / "volume.npy"
        chunks: Sequence[int] = getattr(volume.array, "chunks", None) or ()
        # With four axes the slowest is gone from the crop.
        depth = int(chunks[-3]) if len(chunks) >= 3 else 1
        array = _write_slabs(target, read, box, np.dtype(volume.array.dtype), depth, progress)
        spacing = volume.spacing[-3:] if volume.spacing and len(volume.spacing) >= 3 else None
        kept = replace(
            volume,
            name=name,
            array=array,
            axes=volume.axes[-3:].rjust(3, "z"),
            spacing=spacing,
            spacing_unit=volume.spacing_unit if spacing else None,
        )
        return kept, target

    return Crop(
        name=name,
        title=_title(place) + ("" if chosen is None else f", {chosen}"),
        whole=shape,
        box=box,
        itemsize=np.dtype(volume.array.dtype).itemsize,
        keep=keep,
        notes=(*notes, *told),
        download_bytes=download_bytes,
    )


def _title(source: str) -> str:
    try:
        return card(source).title
    except UnknownNameError:
        return source


def _three_axes(volume: Volume) -> tuple[Callable[[Box], npt.NDArray[Any]], Shape, tuple[str, ...]]:
    """Look at a picture as a volume of one plane, and at a series as the volume in its middle."""
    if len(volume.shape) == 3:
        return lambda box: read_voxels(volume, box), volume.shape, ()
    if len(volume.shape) == 2:
        note = "It has two axes, and is measured as a volume of one plane."
        return lambda box: read_voxels(volume, Box(box.start[1:], box.stop[1:]))[None], (1, *volume.shape), (note,)
    if len(volume.shape) > 3:
        middle = tuple(extent // 2 for extent in volume.shape[:-3])
        taken = [
            f"of {axis} place {place} of {extent}"
            for axis, place, extent in zip(volume.axes, middle, volume.shape, strict=False)
        ][: len(middle)]
        note = (
            f"It has {len(volume.shape)} axes, {volume.axes}: {', '.join(taken)} is measured; choose another by "
            f"--member {''.join(f'@{axis}=PLACE' for axis in volume.axes[: len(middle)])}."
        )

        def read(box: Box) -> npt.NDArray[Any]:
            part = Box((*middle, *box.start), (*(place + 1 for place in middle), *box.stop))
            return read_voxels(volume, part).reshape(box.shape)

        return read, volume.shape[len(middle) :], (note,)
    msg = f"A volume has two axes at least: {volume.name!r} has {len(volume.shape)}, {volume.shape}."
    raise RefusedError(msg)


def _write_slabs(
    target: Path,
    read: Callable[[Box], npt.NDArray[Any]],
    box: Box,
    dtype: np.dtype[Any],
    depth: int,
    progress: Callable[[int, int], None],
) -> npt.NDArray[Any]:
    """Read a box some planes at a time into a file, so that it need not be in memory twice."""
    little = dtype.newbyteorder("<")
    plane_bytes = box.voxels // box.shape[0] * little.itemsize
    # Whole chunks of the source, or each would be decoded several times.
    step = max(_SLAB_BYTES // plane_bytes // depth, 1) * depth
    try:
        with target.open("xb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(little), "fortran_order": False, "shape": box.shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            # Written through a map, a full disk would end the process; so all room is taken first.
            os.posix_fallocate(file.fileno(), 0, file.tell() + box.voxels * little.itemsize)
        array = np.load(target, mmap_mode="r+")
    except OSError as error:
        msg = (
            f"A crop needs room beside the results: {format_bytes(box.voxels * little.itemsize)} for {str(target)!r} "
            f"could not be had ({error}). Free some, or choose another --output-dir."
        )
        raise DataError(msg) from error
    first = box.start[0]
    while first < box.stop[0]:
        last = min((first // step + 1) * step, box.stop[0])
        part = Box((first, *box.start[1:]), (last, *box.stop[1:]))
        array[first - box.start[0] : last - box.start[0]] = read(part)
        first = last
        progress((first - box.start[0]) * plane_bytes, box.shape[0] * plane_bytes)
    array.flush()
    kept: npt.NDArray[Any] = np.load(target, mmap_mode="r")
    return kept
