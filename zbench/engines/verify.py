"""No number for wrong bytes: what is read is what was written, and what is stored is what was asked for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.codecs import error_bound, v2_codecs, v3_codecs
from zbench.errors import VerificationError, ZbenchError
from zbench.model import voxel_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zbench.engines.protocol import Engine
    from zbench.model import StorageConfig, StoreSpec

__all__ = ["Verified", "check_metadata", "write_verified"]


@dataclass(frozen=True, slots=True)
class Verified:
    """Proof that a cell is right.

    Attributes
    ----------
    digest
        Of the voxels that were read back.
    """

    digest: str


def write_verified(engine: Engine, store: StoreSpec, config: StorageConfig, values: npt.NDArray[Any]) -> Verified:
    """Store a volume, then prove that it comes back and that the metadata says what was asked.

    Parameters
    ----------
    engine
        Writes and reads.
    store
        Where.
    config
        How.
    values
        Voxels.

    Returns
    -------
    Verified
        What was read back.

    Raises
    ------
    RefusedError
        If the engine cannot; nothing is written then.
    VerificationError
        If a voxel or a setting is another, the first difference is named; or if the library fails at what it has not
        refused.
    """
    engine.refuse(config, dtype=values.dtype, store=store)
    with _library(engine, config, "write"):
        engine.create(store, config, shape=values.shape, dtype=values.dtype).write(values)
    check_metadata(engine.metadata(store), config, values)
    with _library(engine, config, "read"):
        read = engine.open(store).read()
    try:
        error_bound(config.chain).check(values, read)
    except VerificationError as error:
        msg = f"{engine.name} gave wrong voxels for {config.text!r}: {error}"
        raise VerificationError(msg) from error
    return Verified(voxel_digest(read))


@contextmanager
def _library(engine: Engine, config: StorageConfig, verb: str) -> Iterator[None]:
    """Turn whatever a library throws at bytes that it should write or read into a failure of this cell alone."""
    try:
        yield
    except ZbenchError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        msg = (
            f"An engine must {verb} what it has not refused: {engine.name} failed at {config.text!r} with "
            f"{type(error).__name__}: {said}"
        )
        raise VerificationError(msg) from error


def check_metadata(document: dict[str, Any], config: StorageConfig, values: npt.NDArray[Any]) -> None:
    """Compare the stored metadata with what was asked for.

    Parameters
    ----------
    document
        Content of ``.zarray`` or ``zarr.json``.
    config
        What was asked for.
    values
        The volume, for its shape and type.

    Raises
    ------
    VerificationError
        If a setting is another; it is named with both values.
    """
    found = document.get("zarr_format")
    if found != config.layout.zarr_format:
        _differs("zarr_format", config.layout.zarr_format, found)
    dtype = values.dtype.newbyteorder("<")
    expected = _v2(config, dtype) if found == 2 else _v3(config, dtype)
    _compare("", expected | {"shape": list(values.shape)}, document)


def _v2(config: StorageConfig, dtype: np.dtype[Any]) -> dict[str, Any]:
    layout = config.layout
    filters, compressor = v2_codecs(config.chain, dtype)
    return {
        "chunks": list(layout.chunks),
        "dtype": dtype.str,
        "order": layout.order,
        "filters": filters,
        "compressor": compressor,
        "dimension_separator": layout.key_separator,
    }


def _v3(config: StorageConfig, dtype: np.dtype[Any]) -> dict[str, Any]:
    layout = config.layout
    codecs = v3_codecs(config.chain, dtype)
    kept = [np.dtype(str(step["astype"])) for step in config.chain.filters if step.name == "fixedscaleoffset"]
    if (kept or [dtype])[-1].itemsize == 1 and config.chain.serializer is None:
        # Single bytes have no order, and libraries differ in whether they say one.
        codecs = [{"name": "bytes"} if codec["name"] == "bytes" else codec for codec in codecs]
    for codec in codecs:
        if codec["name"] == "blosc" and codec["configuration"]["shuffle"] == "noshuffle":
            # The specification ignores this value then, and tensorstore leaves it out.
            del codec["configuration"]["typesize"]
    if layout.shards is not None:
        inner = {
            "chunk_shape": list(layout.chunks),
            "codecs": codecs,
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": layout.index_location,
        }
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
    return {
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(layout.objects_shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": layout.key_separator}},
        "codecs": codecs,
    }


# What a specification lets a document leave out, with the meaning of leaving it out.
_DEFAULTS = {"index_location": "end", "separator": "/", "dimension_separator": "."}


def _compare(place: str, expected: Any, found: Any) -> None:
    """Require all that is expected; what a library adds, such as a default of its own, is let pass."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if key not in found and key == "configuration" and set(value) <= set(_DEFAULTS):
                found = found | {key: {}}
            _compare(f"{place}.{key}" if place else key, value, found.get(key, _DEFAULTS.get(key)))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (wanted, got) in enumerate(zip(expected, found, strict=True)):
            _compare(f"{place}[{index}]", wanted, got)
    elif expected != found:
        _differs(place, expected, found)


def _differs(place: str, expected: Any, found: Any) -> None:
    msg = f"The stored metadata must say what was asked for: {place} should be {expected!r}, the store has {found!r}."
    raise VerificationError(msg)
