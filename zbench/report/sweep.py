"""The page on what each release of a library does to time and memory, held against an older one in the same rounds."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from zbench.errors import InsufficientSamplesError
from zbench.report.sweep_numbers import Timings, pooled, ratios_to
from zbench.report.text import interval, listed, number, table
from zbench.stats import mean_interval
from zbench.units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbench.model import Environment
    from zbench.results import Row
    from zbench.stats import Interval

__all__ = ["TimedRelease", "times_page"]
