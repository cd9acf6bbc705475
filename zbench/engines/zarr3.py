"""The engines of zarr-python 3: with its batched or fused codec pipeline, or with that of zarrs."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numcodecs.registry import get_codec
from zarr.core.sync import sync
from zarr.registry import get_codec_class

from zbench.codecs import v2_codecs, v3_codecs
from zbench.engines.local import read_metadata
from zbench.engines.probe import refuse_by_trying, refuse_order, refuse_store
from zbench.engines.zarr3_stores import native_store
from zbench.errors import RefusedError
from zbench.model import Role, StoreKind

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.engines.protocol import Tracing
    from zbench.model import Box, StorageConfig, StoreSpec
    from zbench.units import Shape

__all__ = ["Zarr3", "zarr3_engine"]

_PIPELINES = {
    "zarr-python": "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "zarr-python-fused": "zarr.core.codec_pipeline.FusedCodecPipeline",
    "zarrs": "zarrs.ZarrsCodecPipeline",
}

# Not kept with the array, so it is said again when one is opened.
_RUNTIME = {"write_empty_chunks": True}


def zarr3_engine(name: str) -> Zarr3:
    """Make an engine of zarr-python 3.

    Parameters
    ----------
    name
        Name of the engine.

    Returns
    -------
    Zarr3
        The engine.

    Raises
    ------
    RefusedError
        If the installed release has no such pipeline.
    """
    if name == "zarr-python-fused" and not hasattr(zarr.core.codec_pipeline, "FusedCodecPipeline"):
        msg = f"The fused codec pipeline came with zarr 3.4: zarr {zarr.__version__} is installed. Use a newer zarr."
        raise RefusedError(msg)
    return Zarr3(name)


class _Array:
    def __init__(self, array: Any, pipeline: str) -> None:
        self._array = array
        self._pipeline = pipeline
        self.shape: Shape = tuple(array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)

    def write(self, values: npt.NDArray[Any]) -> None:
        _use(self._pipeline)
        self._array[...] = values

    def write_box(self, box: Box, values: npt.NDArray[Any]) -> None:
        _use(self._pipeline)
        self._array[box.slices] = values

    def read(self) -> npt.NDArray[Any]:
        _use(self._pipeline)
        return np.asarray(self._array[...])

    def read_box(self, box: Box) -> npt.NDArray[Any]:
        _use(self._pipeline)
        return np.asarray(self._array[box.slices])


def _use(pipeline: str) -> None:
    # The sharding codec looks its inner pipeline up when it reads, so the setting must hold then, not only at opening.
    if zarr.config.get("codec_pipeline.path") != pipeline:
        zarr.config.set({"codec_pipeline.path": pipeline})


class Zarr3:
    """The library zarr-python 3 with one of its codec pipelines.

    Parameters
    ----------
    name
        Name of the engine.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._pipeline = _PIPELINES[name]
        self._native = name == "zarrs"
        # zarrs reads by native code: an observer in a Python store would see nothing of it.
        self.tracing: Tracing = "server" if self._native else "observer"
        self._kinds = (StoreKind.LOCAL, StoreKind.S3) if self._native else tuple(StoreKind)
        if self._native:
            # Without this it would quietly hand what it cannot do to Python, and Python would be measured.
            zarr.config.set({"codec_pipeline.strict": True})
            # Before 0.2.1 it is not registered until it is imported.
            import_module("zarrs")

    def versions(self) -> dict[str, str]:  # noqa: D102 - told by Engine
        names = ("zarr", "numcodecs", "zarrs") if self._native else ("zarr", "numcodecs")
        return {name: metadata.version(name) for name in names}

    def refuse(self, config: StorageConfig, *, dtype: np.dtype[Any], store: StoreSpec) -> None:  # noqa: D102 - told by Engine
        self._refuse_place(store, config)
        refuse_by_trying(self, config, dtype)

    def create(self, store: StoreSpec, config: StorageConfig, *, shape: Shape, dtype: np.dtype[Any]) -> _Array:  # noqa: D102 - told by Engine
        self._refuse_place(store, config)
        layout = config.layout
        _use(self._pipeline)
        how = _v2_arguments(config, dtype) if layout.zarr_format == 2 else _v3_arguments(config, dtype)
        array = zarr.create_array(
            store=native_store(store, writable=True),
            shape=shape,
            dtype=dtype.newbyteorder("<"),
            chunks=layout.chunks,
            fill_value=0,
            zarr_format=layout.zarr_format,
            config=_RUNTIME,
            **how,
        )
        return self._array(array)

    def open(self, store: StoreSpec, *, writable: bool = False) -> _Array:  # noqa: D102 - told by Engine
        refuse_store(self, store, self._kinds)
        _use(self._pipeline)
        how = {"store": native_store(store, writable=writable), "mode": "r+" if writable else "r"}
        if not writable:
            return self._array(zarr.open_array(**how))
        # Release 3.1 does not listen when it is told so at opening; before it there was only the general setting.
        with zarr.config.set({f"array.{name}": value for name, value in _RUNTIME.items()}):
            array = zarr.open_array(**how)
        return self._array(array.with_config(_RUNTIME) if hasattr(array, "with_config") else array)

    def _refuse_place(self, store: StoreSpec, config: StorageConfig) -> None:
        refuse_store(self, store, self._kinds)
        refuse_order(config.layout)

    def _array(self, array: Any) -> _Array:
        pipeline = array._async_array.codec_pipeline  # noqa: SLF001 - the only place that tells which one is in use
        used = f"{type(pipeline).__module__}.{type(pipeline).__qualname__}"
        if used.rsplit(".", 1)[-1] != self._pipeline.rsplit(".", 1)[-1] or (self._native and pipeline.impl is None):
            msg = (
                f"Engine {self.name!r} must run its own pipeline {self._pipeline}: zarr took {used}. Check zarr.config."
            )
            raise RefusedError(msg)
        return _Array(array, self._pipeline)

    def metadata(self, store: StoreSpec) -> dict[str, Any]:  # noqa: D102 - told by Engine
        if store.kind is StoreKind.LOCAL:
            return read_metadata(store)
        native = native_store(store)

        def get(key: str) -> bytes | None:
            found = sync(native.get(key, zarr.core.buffer.default_buffer_prototype()))
            return None if found is None else bytes(found.to_bytes())

        return read_metadata(get)


def _v2_arguments(config: StorageConfig, dtype: np.dtype[Any]) -> dict[str, Any]:
    filters, compressor = v2_codecs(config.chain, dtype)
    return {
        "filters": None if filters is None else [get_codec(dict(codec)) for codec in filters],
        "compressors": None if compressor is None else get_codec(dict(compressor)),
        "order": config.layout.order,
        "chunk_key_encoding": {"name": "v2", "separator": config.layout.key_separator},
    }


def _v3_arguments(config: StorageConfig, dtype: np.dtype[Any]) -> dict[str, Any]:
    layout, chain = config.layout, config.chain
    codecs = [get_codec_class(codec["name"]).from_dict(codec) for codec in v3_codecs(chain, dtype)]
    filters = len(chain.filters)
    shards: Any = layout.shards
    if shards is not None and layout.index_location != "end":
        shards = {"shape": shards, "index_location": layout.index_location}
    return {
        "shards": shards,
        Role.FILTER + "s": codecs[:filters],
        str(Role.SERIALIZER): codecs[filters],
        Role.COMPRESSOR + "s": codecs[filters + 1 :],
        "chunk_key_encoding": {"name": "default", "separator": layout.key_separator},
    }
