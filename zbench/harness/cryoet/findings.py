"""What is said of a run as a whole: the best cells so far, what failed, what is not known well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.harness.cryoet.record import is_wrong
from zbench.runner.campaign import INSTRUCTIONS
from zbench.runner.ledger import MOST_ROUNDS, PRECISION
from zbench.units import format_duration, gib_per_second

if TYPE_CHECKING:
    from zbench.runner.campaign import Campaign
    from zbench.runner.ledger import Ledger, Timing

__all__ = ["Best", "remarks_of", "wrong_of"]

_WHOLE = "full_read"


def wrong_of(ledger: Ledger) -> tuple[str, ...]:
    """List what failed, as against what was refused.

    Parameters
    ----------
    ledger
        The record of a run.

    Returns
    -------
    tuple of str
        A sentence for each cell, time or count.
    """
    cells = [f"{cell}: {entry['message']}" for cell, entry in ledger.refused.items() if is_wrong(entry)]
    times = [f"{task}: {entry['message']}" for task, entry in ledger.failed.items() if is_wrong(entry)]
    counts = [
        f"{cell}|{operation}: {entry['message']}"
        for cell, stored in ledger.stored.items()
        for operation, entry in stored["uncounted"].items()
        if is_wrong(entry)
    ]
    return (*cells, *times, *counts)


def remarks_of(
    campaign: Campaign, undecided: list[Timing], times: int, wrong: tuple[str, ...], *, budget_s: float
) -> list[str]:
    """Say what is to be known of a run as a whole.

    Parameters
    ----------
    campaign
        With its record.
    undecided
        Times that are not known as well as they should be.
    times
        Number of all times.
    wrong
        What failed.
    budget_s
        Seconds that were asked for.

    Returns
    -------
    list of str
        Sentences.
    """
    remarks, within = [], f"known to within {100 * PRECISION:g} %"
    settled = sum(len(campaign.ledger.values(task)) >= MOST_ROUNDS for task in undecided)
    if settled < len(undecided):
        budget = format_duration(budget_s * 1e9)
        remarks.append(
            f"The budget of {budget} ended before {len(undecided) - settled} of {times} times were {within}; their "
            "intervals are wider. Run again with --resume and a larger --budget to narrow them."
        )
    if settled:
        remarks.append(
            f"After {MOST_ROUNDS} processes {settled} of {times} times are not {within}: they vary too much here. "
            "Measure on a quieter machine."
        )
    reached = {
        (task.cache_state, entry["reached"])
        for plan in campaign.plans
        for task in campaign.tasks(plan)
        for entry in campaign.ledger.entries(task)
        if task.cache_state == "cold"
    }
    remarks += [f"Cold means here: {how}." for _, how in sorted(reached)]
    remarks += _counted(campaign)
    if wrong:
        remarks.append(f"{len(wrong)} cells or times failed, and have no number: {'; '.join(wrong[:3])}")
    return remarks


def _counted(campaign: Campaign) -> list[str]:
    """Say how instructions were counted, and where they could not be."""
    if INSTRUCTIONS not in campaign.probes:
        return []
    entries = [
        entry
        for plan in campaign.plans
        for task in campaign.tasks(plan)
        if (entry := campaign.ledger.probed(INSTRUCTIONS, task)) is not None
    ]
    by = dict.fromkeys(entry["found"]["valgrind"] for entry in entries if "found" in entry)
    remarks = [f"Instructions were counted by callgrind ({version}) on one thread." for version in by]
    lacking = sum("found" not in entry for entry in entries)
    if lacking:
        remarks.append(f"Of {len(entries)} operations {lacking} have no count of instructions; the tables say why.")
    return remarks


class Best:
    """The best cells so far, in words.

    Parameters
    ----------
    ledger
        The record of a run.
    logical_bytes
        Of the volume.
    """

    def __init__(self, ledger: Ledger, logical_bytes: int) -> None:
        self._ledger, self._logical_bytes = ledger, logical_bytes

    def smallest(self) -> str:
        """Name the cell with the highest compression ratio.

        Returns
        -------
        str
            Empty before there is one.
        """
        stored = self._ledger.stored
        if not stored:
            return ""
        cell = min(stored, key=lambda name: stored[name]["fields"]["stored_bytes"])
        fields = stored[cell]["fields"]
        return f"{fields['logical_bytes'] / fields['stored_bytes']:.3f}x {_words(cell)}"

    def fastest(self) -> str:
        """Name the cell that was read whole the fastest.

        Returns
        -------
        str
            Empty before there is one.
        """
        times = self._ledger.medians(f"|{_WHOLE}|warm") or self._ledger.medians(f"|{_WHOLE}|cold")
        if not times:
            return ""
        task = min(times, key=lambda key: times[key])
        told, interval = self._speed(times[task]), self._ledger.interval(task)
        if interval is not None:
            told += f" [{self._speed(interval.high)}, {self._speed(interval.low)}]"
        return f"{told} GiB/s {_words(task.rsplit('|', 2)[0])}"

    def _speed(self, duration_ns: float) -> str:
        return f"{gib_per_second(self._logical_bytes, duration_ns):.2f}"


def _words(cell: str) -> str:
    _, engine, layout, chain = cell.split("|")
    return f"{engine} {layout}:{chain}"
