"""Tomograms of the CryoET Data Portal: ask what there is, choose one, read just the part that is wanted."""

from __future__ import annotations

from zbench.datasets.portal.client import find_tomograms
from zbench.datasets.portal.crop import cached, planned_bytes, read_crop
from zbench.datasets.portal.nouns import SOURCES, Planned, Tomogram, Wanted, choices, choose

__all__ = [
    "SOURCES",
    "Planned",
    "Tomogram",
    "Wanted",
    "cached",
    "choices",
    "choose",
    "find_tomograms",
    "planned_bytes",
    "read_crop",
]
