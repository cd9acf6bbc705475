"""What zbench costs around a timed call, beside a bare loop over the same array."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.cell import cell_pattern, open_array, read
from zbench.runner.sampling import reader, take_samples, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbench.cell import StoredCell
    from zbench.model import AccessPattern, Box

__all__ = ["Overhead", "bare_reader", "measure_overhead"]

_ROUNDS = 15
_BLOCKS = 5
_CALLS_OF_NOTHING = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """What was found for one cell and pattern.

    Attributes
    ----------
    bare_ns, ours_ns
        Time of one execution in a bare loop, and in that of zbench with all that it does between samples: one median
        a round, both sides taken alternately.
    between_ns
        Time that zbench's loop spends outside the timed calls, for each sample.
    inside_ns
        Time that a timed call takes when the array that it reads costs nothing.
    """

    bare_ns: tuple[float, ...]
    ours_ns: tuple[float, ...]
    between_ns: float
    inside_ns: float


def bare_reader(cell: StoredCell, boxes: tuple[Box, ...]) -> Callable[[], None]:
    """Read as a user's own loop would, without anything of zbench.

    Parameters
    ----------
    cell
        A stored cell of zarr-python or tensorstore.
    boxes
        What to read.

    Returns
    -------
    callable
        Reads all boxes once.
    """
    indices = [box.slices for box in boxes]
    if cell.spec.engine == "tensorstore":
        import tensorstore  # noqa: PLC0415 - only for this engine

        driver = "zarr" if cell.config.layout.zarr_format == 2 else "zarr3"
        spec = {"driver": driver, "kvstore": {"driver": "file", "path": cell.store.location}}
        opened = tensorstore.open(spec, open=True).result()

        def read_tensorstore() -> None:
            for index in indices:
                opened[index].read().result()

        return read_tensorstore
    import zarr  # noqa: PLC0415 - only for these engines

    array = zarr.open_array(cell.store.location, mode="r")

    def read_zarr() -> None:
        for index in indices:
            np.asarray(array[index])

    return read_zarr


def measure_overhead(cell: StoredCell, pattern_name: str) -> Overhead:
    """Time a cell by zbench's own loop and by a bare one, alternately.

    Parameters
    ----------
    cell
        A stored cell.
    pattern_name
        Name of the access pattern.

    Returns
    -------
    Overhead
        Times in nanoseconds.
    """
    pattern = cell_pattern(cell, pattern_name)
    bare = bare_reader(cell, pattern.boxes)
    with reader(open_array(cell), pattern) as take:
        medians = _alternate(bare, lambda: take_samples(take, fewest=1, most=1, seconds=0))
        between_ns = _between(take)
    return Overhead(
        bare_ns=tuple(medians["bare"]),
        ours_ns=tuple(medians["ours"]),
        between_ns=between_ns,
        inside_ns=_inside(pattern),
    )


def _alternate(bare: Callable[[], Any], ours: Callable[[], Any]) -> dict[str, list[float]]:
    sides = {"bare": bare, "ours": ours}
    medians: dict[str, list[float]] = {"bare": [], "ours": []}
    for call in sides.values():
        call()
    for _ in range(_ROUNDS):
        times: dict[str, list[int]] = {"bare": [], "ours": []}
        for block in range(_BLOCKS):
            order = ("bare", "ours", "ours", "bare") if block % 2 else ("ours", "bare", "bare", "ours")
            for side in order:
                begin = time.perf_counter_ns()
                sides[side]()
                times[side].append(time.perf_counter_ns() - begin)
        for side, values in times.items():
            medians[side].append(median(values))
    return medians


def _between(take: Callable[[], Any]) -> float:
    begin = time.perf_counter_ns()
    samples = take_samples(take, fewest=_BLOCKS, most=_BLOCKS, seconds=0)
    spent = time.perf_counter_ns() - begin
    return (spent - sum(sample.wall_ns for sample in samples)) / len(samples)


class _Nothing:
    """An array that costs nothing to read."""

    shape = (1, 1, 1)
    dtype = np.dtype("u1")
    _value = np.zeros((1, 1, 1), "u1")

    def read_box(self, _box: Box) -> Any:
        return self._value


def _inside(pattern: AccessPattern) -> float:
    array: Any = _Nothing()
    calls = max(3, _CALLS_OF_NOTHING // len(pattern.boxes))
    return median(timed(lambda: read(array, pattern)).wall_ns for _ in range(calls))
