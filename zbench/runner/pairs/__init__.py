"""Two sides of one suite measured side by side: pairs of fresh processes, short turns, everything written down."""

from __future__ import annotations

from zbench.runner.pairs.nouns import Item, Kind, Side, Turn
from zbench.runner.pairs.workers import Pair

__all__ = ["Item", "Kind", "Pair", "Side", "Turn"]
