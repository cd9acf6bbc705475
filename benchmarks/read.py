"""How long does reading take?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from zbench.cell import cell_pattern, open_array, read

from ._stored import Stored, questions


class _Patterns(Stored):
    """An access pattern on an open array: whole volume, planes, boxes, as the preset asks."""

    param_names = (*Stored.param_names, "pattern")
    # asv tears down after a refused setup too.
    threads = None

    def setup(self, outcomes, *names):
        """Open the array and lay out the boxes, outside the time."""
        super().setup(outcomes, *names)
        self.array = open_array(self.cell)
        self.boxes = cell_pattern(self.cell, names[-1])
        if self.boxes.concurrency > 1:
            self.threads = ThreadPoolExecutor(self.boxes.concurrency)

    def teardown(self, *_):
        if self.threads is not None:
            self.threads.shutdown()

    def time_read(self, *_):
        read(self.array, self.boxes, self.threads)


globals().update(questions(_Patterns))
