"""What a campaign has learnt: stored cells, values by task, and how well each time is known."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from zbench.stats.bootstrap import median_estimate
from zbench.stats.intervals import Interval, mean_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.grid import CellSpec
    from zbench.runner.log import RunLog

__all__ = ["CONFIDENCE", "FEWEST_ROUNDS", "MOST_ROUNDS", "PRECISION", "Ledger", "Timing", "half_width", "time_interval"]

FEWEST_ROUNDS = 3
MOST_ROUNDS = 50
# Half the interval ÷ the estimate, below which more rounds would be a waste.
PRECISION = 0.05
CONFIDENCE = 0.95
# Rounds that stop as soon as the interval looks narrow stop too often at intervals that are narrow by chance. In
# simulated campaigns (normal spread of 1 to 10 %, up to a quarter of the processes slowed by 20 to 100 %), spending 0.4
# of the permitted error at each look made 94 to 99 % of the intervals hold at the stop.
_SPENT_PER_LOOK = 0.4
_ENOUGH_TO_RESAMPLE = 10
_LOOKS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 22, 27, 33, 40, MOST_ROUNDS)


@dataclass(frozen=True, slots=True, order=True)
class Timing:
    """One operation on one cell in one cache state: what one value of a round is taken of.

    Attributes
    ----------
    cell
        The cell, by name.
    operation
        `zbench.runner.WRITE`, or the name of an access pattern.
    cache_state
        ``warm`` or ``cold``.
    """

    cell: CellSpec
    operation: str
    cache_state: str

    @property
    def key(self) -> str:
        """The task in one line, the key of its records."""
        return f"{self.cell.text}|{self.operation}|{self.cache_state}"


def time_interval(values_ns: list[float]) -> Interval | None:
    """Estimate the median time of a process from one value a process.

    The estimate is the median of the values. From ten values on its interval is that of the bootstrap; fewer have no
    interval of a median worth having, and Student's interval for the mean of their logarithms, which is the same for
    times spread alike on both sides, stands in.

    Parameters
    ----------
    values_ns
        Medians of the processes in nanoseconds.

    Returns
    -------
    Interval or None
        Nanoseconds. It holds the truth at `CONFIDENCE` if rounds stop as soon as it is narrow; ``None`` with fewer than
        three values.
    """
    if len(values_ns) < FEWEST_ROUNDS:
        return None
    asked = 1 - _SPENT_PER_LOOK * (1 - CONFIDENCE)
    middle = median(values_ns)
    if len(values_ns) >= _ENOUGH_TO_RESAMPLE:
        interval = median_estimate(values_ns, confidence=asked).interval
        if interval is not None:
            return interval
    mean = mean_interval(values_ns, confidence=asked)
    return Interval(middle, min(mean.low, middle), max(mean.high, middle), mean.count)


def half_width(interval: Interval) -> float:
    """Tell how far an estimate may be off.

    Parameters
    ----------
    interval
        The estimate.

    Returns
    -------
    float
        Half the length of its interval ÷ the estimate.
    """
    return (interval.high - interval.low) / 2 / interval.estimate


class Ledger:
    """The record of a campaign, looked up by cell and task.

    Parameters
    ----------
    log
        The record; what is added goes there first.
    """

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self.stored: dict[str, dict[str, Any]] = {}
        self.refused: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, dict[str, Any]] = {}
        self._probes: dict[tuple[str, str], dict[str, Any]] = {}
        self._entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._values: dict[str, list[float]] = defaultdict(list)
        # Intervals take longer to work out than anything else here, and are asked for at every step.
        self._intervals: dict[str, tuple[int, Interval | None]] = {}
        for kind in ("stored", "refused", "failed", "value", "probe"):
            for entry in log.of(kind):
                self._take(kind, entry)

    def add(self, kind: str, **fields: Any) -> None:
        """Record what was learnt; it is on disk when this returns.

        Parameters
        ----------
        kind
            ``stored``, ``refused``, ``failed``, ``value``, ``probe``, or any other sort that is only kept.
        **fields
            The entry.
        """
        self._log.add(kind, **fields)
        self._take(kind, fields)

    def has(self, kind: str) -> bool:
        """Ask whether there is an entry.

        Parameters
        ----------
        kind
            Sort of the entry.

        Returns
        -------
        bool
            Whether one was recorded.
        """
        return next(self._log.of(kind), None) is not None

    def _take(self, kind: str, fields: dict[str, Any]) -> None:
        if kind in ("stored", "refused"):
            getattr(self, kind)[fields["cell"]] = fields
        elif kind == "failed":
            self.failed[fields["task"]] = fields
        elif kind == "probe":
            self._probes[fields["probe"], fields["task"]] = fields
        elif kind == "value":
            self._entries[fields["task"]].append(fields)
            self._values[fields["task"]].append(median(sample[0] for sample in fields["samples"]))

    def values(self, task: Timing) -> list[float]:
        """List the values of a task.

        Parameters
        ----------
        task
            The task.

        Returns
        -------
        list of float
            Nanoseconds, the median of each process in the order of the rounds.
        """
        return self._values.get(task.key, [])

    def entries(self, task: Timing) -> list[dict[str, Any]]:
        """List all that is recorded of the values of a task.

        Parameters
        ----------
        task
            The task.

        Returns
        -------
        list of dict
            One for each value, in the same order.
        """
        return self._entries.get(task.key, [])

    def probed(self, name: str, task: Timing) -> dict[str, Any] | None:
        """Look up what a probe has found.

        Parameters
        ----------
        name
            Of the probe.
        task
            What it was to look at.

        Returns
        -------
        dict or None
            With ``found``, or with ``error`` and ``message``; ``None`` if it has not looked yet.
        """
        return self._probes.get((name, task.key))

    def medians(self, ending: str) -> dict[str, float]:
        """Look the times of many tasks up.

        Parameters
        ----------
        ending
            How the keys of the tasks end.

        Returns
        -------
        dict
            From the key to the median of the values so far, in nanoseconds.
        """
        return {key: median(values) for key, values in self._values.items() if key.endswith(ending) and values}

    def interval(self, task: Timing | str) -> Interval | None:
        """Estimate the time of a task.

        Parameters
        ----------
        task
            The task, or its key.

        Returns
        -------
        Interval or None
            Nanoseconds; ``None`` with fewer than three values.
        """
        key = task if isinstance(task, str) else task.key
        values = self._values.get(key, [])
        count, interval = self._intervals.get(key, (0, None))
        if count != len(values):
            interval = time_interval(values)
            self._intervals[key] = len(values), interval
        return interval

    def is_possible(self, task: Timing) -> bool:
        """Ask whether a task can have a time.

        Parameters
        ----------
        task
            The task.

        Returns
        -------
        bool
            False if its cell was refused or wrong, its access pattern could not be counted, or it failed.
        """
        cell = task.cell.text
        if cell in self.refused or task.key in self.failed:
            return False
        return task.operation not in self.stored.get(cell, {}).get("uncounted", {})

    def is_decided(self, task: Timing) -> bool:
        """Ask whether the time of a task is known well enough.

        Parameters
        ----------
        task
            The task.

        Returns
        -------
        bool
            Whether its interval is within `PRECISION` of the estimate. Between the looks, which grow rarer, it is not
            asked.
        """
        interval = self.interval(task)
        return interval is not None and interval.count in _LOOKS and half_width(interval) <= PRECISION

    def open_tasks(self, tasks: Iterable[Timing]) -> list[Timing]:
        """Keep the tasks that want another round.

        Parameters
        ----------
        tasks
            Any tasks.

        Returns
        -------
        list of Timing
            In order.
        """
        return [
            task
            for task in tasks
            if self.is_possible(task) and not self.is_decided(task) and len(self.values(task)) < MOST_ROUNDS
        ]

    def rounds_left(self, task: Timing) -> int:
        """Guess how many more rounds a task wants.

        Parameters
        ----------
        task
            The task.

        Returns
        -------
        int
            Intervals narrow with the root of the number of values.
        """
        count, interval = len(self.values(task)), self.interval(task)
        if interval is None:
            return FEWEST_ROUNDS + 2 - count
        needed = count * (half_width(interval) / PRECISION) ** 2
        return max(1, min(MOST_ROUNDS, math.ceil(needed)) - count)

    @property
    def count(self) -> int:
        """Number of values that were taken."""
        return sum(map(len, self._values.values()))
