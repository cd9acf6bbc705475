"""Volumes by name or file: cards, downloads with checksums, readers, the generator."""

from __future__ import annotations

from zbench.datasets.cards import Card
from zbench.datasets.fetch import cache_folder, fetch
from zbench.datasets.load import centre_crop, load, prepared
from zbench.datasets.readers import read_file
from zbench.datasets.registry import card, card_names, registry_root

__all__ = [
    "Card",
    "cache_folder",
    "card",
    "card_names",
    "centre_crop",
    "fetch",
    "load",
    "prepared",
    "read_file",
    "registry_root",
]
