"""JSON for programs, as several commands print it."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["json_text"]


def json_text(value: Any) -> str:
    """Write a value as JSON.

    Parameters
    ----------
    value
        Of dictionaries, lists, tuples, texts and numbers.

    Returns
    -------
    str
        What JSON cannot hold, the ratio of what could not be compared, is null.
    """
    return json.dumps(_plain(value), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
