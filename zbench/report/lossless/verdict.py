"""What our numbers say of a published one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.stats import Interval

__all__ = ["Judged", "Judgement", "judge_direction", "overall"]


class Judgement(StrEnum):
    """Whether ours agrees."""

    AGREES = "agrees"
    IN_PART = "agrees in part"
    DISAGREES = "disagrees"
    CANNOT_TELL = "cannot tell"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A published statement beside ours.

    Attributes
    ----------
    claim
        What the statement is about.
    source
        Where it was published, Markdown.
    published, ours
        The two numbers in words.
    judgement
        What ours says of it.
    """

    claim: str
    source: str
    published: str
    ours: str
    judgement: Judgement


def judge_direction(found: Interval | None, published: float) -> Judgement:
    """Hold a ratio of ours against a published one.

    Machines differ, so the size of a ratio of times does not carry over; its direction should.

    Parameters
    ----------
    found
        Our ratio; ``None`` if it was not measured.
    published
        The published ratio.

    Returns
    -------
    Judgement
        Cannot tell if our interval holds 1.
    """
    if found is None:
        return Judgement.NOT_MEASURED
    if not found.excludes_one:
        return Judgement.CANNOT_TELL
    return Judgement.AGREES if (found.low > 1) == (published > 1) else Judgement.DISAGREES


def overall(parts: Sequence[Judgement]) -> Judgement:
    """Put the verdicts of several volumes or engines together.

    Parameters
    ----------
    parts
        One verdict each.

    Returns
    -------
    Judgement
        What all say that say anything; in part if they contradict each other.
    """
    told = {part for part in parts if part not in (Judgement.CANNOT_TELL, Judgement.NOT_MEASURED)}
    if len(told) == 1:
        return told.pop()
    if told:
        return Judgement.IN_PART
    return Judgement.CANNOT_TELL if Judgement.CANNOT_TELL in parts else Judgement.NOT_MEASURED
