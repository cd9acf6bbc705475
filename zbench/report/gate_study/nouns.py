"""What the study of the gate recorded: one entry for each program and repetition, and what was made from the rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbench.model import Environment
    from zbench.stats import Interval

__all__ = [
    "ASV",
    "ASV_CLOSE",
    "GATE",
    "GATE_ALONE",
    "GATE_LISTED",
    "PYPERF",
    "PYTEST",
    "TOOLS",
    "GateStudy",
    "Pooled",
    "Resampled",
    "ToolRun",
]

GATE = "zbench gate"
GATE_LISTED = "zbench gate, listed"
# The same gate on another candidate, so it is none of the tools that are held against each other.
GATE_ALONE = "zbench gate, one codec"
ASV = "asv continuous"
ASV_CLOSE = "asv, factor 1.03"
PYTEST = "pytest-benchmark, median:5%"
PYPERF = "pyperf compare_to"
TOOLS = (GATE, GATE_LISTED, ASV, ASV_CLOSE, PYTEST, PYPERF)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """What a gate said of a factor level.

    Attributes
    ----------
    ratio
        Candidate ÷ baseline.
    alarm
        Whether it failed the gate.
    listed
        Whether it was told slower, certain enough to fail the gate or not.
    """

    ratio: float
    alarm: bool
    listed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRun:
    """What one tool said of one repetition.

    Attributes
    ----------
    tool
        Its name.
    repetition
        Number.
    injected
        Whether the candidate was slower.
    busy
        Whether another load kept a core busy.
    seconds
        Wall time of all that it did, environments being there.
    alarm
        Whether it failed the suite.
    slower
        By cell, whether it was told slower.
    ratios
        By cell, candidate ÷ baseline as the tool estimates it.
    contrasts
        By codec, what a gate said of its cells together.
    causes
        What a gate named as causes of slowness, the first first.
    rounds
        Pairs of processes of a gate.
    load
        Load of the machine when the program began: processes that ran or waited to, over a minute.
    """

    tool: str
    repetition: int
    injected: bool
    busy: bool
    seconds: float
    alarm: bool
    slower: Mapping[str, bool]
    ratios: Mapping[str, float] = field(default_factory=dict)
    contrasts: Mapping[str, Pooled] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    rounds: int = 0
    load: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampled:
    """Gates made anew from recorded rounds, drawn at random.

    Attributes
    ----------
    busy
        Whether another load kept a core busy.
    rounds
        Rounds of each gate.
    seconds
        Time that so many rounds took.
    gates
        Number of gates.
    recorded
        Rounds that they were drawn from.
    alarms
        Gates that failed; of alike sides each is a false alarm.
    cell_alarms
        By cell, gates in which it failed.
    contrast_alarms
        By codec, gates in which its cells together failed.
    injected
        Whether the candidate was slower.
    clock
        Which time decides, ``cpu`` or ``wall``.
    alone
        Whether one codec alone was slower.
    """

    busy: bool
    rounds: int
    seconds: float
    gates: int
    recorded: int
    alarms: int
    cell_alarms: Mapping[str, int]
    contrast_alarms: Mapping[str, int]
    injected: bool
    clock: str
    alone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class GateStudy:
    """All that the page tells.

    Attributes
    ----------
    runs
        Of every tool.
    levels
        By cell, the per cent that its slow side decodes more.
    instructions
        By cell, ratio of the instructions of both sides; empty where they were not counted.
    pooled
        By cell, ratio of both sides from all rounds of the quiet gates together.
    spreads
        By clock, ``quiet`` and ``busy`` in front (``"quiet cpu"``): standard deviation that one pair of processes has,
        middle of the cells.
    resampled
        Gates made anew.
    budget_s
        Seconds that each program had for both sides.
    machine
        What it was measured on.
    versions
        Of the programs, by name.
    date
        Day.
    note
        What is to be known beside.
    """

    runs: tuple[ToolRun, ...]
    levels: Mapping[str, int]
    instructions: Mapping[str, float]
    pooled: Mapping[str, Interval]
    spreads: Mapping[str, float]
    resampled: tuple[Resampled, ...]
    budget_s: float
    machine: Environment
    versions: Mapping[str, str]
    date: str
    note: str = ""

    def of(self, tool: str, *, injected: bool | None = None, busy: bool | None = None) -> list[ToolRun]:
        """Choose runs.

        Parameters
        ----------
        tool
            Name.
        injected, busy
            Those alone; all unless given.

        Returns
        -------
        list of ToolRun
            In their order.
        """
        return [
            run
            for run in self.runs
            if run.tool == tool and injected in (None, run.injected) and busy in (None, run.busy)
        ]
