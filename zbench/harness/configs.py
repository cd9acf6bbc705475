"""The grid for people: which cells a preset holds, and what one storage configuration means for a volume."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.codecs import chain_is_lossless, codec_kind, error_bound, parse_chain, v2_codecs, v3_codecs
from zbench.engines import ENGINE_NAMES, engine
from zbench.errors import LayoutError, RefusedError
from zbench.grid import load_preset
from zbench.layouts import resolve_layout
from zbench.model import StorageConfig, StoreKind, StoreSpec
from zbench.patterns import access_pattern, plan
from zbench.units import Shape, format_shape

if TYPE_CHECKING:
    from zbench.grid import Preset

__all__ = ["Cost", "Explanation", "explain", "preset"]

# Going through so many takes seconds.
_MOST_CHUNKS = 2**22
_PATTERNS = ("full_read", "xy_plane", "xz_plane", "yz_plane", "ortho3_jump", "train_patch-64")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one access pattern costs by arithmetic.

    Attributes
    ----------
    pattern
        Name of the access pattern.
    requests
        Requests for chunk data.
    bytes_decoded, bytes_needed
        Decoded size of the chunks that are touched, and of the voxels that were asked for.
    amplification
        Their ratio.
    """

    pattern: str
    requests: int
    bytes_decoded: int
    bytes_needed: int
    amplification: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """One storage configuration, spelled out for one shape and type.

    Attributes
    ----------
    config
        Canonical text.
    shape, dtype
        Of the volume it is explained for.
    steps
        Text and meaning of each codec.
    loss
        Largest error a voxel may come back with, in words; ``"none"`` of a lossless chain.
    metadata
        The codecs as the stored metadata will name them.
    chunk_bytes
        Decoded bytes of a chunk.
    chunks, objects
        Number of chunks, and of objects that hold them; the metadata comes on top.
    padding
        Voxels that are stored ÷ voxels of the volume.
    costs
        What reading costs, one entry an access pattern that fits.
    engines
        Each engine with the reason why it refuses; an empty reason means that it can.
    """

    config: str
    shape: Shape
    dtype: str
    steps: tuple[tuple[str, str], ...]
    loss: str
    metadata: dict[str, Any]
    chunk_bytes: int
    chunks: int
    objects: int
    padding: float
    costs: tuple[Cost, ...]
    engines: tuple[tuple[str, str], ...]


def preset(name: str) -> Preset:
    """Read a preset.

    Parameters
    ----------
    name
        Its name or the path of a TOML file.

    Returns
    -------
    Preset
        Checked.
    """
    return load_preset(name)


def explain(text: str, *, shape: Shape, dtype: str) -> Explanation:
    """Spell a storage configuration out.

    Parameters
    ----------
    text
        ``LAYOUT:CHAIN``; the layout may follow the volume.
    shape
        Extent of the volume in voxels, ``(z, y, x)``.
    dtype
        Type of a voxel in numpy's words.

    Returns
    -------
    Explanation
        What would be stored, and what reading it would cost.

    Raises
    ------
    CodecError
        If the chain cannot be.
    LayoutError
        If the layout or the type cannot be.
    RefusedError
        If the configuration does not suit such a volume, or cuts it into more chunks than can be gone through.
    """
    layout_text, _, chain_text = text.partition(":")
    voxel = _voxel(dtype)
    config = StorageConfig(layout=resolve_layout(layout_text, shape), chain=parse_chain(chain_text or "none"))
    layout = config.layout
    chunks = _cells(shape, layout.chunks)
    if chunks > _MOST_CHUNKS:
        msg = (
            f"What reading costs is counted chunk by chunk, up to {_MOST_CHUNKS} of them: {config.layout.text} cuts "
            f"{format_shape(shape)} voxels into {chunks}. Take larger chunks or a smaller shape."
        )
        raise RefusedError(msg)
    return Explanation(
        config=config.text,
        shape=shape,
        dtype=voxel.name,
        steps=tuple((step.text, codec_kind(step.name).summary) for step in config.chain),
        loss="none" if chain_is_lossless(config.chain) else str(error_bound(config.chain)),
        metadata=_metadata(config, voxel),
        chunk_bytes=prod(layout.chunks) * voxel.itemsize,
        chunks=chunks,
        objects=_cells(shape, layout.objects_shape),
        padding=chunks * prod(layout.chunks) / prod(shape),
        costs=_costs(config, shape, voxel.itemsize),
        engines=tuple((name, _refusal(name, config, voxel)) for name in ENGINE_NAMES),
    )


def _voxel(dtype: str) -> np.dtype[Any]:
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        found = np.dtype(object)
    if found.kind not in "iuf":
        msg = f"A voxel is one of numpy's whole or floating-point numbers, such as float32 or u1: got {dtype!r}."
        raise LayoutError(msg)
    return found


def _cells(shape: Shape, cell: Shape) -> int:
    return prod(-(-extent // edge) for extent, edge in zip(shape, cell, strict=True))


def _metadata(config: StorageConfig, dtype: np.dtype[Any]) -> dict[str, Any]:
    if config.layout.zarr_format == 3:
        return {"codecs": v3_codecs(config.chain, dtype)}
    filters, compressor = v2_codecs(config.chain, dtype)
    return {"filters": filters, "compressor": compressor}


def _costs(config: StorageConfig, shape: Shape, itemsize: int) -> tuple[Cost, ...]:
    costs = []
    for name in _PATTERNS:
        try:
            pattern = access_pattern(name, shape)
        except RefusedError:
            continue
        cost = plan(pattern, config.layout, itemsize=itemsize)
        costs.append(
            Cost(
                pattern=name,
                requests=cost.requests,
                bytes_decoded=cost.bytes_decoded,
                bytes_needed=cost.bytes_needed,
                amplification=cost.amplification,
            )
        )
    return tuple(costs)


def _refusal(name: str, config: StorageConfig, dtype: np.dtype[Any]) -> str:
    place = StoreSpec(kind=StoreKind.LOCAL, location="/")
    try:
        engine(name).refuse(config, dtype=dtype, store=place)
    except RefusedError as error:
        return str(error)
    return ""
