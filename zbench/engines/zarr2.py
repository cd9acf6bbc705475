"""The engine zarr-python in release 2."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import zarr
from numcodecs.registry import get_codec

from zbench.codecs import v2_codecs
from zbench.engines.local import read_metadata
from zbench.engines.probe import refuse_by_trying, refuse_store
from zbench.errors import RefusedError
from zbench.model import Request, StoreKind

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.engines.protocol import Tracing
    from zbench.model import Box, Observer, StorageConfig, StoreSpec
    from zbench.units import Shape

__all__ = ["Zarr2"]

_KINDS = (StoreKind.LOCAL, StoreKind.MEMORY)
# Memory stores live as long as the process, as folders live as long as the disk.
_MEMORY: dict[str, dict[str, bytes]] = {}


class _Observed(MutableMapping[str, Any]):
    """A store whose every request is told, with its begin."""

    def __init__(self, store: MutableMapping[str, Any], observer: Observer) -> None:
        self._store, self._tell = store, observer

    def __getitem__(self, key: str) -> Any:
        begin = perf_counter_ns()
        try:
            value = self._store[key]
        except KeyError:
            self._tell(Request(operation="get", key=key, found=False, offset_ns=begin))
            raise
        self._tell(Request(operation="get", key=key, size_bytes=memoryview(value).nbytes, offset_ns=begin))
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        begin = perf_counter_ns()
        self._store[key] = value
        self._tell(Request(operation="put", key=key, size_bytes=memoryview(value).nbytes, offset_ns=begin))

    def __delitem__(self, key: str) -> None:
        begin = perf_counter_ns()
        del self._store[key]
        self._tell(Request(operation="delete", key=key, offset_ns=begin))

    def __contains__(self, key: object) -> bool:
        begin = perf_counter_ns()
        found = key in self._store
        self._tell(Request(operation="head", key=str(key), found=found, offset_ns=begin))
        return found

    def __iter__(self) -> Iterator[str]:
        self._tell(Request(operation="list", key="", offset_ns=perf_counter_ns()))
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)


class _Array:
    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape: Shape = tuple(array.shape)
        self.dtype: np.dtype[Any] = array.dtype

    def write(self, values: npt.NDArray[Any]) -> None:
        self._array[...] = values

    def write_box(self, box: Box, values: npt.NDArray[Any]) -> None:
        self._array[box.slices] = values

    def read(self) -> npt.NDArray[Any]:
        return np.asarray(self._array[...])

    def read_box(self, box: Box) -> npt.NDArray[Any]:
        return np.asarray(self._array[box.slices])


class Zarr2:
    """The library zarr-python 2 with its own stores; it writes format 2."""

    name = "zarr-python"
    tracing: Tracing = "observer"

    def versions(self) -> dict[str, str]:  # noqa: D102 - told by Engine
        import numcodecs  # noqa: PLC0415 - only for its version

        return {"zarr": zarr.__version__, "numcodecs": numcodecs.__version__}

    def refuse(self, config: StorageConfig, *, dtype: np.dtype[Any], store: StoreSpec) -> None:  # noqa: D102 - told by Engine
        self._refuse_place(store, config)
        refuse_by_trying(self, config, dtype)

    def create(self, store: StoreSpec, config: StorageConfig, *, shape: Shape, dtype: np.dtype[Any]) -> _Array:  # noqa: D102 - told by Engine
        self._refuse_place(store, config)
        layout = config.layout
        filters, compressor = v2_codecs(config.chain, dtype)
        return _Array(
            zarr.create(
                shape=shape,
                chunks=layout.chunks,
                dtype=dtype.newbyteorder("<"),
                store=self._store(store, layout.key_separator),
                filters=None if filters is None else [get_codec(dict(codec)) for codec in filters],
                compressor=None if compressor is None else get_codec(dict(compressor)),
                fill_value=0,
                order=layout.order,
                dimension_separator=layout.key_separator,
                write_empty_chunks=True,
                zarr_version=2,
            )
        )

    def open(self, store: StoreSpec, *, writable: bool = False) -> _Array:  # noqa: D102 - told by Engine
        refuse_store(self, store, _KINDS)
        return _Array(zarr.open_array(self._store(store), mode="r+" if writable else "r"))

    def _refuse_place(self, store: StoreSpec, config: StorageConfig) -> None:
        refuse_store(self, store, _KINDS)
        if config.layout.zarr_format != 2:
            msg = (
                f"zarr-python {zarr.__version__} writes format 2: got layout {config.layout.text!r}. Use a v2 layout, "
                "or an environment with zarr 3."
            )
            raise RefusedError(msg)

    def metadata(self, store: StoreSpec) -> dict[str, Any]:  # noqa: D102 - told by Engine
        if store.kind is StoreKind.MEMORY:
            return read_metadata(lambda key: _MEMORY.get(store.location, {}).get(key))
        return read_metadata(store)

    def _store(self, store: StoreSpec, separator: Literal[".", "/"] | None = None) -> Any:
        place: MutableMapping[str, Any]
        if store.kind is StoreKind.MEMORY:
            place = _MEMORY.setdefault(store.location, {})
        else:
            place = zarr.DirectoryStore(store.location, dimension_separator=separator)
        if store.observer is None:
            return place
        return zarr.storage.KVStore(_Observed(place, store.observer))
