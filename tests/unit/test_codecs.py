"""Codec chains: text, refusals, metadata of formats 2 and 3."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import zarr
from numcodecs import LZ4, Blosc, GZip, Shuffle, Zstd
from numcodecs.registry import get_codec
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ZstdCodec
from zarr.storage import MemoryStore

from zbench.codecs import CODEC_NAMES, codec_kind, parse_chain, parse_config, v2_codecs, v3_codecs
from zbench.errors import CodecError, LayoutError, RefusedError, UnknownNameError
from zbench.model import ArrayLayout, CodecChain, Role, StorageConfig

SHUFFLES = ("shuffle", "bitshuffle", "noshuffle")
# Every codec at least once, with the type of a voxel that it takes.
METADATA_CASES = [
    ("none", "<f4"),
    *[(f"blosc-{cname}-{5}-shuffle", "<f4") for cname in ("zstd", "lz4", "lz4hc", "zlib", "blosclz")],
    *[(f"blosc-zstd-{level}-{shuffle}", "<u2") for level, shuffle in zip((0, 3, 9), SHUFFLES, strict=True)],
    ("zstd-0", "<f8"),
    ("zstd-22", "<f4"),
    ("gzip-0", "<f4"),
    ("gzip-9", "|u1"),
    ("lz4-1", "<f4"),
    ("lz4-65537", "<f4"),
    ("crc32c", "<f4"),
    ("zstd-3+crc32c", "<f4"),
    ("shuffle", "<f8"),
    ("shuffle+zstd-3", "|i1"),
    ("shuffle+lz4-1+crc32c", "<f2"),
    ("delta", "<i8"),
    ("delta+shuffle+zstd-3", "|u1"),
    ("bitround-1", "<f2"),
    ("bitround-52+blosc", "<f8"),
    ("quantize-0", "<f4"),
    ("quantize-12+zstd", "<f8"),
    ("bitround-7+quantize-2+fixedscaleoffset-1.5-0.25-i4+delta+shuffle+gzip", "<f4"),
    *[
        (f"fixedscaleoffset--1e-3-2.5-{astype}+blosc-lz4-1-shuffle", "<f4")
        for astype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
    ],
    ("pcodec-0", "<f4"),
    ("pcodec-12+crc32c", "<u8"),
    ("fixedscaleoffset-0.0-10.0-i2+pcodec-8", "<f4"),
]


def _format_2(text: str, dtype: str) -> tuple[list[dict], dict]:
    """Store an array with what the chain says and give back what was asked for and what zarr stored."""
    filters, compressor = v2_codecs(parse_chain(text), np.dtype(dtype))
    written: dict = {}
    zarr.create_array(
        MemoryStore(written),
        shape=(4, 4),
        chunks=(2, 2),
        dtype=dtype,
        zarr_format=2,
        filters=[get_codec(configuration) for configuration in filters or ()] or None,
        compressors=get_codec(compressor) if compressor else None,
    )
    stored = json.loads(written[".zarray"].to_bytes())
    together = [*(stored["filters"] or ()), *([stored["compressor"]] if stored["compressor"] else ())]
    assert bool(stored["compressor"]) == bool(compressor)
    return [*(filters or ()), *([compressor] if compressor else ())], together


@pytest.mark.filterwarnings("ignore:Numcodecs codecs:UserWarning", "ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.parametrize(("text", "dtype"), METADATA_CASES)
def test_format_2_says_what_numcodecs_says(text, dtype):
    asked, stored = _format_2(text, dtype)
    assert len(asked) == len(stored)
    for ours, theirs in zip(asked, stored, strict=True):
        # Releases of numcodecs differ in how many of their defaults they write down, never in what we set.
        assert ours.items() <= theirs.items()
        assert get_codec(dict(ours)).get_config() == get_codec(dict(theirs)).get_config()


@pytest.mark.filterwarnings("ignore:Numcodecs codecs:UserWarning", "ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.parametrize(("text", "dtype"), METADATA_CASES)
@pytest.mark.parametrize("sharded", [pytest.param(False, id="chunks"), pytest.param(True, id="shards")])
def test_format_3_says_what_zarr_says(text, dtype, sharded):
    chain = parse_chain(text)
    asked = v3_codecs(chain, np.dtype(dtype))
    count = len(chain.filters)
    written: dict = {}
    zarr.create_array(
        MemoryStore(written),
        shape=(4, 4),
        chunks=(2, 2),
        shards=(4, 4) if sharded else None,
        dtype=dtype,
        zarr_format=3,
        filters=asked[:count] or None,
        serializer=asked[count],
        compressors=asked[count + 1 :] or None,
    )
    stored = json.loads(written["zarr.json"].to_bytes())["codecs"]
    if sharded:
        stored = stored[0]["configuration"]["codecs"]
    # zarr leaves the byte order of one-byte voxels out, which means the same.
    if len(stored) > count and stored[count] == {"name": "bytes"}:
        stored[count] = {"name": "bytes", "configuration": {"endian": "little"}}
    assert stored == asked


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("blosc-zstd-5-shuffle", Blosc(cname="zstd", clevel=5, shuffle=Blosc.SHUFFLE)),
        ("blosc-lz4-0-bitshuffle", Blosc(cname="lz4", clevel=0, shuffle=Blosc.BITSHUFFLE)),
        ("blosc-zlib-9-noshuffle", Blosc(cname="zlib", clevel=9, shuffle=Blosc.NOSHUFFLE)),
        ("zstd-3", Zstd(level=3)),
        ("gzip-5", GZip(level=5)),
        ("lz4-2", LZ4(acceleration=2)),
        ("shuffle", Shuffle(elementsize=4)),
    ],
)
def test_format_2_means_the_codec_that_numcodecs_builds_by_hand(text, own):
    _, compressor = v2_codecs(parse_chain(text), np.dtype("f4"))
    assert get_codec(compressor).get_config() == own.get_config()


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("blosc-zstd-5-shuffle", BloscCodec(typesize=4, cname="zstd", clevel=5, shuffle="shuffle")),
        ("blosc-lz4-0-bitshuffle", BloscCodec(typesize=4, cname="lz4", clevel=0, shuffle="bitshuffle")),
        ("blosc-zlib-9-noshuffle", BloscCodec(typesize=4, cname="zlib", clevel=9, shuffle="noshuffle")),
        ("zstd-3", ZstdCodec(level=3)),
        ("gzip-5", GzipCodec(level=5)),
        ("crc32c", Crc32cCodec()),
    ],
)
def test_format_3_means_the_codec_that_zarr_builds_by_hand(text, own):
    # Through JSON, because zarr keeps some of its words as enumerations.
    assert v3_codecs(parse_chain(text), np.dtype("f4"))[1:] == [json.loads(json.dumps(own.to_dict()))]


def test_every_codec_is_compared_with_zarr():
    compared = {step.name for text, _ in METADATA_CASES for step in parse_chain(text)}
    assert compared == set(CODEC_NAMES)


@pytest.mark.parametrize(("astype", "size"), [("i1", 1), ("u2", 2), ("i4", 4), ("u8", 8)])
def test_blosc_shuffles_by_the_type_that_reaches_it(astype, size):
    chain = parse_chain(f"fixedscaleoffset-0-10-{astype}+blosc-zstd-5-shuffle")
    assert v3_codecs(chain, np.dtype("f4"))[-1]["configuration"]["typesize"] == size
    assert v3_codecs(parse_chain("blosc"), np.dtype("f4"))[-1]["configuration"]["typesize"] == 4


def test_delta_and_shuffle_work_on_the_type_that_reaches_them():
    filters, compressor = v2_codecs(parse_chain("fixedscaleoffset-0-10-i2+delta+shuffle"), np.dtype("f4"))
    assert [filters[0]["dtype"], filters[0]["astype"], filters[1]["dtype"]] == ["<f4", "<i2", "<i2"]
    assert compressor == {"id": "shuffle", "elementsize": 2}


def test_metadata_is_little_endian_whatever_the_machine_gives():
    assert v2_codecs(parse_chain("delta"), np.dtype(">i4"))[0] == [{"id": "delta", "dtype": "<i4"}]


def test_without_compressor_format_2_has_none():
    assert v2_codecs(parse_chain("none"), np.dtype("f4")) == (None, None)
    assert v2_codecs(parse_chain("delta"), np.dtype("i4")) == ([{"id": "delta", "dtype": "<i4"}], None)


@pytest.mark.parametrize(
    ("short", "canonical"),
    [
        ("none", "none"),
        (" none ", "none"),
        ("blosc", "blosc-zstd-5-shuffle"),
        ("blosc-lz4hc", "blosc-lz4hc-5-shuffle"),
        ("blosc-lz4", "blosc-lz4-5-shuffle"),
        ("blosc-blosclz-9", "blosc-blosclz-9-shuffle"),
        ("zstd", "zstd-3"),
        ("gzip-05", "gzip-5"),
        ("lz4", "lz4-1"),
        ("pcodec", "pcodec-8"),
        ("bitround + zstd", "bitround-10+zstd-3"),
        ("quantize", "quantize-2"),
        ("fixedscaleoffset", "fixedscaleoffset-0.0-1.0-i2"),
        ("fixedscaleoffset--0.0", "fixedscaleoffset-0.0-1.0-i2"),
        ("fixedscaleoffset--2", "fixedscaleoffset--2.0-1.0-i2"),
        ("fixedscaleoffset--1e-3--2.5-u1", "fixedscaleoffset--0.001--2.5-u1"),
        ("fixedscaleoffset-1e22-1e-7", "fixedscaleoffset-1e22-1e-07-i2"),
        ("fixedscaleoffset-1e-3", "fixedscaleoffset-0.001-1.0-i2"),
    ],
)
def test_shorthand_gives_canonical_text(short, canonical):
    assert parse_chain(short).text == canonical
    assert parse_chain(canonical).text == canonical
    assert str(parse_chain(short)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("zstd-3+delta", id="compressor before filter"),
        pytest.param("pcodec-8+delta", id="serializer before filter"),
        pytest.param("zstd-3+pcodec-8", id="compressor before serializer"),
        pytest.param("pcodec-8+pcodec-8", id="two serializers"),
        pytest.param("delta+zstd+bitround", id="filter behind compressor"),
    ],
)
def test_order_that_cannot_be_is_refused(text):
    with pytest.raises(CodecError, match="filters, then at most one serializer, then compressors"):
        parse_chain(text)


@pytest.mark.parametrize("place", ["filters", "serializer", "compressors"])
@pytest.mark.parametrize("name", CODEC_NAMES)
def test_codec_is_refused_in_the_place_of_another_role(place, name):
    step = codec_kind(name).step(name if name != "blosc" else "blosc-zstd")
    given = {place: step if place == "serializer" else (step,)}
    own = {Role.FILTER: "filters", Role.SERIALIZER: "serializer", Role.COMPRESSOR: "compressors"}[step.role]
    if place == own:
        assert CodecChain(**given).text == step.text
        return
    with pytest.raises(CodecError, match=rf"is a {step.role}.*Pass it as one of the {step.role}s"):
        CodecChain(**given)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("zstd-23", "from 0 to 22"),
        ("zstd--1", "from 0 to 22"),
        ("gzip-10", "from 0 to 9"),
        ("lz4-0", "from 1 to 65537"),
        ("lz4-65538", "from 1 to 65537"),
        ("blosc-zstd-10", "from 0 to 9"),
        ("bitround-0", "from 1 to 52"),
        ("bitround-53", "from 1 to 52"),
        ("quantize-13", "from 0 to 12"),
        ("pcodec-13", "from 0 to 12"),
        ("zstd-" + "9" * 5000, "is written zstd"),
        ("fixedscaleoffset-0-1e999", "scale is a finite number"),
        ("fixedscaleoffset--1e999", "offset is a finite number"),
        ("blosc-5", "is written blosc-<zstd"),
        ("blosc-zstd-5-shuffled", "is written"),
        ("blosc-zstd-5-shuffle-1", "is written"),
        ("zstd-", "is written"),
        ("zstd-3.5", "is written"),
        ("delta-1", "is written delta"),
        ("crc32c-", "is written"),
        ("fixedscaleoffset-nan", "is written"),
        ("fixedscaleoffset-0-1-f4", "is written"),
        ("fixedscaleoffset-0-1-i3", "is written"),
        ("zstd-\N{ARABIC-INDIC DIGIT THREE}", "is written"),
    ],
)
def test_parameter_that_cannot_be_is_refused(text, part):
    with pytest.raises(CodecError, match=part):
        parse_chain(text)


@pytest.mark.parametrize("text", ["", "zst", "zstd+", "+zstd", "none+zstd", "BLOSC", "zfpy-3"])
def test_unknown_codec_is_named_with_those_that_exist(text):
    with pytest.raises(UnknownNameError, match=r"Unknown codec .*Known codecs: .*zstd"):
        parse_chain(text)


@pytest.mark.parametrize(
    ("text", "dtypes"),
    [
        ("delta", ["f2", "f4", "f8", "bool", "c8"]),
        ("fixedscaleoffset-0-1-i2", ["bool", "c8"]),
        ("quantize-2", ["i4", "u1", "bool"]),
        ("quantize-5", ["f2"]),
        ("bitround-11", ["f2", "i4"]),
        ("bitround-24", ["f4"]),
        ("bitround-1", ["i2", "bool", "c16"]),
        ("pcodec-8", ["i1", "u1", "bool", "c8", "c16"]),
        ("fixedscaleoffset-0-1-i2+bitround-3", ["f4"]),
        ("fixedscaleoffset-0-1-i2+quantize-3", ["f8"]),
        ("fixedscaleoffset-0-1-u1+pcodec", ["f4"]),
        ("bitround-3+bitround-2", ["f4"]),
        ("zstd-3+shuffle", ["f4"]),
        ("crc32c+shuffle", ["f8"]),
        ("pcodec-8+shuffle", ["f4"]),
        ("shuffle+shuffle", ["f4"]),
    ],
)
@pytest.mark.parametrize("say", [v2_codecs, v3_codecs])
def test_step_refuses_what_cannot_reach_it(text, dtypes, say):
    for dtype in dtypes:
        with pytest.raises(RefusedError, match=r"Codec '\w+.*' takes .*[.]"):
            say(parse_chain(text), np.dtype(dtype))


@pytest.mark.parametrize(
    ("text", "dtypes"),
    [
        ("delta", ["i1", "u1", "i8", "u8"]),
        ("bitround-10", ["f2", "f4", "f8"]),
        ("bitround-23", ["f4", "f8"]),
        ("quantize-4", ["f2", "f4", "f8"]),
        ("pcodec", ["f2", "f4", "f8", "i2", "u8"]),
        ("fixedscaleoffset-0-1-i2+delta+pcodec", ["f4", "u1"]),
        ("blosc+zstd+crc32c", ["bool", "c8", "f4", "u1"]),
        ("shuffle", ["bool", "c16", "u1"]),
    ],
)
def test_step_takes_what_it_can(text, dtypes):
    for dtype in dtypes:
        assert v3_codecs(parse_chain(text), np.dtype(dtype))


@pytest.mark.parametrize(
    ("text", "error", "part"),
    [
        ("v3-c64", CodecError, "LAYOUT:CHAIN"),
        ("v3-c64:", UnknownNameError, "Unknown codec ''"),
        ("v4-c64:none", LayoutError, "layout is written"),
        ("v2-c32-s64:none", LayoutError, "Sharding belongs to Zarr format 3"),
        ("v3-c32-s48:none", LayoutError, "whole number of chunks"),
        ("v3-c32-s64x64:none", LayoutError, "whole number of chunks"),
        ("v3-c0:none", LayoutError, "positive whole numbers"),
        ("v3-c32-index=start:none", LayoutError, "Only shards have an index"),
    ],
)
def test_storage_configuration_that_cannot_be_is_refused(text, error, part):
    with pytest.raises(error, match=part):
        parse_config(text)


def test_storage_configuration_is_layout_and_chain():
    config = parse_config("v3-c32-s256:blosc")
    layout = ArrayLayout(chunks=(32, 32, 32), shards=(256, 256, 256))
    assert config == StorageConfig(layout=layout, chain=parse_chain("blosc-zstd-5-shuffle"))
    assert config.text == "v3-c32-s256:blosc-zstd-5-shuffle"


def test_form_tells_every_parameter():
    assert codec_kind("blosc").form == "blosc-<zstd|lz4hc|lz4|zlib|blosclz>-<0..9>-<shuffle|bitshuffle|noshuffle>"
    assert codec_kind("fixedscaleoffset").form.startswith(
        "fixedscaleoffset-<offset such as 0.0>-<scale such as 1.0>-<i1"
    )
    assert all(codec_kind(name).summary for name in CODEC_NAMES)


def test_real_parameters_keep_every_bit():
    value = math.nextafter(0.1, 1)
    step = parse_chain(f"fixedscaleoffset-{value!r}").filters[0]
    assert step["offset"] == value
