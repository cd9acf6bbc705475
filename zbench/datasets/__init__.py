"""Volumes by name or file: cards, downloads with checksums, readers, the generator."""

from __future__ import annotations

from zbench.datasets.cards import DOMAINS, Card
from zbench.datasets.fetch import cache_folder, fetch, locate
from zbench.datasets.load import centre_crop, load, prepared
from zbench.datasets.readers import first_level, read_file, read_voxels, split_member, split_source
from zbench.datasets.registry import card, card_names, registry_root
from zbench.datasets.remote import is_address

__all__ = [
    "DOMAINS",
    "Card",
    "cache_folder",
    "card",
    "card_names",
    "centre_crop",
    "fetch",
    "first_level",
    "is_address",
    "load",
    "locate",
    "prepared",
    "read_file",
    "read_voxels",
    "registry_root",
    "split_member",
    "split_source",
]
