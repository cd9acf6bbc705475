"""File formats, each read by the library that keeps it well, imported when a file asks for it."""

from __future__ import annotations

from zbench.datasets.readers.choice import part_of, split_member, split_source
from zbench.datasets.readers.dispatch import SUFFIXES, first_level, read_file, read_voxels
from zbench.datasets.readers.member import Member

__all__ = ["SUFFIXES", "Member", "first_level", "part_of", "read_file", "read_voxels", "split_member", "split_source"]
