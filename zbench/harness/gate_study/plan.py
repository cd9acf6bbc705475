"""What the study of the gate compares, and in which order."""

from __future__ import annotations

import random
from dataclasses import dataclass

from zbench.report.gate_study import ASV, GATE, GATE_ALONE, PYPERF, PYTEST

__all__ = ["ALONE", "COUNTS", "LEVELS", "PROGRAMS", "SIZES", "GateStudyPlan", "Repetition", "cells", "repetitions"]

# Per cent of the chunks that the slow side decodes a second time, by codec; the first codec is left alone.
LEVELS = {"zlib": 0, "zstd": 1, "blosc-lz4": 2, "lz4": 3, "delta": 5, "blosc-zlib": 10}
# The codec that is slower alone in a candidate of its own: where all others are, too, they share the blame.
ALONE = "zstd"
# Values in a chunk.
SIZES = (1024, 4096)
# Chunks that one call decodes: hundreds, so that each per cent of them is a whole number of chunks, and about 12 ms.
COUNTS = {
    ("zlib", 1024): 700,
    ("zlib", 4096): 300,
    ("zstd", 1024): 500,
    ("zstd", 4096): 300,
    ("blosc-lz4", 1024): 2100,
    ("blosc-lz4", 4096): 1500,
    ("lz4", 1024): 2200,
    ("lz4", 4096): 1000,
    ("delta", 1024): 2300,
    ("delta", 4096): 1800,
    ("blosc-zlib", 1024): 1500,
    ("blosc-zlib", 4096): 600,
}
PROGRAMS = (GATE, ASV, PYTEST, PYPERF)
# Two of three are injected, and each kind is as often quiet as busy.
_BLOCK = tuple((injected, busy) for injected in (True, True, False) for busy in (False, True))


@dataclass(frozen=True, kw_only=True, slots=True)
class GateStudyPlan:
    """How much is measured.

    Attributes
    ----------
    repetitions
        Each runs every program once on both sides.
    budget_s
        Seconds that each program has for both sides.
    seed
        Of all orders.
    programs
        Names of the programs.
    instructions
        Whether the instructions of both sides are counted at the end.
    """

    repetitions: int = 30
    budget_s: float = 28.0
    seed: int = 0
    programs: tuple[str, ...] = (*PROGRAMS, GATE_ALONE)
    instructions: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Repetition:
    """One run of every program.

    Attributes
    ----------
    number
        From 0 on.
    injected
        Whether the candidate is slower.
    busy
        Whether another load keeps a core busy.
    programs
        In the order in which they are run.
    """

    number: int
    injected: bool
    busy: bool
    programs: tuple[str, ...]


def repetitions(plan: GateStudyPlan) -> list[Repetition]:
    """Draw the order of everything; more repetitions go on where fewer ended.

    Parameters
    ----------
    plan
        How many.

    Returns
    -------
    list of Repetition
        In blocks of six, of which four are injected and three busy, shuffled within each block.
    """
    found = []
    for number in range(plan.repetitions):
        block, place = divmod(number, len(_BLOCK))
        drawn = random.Random(f"{plan.seed}/{block}")  # noqa: S311 - an order, not a secret
        injected, busy = drawn.sample(_BLOCK, len(_BLOCK))[place]
        order = random.Random(f"{plan.seed}/{number}/programs")  # noqa: S311
        programs = (*order.sample(PROGRAMS, len(PROGRAMS)), *([GATE_ALONE] if injected else []))
        chosen = tuple(name for name in programs if name in plan.programs)
        found.append(Repetition(number=number, injected=injected, busy=busy, programs=chosen))
    return found


def cells() -> dict[str, int]:
    """List the cells of the suite.

    Returns
    -------
    dict of str to int
        From the name of each, such as ``zlib-1024``, to the per cent that its slow side does more.
    """
    return {f"{codec}-{size}": level for codec, level in LEVELS.items() for size in SIZES}
