"""What the two processes of a pair share, and is drawn anew for every pair: hashes, addresses and a core."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

__all__ = ["Draw", "cores", "same_addresses"]

# linux/personality.h
_ADDR_NO_RANDOMIZE = 0x0040000
_ASK = 0xFFFFFFFF
# Where objects lie depends on the size of the environment; so much of it is filled differently from pair to pair.
_ENVIRONMENT = 4096
# So many blocks of up to so many bytes lie before everything else: some shift what the allocator gives out next, some
# what it asks the system for.
_BLOCKS = ((40, 3000), (6, 1 << 20))


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """What both processes of one pair are given.

    Attributes
    ----------
    variables
        Environment variables.
    blocks_bytes
        Blocks of memory that are taken before anything is imported.
    core
        On which both take their turns, where they take them on one; ``None`` if there is no choice.
    """

    variables: dict[str, str]
    blocks_bytes: tuple[int, ...]
    core: int | None

    @classmethod
    def of(cls, rng: random.Random) -> Self:
        """Draw for one pair.

        Parameters
        ----------
        rng
            Source of everything that is drawn.

        Returns
        -------
        Draw
            What both are given.
        """
        variables = {
            "PYTHONHASHSEED": str(rng.randrange(2**32)),
            "PADDING_OF_THE_PAIR": "x" * rng.randrange(_ENVIRONMENT),
        }
        blocks = tuple(rng.randrange(1, most) for count, most in _BLOCKS for _ in range(count))
        known = cores()
        return cls(variables=variables, blocks_bytes=blocks, core=rng.choice(known) if len(known) > 1 else None)


def cores() -> list[int]:
    """Tell on which cores this process may run.

    Returns
    -------
    list of int
        Their numbers, ascending; none where the system does not let a process choose.
    """
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextmanager
def same_addresses() -> Iterator[bool]:
    """Let what is started within lie at the same addresses each time, if the system allows it.

    Linux draws the addresses of every process at random (personality(2)); how objects come to lie to each other in
    caches and pages decides over some per cent of time, so that it is drawn for a pair and not for each of its sides.

    Yields
    ------
    bool
        Whether it is so; containers may forbid it.
    """
    ask = ctypes.CDLL(None).personality if sys.platform == "linux" else None
    before = ask(_ASK) if ask is not None else -1
    if ask is None or before == -1 or ask(before | _ADDR_NO_RANDOMIZE) == -1:
        yield False
        return
    try:
        yield True
    finally:
        ask(before)
