"""Publish what was measured as a site."""

from __future__ import annotations

from zbench.harness.publish.run import Published, publish
from zbench.harness.publish.sources import default_sources

__all__ = ["Published", "default_sources", "publish"]
