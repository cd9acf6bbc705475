"""Requests of one operation in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["composition"]

_WORDS = {
    "get": "get",
    "get_part": "get of a part",
    "get_missing": "get of nothing",
    "head": "head",
    "list": "list",
    "put": "put",
    "delete": "delete",
}


def composition(requests: Mapping[str, int]) -> str:
    """Say what requests an operation consists of.

    Parameters
    ----------
    requests
        Number of requests of each kind.

    Returns
    -------
    str
        For example ``"1 get, 2 gets of nothing, 27 puts"``; ``"none"`` without requests.
    """
    parts = [_counted(requests[kind], words) for kind, words in _WORDS.items() if requests.get(kind)]
    return ", ".join(parts) or "none"


def _counted(count: int, words: str) -> str:
    first, _, rest = words.partition(" ")
    return f"{count} {first}{'s' if count > 1 else ''}{' ' if rest else ''}{rest}"
