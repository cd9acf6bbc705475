"""The rows of one volume by configuration, condition and access pattern."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from zbench.errors import ResultsError
from zbench.report.volume.contrast import Measured, combined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbench.results import Row

__all__ = ["ANALYSIS", "TIME", "VIEWING", "WRITE", "Condition", "Configuration", "Evidence", "TimeKey", "gathered"]

TIME = "wall_time"
WRITE = "write"
_NO_READS = {"", WRITE, "open"}
# Who reads a volume how: looking at slices, and cutting out patches and particles.
VIEWING = re.compile(r"(xy|xz|yz)_(plane|scroll)|ortho3_jump")
ANALYSIS = re.compile(r"(train_patch|particles)-.+")


class Configuration(NamedTuple):
    """How a volume is stored, and by whom.

    Attributes
    ----------
    engine
        Label of the engine, with its version.
    layout, chain
        Texts of the storage configuration.
    """

    engine: str
    layout: str
    chain: str

    @property
    def stored(self) -> str:
        """The storage configuration in one word."""
        return f"{self.layout}:{self.chain}"


class Condition(NamedTuple):
    """What times must share to be compared.

    Attributes
    ----------
    store
        Kind of the store.
    cache_state
        Cold or warm.
    """

    store: str
    cache_state: str

    @property
    def text(self) -> str:
        """In words."""
        cache = f"{self.cache_state} cache" if self.cache_state else "cache state not told"
        return f"{cache}, {self.store} store" if self.store else cache


class TimeKey(NamedTuple):
    """What one time is of.

    Attributes
    ----------
    condition
        Store and cache state.
    configuration
        How the volume is stored, and by whom.
    pattern
        Access pattern, or ``write``, or ``open``.
    """

    condition: Condition
    configuration: Configuration
    pattern: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All that was measured of one volume.

    Attributes
    ----------
    rows
        Every row of it.
    configurations
        Those with any number, in the order of the rows.
    times
        Seconds.
    exact
        Numbers that repeat to the digit, by store, configuration, pattern and metric.
    extras
        Rows of the other metrics.
    missing
        Rows without a number.
    remarked
        Rows with a number and a note.
    processes
        How many times come from so many processes; none where it is not told.
    """

    rows: tuple[Row, ...]
    configurations: tuple[Configuration, ...] = ()
    times: Mapping[TimeKey, Measured] = field(default_factory=dict)
    exact: Mapping[tuple[str, Configuration, str, str], float] = field(default_factory=dict)
    extras: tuple[tuple[TimeKey, Row], ...] = ()
    missing: tuple[tuple[Configuration, Row], ...] = ()
    remarked: tuple[tuple[Configuration, Row], ...] = ()
    processes: Mapping[int | None, int] = field(default_factory=dict)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All stores and cache states, that in which most reads were timed first; those of writing alone last."""
        found = Counter(key.condition for key in self.times if key.pattern not in _NO_READS)
        ordered = dict.fromkeys(condition for condition, _ in found.most_common())
        return tuple(ordered | dict.fromkeys(key.condition for key in self.times))

    @property
    def engines(self) -> tuple[str, ...]:
        """What engines are called, in the order of the rows."""
        return tuple(dict.fromkeys(configuration.engine for configuration in self.configurations))

    def patterns(self, condition: Condition) -> tuple[str, ...]:
        """List the access patterns that were read in a condition.

        Parameters
        ----------
        condition
            Store and cache state.

        Returns
        -------
        tuple of str
            In the order of the rows.
        """
        found = dict.fromkeys(key.pattern for key in self.times if key.condition == condition)
        return tuple(pattern for pattern in found if pattern not in _NO_READS)

    def purposes(self, condition: Condition) -> dict[str, tuple[str, ...]]:
        """Sort the access patterns of a condition by who reads so.

        Parameters
        ----------
        condition
            Store and cache state.

        Returns
        -------
        dict
            Patterns for viewing slices, for analysis, and all others each by itself.
        """
        patterns = self.patterns(condition)
        viewing = tuple(pattern for pattern in patterns if VIEWING.fullmatch(pattern))
        analysis = tuple(pattern for pattern in patterns if ANALYSIS.fullmatch(pattern))
        others = {pattern: (pattern,) for pattern in patterns if pattern not in viewing + analysis}
        found = {"viewing slices": viewing, "analysis of patches": analysis} | others
        return {purpose: chosen for purpose, chosen in found.items() if chosen}

    def time(self, condition: Condition, configuration: Configuration, pattern: str) -> Measured | None:
        """Find a time.

        Parameters
        ----------
        condition
            Store and cache state.
        configuration
            How the volume is stored, and by whom.
        pattern
            Access pattern.

        Returns
        -------
        Measured or None
            Seconds.
        """
        return self.times.get(TimeKey(condition, configuration, pattern))

    def stored(self, store: str, configuration: Configuration, metric: str) -> float | None:
        """Find an exact number of the stored array.

        Parameters
        ----------
        store
            Kind of the store.
        configuration
            How the volume is stored, and by whom.
        metric
            For example ``compression_ratio``.

        Returns
        -------
        float or None
            In the unit of the metric.
        """
        return self.exact.get((store, configuration, "", metric))

    def having(self, condition: Condition, patterns: Sequence[str]) -> tuple[Configuration, ...]:
        """List the configurations that were read by all of some patterns.

        Parameters
        ----------
        condition
            Store and cache state.
        patterns
            Access patterns.

        Returns
        -------
        tuple of Configuration
            In the order of the rows.
        """
        return tuple(
            configuration
            for configuration in self.configurations
            if all(TimeKey(condition, configuration, pattern) in self.times for pattern in patterns)
        )

    def contrast(self, powers: Iterable[tuple[float, TimeKey]], *, comparisons: int = 1) -> Measured:
        """Multiply powers of times, each of which counts once however often it is named.

        Parameters
        ----------
        powers
            Power, and what the time is of.
        comparisons
            Number of intervals that shall hold at once.

        Returns
        -------
        Measured
            A ratio, or seconds if the powers sum to 1.
        """
        sums: dict[TimeKey, float] = defaultdict(float)
        for power, key in powers:
            sums[key] += power
        return combined(((power, self.times[key]) for key, power in sums.items()), comparisons=comparisons)


def gathered(rows: Iterable[Row], dataset: str) -> Evidence:
    """Sort the rows of one volume.

    Parameters
    ----------
    rows
        Of any volumes; of two times, and of two exact numbers, of the same thing the later counts.
    dataset
        Name of the volume.

    Returns
    -------
    Evidence
        Empty for no rows.

    Raises
    ------
    ResultsError
        If there are rows, but none of this volume.
    """
    given = tuple(rows)
    ours = tuple({_identity(row, place): row for place, row in enumerate(given) if row.dataset == dataset}.values())
    if given and not ours:
        names = ", ".join(sorted({repr(row.dataset) for row in given}))
        msg = f"A report is of one volume with results: there are none of {dataset!r}, but of {names}. Name one."
        raise ResultsError(msg)
    labels = _labels(ours)
    cells = [(Configuration(labels[row.engine, row.engine_version, row.environment], row.layout, row.chain), row)
             for row in ours if row.engine and row.layout and row.chain]  # fmt: skip
    present = [(cell, row, row.value) for cell, row in cells if row.value is not None]
    times = [(cell, row, value) for cell, row, value in present if row.metric == TIME and value > 0]
    return Evidence(
        rows=ours,
        configurations=tuple(dict.fromkeys(cell for cell, _, _ in present)),
        times={
            _key(cell, row): Measured(value, row.low, row.high, row.confidence or 0.95) for cell, row, value in times
        },
        exact={
            (row.store, cell, row.pattern, row.metric): value for cell, row, value in present if row.exact
        },
        extras=tuple((_key(cell, row), row) for cell, row, _ in present if row.metric != TIME and not row.exact),
        missing=tuple((cell, row) for cell, row in cells if row.value is None),
        remarked=tuple((cell, row) for cell, row, _ in present if row.note),
        processes=Counter(row.processes for _, row, _ in times),
    )  # fmt: skip


def _key(configuration: Configuration, row: Row) -> TimeKey:
    return TimeKey(Condition(row.store, row.cache_state), configuration, row.pattern)


def _identity(row: Row, place: int) -> tuple[str, ...]:
    cell = (row.engine, row.engine_version, row.environment, row.store, row.layout, row.chain)
    # Of memory and the like there is a row for each process.
    apart = "" if row.exact or row.metric == TIME else str(place)
    return (*cell, row.pattern, row.cache_state, row.metric, apart)


def _labels(rows: Sequence[Row]) -> dict[tuple[str, str, str], str]:
    """Name engines by their version, and by their environment where one version is in two."""
    found = dict.fromkeys((row.engine, row.engine_version, row.environment) for row in rows)
    often = Counter((engine, version) for engine, version, _ in found)
    labels = {}
    for engine, version, environment in found:
        label = f"{engine} {version}".strip()
        labels[engine, version, environment] = label if often[engine, version] == 1 else f"{label} ({environment[:8]})"
    return labels
