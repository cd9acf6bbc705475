"""The nouns: frozen, whole through a pipe, one text each, and refusals that name the rule."""

from __future__ import annotations

import dataclasses
import enum
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbench import model
from zbench.errors import CodecError, LayoutError
from zbench.model import (
    AccessPattern,
    ArrayLayout,
    Box,
    CacheState,
    Claim,
    CodecChain,
    CodecStep,
    Comparison,
    Counts,
    Environment,
    Meaning,
    Provenance,
    Request,
    Role,
    Run,
    Sample,
    StorageConfig,
    StoreKind,
    StoreSpec,
    Trace,
    Verdict,
    Volume,
    Workload,
    voxel_digest,
)

DELTA = CodecStep("delta", Role.FILTER)
PCODEC = CodecStep("pcodec", Role.SERIALIZER, (("level", 8),))
ZSTD = CodecStep("zstd", Role.COMPRESSOR, (("level", 5),))
CHAIN = CodecChain(filters=(DELTA,), compressors=(ZSTD,))
LAYOUT = ArrayLayout(chunks=(32, 32, 32), shards=(64, 64, 64))
CONFIG = StorageConfig(layout=LAYOUT, chain=CHAIN)
BOX = Box((0, 8, 16), (1, 16, 32))
COUNTS = Counts(
    requests=3,
    reads=2,
    writes=0,
    bytes_fetched=900,
    bytes_written=0,
    bytes_decoded=4096,
    bytes_needed=1024,
    objects=2,
    stored_bytes=1000,
)
WORKLOAD = Workload(
    dataset="blobs",
    config=CONFIG,
    engine="zarr-python",
    store=StoreKind.LOCAL,
    pattern="full_read",
    cache_state=CacheState.WARM,
)
ENVIRONMENT = Environment(
    machine="m",
    os="Linux 6",
    cpu="c",
    cores=2,
    memory_bytes=1,
    python="3.11.7",
    packages=(("zarr", "3.1.6"),),
    threads=(),
    filesystem="ext4",
)
COMPARISON = Comparison(ratio=1.1, low=1.0, high=1.2, p_value=None, verdict=Verdict.INCONCLUSIVE)
PROVENANCE = Provenance(source="phantom, seed 1", licence="CC0-1.0", citation="none")
REQUEST = Request(operation="get", key="c/0/0/0", start=0, length=8, size_bytes=8)
NOUNS = [
    AccessPattern(name="planes", operations=((BOX,), (BOX, BOX))),
    LAYOUT,
    BOX,
    Claim(text="t", scope="s", effect=COMPARISON, evidence=("e",), versions=(("zarr", "3.1.6"),), expires="2027-01-01"),
    CHAIN,
    ZSTD,
    COMPARISON,
    COUNTS,
    ENVIRONMENT,
    Meaning(unit="HU", scale=1.0, offset=-1024.0),
    PROVENANCE,
    REQUEST,
    Run(workload=WORKLOAD, commit="c", environment=ENVIRONMENT, samples=(Sample(1, 2),), counts=COUNTS, digest="d"),
    Sample(1, 2),
    CONFIG,
    StoreSpec(kind=StoreKind.MEMORY, location="m"),
    Trace((REQUEST,)),
    WORKLOAD,
]
VOLUME = Volume(name="v", array=np.zeros((2, 3, 4), "<u2"), provenance=PROVENANCE)


def by_class(noun):
    return type(noun).__name__


def test_every_noun_is_among_those_tested():
    public = {getattr(model, name) for name in model.__all__ if isinstance(getattr(model, name), type)}
    classes = {cls for cls in public if not issubclass(cls, enum.Enum)}
    assert classes == {type(noun) for noun in NOUNS} | {Volume}


@pytest.mark.parametrize("noun", [*NOUNS, VOLUME], ids=by_class)
def test_a_noun_cannot_be_changed(noun):
    for field in dataclasses.fields(noun):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(noun, field.name, None)
    assert not hasattr(noun, "__dict__")


@pytest.mark.parametrize("noun", NOUNS, ids=by_class)
def test_a_noun_comes_through_a_pipe_whole(noun):
    there = pickle.loads(pickle.dumps(noun))
    assert there == noun
    assert hash(there) == hash(noun)


# Layouts

EXTENTS = st.integers(1, 512)
# One axis is written as 64x and three equal ones as 64: both kinds must be frequent.
CHUNKS = st.one_of(
    st.lists(EXTENTS, min_size=1, max_size=5).map(tuple),
    EXTENTS.map(lambda edge: (edge,) * 3),
    EXTENTS.map(lambda n: (n,)),
)


