"""File formats, each read by the library that keeps it well, imported when a file asks for it."""

from __future__ import annotations

from zbench.datasets.readers.dispatch import SUFFIXES, read_file, read_voxels
from zbench.datasets.readers.member import Member

__all__ = ["SUFFIXES", "Member", "read_file", "read_voxels"]
