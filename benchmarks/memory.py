"""How much memory does the process take at its peak?"""

from __future__ import annotations

import shutil
from pathlib import Path

from zbench.cell import blank_array, cell_pattern, open_array, read, voxels

from ._stored import Stored, questions


class _Peak(Stored):
    """Peak of the process, the interpreter and the libraries of all engines included."""

    every_chain = False

    def teardown(self, *_):
        shutil.rmtree(Path.cwd() / "written", ignore_errors=True)

    def peakmem_full_read(self, *_):
        read(open_array(self.cell), cell_pattern(self.cell, "full_read"))

    def peakmem_write(self, *_):
        blank_array(self.cell, Path.cwd() / "written").write(voxels(self.cell.spec.dataset))


globals().update(questions(_Peak))
