"""How long does reading take?"""

from __future__ import annotations

from zbench.cell import cell_pattern, open_array, read

from ._stored import Stored, grid


class _Read(Stored):
    pattern = "full_read"

    def setup(self, outcomes, *names):
        """Open the array and lay out the boxes, outside the time."""
        super().setup(outcomes, *names)
        self.array = open_array(self.cell)
        self.boxes = cell_pattern(self.cell, self.pattern)


class Chains(_Read):
    """Whole volume, by codec chain."""

    params = grid("codec")

    def time_full_read(self, *_):
        read(self.array, self.boxes)


class Layouts(_Read):
    """Whole volume, by chunks and shards."""

    params = grid("layout")

    def time_full_read(self, *_):
        read(self.array, self.boxes)


class Planes(_Read):
    """One plane from the middle, by chunks and shards and the axis it is normal to."""

    param_names = (*Stored.param_names, "pattern")
    params = (*grid("layout"), ("xy_plane", "xz_plane", "yz_plane"))

    def setup(self, outcomes, *names):
        self.pattern = names[-1]
        super().setup(outcomes, *names[:-1])

    def time_plane(self, *_):
        read(self.array, self.boxes)
