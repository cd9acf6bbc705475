"""The page on what zbench itself costs around a timed call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.report.text import interval, number, table
from zbench.units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.model import Environment
    from zbench.stats import Interval

__all__ = ["OverheadRow", "overhead_page"]

_LONG_NS = 10e6
_LIMIT = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class OverheadRow:
    """What was found for one cell and pattern.

    Attributes
    ----------
    engine, layout, pattern
        Names.
    bare_ns
        Median time of one execution in a bare loop.
    between_ns, inside_ns
        Time of zbench's loop outside the timed call, and of its code inside, for each sample.
    ratio
        Time of zbench's loop ÷ time of the bare loop, each with all that it does.
    """

    engine: str
    layout: str
    pattern: str
    bare_ns: float
    between_ns: float
    inside_ns: float
    ratio: Interval

    @property
    def share(self) -> float:
        """Work of zbench ÷ time of the bare execution."""
        return (self.between_ns + self.inside_ns) / self.bare_ns


def overhead_page(
    rows: Sequence[OverheadRow],
    *,
    chain: str,
    dataset: str,
    machine: Environment,
    date: str,
    refused: tuple[str, ...] = (),
) -> str:
    """Write the page.

    Parameters
    ----------
    rows
        What was found.
    chain, dataset
        Of all cells.
    machine
        What the times hold for.
    date
        Day of the measurement.
    refused
        Why engines are missing.

    Returns
    -------
    str
        Markdown.
    """
    cells = [
        [
            row.engine,
            row.layout,
            row.pattern,
            format_duration(row.bare_ns),
            format_duration(row.between_ns),
            format_duration(row.inside_ns),
            f"{100 * row.share:.2g} %",
            interval(row.ratio),
        ]
        for row in rows
    ]
    heads = ["engine", "layout", "pattern", "bare", "between", "inside", "share", "ratio"]
    parts = (
        "# What zbench costs around a timed call",
        "This page is generated; edit neither numbers nor sentences.",
        _verdict(rows),
        (
            "`bare` is one execution in a loop that holds nothing of zbench, with the library's own array. `between` "
            "is what zbench's loop takes outside the timed call, for each sample; `inside` is what a timed call takes "
            "when the array costs nothing to read; `share` is both ÷ bare. `ratio` is zbench's loop with all that it "
            "does ÷ the bare loop, taken alternately (ABBA) in one process, with the 95 % interval of the rounds: it "
            "would show what the two parts miss, and it holds the noise of the machine."
        ),
        f"Volume `{dataset}`, chain `{chain}`, warm, measured on {date}: {_machine(machine)}.",
        table(heads, cells, texts=3),
        *refused,
        "## Make this page again\n\n```\nmake overhead\n```",
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(machine: Environment) -> str:
    return f"{machine.cpu}, {machine.cores} cores, {format_bytes(machine.memory_bytes)}, Python {machine.python}"


def _verdict(rows: Sequence[OverheadRow]) -> str:
    long = [row for row in rows if row.bare_ns >= _LONG_NS]
    if not long:
        return "No cell took 10 ms or more here, so nothing is said of such cells."
    worst = max(long, key=lambda row: row.share)
    held = "below" if worst.share < _LIMIT else "NOT below"
    apart = [row for row in long if row.ratio.low > 1 + _LIMIT]
    told = (
        f"and the ratio of {len(apart)} of them lies above {1 + _LIMIT:.2f} with its whole interval"
        if apart
        else f"and no ratio lies above {1 + _LIMIT:.2f} with its whole interval"
    )
    return (
        f"**Of {len(long)} cells of 10 ms and more the largest share is {number(100 * worst.share)} % "
        f"({worst.engine}, {worst.layout}, {worst.pattern}), {held} {100 * _LIMIT:.0f} %, {told}.**"
    )
