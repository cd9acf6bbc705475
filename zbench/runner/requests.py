"""What each single operation on an array asks of its store, counted request by request."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zbench.codecs import parse_chain
from zbench.engines import check_metadata, engine
from zbench.errors import RefusedError, VerificationError, ZbenchError
from zbench.model import ArrayLayout, Box, StorageConfig, StoreKind, StoreSpec
from zbench.stores import inventory, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy.typing as npt

    from zbench.engines import Array, Engine
    from zbench.grid import CellSpec
    from zbench.model import Request
    from zbench.units import Shape

__all__ = ["OPERATIONS", "SIZE", "count_operations"]

# Voxels an axis: not a multiple of chunks of 32 or shards of 64, so that both stick out of the volume.
SIZE = 80
# In the order in which they are executed.
OPERATIONS = (
    "create",
    "write_whole",
    "open",
    "read_whole",
    "read_plane",
    "read_patch",
    "read_chunk",
    "read_edge",
    "open_writable",
    "write_chunk",
    "write_part",
    "write_edge",
    "write_plane",
)


class _Span(NamedTuple):
    name: str
    begin_ns: int
    end_ns: int


def count_operations(spec: CellSpec, values: npt.NDArray[Any], folder: Path) -> dict[str, Any]:
    """Store a small array and count what each operation on it asks of the store.

    Everything is done twice, and what was read is held against what was written.

    Parameters
    ----------
    spec
        Engine, layout and codec chain.
    values
        The voxels, `SIZE` an axis.
    folder
        In which the array is stored, and removed afterwards.

    Returns
    -------
    dict
        ``operations``: for each of `OPERATIONS` the numbers of requests by kind, and the bytes; ``unsteady``: those
        whose numbers were others the second time; ``objects`` and ``stored_bytes``; ``traces``: for each the fields
        of its requests the first time, in their order.

    Raises
    ------
    RefusedError
        If the engine cannot store such an array, or is not seen by what counts.
    VerificationError
        If what was read or stored is not what was written or asked for.
    """
    if values.shape != (SIZE,) * 3:
        msg = f"Single operations are counted on a cube of {SIZE} voxels: got {values.shape}. Cut one out."
        raise RefusedError(msg)
    chosen = engine(spec.engine)
    config = StorageConfig(layout=ArrayLayout.parse(spec.layout), chain=parse_chain(spec.chain))
    store = StoreSpec(kind=StoreKind.LOCAL, location=str((folder / "operations.zarr").absolute()))
    chosen.refuse(config, dtype=values.dtype, store=store)
    try:
        traced = [_counted(chosen, store, config, values) for _ in range(2)]
        kept = inventory(store)
    finally:
        shutil.rmtree(store.location, ignore_errors=True)
    first, second = ({name: _numbers(requests) for name, requests in one.items()} for one in traced)
    _require_sight(chosen, first, kept.stored_bytes)
    return {
        "operations": first,
        "unsteady": [operation for operation in OPERATIONS if first[operation] != second[operation]],
        "objects": kept.objects,
        "stored_bytes": kept.stored_bytes,
        "traces": {name: [asdict(request) for request in requests] for name, requests in traced[0].items()},
    }


def _counted(
    chosen: Engine, store: StoreSpec, config: StorageConfig, values: npt.NDArray[Any]
) -> dict[str, list[Request]]:
    shutil.rmtree(store.location, ignore_errors=True)
    spans: list[_Span] = []
    with trace(chosen.tracing, store) as (observed, log):

        def execute(name: str, call: Callable[[], Any]) -> Any:
            begin = log.now_ns()
            try:
                done = call()
            except ZbenchError:
                raise
            except Exception as error:
                msg = (
                    f"An engine must do what it has not refused: {chosen.name} failed at {name} of {config.text!r} "
                    f"with {type(error).__name__}: {' '.join(str(error).split())[:300]}"
                )
                raise VerificationError(msg) from error
            spans.append(_Span(name, begin, log.now_ns()))
            return done

        array = execute("create", lambda: chosen.create(observed, config, shape=values.shape, dtype=values.dtype))
        execute("write_whole", lambda: array.write(values))
        array = execute("open", lambda: chosen.open(observed))
        _same("read_whole", execute("read_whole", array.read), values)
        for name, box in _read_boxes(config.layout, values.shape).items():
            _read(execute, name, array, box, values)
        array = execute("open_writable", lambda: chosen.open(observed, writable=True))
        for name, box in _written_boxes(config.layout, values.shape).items():
            _write(execute, name, array, box, values)
    check_metadata(chosen.metadata(store), config, values)
    _same("what was written", chosen.open(store).read(), values)
    requests = log.trace().requests
    return {
        span.name: [
            replace(one, offset_ns=one.offset_ns - span.begin_ns)
            for one in requests
            if span.begin_ns <= one.offset_ns < span.end_ns
        ]
        for span in spans
    }


def _read(execute: Callable[..., Any], name: str, array: Array, box: Box, values: npt.NDArray[Any]) -> None:
    _same(name, execute(name, lambda: array.read_box(box)), values[box.slices])


def _write(execute: Callable[..., Any], name: str, array: Array, box: Box, values: npt.NDArray[Any]) -> None:
    # The voxels that are there already: a write is a write, and the whole can still be checked at the end.
    execute(name, lambda: array.write_box(box, np.ascontiguousarray(values[box.slices])))


def _read_boxes(layout: ArrayLayout, shape: Shape) -> dict[str, Box]:
    middle = SIZE // 2
    return {
        "read_plane": Box((middle, 0, 0), (middle + 1, *shape[1:])),
        "read_patch": Box((16,) * 3, (48,) * 3),
        "read_chunk": Box((0,) * 3, layout.chunks),
        "read_edge": _edge(layout, shape),
    }


def _written_boxes(layout: ArrayLayout, shape: Shape) -> dict[str, Box]:
    return {
        "write_chunk": Box((0,) * 3, layout.chunks),
        "write_part": Box((1,) * 3, tuple(edge // 2 for edge in layout.chunks)),
        "write_edge": _edge(layout, shape),
        "write_plane": Box((SIZE // 2, 0, 0), (SIZE // 2 + 1, *shape[1:])),
    }


def _edge(layout: ArrayLayout, shape: Shape) -> Box:
    """Take all voxels of the last chunk, of which a part lies outside of the volume."""
    return Box(tuple((extent - 1) // edge * edge for extent, edge in zip(shape, layout.chunks, strict=True)), shape)


def _same(what: str, found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> None:
    if not np.array_equal(found, wanted):
        msg = f"No number for wrong bytes: {what} gave other voxels than were written. Report it to the library."
        raise VerificationError(msg)


def _numbers(requests: Iterable[Request]) -> dict[str, int]:
    """Count requests by kind; a ``get`` of a part of an object counts as such."""
    numbers: Counter[str] = Counter()
    for request in requests:
        kind: str = request.operation
        if kind == "get":
            partial = request.start is not None or request.length is not None
            kind = "get_missing" if not request.found else "get_part" if partial else "get"
        numbers[kind] += 1
        numbers["bytes_written" if request.operation == "put" else "bytes_fetched"] += request.size_bytes
    return {name: count for name, count in sorted(numbers.items()) if count}


def _require_sight(chosen: Engine, counted: dict[str, dict[str, int]], stored_bytes: int) -> None:
    """Refuse numbers that cannot be whole: a library may have learnt to go around what counts."""
    # Metadata is not read with the voxels; it is some hundred bytes.
    seen = min(counted["read_whole"].get("bytes_fetched", 0), counted["write_whole"].get("bytes_written", 0))
    if seen < stored_bytes / 2:
        msg = (
            f"Requests are counted where they can be seen: {chosen.name!r} moved {stored_bytes} bytes, of which "
            f"{seen} were seen ({chosen.versions()}). Count with a release that is known."
        )
        raise RefusedError(msg)
