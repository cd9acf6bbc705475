"""What a run will take: cells, times, seconds, room on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ZbenchError
from zbench.layouts import resolve_layout
from zbench.patterns import access_pattern, plan
from zbench.runner import WRITE
from zbench.runner.deep_sampling import LARGE_BYTES
from zbench.runner.ledger import FEWEST_ROUNDS

if TYPE_CHECKING:
    from zbench.harness.cryoet.run import Prepared
    from zbench.runner.campaign import CellPlan

__all__ = ["Estimate", "estimate"]

# Rules of thumb, so that a wish for hours is told from one for minutes: what a tomogram of float32 took on two cores.
_READ_BYTES_S = 0.5e9
_WRITE_BYTES_S = {"none": 0.7e9, "lz4-": 0.5e9, "": 0.12e9}
_REQUEST_S = 0.5e-3
_A_VALUE_S = 0.09
_A_PROCESS_S = 2.5
_A_CELL_S = 0.2
# Valgrind makes a program about so many times slower, and takes that long to begin.
_VALGRIND = 50.0
_A_COUNT_S = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a run will take.

    Attributes
    ----------
    cells
        Cells to be stored.
    times
        Times to be taken, each at least three times.
    least_s
        Seconds for storing all cells and three rounds: a run takes them whatever its budget.
    most_s
        Seconds after which it ends at the latest.
    disk_bytes
        Most room that is taken at one time.
    """

    cells: int
    times: int
    least_s: float
    most_s: float
    disk_bytes: int


def estimate(prepared: Prepared) -> Estimate:
    """Estimate what a run will take; nothing is measured.

    Parameters
    ----------
    prepared
        What is to be done.

    Returns
    -------
    Estimate
        Seconds by rules of thumb, which may be wrong by a factor of two or three on another machine.
    """
    plans = prepared.selected.plans
    storing = sum(_store_s(prepared, cell) for cell in plans)
    rounds = FEWEST_ROUNDS * (_A_PROCESS_S + sum(_round_s(prepared, cell) for cell in plans))
    if prepared.crop.logical_bytes >= LARGE_BYTES:
        # After the first round a process warms up on some chunks alone.
        once = sum(_times(prepared, one) * _once_s(prepared, cell, one) for cell in plans for one in cell.operations)
        rounds -= (FEWEST_ROUNDS - 1) * once
    # What counts is not bound by the budget.
    counting = _counting_s(prepared) if prepared.request.selection.instructions else 0.0
    least = storing + rounds + counting
    everything = prepared.crop.logical_bytes + sum(cell.most_bytes for cell in plans)
    largest = max(cell.most_bytes for cell in plans)
    return Estimate(
        cells=len(plans),
        times=sum(_times(prepared, operation) for cell in plans for operation in cell.operations),
        least_s=least,
        most_s=max(least, prepared.request.seconds + counting),
        disk_bytes=min(everything + largest, prepared.request.max_disk_bytes),
    )


def _times(prepared: Prepared, operation: str) -> int:
    return 1 if operation == WRITE else len(prepared.cache_states)


def _store_s(prepared: Prepared, cell: CellPlan) -> float:
    """Written once, read once, and each pattern read once to be counted."""
    size = prepared.crop.logical_bytes
    reads = sum(_once_s(prepared, cell, operation) for operation in cell.operations if operation != WRITE)
    return _A_CELL_S + _once_s(prepared, cell, WRITE) + size / _READ_BYTES_S + reads


def _round_s(prepared: Prepared, cell: CellPlan) -> float:
    """Once to warm up, and for as long as a value takes, but once at least."""
    found = 0.0
    for operation in cell.operations:
        once = _once_s(prepared, cell, operation)
        found += _times(prepared, operation) * (once + max(once, _A_VALUE_S))
    return found


def _counting_s(prepared: Prepared) -> float:
    """Each operation is executed three times under valgrind, in a process of its own."""
    return sum(
        _A_COUNT_S + 3 * _VALGRIND * _once_s(prepared, cell, operation)
        for cell in prepared.selected.plans
        for operation in cell.operations
    )


def _once_s(prepared: Prepared, cell: CellPlan, operation: str) -> float:
    if operation == WRITE:
        rate = next(rate for word, rate in _WRITE_BYTES_S.items() if word in cell.spec.chain)
        return prepared.crop.logical_bytes / rate
    shape = prepared.crop.box.shape
    try:
        layout = resolve_layout(cell.spec.layout, shape)
        cost = plan(access_pattern(operation, shape), layout, itemsize=prepared.crop.itemsize)
    except ZbenchError:
        return 0.0  # Refused, so it takes no time.
    return cost.bytes_decoded / _READ_BYTES_S + cost.requests * _REQUEST_S
