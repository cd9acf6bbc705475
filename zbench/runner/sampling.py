"""Samples of one operation: timed calls, and as many of them as a short time allows."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zbench.cell import read
from zbench.model import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbench.engines import Array
    from zbench.model import AccessPattern

__all__ = ["reader", "take_samples", "timed"]


def timed(execute: Callable[[], None]) -> Sample:
    """Take one time, with the garbage collector off.

    Parameters
    ----------
    execute
        What to time.

    Returns
    -------
    Sample
        Wall and CPU time of one execution.
    """
    gc.disable()
    try:
        cpu_begin, begin = time.process_time_ns(), time.perf_counter_ns()
        execute()
        end, cpu_end = time.perf_counter_ns(), time.process_time_ns()
    finally:
        gc.enable()
    return Sample(wall_ns=end - begin, cpu_ns=cpu_end - cpu_begin)


def take_samples(take: Callable[[], Sample], *, fewest: int, most: int, seconds: float) -> list[Sample]:
    """Take samples until the time is over.

    Parameters
    ----------
    take
        Takes one sample.
    fewest, most
        Samples that are taken however long it lasts, and however short.
    seconds
        No sample after the fewest begins later than this.

    Returns
    -------
    list of Sample
        In order.
    """
    samples: list[Sample] = []
    end = time.monotonic() + seconds
    while len(samples) < fewest or (len(samples) < most and time.monotonic() < end):
        samples.append(take())
    return samples


@contextmanager
def reader(array: Array, pattern: AccessPattern) -> Iterator[Callable[[], Sample]]:
    """Prepare to time an access pattern.

    Parameters
    ----------
    array
        An open array.
    pattern
        Boxes to read, with the threads that its concurrency asks for.

    Yields
    ------
    callable
        Reads all boxes once and takes the time.
    """
    if pattern.concurrency == 1:
        yield lambda: timed(lambda: read(array, pattern))
        return
    with ThreadPoolExecutor(pattern.concurrency) as executor:
        yield lambda: timed(lambda: read(array, pattern, executor))
