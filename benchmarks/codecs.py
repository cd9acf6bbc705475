"""What does a codec chain cost on one real chunk, without a store?"""

from __future__ import annotations

from zbench.cell import voxels
from zbench.chunk_codec import ChunkCodec
from zbench.codecs import parse_chain

from ._stored import PRESET, Stored

_EDGE = 64


class Chunk:
    """One chunk of 64 voxels an axis from the middle of the volume, by codec chain, with numcodecs."""

    param_names = ("dataset", "chain")
    params = (PRESET.datasets, PRESET.chains)
    version = Stored.version
    timeout = Stored.timeout
    rounds = Stored.rounds
    warmup_time = Stored.warmup_time
    repeat = (3, 10, 0.2)

    def setup(self, dataset, chain):
        """Take the chunk, and prove that the chain gives it back."""
        values = voxels(dataset)
        middle = tuple(slice(max(0, extent // 2 - _EDGE // 2), extent // 2 + _EDGE // 2) for extent in values.shape)
        self.codec = ChunkCodec(parse_chain(chain), values[middle])

    def time_encode(self, *_):
        self.codec.encode()

    def time_decode(self, *_):
        self.codec.decode()

    def track_encoded_bytes(self, *_):
        return self.codec.encoded_bytes

    track_encoded_bytes.unit = "bytes"
