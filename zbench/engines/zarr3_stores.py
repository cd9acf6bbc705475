"""The stores of zarr-python 3, and how their requests are observed."""

from __future__ import annotations

import asyncio
from functools import cache
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.storage import LocalStore, MemoryStore

from zbench.errors import RefusedError
from zbench.model import Request, StoreKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from zbench.model import Observer, StoreSpec

__all__ = ["native_store"]

# Memory stores live as long as the process, as folders live as long as the disk.
_MEMORY: dict[str, dict[str, Any]] = {}


def native_store(store: StoreSpec, *, writable: bool = False) -> Any:
    """Turn a place into a store of zarr-python 3.

    Parameters
    ----------
    store
        The place.
    writable
        Whether it will be written to.

    Returns
    -------
    zarr.abc.store.Store
        The store, observed if the place is to be.

    Raises
    ------
    RefusedError
        If the package for such a store is missing.
    """
    if store.kind is StoreKind.S3:
        return _object_store(store, writable=writable)
    base = MemoryStore if store.kind is StoreKind.MEMORY else LocalStore
    kept: Any = store.location
    if store.kind is StoreKind.MEMORY:
        kept = _MEMORY.setdefault(store.location, {})
    if store.observer is None:
        return base(kept, read_only=not writable)
    observed = _observed_class(base)(kept, read_only=not writable)
    observed.tell = store.observer
    return observed


def _object_store(store: StoreSpec, *, writable: bool) -> Any:
    try:
        from obstore.store import S3Store  # noqa: PLC0415 - only for S3
        from zarr.storage import ObjectStore  # noqa: PLC0415 - came with zarr 3.1
    except ImportError as error:
        msg = f"S3 with zarr-python 3 goes through obstore and zarr >= 3.1: {error}. Run: pip install obstore"
        raise RefusedError(msg) from error
    if store.observer is not None:
        msg = "An S3 store is observed by the server: got an observer. Trace it through a server."
        raise RefusedError(msg)
    bucket, _, prefix = store.location.partition("/")
    options: dict[str, Any] = {}
    if store.endpoint is not None:
        local = store.endpoint.startswith("http://127.0.0.1")
        options = {
            "endpoint": store.endpoint,
            "region": "us-east-1",
            "virtual_hosted_style_request": False,
            "skip_signature": local,
            "client_options": {"allow_http": True},
        }
    return ObjectStore(S3Store(bucket, prefix=prefix, **options), read_only=not writable)


@cache
def _observed_class(base: type[Any]) -> type[Any]:
    """Derive a store that tells of its requests when they end, with their begin, and is otherwise the same."""
    methods: dict[str, Any] = {"tell": None}
    methods |= _reading(base) | _writing(base) | _listing(base)
    methods |= {name: method for name, method in _synchronous(base).items() if hasattr(base, name)}
    return type(f"Observed{base.__name__}", (base,), methods)


def _got(tell: Observer, key: str, byte_range: Any, found: Any, begin: int) -> None:
    start, length = _asked(byte_range)
    there, size = found is not None, 0 if found is None else len(found)
    tell(Request(operation="get", key=key, start=start, length=length, size_bytes=size, found=there, offset_ns=begin))


def _asked(byte_range: Any) -> tuple[int | None, int | None]:
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, byte_range.end - byte_range.start
    if isinstance(byte_range, OffsetByteRequest):
        return byte_range.offset, None
    if isinstance(byte_range, SuffixByteRequest):
        return -byte_range.suffix, byte_range.suffix
    return None, None


def _reading(base: type[Any]) -> dict[str, Any]:
    async def get(self: Any, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        begin = perf_counter_ns()
        found = await base.get(self, key, prototype, byte_range)
        _got(self.tell, key, byte_range, found, begin)
        return found

    async def get_partial_values(self: Any, prototype: Any, key_ranges: Iterable[Any]) -> list[Any]:
        return list(await asyncio.gather(*(self.get(key, prototype, asked) for key, asked in key_ranges)))

    async def exists(self: Any, key: str) -> bool:
        begin = perf_counter_ns()
        found = bool(await base.exists(self, key))
        self.tell(Request(operation="head", key=key, found=found, offset_ns=begin))
        return found

    async def getsize(self: Any, key: str) -> int:
        self.tell(Request(operation="head", key=key, offset_ns=perf_counter_ns()))
        return int(await base.getsize(self, key))

    return {"get": get, "get_partial_values": get_partial_values, "exists": exists, "getsize": getsize}


def _writing(base: type[Any]) -> dict[str, Any]:
    # A store may write through its own other methods: only the outermost call is one request.
    async def put(self: Any, key: str, value: Any) -> None:
        begin = perf_counter_ns()
        await base.set(self, key, value)
        self.tell(Request(operation="put", key=key, size_bytes=len(value), offset_ns=begin))

    async def set_if_not_exists(self: Any, key: str, value: Any) -> None:
        begin = perf_counter_ns()
        if not await base.exists(self, key):
            await base.set(self, key, value)
        self.tell(Request(operation="put", key=key, size_bytes=len(value), offset_ns=begin))

    async def delete(self: Any, key: str) -> None:
        begin = perf_counter_ns()
        await base.delete(self, key)
        self.tell(Request(operation="delete", key=key, offset_ns=begin))

    async def delete_dir(self: Any, prefix: str) -> None:
        begin = perf_counter_ns()
        await base.delete_dir(self, prefix)
        self.tell(Request(operation="delete", key=prefix, offset_ns=begin))

    return {"set": put, "set_if_not_exists": set_if_not_exists, "delete": delete, "delete_dir": delete_dir}


def _listing(base: type[Any]) -> dict[str, Any]:
    def listing(name: str) -> Any:
        async def method(self: Any, *prefix: str) -> AsyncIterator[str]:
            self.tell(Request(operation="list", key=prefix[0] if prefix else "", offset_ns=perf_counter_ns()))
            async for key in getattr(base, name)(self, *prefix):
                yield key

        return method

    return {name: listing(name) for name in ("list", "list_prefix", "list_dir")}


def _synchronous(base: type[Any]) -> dict[str, Any]:
    """Since zarr 3.4 a pipeline may go around the event loop."""

    def get_sync(self: Any, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:
        begin = perf_counter_ns()
        found = base.get_sync(self, key, prototype=prototype, byte_range=byte_range)
        _got(self.tell, key, byte_range, found, begin)
        return found

    def set_sync(self: Any, key: str, value: Any) -> None:
        begin = perf_counter_ns()
        base.set_sync(self, key, value)
        self.tell(Request(operation="put", key=key, size_bytes=len(value), offset_ns=begin))

    def delete_sync(self: Any, key: str) -> None:
        begin = perf_counter_ns()
        base.delete_sync(self, key)
        self.tell(Request(operation="delete", key=key, offset_ns=begin))

    return {"get_sync": get_sync, "set_sync": set_sync, "delete_sync": delete_sync}
