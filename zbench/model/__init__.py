"""The nouns: frozen values that say what is measured and what came out. No input, no output."""

from __future__ import annotations

from zbench.model.access import AccessPattern, Box, CacheState
from zbench.model.codec import CodecChain, CodecStep, Parameter, Role
from zbench.model.evidence import Claim, Comparison, Run, Verdict, Workload
from zbench.model.layout import ArrayLayout, StorageConfig
from zbench.model.measure import Counts, Environment, Request, Sample, Trace
from zbench.model.store import Observer, StoreKind, StoreSpec
from zbench.model.volume import Meaning, Provenance, Volume, voxel_digest

__all__ = [
    "AccessPattern",
    "ArrayLayout",
    "Box",
    "CacheState",
    "Claim",
    "CodecChain",
    "CodecStep",
    "Comparison",
    "Counts",
    "Environment",
    "Meaning",
    "Observer",
    "Parameter",
    "Provenance",
    "Request",
    "Role",
    "Run",
    "Sample",
    "StorageConfig",
    "StoreKind",
    "StoreSpec",
    "Trace",
    "Verdict",
    "Volume",
    "Workload",
    "voxel_digest",
]
