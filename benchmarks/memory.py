"""How much memory does the process take at its peak?"""

from __future__ import annotations

from pathlib import Path

from zbench.cell import blank_array, cell_pattern, open_array, read, voxels

from ._stored import Stored, grid


class Layouts(Stored):
    """Peak of the process, the interpreter and the imports included, by chunks and shards."""

    params = grid("layout")

    def peakmem_full_read(self, *_):
        read(open_array(self.cell), cell_pattern(self.cell, "full_read"))

    def peakmem_write(self, *_):
        blank_array(self.cell, Path.cwd() / "written").write(voxels(self.cell.spec.dataset))
