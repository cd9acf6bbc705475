"""A codec chain on one chunk: it comes back or it is not timed."""

from __future__ import annotations

import pytest
from numcodecs.registry import register_codec
from numcodecs.zstd import Zstd

from zbench.chunk_codec import ChunkCodec
from zbench.codecs import parse_chain
from zbench.errors import RefusedError, VerificationError


@pytest.fixture
def chunk(rng):
    return rng.normal(size=(8, 9, 10)).cumsum(axis=2).astype("f4")


@pytest.mark.parametrize(
    "chain",
    ["none", "zstd-3", "blosc-lz4-5-shuffle", "shuffle+gzip-5", "pcodec-8", "bitround-7+zstd-3", "lz4-1+crc32c"],
)
def test_a_chunk_comes_back(chunk, chain):
    codec = ChunkCodec(parse_chain(chain), chunk)
    assert codec.decode().shape == chunk.shape
    assert codec.decode().dtype == chunk.dtype
    assert codec.encoded_bytes > 0


def test_no_codec_is_the_bytes_themselves(chunk):
    assert ChunkCodec(parse_chain("none"), chunk).encoded_bytes == chunk.nbytes


def test_a_chain_that_cannot_take_the_voxels_is_refused(chunk):
    with pytest.raises(RefusedError, match="integer"):
        ChunkCodec(parse_chain("delta+zstd-3"), chunk)


class _Corrupting(Zstd):
    """Flips one bit of what it decodes."""

    codec_id = "zstd"

    def decode(self, buf, out=None):
        decoded = bytearray(super().decode(buf))
        decoded[17] ^= 1
        return bytes(decoded)


def test_a_codec_that_corrupts_one_bit_is_caught(chunk):
    register_codec(_Corrupting)
    try:
        with pytest.raises(VerificationError, match="1 of 720 voxels"):
            ChunkCodec(parse_chain("zstd-3"), chunk)
    finally:
        register_codec(Zstd)
    ChunkCodec(parse_chain("zstd-3"), chunk)
