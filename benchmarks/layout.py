"""What does a configuration cost in bytes, objects and requests? Exact numbers, no clock."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from zbench.cell import cell_pattern
from zbench.counting import count_reads
from zbench.model import Counts
from zbench.results import read_json, write_atomically

from ._stored import Stored, questions


class _Size(Stored):
    """What lies in the store, metadata included."""

    def track_compression_ratio(self, *_):
        return self.cell.compression_ratio

    track_compression_ratio.unit = "ratio"

    def track_stored_bytes(self, *_):
        return self.cell.stored_bytes

    track_stored_bytes.unit = "bytes"

    def track_objects(self, *_):
        return self.cell.objects

    track_objects.unit = "objects"


class _Requests(Stored):
    """What one execution of an access pattern asks of the store, opening included."""

    param_names = (*Stored.param_names, "pattern")
    # The chain changes how many bytes come, as it changes how many are stored, and nothing else.
    every_chain = False

    def setup(self, outcomes, *names):
        """Count all patterns of a cell in one go, for all metrics: each is asked for in a process of its own."""
        super().setup(outcomes, *names)
        kept = Path(f"{self.cell.store.location}-{type(self).__name__}.json")
        if not kept.is_file():
            patterns = [cell_pattern(self.cell, name) for name in self.params[-1]]
            counted = zip(self.params[-1], map(asdict, count_reads(self.cell, patterns)), strict=True)
            write_atomically(kept, json.dumps(dict(counted)))
        self.counts = Counts(**read_json(kept)[names[-1]])

    def track_requests(self, *_):
        return self.counts.requests

    track_requests.unit = "requests"

    def track_bytes_fetched(self, *_):
        return self.counts.bytes_fetched

    track_bytes_fetched.unit = "bytes"

    def track_amplification(self, *_):
        return self.counts.amplification

    track_amplification.unit = "ratio"


globals().update(questions(_Size))
globals().update(questions(_Requests))
