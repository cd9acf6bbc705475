"""Step detection of asv itself, which stands beside ours wherever steps are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["asv_steps"]


def asv_steps(values: Sequence[float | None]) -> tuple[int, ...]:
    """Find steps as ``asv publish`` does.

    Parameters
    ----------
    values
        One a point; ``None`` or NaN where there is none.

    Returns
    -------
    tuple of int
        Index of the first point of each new level.
    """
    from asv.step_detect import detect_steps  # noqa: PLC0415 - asv is a third of a second to import

    return tuple(int(begin) for begin, *_ in detect_steps(list(values)))[1:]
