"""What the benchmarks share: cells that are stored and verified once for an environment, before anything is timed."""

from __future__ import annotations

from pathlib import Path

from zbench.cell import store_cells, stored
from zbench.grid import CellSpec, active_preset

PRESET = active_preset()


class Stored:
    """A grid of cells that lie on disk, proved to come back."""

    param_names = ("dataset", "engine", "layout", "chain")
    # Half a minute for one cell is a hang, not a slow cell; storing the whole grid takes longer.
    timeout = 60
    # Setting up before each sample makes asv take one iteration a sample. Two rounds are two processes some minutes
    # apart: the process, not the iteration, is what differs between measurements.
    rounds = 2
    warmup_time = 0
    repeat = (2, 5, 0.3)

    def setup_cache(self):
        """Store every cell of the preset; a cell that cannot be stored keeps its reason."""
        return store_cells(PRESET.cells(), Path.cwd())

    setup_cache.timeout = 900

    def setup(self, outcomes, *names):
        """Find the cell; one that was refused is skipped with its reason, one that came back wrong fails."""
        self.cell = stored(outcomes, CellSpec(*names))


def grid(sweep):
    """Lay out the parameters of one question of the preset."""
    chosen = PRESET.sweep(sweep)
    return (PRESET.datasets, PRESET.engines, chosen.layouts, chosen.chains)
