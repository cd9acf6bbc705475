"""How long does writing a whole volume to an empty store take?"""

from __future__ import annotations

from pathlib import Path

from zbench.cell import blank_array, voxels

from ._stored import Stored, grid


class _Write(Stored):
    def setup(self, outcomes, *names):
        """Make an empty array, outside the time; what is written was verified when the cell was stored."""
        super().setup(outcomes, *names)
        self.values = voxels(self.cell.spec.dataset)
        self.array = blank_array(self.cell, Path.cwd() / "written")

    def time_write(self, *_):
        self.array.write(self.values)


class Chains(_Write):
    """By codec chain."""

    params = grid("codec")


class Layouts(_Write):
    """By chunks and shards."""

    params = grid("layout")
