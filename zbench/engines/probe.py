"""Ask a library itself whether it can: a small array of the same kind is stored and read back."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.codecs import v2_codecs, v3_codecs
from zbench.errors import RefusedError, ZbenchError
from zbench.model import StorageConfig, StoreKind, StoreSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.engines.protocol import Engine
    from zbench.model import ArrayLayout

__all__ = ["refuse_by_trying", "refuse_order", "refuse_store"]


def refuse_store(engine: Engine, store: StoreSpec, kinds: Iterable[StoreKind]) -> None:
    """Refuse a kind of store that an engine has not.

    Parameters
    ----------
    engine
        The engine.
    store
        The store.
    kinds
        What the engine has.

    Raises
    ------
    RefusedError
        If the store is of another kind, or is to be observed where the engine cannot be.
    """
    kinds = tuple(kinds)
    if store.kind not in kinds:
        msg = f"Engine {engine.name!r} works on {', '.join(kinds)} stores: got a {store.kind} store. Use one of those."
        raise RefusedError(msg)
    if store.observer is not None and engine.tracing != "observer":
        msg = (
            f"Engine {engine.name!r} reads by native code, which no observer sees: got an observed {store.kind} store. "
            "Trace it through a server."
        )
        raise RefusedError(msg)


def refuse_order(layout: ArrayLayout) -> None:
    """Refuse an order that a format cannot say.

    Parameters
    ----------
    layout
        The layout.

    Raises
    ------
    RefusedError
        If it is format 3 in F order.
    """
    if layout.zarr_format == 3 and layout.order == "F":
        msg = (
            f"Format 3 has no order of its own, only a transpose filter: got layout {layout.text!r}. "
            "Leave the order out."
        )
        raise RefusedError(msg)


def refuse_by_trying(engine: Engine, config: StorageConfig, dtype: np.dtype[Any]) -> None:
    """Refuse a configuration that an engine cannot store or read.

    Parameters
    ----------
    engine
        The engine.
    config
        The configuration; its kind is tried with chunks of a few voxels.
    dtype
        Type of a voxel.

    Raises
    ------
    RefusedError
        With the words of the library.
    """
    edge = (4,) * len(config.layout.chunks)
    shards = None if config.layout.shards is None else tuple(2 * extent for extent in edge)
    small = replace(config, layout=replace(config.layout, chunks=edge, shards=shards))
    reason = _reason(engine.name, small, dtype.newbyteorder("<"))
    if reason:
        msg = (
            f"An engine stores what its library can: {engine.name!r} ({_told(engine)}) cannot store {config.text!r} of "
            f"{dtype.name}, {reason}. Take another chain or engine."
        )
        raise RefusedError(msg)


def _told(engine: Engine) -> str:
    return ", ".join(f"{name} {version}" for name, version in engine.versions().items())


@lru_cache(maxsize=4096)
def _reason(name: str, config: StorageConfig, dtype: np.dtype[Any]) -> str:
    from zbench.engines.registry import engine as find_engine  # noqa: PLC0415 - the registry imports engines, they this

    engine = find_engine(name)
    # A chain that no library could store is refused in its own words.
    _ = (v2_codecs if config.layout.zarr_format == 2 else v3_codecs)(config.chain, dtype)
    shape = config.layout.objects_shape
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    with tempfile.TemporaryDirectory(prefix="zbench-probe-") as folder:
        store = StoreSpec(kind=StoreKind.LOCAL, location=f"{folder}/probe.zarr")
        try:
            engine.create(store, config, shape=shape, dtype=dtype).write(values)
            engine.open(store).read()
        except ZbenchError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library says no with is its answer
            said = " ".join(str(error).split())[:300].rstrip(".")
            return f"{type(error).__name__}: {said}" if said else f"{type(error).__name__} without a word"
    return ""
