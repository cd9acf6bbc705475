"""What the benchmarks share: cells that are stored and verified once for an environment, before anything is timed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pooch  # noqa: F401 - for the reason below: zbench imports it where a volume is first asked for

from zbench.cell import store_cells, stored
from zbench.engines import engine
from zbench.errors import RefusedError
from zbench.grid import CellSpec, active_preset

PRESET = active_preset()

# asv forks each measurement from a process that holds the suite: an import that waits for the measurement is paid for
# by every one of them, and is in the first sample of those that time opening.
for _name in PRESET.engines:
    with suppress(RefusedError):
        engine(_name)


class Stored:
    """A grid of cells that lie on disk, proved to come back."""

    param_names = ("dataset", "engine", "layout", "chain")
    # By hand: asv would take the text of the code, and begin a curve anew when a comment in it changes.
    version = 1
    # One sample of one cell: what takes longer than a minute hangs.
    timeout = 60
    # Setting up before each sample makes asv take one iteration a sample. One round is one process: what differs
    # between processes is not in asv's intervals, and is what `zbench gate` takes pairs of them for.
    rounds = 1
    # More than nothing: one execution before the samples, which pays for the threads and caches that they find ready.
    warmup_time = 0.001
    repeat = (3, 6, 0.1)
    # What hardly depends on the chain is measured with the first chain of each question.
    every_chain = True

    def setup_cache(self):
        """Store every cell of the preset; a cell that cannot be stored keeps its reason."""
        return store_cells(PRESET.cells(), Path.cwd())

    # Every cell is written, read back and compared in it, one after the other.
    setup_cache.timeout = 60 + 15 * len(PRESET.cells())

    def setup(self, outcomes, *names):
        """Find the cell; one that was refused is skipped with its reason, one that came back wrong fails."""
        self.cell = stored(outcomes, CellSpec(*names[:4]))


def questions(situation):
    """Make a class of a situation for each question of the preset, whose cells and patterns become its parameters.

    asv finds classes by their names in a module: ``globals().update(questions(_Size))`` gives it ``CodecSize``...
    """
    made = {}
    for sweep in PRESET.sweeps:
        if not situation.every_chain and any(_is_part(sweep, other) for other in PRESET.sweeps):
            # Without its chains it would ask what another question asks.
            continue
        values = {
            "dataset": PRESET.datasets,
            "engine": PRESET.engines,
            "layout": sweep.layouts,
            "chain": sweep.chains if situation.every_chain else sweep.chains[:1],
            "pattern": sweep.patterns,
        }
        members = {
            "__doc__": sweep.question,
            "__module__": situation.__module__,
            "params": tuple(values[name] for name in situation.param_names),
        }
        name = "".join(word.capitalize() for word in sweep.name.split("-")) + situation.__name__.removeprefix("_")
        made[name] = type(name, (situation,), members)
    return made


def _is_part(sweep, other):
    return set(sweep.layouts) < set(other.layouts) and set(sweep.patterns) <= set(other.patterns)
