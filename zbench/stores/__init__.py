"""Places that keep keys and bytes: what lies in them, and what is asked of them."""

from __future__ import annotations

from zbench.stores.counts import chunk_keys, counts
from zbench.stores.local import Inventory, inventory
from zbench.stores.s3_process import S3Server
from zbench.stores.tracing import TraceLog, trace

__all__ = ["Inventory", "S3Server", "TraceLog", "chunk_keys", "counts", "inventory", "trace"]
