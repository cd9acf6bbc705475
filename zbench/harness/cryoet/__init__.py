"""One command for a person with a tomogram: what to measure, the run, and what it leaves."""

from __future__ import annotations

from zbench.harness.cryoet.crop import VolumeRequest
from zbench.harness.cryoet.estimate import Estimate, estimate
from zbench.harness.cryoet.request import CryoetRequest, resumed
from zbench.harness.cryoet.run import CryoetStatus, Finished, Listener, Prepared, cryoet, prepare
from zbench.harness.cryoet.selection import CACHE_STATES, TEST_CONFIGS, Selection
from zbench.harness.cryoet.source import EMBEDDED, located

__all__ = [
    "CACHE_STATES", "EMBEDDED", "TEST_CONFIGS", "CryoetRequest", "CryoetStatus", "Estimate", "Finished", "Listener",
    "Prepared", "Selection", "VolumeRequest", "cryoet", "estimate", "located", "prepare", "resumed",
]  # fmt: skip
