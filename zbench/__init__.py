"""Benchmark regression harness for Zarr storage of scientific volumes."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
