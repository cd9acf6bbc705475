"""How far a long measurement is, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Status"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """How far a study is.

    Attributes
    ----------
    stage
        ``environment``, ``store`` or ``sample``.
    what
        The environment or the volume.
    done, total
        Steps of this stage.
    note
        What was done last.
    values_done, values_total
        Values, one a task and round, of the whole study.
    left_s
        Estimate of the seconds that are left; ``None`` before the first value.
    """

    stage: str
    what: str
    done: int
    total: int
    note: str = ""
    values_done: int = 0
    values_total: int = 0
    left_s: float | None = None
