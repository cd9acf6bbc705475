"""What is measured and what follows from it: workloads, runs, comparisons, claims."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zbench.model.access import CacheState
    from zbench.model.layout import StorageConfig
    from zbench.model.measure import Counts, Environment, Sample
    from zbench.model.store import StoreKind

__all__ = ["Claim", "Comparison", "Run", "Verdict", "Workload"]


class Verdict(StrEnum):
    """What a comparison says of the candidate."""

    FASTER = "faster"
    SAME = "same"
    SLOWER = "slower"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """What one number is measured of.

    Attributes
    ----------
    dataset
        Name in the registry.
    config
        How the volume is stored.
    engine
        Zarr implementation, for example ``"zarr-python"``.
    store
        Kind of the store.
    pattern
        Name of the access pattern, or ``"write_whole"``.
    cache_state
        Cold or warm.
    """

    dataset: str
    config: StorageConfig
    engine: str
    store: StoreKind
    pattern: str
    cache_state: CacheState

    @property
    def text(self) -> str:
        """The workload in one line, the key of its results."""
        place = f"{self.engine}|{self.store}|{self.pattern}|{self.cache_state}"
        return f"{self.dataset}|{self.config.text}|{place}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """All samples and counts of one workload at one commit in one environment.

    Attributes
    ----------
    workload
        What was measured.
    commit
        Commit of zbench that measured.
    environment
        What the times hold for.
    samples
        Every sample, none left out.
    counts
        Exact costs of one execution; ``None`` where the engine cannot be counted.
    digest
        Of the voxels that were read back when the cell was verified.
    """

    workload: Workload
    commit: str
    environment: Environment
    samples: tuple[Sample, ...]
    counts: Counts | None
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A candidate held against a baseline.

    Attributes
    ----------
    ratio
        Candidate ÷ baseline; more than one is slower, bigger or chattier.
    low, high
        Ends of the interval of the ratio.
    p_value
        Corrected for all comparisons of the run; ``None`` for exact metrics.
    verdict
        What the interval says.
    """

    ratio: float
    low: float
    high: float
    p_value: float | None
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A recommendation that says how far it reaches.

    Attributes
    ----------
    text
        The sentence.
    scope
        Data, access, store and machine that it holds for.
    effect
        The comparison behind it.
    evidence
        Texts of the workloads it rests on.
    versions
        Name and version of the packages it holds for.
    expires
        Day (ISO 8601) after which it must be measured again.
    """

    text: str
    scope: str
    effect: Comparison
    evidence: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    expires: str
