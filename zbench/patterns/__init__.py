"""Access patterns as seeded lists of boxes, and the arithmetic from boxes to chunks, requests and bytes."""

from __future__ import annotations

from zbench.patterns.arithmetic import Plan, mean_touched, plan, touched_chunks
from zbench.patterns.catalogue import PATTERN_FORMS, access_pattern, one_by_one
from zbench.patterns.places import SplitMix64, hilbert_order

__all__ = [
    "PATTERN_FORMS",
    "Plan",
    "SplitMix64",
    "access_pattern",
    "hilbert_order",
    "mean_touched",
    "one_by_one",
    "plan",
    "touched_chunks",
]