@st.composite
def layouts(draw):
    chunks = draw(CHUNKS)
    zarr_format = draw(st.sampled_from([2, 3]))
    sharded = zarr_format == 3 and draw(st.booleans())
    factors = draw(st.lists(st.integers(1, 8), min_size=len(chunks), max_size=len(chunks)))
    return ArrayLayout(
        zarr_format=zarr_format,
        chunks=chunks,
        shards=tuple(c * f for c, f in zip(chunks, factors, strict=True)) if sharded else None,
        index_location=draw(st.sampled_from(["start", "end"])) if sharded else "end",
        order=draw(st.sampled_from(["C", "F"])),
        separator=draw(st.sampled_from([".", "/", None])),
    )


@given(layout=layouts())
def test_a_layout_comes_back_from_its_text(layout):
    assert ArrayLayout.parse(layout.text) == layout
    assert ArrayLayout.parse(f" {layout} ").text == layout.text


@given(one=layouts(), other=layouts())
def test_two_layouts_have_two_texts_and_one_layout_has_one(one, other):
    assert (one.text == other.text) is (one == other)


@pytest.mark.parametrize(("zarr_format", "own"), [(2, "."), (3, "/")])
def test_a_formats_own_separator_is_not_written_down(zarr_format, own):
    plain = ArrayLayout(zarr_format=zarr_format, chunks=(8, 8))
    assert plain == ArrayLayout(zarr_format=zarr_format, chunks=(8, 8), separator=own)
    assert plain.key_separator == own
    assert "sep" not in plain.text
    other = ArrayLayout(zarr_format=zarr_format, chunks=(8, 8), separator="./".replace(own, ""))
    assert other.key_separator != own
    assert other.text.endswith(f"-sep={other.key_separator}")


def test_what_is_one_object_is_the_shard_or_else_the_chunk():
    assert LAYOUT.objects_shape == (64, 64, 64)
    assert ArrayLayout(chunks=(4, 8)).objects_shape == (4, 8)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        pytest.param({"zarr_format": 1, "chunks": (8,)}, r"format is 2 or 3: got 1", id="format"),
        pytest.param({"chunks": ()}, r"chunks is a whole number.*got \(\)", id="no-axis"),
        pytest.param({"chunks": (8, 0)}, r"chunks is a whole number.*at least 1.*got \(8, 0\)", id="zero"),
        pytest.param({"chunks": (8, -1)}, r"chunks is a whole number.*got \(8, -1\)", id="negative"),
        pytest.param({"chunks": (8, 1.0)}, r"chunks is a whole number.*got \(8, 1.0\)", id="fraction"),
        pytest.param(
            {"chunks": (8, 8), "shards": (16, 12)},
            r"whole number of chunks: shards \(16, 12\) are not a multiple of chunks \(8, 8\)\. Take",
            id="not-a-multiple",
        ),
        pytest.param({"chunks": (8, 8), "shards": (16,)}, r"whole number of chunks: shards \(16,\)", id="other-axes"),
        pytest.param({"chunks": (8,), "shards": (0,)}, r"shards is a whole number.*got \(0,\)", id="no-shard"),
        pytest.param(
            {"zarr_format": 2, "chunks": (8,), "shards": (16,)},
            r"belongs to Zarr format 3: shards \(16,\).*Use zarr_format=3 or leave out",
            id="sharding-in-format-2",
        ),
        pytest.param(
            {"chunks": (8,), "index_location": "start"}, r"Only shards have an index.*Give shards", id="index"
        ),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_the_rule(arguments, rule):
    with pytest.raises(LayoutError, match=rule):
        ArrayLayout(**arguments)


@given(chunks=CHUNKS, data=st.data())
def test_shards_are_taken_exactly_when_they_are_whole_numbers_of_chunks(chunks, data):
    shards = tuple(data.draw(st.integers(1, 4 * c)) for c in chunks)
    whole = all(s % c == 0 for s, c in zip(shards, chunks, strict=True))
    try:
        ArrayLayout(chunks=chunks, shards=shards)
    except LayoutError:
        assert not whole
    else:
        assert whole


