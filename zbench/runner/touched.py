"""What each operation of an access pattern asks of the store, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zbench.engines import engine
from zbench.model import AccessPattern
from zbench.stores import chunk_keys, counts, inventory, trace

if TYPE_CHECKING:
    from zbench.cell import StoredCell

__all__ = ["Touched", "touched"]


class Touched(NamedTuple):
    """What one operation asked for, metadata left out.

    Attributes
    ----------
    requests
        Requests that fetched voxels.
    objects
        Objects that they went to, each counted once.
    bytes_decoded, bytes_needed
        Decoded size of what was fetched, and of the voxels that were asked for.
    """

    requests: int
    objects: int
    bytes_decoded: int
    bytes_needed: int


def touched(cell: StoredCell, pattern: AccessPattern) -> tuple[Touched, ...]:
    """Execute each operation of an access pattern by itself and count what it asks for.

    Parameters
    ----------
    cell
        A stored cell.
    pattern
        Boxes to read.

    Returns
    -------
    tuple of Touched
        In the order of the operations.
    """
    kept, found = inventory(cell.store), []
    chosen = engine(cell.spec.engine)
    for operation in pattern.operations:
        alone = AccessPattern(name=pattern.name, operations=(operation,), concurrency=pattern.concurrency)
        begins_ns = []
        with trace(chosen.tracing, cell.store) as (store, log):
            array = chosen.open(store)
            for box in alone.boxes:
                begins_ns.append(log.now_ns())
                array.read_box(box)
        got = chunk_keys(log.trace())
        cost = counts(
            log.trace(),
            kept,
            store=cell.store,
            layout=cell.config.layout,
            itemsize=np.dtype(cell.dtype).itemsize,
            boxes=alone.boxes,
            begins_ns=begins_ns,
        )
        objects = {request.key for request in got}
        found.append(Touched(len(got), len(objects), cost.bytes_decoded, cost.bytes_needed))
    return tuple(found)
