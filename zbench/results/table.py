"""The one tidy table of results: a row for each workload, metric, commit and environment, samples kept."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zbench.model import Environment

__all__ = [
    "EXACT_METRICS",
    "SCHEMA_VERSION",
    "SOURCES",
    "Results",
    "Row",
    "Table",
    "engine_package",
    "environment_id",
    "merged",
    "python_minor",
]

SCHEMA_VERSION = 1
SOURCES = ("zbench", "asv", "pytest-benchmark", "heftie")
# They repeat to the digit, so they have neither interval nor samples.
EXACT_METRICS = (
    "amplification",
    "bytes_decoded",
    "bytes_fetched",
    "bytes_needed",
    "bytes_written",
    "compression_ratio",
    "encoded_bytes",
    "objects",
    "reads",
    "requests",
    "stored_bytes",
    "writes",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One number: what one metric of one workload was at one commit in one environment.

    Attributes
    ----------
    schema_version
        Version of the columns.
    source
        Who measured: zbench itself, its asv suite, pytest-benchmark, or HEFTIE's published files.
    run
        The run or file that the number is from.
    commit
        Commit that was measured; empty where it is not known.
    environment
        Id of the environment, which is kept once beside the rows.
    machine
        Name of the machine.
    benchmark
        Full name in the source, with the parameters that no other column holds; empty for runs of zbench itself.
    dataset
        Name of the volume.
    voxel_digest
        Of the voxels that were read back; empty where it is not known.
    shape
        Extent in voxels, slowest axis first; null where it is not known.
    dtype
        Type of a voxel, as numpy writes it.
    engine
        Zarr implementation.
    engine_version
        Version of its package.
    store
        Kind of the store: local, memory or s3.
    layout
        Format, chunks and shards, such as v3-c32-s256.
    chain
        Codec chain, such as blosc-zstd-5-shuffle.
    pattern
        Access pattern, or write, or open; empty for what holds of the stored array.
    cache_state
        Cold or warm; empty for exact numbers, which do not depend on it.
    metric
        What the number is, such as wall_time, requests or stored_bytes.
    unit
        Of value, interval and samples: s, bytes, requests, objects, 1 for ratios.
    value
        The number, of several samples the median; null where there is none, and the note says why.
    low, high
        Ends of the interval; null for exact numbers and where samples are too few.
    confidence
        Of the interval, such as 0.95; null without one.
    samples
        Every sample, in the order in which they were taken; empty for exact numbers.
    processes
        Number of processes that the samples come from; null where it is not known. Samples of one process are not
        independent of each other.
    verified
        Whether what was read back was compared with what was written.
    note
        What else is to be known; begins with refused or failed where there is no number for that reason.

    Raises
    ------
    ResultsError
        If the fields contradict each other.
    """

    schema_version: int = SCHEMA_VERSION
    source: str
    run: str = ""
    commit: str = ""
    environment: str
    machine: str = ""
    benchmark: str = ""
    dataset: str = ""
    voxel_digest: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    engine: str = ""
    engine_version: str = ""
    store: str = ""
    layout: str = ""
    chain: str = ""
    pattern: str = ""
    cache_state: str = ""
    metric: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    samples: tuple[float, ...] = ()
    processes: int | None = None
    verified: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            self._contradicts(f"has a source that is one of {', '.join(SOURCES)}", self.source)
        ends = (self.low, self.high, self.confidence)
        if not all(math.isfinite(number) for number in (self.value, *ends, *self.samples) if number is not None):
            self._contradicts("holds finite numbers", (self.value, *ends))
        if self.value is None and not self.note:
            self._contradicts("without a number says why in its note", self.note)
        if len({end is None for end in ends}) > 1 or (self.low or 0) > (self.high or 0):
            self._contradicts("has both ends of its interval in order with their confidence, or none", ends)
        if self.exact and (self.samples or self.low is not None):
            self._contradicts("of an exact metric has neither interval nor samples", (self.low, self.high))

    def _contradicts(self, rule: str, given: object) -> None:
        msg = f"A row {rule}: {self.metric!r} of {self.workload or 'no workload'!r} has {given!r}. Correct its source."
        raise ResultsError(msg)

    @property
    def exact(self) -> bool:
        """Whether the number repeats to the digit."""
        return self.metric in EXACT_METRICS

    @property
    def failed(self) -> bool:
        """Whether there is no number because the workload failed, as against refused."""
        return self.value is None and self.note.startswith("failed")

    @property
    def workload(self) -> str:
        """Key of what was measured, the same in every source; of what is no cell, the benchmark with what is known."""
        if not (self.engine and self.layout and self.chain):
            named = (self.benchmark, self.dataset, self.engine, self.layout, self.chain, self.pattern)
            return "|".join(part for part in named if part)
        cache_state = "" if self.exact else self.cache_state
        place = f"{self.engine}|{self.store}|{self.pattern}|{cache_state}"
        return f"{self.dataset}|{self.layout}:{self.chain}|{place}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with the environments that they hold for.

    Attributes
    ----------
    rows
        In the order of their source.
    environments
        By id; every row's is there.

    Raises
    ------
    ResultsError
        If a row's environment is missing.
    """

    rows: tuple[Row, ...] = ()
    environments: Mapping[str, Environment] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        missing = {row.environment for row in self.rows} - set(self.environments)
        if missing:
            msg = (
                f"A table holds the environment of each of its rows: {', '.join(sorted(map(repr, missing)))} is "
                "missing. Add it beside the rows."
            )
            raise ResultsError(msg)


@dataclass(frozen=True, slots=True)
class Results:
    """What files held.

    Attributes
    ----------
    table
        All that could be read.
    problems
        One line for each file, or part of one, that could not be; the files are kept.
    """

    table: Table
    problems: tuple[str, ...] = ()


def merged(tables: Iterable[Table]) -> Table:
    """Put tables one below the other.

    Parameters
    ----------
    tables
        Any number of them.

    Returns
    -------
    Table
        All rows in order, each environment once.
    """
    rows: list[Row] = []
    environments: dict[str, Environment] = {}
    for table in tables:
        rows.extend(table.rows)
        environments = dict(table.environments) | environments
    return Table(tuple(rows), environments)


def python_minor(version: str) -> str:
    """Cut a version of Python to what its speed depends on.

    Parameters
    ----------
    version
        For example ``"3.11.9"``.

    Returns
    -------
    str
        For example ``"3.11"``.
    """
    return ".".join(version.split(".")[:2])


def environment_id(environment: Environment) -> str:
    """Stand for an environment by a short text: equal ids mean that times may be compared without a word.

    Machine, processor, cores, threads, filesystem, minor version of Python and all packages count; the kernel's
    release, the bytes of memory and the version of zbench itself, which the commit tells, do not.

    Parameters
    ----------
    environment
        The environment.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    matters = {
        "machine": environment.machine,
        "cpu": environment.cpu,
        "cores": environment.cores,
        "threads": sorted(environment.threads),
        "filesystem": environment.filesystem,
        "python": python_minor(environment.python),
        "packages": sorted(pair for pair in environment.packages if pair[0] != "zbench"),
    }
    return hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()[:16]


def engine_package(engine: str) -> str:
    """Name the package whose version is an engine's.

    Parameters
    ----------
    engine
        Name of the engine.

    Returns
    -------
    str
        Name of the package.
    """
    return "zarr" if engine.startswith("zarr-python") else engine
