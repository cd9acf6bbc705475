"""What does a configuration cost in bytes, objects and requests? Exact numbers, no clock."""

from __future__ import annotations

from zbench.cell import cell_pattern, count_read

from ._stored import Stored, grid


class _Size(Stored):
    def track_compression_ratio(self, *_):
        return self.cell.compression_ratio

    track_compression_ratio.unit = "ratio"

    def track_stored_bytes(self, *_):
        return self.cell.stored_bytes

    track_stored_bytes.unit = "bytes"


class Chains(_Size):
    """Bytes, by codec chain."""

    params = grid("codec")


class Layouts(_Size):
    """Bytes and objects, by chunks and shards."""

    params = grid("layout")

    def track_objects(self, *_):
        return self.cell.objects

    track_objects.unit = "objects"


class Requests(Stored):
    """What one execution of an access pattern asks of the store, opening included, by chunks and shards."""

    param_names = (*Stored.param_names, "pattern")
    params = (*grid("layout"), ("full_read", "xy_plane", "xz_plane", "yz_plane"))

    def setup(self, outcomes, *names):
        super().setup(outcomes, *names[:-1])
        self.boxes = cell_pattern(self.cell, names[-1])

    def track_requests(self, *_):
        return count_read(self.cell, self.boxes).requests

    track_requests.unit = "requests"

    def track_bytes_fetched(self, *_):
        return count_read(self.cell, self.boxes).bytes_fetched

    track_bytes_fetched.unit = "bytes"

    def track_amplification(self, *_):
        return count_read(self.cell, self.boxes).amplification

    track_amplification.unit = "ratio"
