"""What is measured on two sides, and what one turn of it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["BenchmarkError", "Item", "Kind", "Side", "Skipped", "Turn", "Way"]


class BenchmarkError(ResultsError):
    """A benchmark that failed on a side."""


class Skipped(ResultsError):  # noqa: N818 - a benchmark that skips itself is no error
    """A benchmark that says that a side cannot do it."""


class Kind(StrEnum):
    """What a benchmark of an asv suite gives."""

    TIME = "time"
    PEAK = "peakmemory"
    VALUE = "track"


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """The baseline or the candidate in one environment.

    Attributes
    ----------
    name
        ``baseline`` or ``candidate``.
    python
        Interpreter, beside which the side is installed.
    variables
        Environment variables that the configuration asks for.
    caches
        From the key of each ``setup_cache`` to the folder in which its outcome lies.
    failures
        From the key of each ``setup_cache`` that could not be made to why.
    scratch
        Folder for benchmarks without one.
    """

    name: str
    python: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    caches: Mapping[str, Path] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    scratch: Path

    def folder(self, item: Item) -> Path:
        """Give the working folder of a benchmark.

        Parameters
        ----------
        item
            The benchmark.

        Returns
        -------
        Path
            With the outcome of its ``setup_cache``, if it has one.

        Raises
        ------
        BenchmarkError
            If that could not be made.
        """
        if item.cache_key is None:
            return self.scratch
        if item.cache_key in self.failures:
            raise BenchmarkError(self.failures[item.cache_key])
        return self.caches[item.cache_key]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One benchmark with one combination of parameters in one environment.

    Attributes
    ----------
    environment
        As asv names it, the same on both sides but for what is compared.
    name
        Of the benchmark, for example ``read.CodecPatterns.time_read``.
    index
        Place of the combination among all; ``None`` without parameters.
    parameters
        Name and text of each parameter.
    kind
        What it gives.
    unit
        Of what it gives.
    cache_key
        Of its ``setup_cache``; ``None`` if it has none.
    timeout_s
        Longest time that one answer may take.
    larger_is_better
        Whether more of it is an improvement.
    asv_cell
        The benchmark with its parameters as asv writes it, texts in quotes.
    """

    environment: str
    name: str
    index: int | None
    parameters: tuple[tuple[str, str], ...]
    kind: Kind
    unit: str
    cache_key: str | None
    timeout_s: float
    larger_is_better: bool = False
    asv_cell: str = ""

    @property
    def asv_id(self) -> str:
        """What ``asv_runner`` finds it by."""
        return self.name if self.index is None else f"{self.name}-{self.index}"

    @property
    def cell(self) -> str:
        """The benchmark with its parameters, texts without quotes."""
        return f"{self.name}({', '.join(text for _, text in self.parameters)})" if self.parameters else self.name

    @property
    def key(self) -> str:
        """What its results are kept under."""
        return f"{self.environment}|{self.cell}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one visit of a benchmark in one pair of processes gave.

    Attributes
    ----------
    wall_ns, cpu_ns
        Samples of the baseline, then of the candidate, in the order in which each was taken; no CPU times where the
        benchmark's work is done in another process.
    """

    wall_ns: tuple[tuple[float, ...], tuple[float, ...]]
    cpu_ns: tuple[tuple[float, ...], tuple[float, ...]] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How the samples of a benchmark are taken, the same in all pairs of processes.

    Attributes
    ----------
    number
        Calls a sample.
    one_core
        Whether both sides stay on one core.
    """

    number: int
    one_core: bool
