"""Numbers, intervals and tables as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zbench.stats import Interval

__all__ = ["NOTHING", "bounds", "compared", "details", "interval", "listed", "number", "table"]

NOTHING = "n/a"


def number(value: float) -> str:
    """Write a number with three figures.

    Parameters
    ----------
    value
        Any number.

    Returns
    -------
    str
        Whole with separators from 1000 on.
    """
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    text = f"{value:#.3g}"
    return text.removesuffix(".")


def bounds(found: Interval) -> str:
    """Write the ends of an interval.

    Parameters
    ----------
    found
        The interval.

    Returns
    -------
    str
        For example ``"[1.42, 1.58]"``.
    """
    return f"[{number(found.low)}, {number(found.high)}]"


def interval(found: Interval | None) -> str:
    """Write an estimate with its interval.

    Parameters
    ----------
    found
        The interval; ``None`` where there are too few rounds.

    Returns
    -------
    str
        For example ``"1.50 [1.42, 1.58]"``.
    """
    return NOTHING if found is None else f"{number(found.estimate)} {bounds(found)}"


def compared(subject: str, found: Interval | None, other: str) -> str:
    """Say how the time of one thing compares with that of another.

    Parameters
    ----------
    subject
        What is compared.
    found
        Time of the subject ÷ time of the other.
    other
        What it is compared with.

    Returns
    -------
    str
        A clause without a full stop.
    """
    if found is None:
        return f"{subject} cannot be compared with {other}: fewer than three rounds have both"
    if not found.excludes_one:
        return f"{subject} and {other} cannot be told apart: the ratio of their times is {interval(found)}"
    return f"{subject} takes {interval(found)} times as long as {other}"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does.

    Parameters
    ----------
    names
        Any number of them.

    Returns
    -------
    str
        ``"none"`` for no name.
    """
    if len(names) < 2:
        return "".join(names) or "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """Write a table.

    Parameters
    ----------
    heads
        One for each column.
    rows
        Cells.
    texts
        Number of columns, from the left, that are words; numbers stand on the right.

    Returns
    -------
    str
        Markdown, empty if there are no rows.
    """
    lines = [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    rule = ["---"] * texts + ["---:"] * (len(heads) - texts)
    return "\n".join([f"| {' | '.join(heads)} |", f"| {' | '.join(rule)} |", *lines])


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def details(summary: str, body: str) -> str:
    """Fold a long part away.

    Parameters
    ----------
    summary
        What is seen of it.
    body
        Markdown; nothing is written if it is empty.

    Returns
    -------
    str
        Markdown with the HTML element that GitHub and documentation sites fold.
    """
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>" if body else ""