@pytest.mark.parametrize(
    "text",
    ["", "c64", "v4-c64", "v3c64", "v3-c64-", "v3-c", "v3-c64-s", "v3-c64-order=K", "v3-s64-c64", "v3-c64-sep="],
)
def test_what_is_no_text_of_a_layout_is_refused(text):
    with pytest.raises(LayoutError, match=r"written as v3-c64, .*got " + re.escape(repr(text))):
        ArrayLayout.parse(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param("v2-c32-s64", "belongs to Zarr format 3", id="sharding-in-format-2"),
        pytest.param("v3-c32-s48", "whole number of chunks", id="not-a-multiple"),
        pytest.param("v3-c32-index=start", "Only shards have an index", id="index"),
        pytest.param("v3-c0", "positive whole numbers", id="zero"),
    ],
)
def test_a_text_that_says_what_cannot_be_is_refused_with_that_rule(text, rule):
    with pytest.raises(LayoutError, match=rule):
        ArrayLayout.parse(text)


# Codec chains and configurations


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        pytest.param(
            {"compressors": (PCODEC,)},
            r"compressor must turn bytes into bytes: 'pcodec-8' is a serializer, which turns arrays into bytes\.",
            id="serializer-as-compressor",
        ),
        pytest.param({"filters": (ZSTD,)}, r"filter must turn arrays into arrays: 'zstd-5'", id="compressor-as-filter"),
        pytest.param(
            {"serializer": DELTA}, r"serializer must turn arrays into bytes: 'delta'", id="filter-as-serializer"
        ),
        pytest.param({"compressors": (ZSTD, DELTA)}, r"'delta' is a filter", id="second-of-two"),
    ],
)
def test_a_codec_out_of_its_place_is_refused_with_the_rule(arguments, rule):
    with pytest.raises(CodecError, match=rule):
        CodecChain(**arguments)


def test_a_chain_goes_from_filters_over_the_serializer_to_compressors():
    chain = CodecChain(filters=(DELTA, DELTA), serializer=PCODEC, compressors=(ZSTD, ZSTD))
    assert [step.role for step in chain] == [Role.FILTER] * 2 + [Role.SERIALIZER] + [Role.COMPRESSOR] * 2
    assert chain.text == str(chain) == "delta+delta+pcodec-8+zstd-5+zstd-5"


def test_a_chain_of_nothing_is_none():
    assert CodecChain().text == "none"
    assert list(CodecChain()) == []


def test_a_step_gives_its_parameters_by_name_and_in_order():
    step = CodecStep("blosc", Role.COMPRESSOR, (("cname", "zstd"), ("clevel", 5), ("shuffle", "bitshuffle")))
    assert step.text == str(step) == "blosc-zstd-5-bitshuffle"
    assert step["clevel"] == 5
    with pytest.raises(KeyError):
        step["level"]


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_in_a_step_is_read_back_to_the_bit_and_has_no_plus(value):
    text = CodecStep("q", Role.FILTER, (("digits", value),)).text
    assert "+" not in text
    assert float(text.removeprefix("q-")) == value


def test_a_configuration_is_known_by_its_text():
    assert CONFIG.text == str(CONFIG) == "v3-c32-s64:delta+zstd-5"
    assert re.fullmatch("[0-9a-f]{16}", CONFIG.digest)


@given(one=layouts(), other=layouts())
def test_configurations_share_a_digest_only_if_they_are_the_same(one, other):
    first, second = (StorageConfig(layout=layout, chain=CHAIN) for layout in (one, other))
    assert (first.digest == second.digest) is (first == second)


def test_a_digest_is_the_same_in_every_process():
    # Files are named by it: a value that moves would orphan them.
    assert StorageConfig(layout=ArrayLayout(chunks=(64,) * 3), chain=CodecChain()).digest == "3d017c69d4d36bc6"


# Boxes and access patterns


@st.composite
def boxes(draw):
    start = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=4))
    return Box(tuple(start), tuple(s + draw(st.integers(1, 50)) for s in start))


@given(box=boxes())
def test_a_box_holds_as_many_voxels_as_its_index_takes(box):
    assert box.voxels == np.prod([len(range(*part.indices(10**6))) for part in box.slices])
    assert box.shape == tuple(part.stop - part.start for part in box.slices)


