"""Places that keep keys and bytes, by name only: each engine turns one into its own handle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from zbench.model.measure import Request

__all__ = ["Observer", "StoreKind", "StoreSpec"]

Observer: TypeAlias = Callable[[Request], None]


class StoreKind(StrEnum):
    """Kind of a store."""

    LOCAL = "local"
    MEMORY = "memory"
    S3 = "s3"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSpec:
    """Where one array is kept.

    Attributes
    ----------
    kind
        Local folder, memory of this process, or an S3 service.
    location
        Absolute path of a folder, name of a memory store, or ``bucket/prefix``.
    endpoint
        Address of the S3 service; ``None`` is the public one.
    observer
        Told of every request while the store is used, with its begin on the clock of ``time.perf_counter_ns`` as
        ``offset_ns``; engines that cannot tell refuse it.
    """

    kind: StoreKind
    location: str
    endpoint: str | None = None
    observer: Observer | None = field(default=None, compare=False, repr=False)
