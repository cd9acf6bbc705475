"""Every engine stores every codec with the metadata that was asked for, or refuses it with the words of its library."""

from __future__ import annotations

import re

import numpy as np
import pytest

from zbench.codecs import CODEC_NAMES, chain_is_lossless, parse_chain, parse_config
from zbench.engines import write_verified
from zbench.errors import RefusedError, VerificationError
from zbench.model import voxel_digest
from zbench.stores import inventory

# zarr 3 says at each codec of numcodecs in format 3 that the specification has it not; that is known here.
pytestmark = pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3:UserWarning")

BLOSC = [
    "blosc-zstd-1-shuffle",
    "blosc-zstd-9-bitshuffle",
    "blosc-zstd-5-noshuffle",
    "blosc-lz4-5-shuffle",
    "blosc-lz4hc-5-bitshuffle",
    "blosc-zlib-9-noshuffle",
    "blosc-blosclz-0-shuffle",
]
FLOATS = [
    "none",
    *BLOSC,
    "zstd-3",
    "gzip-9",
    "lz4-1",
    "crc32c",
    "zstd-3+crc32c",
    "zstd-3+gzip-1",
    "shuffle+zstd-3",
    "bitround-7+zstd-3",
    "bitround-7+shuffle+blosc-lz4-1-shuffle",
    "quantize-2+zstd-3",
    "fixedscaleoffset-10.0-50.0-i2+zstd-3",
    "pcodec-8",
    "pcodec-8+zstd-3",
]
INTEGERS = ["delta+zstd-3", "delta+shuffle+gzip-1", "fixedscaleoffset-1.0-1.0-u1+blosc-lz4-1-shuffle", "pcodec-4"]
CHAINS = [(chain, "f4") for chain in FLOATS] + [(chain, "u2") for chain in INTEGERS]

# What the libraries lack: zarrs 0.2.3 and tensorstore 0.1.86; zarr-python has all. A newer release that learns a codec
# fails the test below, so that the table keeps up.
_ZARRS = {"lz4-1", "bitround-7+zstd-3", "bitround-7+shuffle+blosc-lz4-1-shuffle", "quantize-2+zstd-3"}
_ZARRS |= {"delta+zstd-3", "delta+shuffle+gzip-1", "fixedscaleoffset-1.0-1.0-u1+blosc-lz4-1-shuffle"}
_TENSORSTORE = {chain for chain, _ in CHAINS if not re.fullmatch(r"none|(blosc|zstd|gzip)[^+]*", chain)}
LACKS = {
    ("zarrs", "v2"): _ZARRS | {"crc32c", "zstd-3+crc32c", "zstd-3+gzip-1", "pcodec-8+zstd-3"},
    ("zarrs", "v3"): _ZARRS,
    ("tensorstore", "v2"): _TENSORSTORE,
    ("tensorstore", "v3"): _TENSORSTORE - {"crc32c", "zstd-3+crc32c", "zstd-3+gzip-1"},
}


def test_the_chains_of_this_suite_have_every_codec():
    assert {step.name for chain, _ in CHAINS for step in parse_chain(chain)} == set(CODEC_NAMES)


@pytest.mark.parametrize(("chain", "dtype"), [pytest.param(*case, id=case[0]) for case in CHAINS])
def test_a_chain_comes_back_as_it_was_asked_for_or_is_refused(chosen, plain, local, volume, chain, dtype):
    config, values = parse_config(f"{plain}:{chain}"), volume(dtype=dtype)
    if chain not in LACKS.get((chosen.name, plain[:2]), ()):
        digest = write_verified(chosen, local(), config, values).digest
        assert (digest == voxel_digest(values)) or not chain_is_lossless(config.chain)
        return
    with pytest.raises(RefusedError, match="stores what its library can") as refused:
        chosen.refuse(config, dtype=values.dtype, store=local())
    # The value, whose word it is, and the way out.
    for part in (config.text, values.dtype.name, chosen.name, *chosen.versions().values(), "Take another chain"):
        assert part in str(refused.value)
    with pytest.raises(RefusedError, match="stores what its library can"):
        write_verified(chosen, local(), config, values)
    assert inventory(local()).objects == 0


@pytest.mark.parametrize(
    ("chain", "dtype", "rule"),
    [
        pytest.param("delta+zstd-3", "f4", "integer voxels", id="differences of floats"),
        pytest.param("bitround-7", "u2", "floating-point voxels", id="rounded integers"),
        pytest.param("bitround-11", "f2", "at least that many mantissa bits", id="more bits than there are"),
        pytest.param("quantize-2", "i4", "floating-point voxels", id="quantized integers"),
        pytest.param("quantize-5", "f2", "reach ten to the power", id="more digits than there are"),
        pytest.param("pcodec-8", "u1", "16, 32 or 64 bits", id="pcodec of bytes"),
        pytest.param("zstd-1+shuffle", "u2", "bytes of whole voxels", id="shuffle behind a compressor"),
        pytest.param("bitround-3+bitround-2", "f4", "bitround before it", id="bitround twice"),
    ],
)
def test_a_chain_that_cannot_take_the_voxels_is_refused_by_its_rule(chosen, plain, local, volume, chain, dtype, rule):
    with pytest.raises(RefusedError, match=rule):
        write_verified(chosen, local(), parse_config(f"{plain}:{chain}"), volume(dtype=dtype))
    assert inventory(local()).objects == 0


def test_voxels_that_a_codec_cannot_hold_are_a_failure(chosen, plain, local, volume):
    config = parse_config(f"{plain}:fixedscaleoffset-0.0-1000.0-i2+zstd-3")
    if chosen.name == "tensorstore":
        with pytest.raises(RefusedError, match="fixedscaleoffset"):
            write_verified(chosen, local(), config, volume(dtype="f4"))
        return
    # Some of the voxels are larger than 32.767.
    with pytest.raises(VerificationError, match=r"wrong voxels.* of 270 voxels differ"):
        write_verified(chosen, local(), config, volume(dtype="f4"))


def test_libraries_that_scramble_voxels_are_caught(engines, local):
    # numcodecs rounds the bits of a chunk in F order as if it lay in C order: numcodecs#850, releases 0.15 to 0.17.
    values = np.arange(270, dtype="f4").reshape(9, 6, 5)
    for name in {"zarr-python", "zarr-python-fused"} & set(engines):
        write_verified(engines[name], local(name), parse_config("v2-c4-order=F:zstd-1"), values)
        with pytest.raises(VerificationError, match="wrong voxels"):
            write_verified(engines[name], local(f"{name}-wrong"), parse_config("v2-c4-order=F:bitround-7"), values)