@given(shape=st.lists(st.integers(1, 99), min_size=1, max_size=4))
def test_the_whole_is_all_voxels(shape):
    assert Box.whole(tuple(shape)) == Box((0,) * len(shape), tuple(shape))
    assert Box.whole(shape).voxels == np.prod(shape)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        pytest.param((0, 4), (2, 4), id="empty"),
        pytest.param((0, 5), (2, 4), id="backwards"),
        pytest.param((-1, 0), (2, 4), id="before-zero"),
        pytest.param((0,), (2, 4), id="other-axes"),
    ],
)
def test_a_box_that_holds_nothing_is_refused_with_the_rule(start, stop):
    with pytest.raises(LayoutError, match=r"at least one voxel on every axis.*got " + re.escape(f"{start}..{stop}")):
        Box(start, stop)


def test_a_pattern_counts_voxels_as_often_as_they_are_asked_for():
    pattern = AccessPattern(name="click-2", operations=((BOX, BOX), (Box.whole((2, 2, 2)),)))
    assert pattern.boxes == (BOX, BOX, Box.whole((2, 2, 2)))
    assert pattern.voxels == 2 * BOX.voxels + 8
    assert str(pattern) == "click-2"


# Volumes and digests


def test_a_volume_knows_its_extent_and_logical_bytes():
    assert VOLUME.shape == (2, 3, 4)
    assert VOLUME.nbytes == 48
    assert type(VOLUME.nbytes) is int


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "f2", "f4", "f8", "c8", "?"])
def test_a_digest_does_not_see_how_voxels_lie_in_memory(dtype):
    array = np.random.default_rng(1).integers(0, 2, (3, 4, 5)).astype(dtype)
    expected = voxel_digest(array)
    assert re.fullmatch("blake2b:[0-9a-f]{32}", expected)
    assert voxel_digest(np.asfortranarray(array)) == expected
    assert voxel_digest(array.astype(array.dtype.newbyteorder(">"))) == expected
    assert voxel_digest(np.repeat(array, 2, axis=2)[:, :, ::2]) == expected


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(np.zeros((2, 3, 4), "f8"), id="type"),
        pytest.param(np.zeros((2, 4, 3), "f4"), id="shape"),
        pytest.param(np.zeros((24,), "f4"), id="axes"),
        pytest.param(-np.zeros((2, 3, 4), "f4"), id="sign-of-zero"),
        pytest.param(np.zeros((2, 3, 4), "i4"), id="kind"),
    ],
)
def test_a_digest_sees_what_equality_of_values_does_not(other):
    assert voxel_digest(other) != voxel_digest(np.zeros((2, 3, 4), "f4"))


def test_a_digest_sees_the_payload_of_nan():
    quiet, loaded = (np.array([bits], "<u4").view("<f4") for bits in (0x7FC00000, 0x7FC00001))
    assert voxel_digest(quiet) == voxel_digest(quiet.copy())
    assert voxel_digest(quiet) != voxel_digest(loaded)


@given(place=st.integers(0, 119), bit=st.integers(0, 15))
def test_a_digest_sees_every_single_bit(place, bit):
    array = np.arange(120, dtype="<u2").reshape(4, 5, 6)
    before = voxel_digest(array)
    array.flat[place] ^= 1 << bit
    assert voxel_digest(array) != before


# What was measured


def test_a_trace_keeps_the_order_of_what_is_asked_of_it():
    trace = Trace(
        tuple(Request(operation=op, key=str(n)) for n, op in enumerate(["head", "get", "put", "get", "list"]))
    )
    assert [request.key for request in trace.of("get", "list")] == ["1", "3", "4"]
    assert trace.of() == ()


def test_amplification_is_bytes_decoded_for_each_byte_needed():
    assert COUNTS.amplification == 4.0


def test_a_workload_says_in_one_line_all_that_its_number_depends_on():
    assert WORKLOAD.text == "blobs|v3-c32-s64:delta+zstd-5|zarr-python|local|full_read|warm"
    changed = [
        dataclasses.replace(WORKLOAD, **change)
        for change in (
            {"dataset": "x"},
            {"config": StorageConfig(layout=LAYOUT, chain=CodecChain())},
            {"engine": "x"},
            {"store": StoreKind.MEMORY},
            {"pattern": "x"},
            {"cache_state": CacheState.COLD},
        )
    ]
    assert len({WORKLOAD.text, *(workload.text for workload in changed)}) == len(dataclasses.fields(Workload)) + 1


def test_an_observer_is_no_part_of_where_a_store_is():
    plain = StoreSpec(kind=StoreKind.LOCAL, location="/a")
    observed = StoreSpec(kind=StoreKind.LOCAL, location="/a", observer=print)
    assert plain == observed
    assert "observer" not in repr(observed)
