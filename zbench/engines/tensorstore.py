"""The engine tensorstore: its drivers for both formats, without its cache."""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorstore

from zbench.codecs import v2_codecs, v3_codecs
from zbench.engines.local import read_metadata
from zbench.engines.probe import refuse_by_trying, refuse_order, refuse_store
from zbench.model import StoreKind

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.engines.protocol import Tracing
    from zbench.model import Box, StorageConfig, StoreSpec
    from zbench.units import Shape

__all__ = ["TensorStore"]


class _Array:
    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape: Shape = tuple(array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype.numpy_dtype)

    def write(self, values: npt.NDArray[Any]) -> None:
        self._array.write(values).result()

    def write_box(self, box: Box, values: npt.NDArray[Any]) -> None:
        self._array[box.slices].write(values).result()

    def read(self) -> npt.NDArray[Any]:
        return np.asarray(self._array.read(order="C").result())

    def read_box(self, box: Box) -> npt.NDArray[Any]:
        return np.asarray(self._array[box.slices].read(order="C").result())


class TensorStore:
    """The library tensorstore with its ``zarr`` and ``zarr3`` drivers."""

    name = "tensorstore"
    tracing: Tracing = "server"

    def __init__(self) -> None:
        # No cache: what is measured is reading from the store, as with the other engines.
        limits: dict[str, Any] = {"cache_pool": {"total_bytes_limit": 0}}
        threads = os.environ.get("ZBENCH_THREADS")
        if threads:
            limits |= {name: {"limit": int(threads)} for name in ("data_copy_concurrency", "file_io_concurrency")}
        self._context = tensorstore.Context(limits)

    def versions(self) -> dict[str, str]:  # noqa: D102 - told by Engine
        return {"tensorstore": metadata.version("tensorstore")}

    def refuse(self, config: StorageConfig, *, dtype: np.dtype[Any], store: StoreSpec) -> None:  # noqa: D102 - told by Engine
        self._refuse_place(store, config)
        refuse_by_trying(self, config, dtype)

    def create(self, store: StoreSpec, config: StorageConfig, *, shape: Shape, dtype: np.dtype[Any]) -> _Array:  # noqa: D102 - told by Engine
        self._refuse_place(store, config)
        describe = _v2_document if config.layout.zarr_format == 2 else _v3_document
        spec = {
            "driver": "zarr" if config.layout.zarr_format == 2 else "zarr3",
            "kvstore": _kvstore(store),
            "metadata": describe(config, shape, dtype),
            # As with the other engines, a chunk of zeros is stored too.
            "store_data_equal_to_fill_value": True,
        }
        return _Array(tensorstore.open(spec, create=True, delete_existing=True, context=self._context).result())

    def open(self, store: StoreSpec, *, writable: bool = False) -> _Array:  # noqa: D102 - told by Engine
        refuse_store(self, store, StoreKind)
        spec = {"kvstore": _kvstore(store), "store_data_equal_to_fill_value": True}
        how: dict[str, Any] = {"open": True, "read": True, "write": writable, "context": self._context}
        # One request tells format 3, two tell format 2; tensorstore's own way to find out makes six.
        try:
            opened = tensorstore.open(spec | {"driver": "zarr3"}, **how).result()
        except ValueError as error:
            if "NOT_FOUND" not in str(error):
                raise
            opened = tensorstore.open(spec | {"driver": "zarr"}, **how).result()
        return _Array(opened)

    def _refuse_place(self, store: StoreSpec, config: StorageConfig) -> None:
        refuse_store(self, store, StoreKind)
        refuse_order(config.layout)

    def metadata(self, store: StoreSpec) -> dict[str, Any]:  # noqa: D102 - told by Engine
        if store.kind is StoreKind.LOCAL:
            return read_metadata(store)
        keys = tensorstore.KvStore.open(_kvstore(store), context=self._context).result()

        def get(key: str) -> bytes | None:
            found = keys.read(key).result()
            return bytes(found.value) if found.state == "value" else None

        return read_metadata(get)


def _kvstore(store: StoreSpec) -> dict[str, Any]:
    if store.kind is StoreKind.S3:
        bucket, _, prefix = store.location.partition("/")
        spec: dict[str, Any] = {"driver": "s3", "bucket": bucket, "path": f"{prefix}/"}
        if store.endpoint is not None:
            spec |= {"endpoint": store.endpoint, "aws_region": "us-east-1"}
            if store.endpoint.startswith("http://127.0.0.1"):
                spec["aws_credentials"] = {"type": "anonymous"}
        return spec
    driver = "memory" if store.kind is StoreKind.MEMORY else "file"
    return {"driver": driver, "path": f"{store.location}/"}


def _v2_document(config: StorageConfig, shape: Shape, dtype: np.dtype[Any]) -> dict[str, Any]:
    filters, compressor = v2_codecs(config.chain, dtype)
    layout = config.layout
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": list(layout.chunks),
        "dtype": dtype.newbyteorder("<").str,
        "filters": filters,
        "compressor": compressor,
        "fill_value": 0,
        "order": layout.order,
        "dimension_separator": layout.key_separator,
    }


def _v3_document(config: StorageConfig, shape: Shape, dtype: np.dtype[Any]) -> dict[str, Any]:
    layout = config.layout
    codecs = v3_codecs(config.chain, dtype)
    if layout.shards is not None:
        inner = {
            "chunk_shape": list(layout.chunks),
            "codecs": codecs,
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": layout.index_location,
        }
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(layout.objects_shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": layout.key_separator}},
        "codecs": codecs,
        "fill_value": 0,
    }
