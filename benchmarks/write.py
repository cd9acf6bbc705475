"""How long does writing a whole volume to an empty store take?"""

from __future__ import annotations

import shutil
from pathlib import Path

from zbench.cell import blank_array, voxels

from ._stored import Stored, questions


class _Whole(Stored):
    """A volume in memory into an empty array."""

    # A write lasts so long that what the first one pays for more is little beside it.
    warmup_time = 0
    repeat = 2

    def setup(self, outcomes, *names):
        """Make an empty array, outside the time; what is written was verified when the cell was stored."""
        super().setup(outcomes, *names)
        self.values = voxels(self.cell.spec.dataset)
        self.array = blank_array(self.cell, Path.cwd() / "written")

    def teardown(self, *_):
        shutil.rmtree(Path.cwd() / "written", ignore_errors=True)

    def time_write(self, *_):
        self.array.write(self.values)


globals().update(questions(_Whole))
