"""Codec chains from one definition: text, Zarr format 2 and 3 metadata, and what each may lose."""

from __future__ import annotations

from zbench.codecs.bounds import Bound, chain_is_lossless, error_bound
from zbench.codecs.catalogue import CODEC_NAMES, CodecKind, codec_kind
from zbench.codecs.chain import parse_chain, parse_config
from zbench.codecs.metadata import v2_codecs, v3_codecs

__all__ = [
    "CODEC_NAMES",
    "Bound",
    "CodecKind",
    "chain_is_lossless",
    "codec_kind",
    "error_bound",
    "parse_chain",
    "parse_config",
    "v2_codecs",
    "v3_codecs",
]
