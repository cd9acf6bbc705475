"""Zarr implementations under test, behind one protocol."""

from __future__ import annotations

from zbench.engines.protocol import Array, Engine, Tracing
from zbench.engines.registry import ENGINE_NAMES, engine
from zbench.engines.verify import Verified, check_metadata, write_verified

__all__ = ["ENGINE_NAMES", "Array", "Engine", "Tracing", "Verified", "check_metadata", "engine", "write_verified"]
