"""What the kernel knows of one operation: counters, memory, what was in the page cache, instructions."""

from __future__ import annotations

from zbench.probes.callgrind import Instructions, Region, count_instructions
from zbench.probes.cold import Chilled, ColdMethod, Residency, chill, residency
from zbench.probes.counters import CounterReader, Counters
from zbench.probes.memory import MemoryMethod, PeakMemory, peak_memory

__all__ = [
    "Chilled",
    "ColdMethod",
    "CounterReader",
    "Counters",
    "Instructions",
    "MemoryMethod",
    "PeakMemory",
    "Region",
    "Residency",
    "chill",
    "count_instructions",
    "peak_memory",
    "residency",
]
