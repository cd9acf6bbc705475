"""What reading a cell asks of the store, counted: exact numbers, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zbench.engines import engine
from zbench.model import Trace
from zbench.stores import counts, inventory, trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.cell import StoredCell
    from zbench.model import AccessPattern, Counts

__all__ = ["count_read", "count_reads"]


def count_read(cell: StoredCell, pattern: AccessPattern) -> Counts:
    """Execute an access pattern once and count what it asks of the store, opening included.

    Parameters
    ----------
    cell
        The cell.
    pattern
        Boxes to read.

    Returns
    -------
    Counts
        Exact numbers.
    """
    return count_reads(cell, (pattern,))[0]


def count_reads(cell: StoredCell, patterns: Sequence[AccessPattern]) -> tuple[Counts, ...]:
    """Execute access patterns one after the other, once each, and count what each asks of the store, opening included.

    Parameters
    ----------
    cell
        The cell.
    patterns
        Boxes to read. A store that only a server can watch is served once for all of them.

    Returns
    -------
    tuple of Counts
        Exact numbers of each.
    """
    chosen = engine(cell.spec.engine)
    begins_ns: list[list[int]] = []
    ends_ns = []
    with trace(chosen.tracing, cell.store) as (store, log):
        for pattern in patterns:
            array = chosen.open(store)
            begins_ns.append([])
            for box in pattern.boxes:
                begins_ns[-1].append(log.now_ns())
                array.read_box(box)
            ends_ns.append(log.now_ns())
    kept, whole = inventory(cell.store), log.trace()
    found, last = [], -1
    for pattern, begins, end in zip(patterns, begins_ns, ends_ns, strict=True):
        found.append(
            counts(
                Trace(tuple(request for request in whole.requests if last < request.offset_ns <= end)),
                kept,
                store=cell.store,
                layout=cell.config.layout,
                itemsize=np.dtype(cell.dtype).itemsize,
                boxes=pattern.boxes,
                begins_ns=begins,
            )
        )
        last = end
    return tuple(found)
