"""Codec chains over the whole grammar: text and object are the same thing, and what goes in comes out."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numcodecs.registry import get_codec

from zbench.codecs import (
    CODEC_NAMES,
    chain_is_lossless,
    codec_kind,
    error_bound,
    parse_chain,
    parse_config,
    v2_codecs,
    v3_codecs,
)
from zbench.errors import RefusedError, VerificationError
from zbench.model import ArrayLayout, CodecChain, CodecStep, Role, StorageConfig

pytestmark = pytest.mark.property

DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")


def values(field):
    if field.choices:
        return st.sampled_from(field.choices)
    if isinstance(field.default, float):
        return st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
    return st.integers(field.low, field.high)


@st.composite
def steps(draw, role):
    kind = codec_kind(draw(st.sampled_from([name for name in CODEC_NAMES if codec_kind(name).role is role])))
    return CodecStep(kind.name, role, tuple((field.name, draw(values(field))) for field in kind.fields))


chains = st.builds(
    CodecChain,
    filters=st.lists(steps(Role.FILTER), max_size=3).map(tuple),
    serializer=st.none() | steps(Role.SERIALIZER),
    compressors=st.lists(steps(Role.COMPRESSOR), max_size=3).map(tuple),
)


@st.composite
def layouts(draw):
    """Any layout that the rules allow, of one to four axes."""
    zarr_format = draw(st.sampled_from([2, 3]))
    chunks = tuple(draw(st.lists(st.integers(1, 300), min_size=1, max_size=4)))
    shards = None
    if zarr_format == 3 and draw(st.booleans()):
        shards = tuple(chunk * draw(st.integers(1, 9)) for chunk in chunks)
    return ArrayLayout(
        zarr_format=zarr_format,
        chunks=chunks,
        shards=shards,
        index_location=draw(st.sampled_from(["start", "end"])) if shards else "end",
        order=draw(st.sampled_from("CF")),
        separator=draw(st.sampled_from([None, ".", "/"])),
    )


@given(chains)
def test_chain_and_its_text_are_the_same(chain):
    assert parse_chain(chain.text) == chain
    assert parse_chain(f" {chain.text.replace('+', ' + ')} ") == chain


@given(chains, layouts())
def test_configuration_and_its_text_are_the_same(chain, layout):
    config = StorageConfig(layout=layout, chain=chain)
    again = parse_config(config.text)
    assert (again, again.text, again.digest) == (config, config.text, config.digest)


@given(chains, chains)
def test_two_chains_have_one_text_only_if_they_are_equal(one, other):
    assert (one.text == other.text) == (one == other)


@st.composite
def shorthands(draw):
    """A step as a user writes it: trailing defaults left out, reals in any notation."""
    kind = codec_kind(draw(st.sampled_from(CODEC_NAMES)))
    given_values = [draw(values(field)) for field in kind.fields[: draw(st.integers(0, len(kind.fields)))]]
    written = []
    for value in given_values:
        text = str(value)
        if isinstance(value, float):
            text = draw(st.sampled_from([repr(value), f"{value:.17e}"])).replace("e+", "e")
        elif isinstance(value, int):
            text = draw(st.sampled_from([text, f"0{text}"]))
        written.append(text)
    rest = [field.default for field in kind.fields[len(given_values) :]]
    return kind, "-".join([kind.name, *written]), [*given_values, *rest]


@given(shorthands())
def test_shorthand_means_its_canonical_text(case):
    kind, text, expected = case
    step = kind.step(text)
    assert [value for _, value in step.parameters] == expected
    assert kind.step(step.text) == step
    assert parse_chain(text).text == step.text == parse_chain(step.text).text


@st.composite
def voxels(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=6))
    if draw(st.booleans()):
        data = draw(st.binary(min_size=math.prod(shape) * dtype.itemsize, max_size=math.prod(shape) * dtype.itemsize))
        return np.frombuffer(data, dtype).reshape(shape)
    return draw(hnp.arrays(dtype, shape))


def say(chain, dtype):
    try:
        return v2_codecs(chain, dtype)
    except RefusedError:
        with pytest.raises(RefusedError):
            v3_codecs(chain, dtype)
        reject()


@settings(max_examples=200)
@given(chains, voxels())
def test_whatever_is_not_refused_is_encoded_and_comes_back_or_is_caught(chain, original):
    filters, compressor = say(chain, original.dtype)
    try:
        bound = error_bound(chain)
    except RefusedError:
        return
    codecs = [get_codec(entry) for entry in [*(filters or ()), *([compressor] if compressor else ())]]
    value = original
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for codec in codecs:
            value = codec.encode(value)
        for codec in reversed(codecs):
            value = codec.decode(value)
    read = np.asarray(value).reshape(-1).view(original.dtype).reshape(original.shape)
    if chain_is_lossless(chain):
        assert read.tobytes() == original.tobytes()
        bound.check(original, read)
        return
    wide, back = original.astype("f8").ravel(), read.astype("f8").ravel()
    one = 1.0 if original.dtype.kind in "iu" else 0.0
    tiny = 0.0 if one else float(np.finfo(original.dtype).smallest_normal)
    eps = float(np.finfo("f8" if one else original.dtype).eps)
    fine = [
        (math.isnan(a) and math.isnan(b))
        or a == b
        or (
            math.isfinite(a)
            and abs(a - b)
            <= bound.absolute + bound.relative * max(abs(a), tiny) + 4 * eps * (max(abs(a), tiny) + bound.shift) + one
        )
        for a, b in zip(wide.tolist(), back.tolist(), strict=True)
    ]
    if all(fine):
        bound.check(original, read)
    else:
        with pytest.raises(VerificationError, match=f"{fine.count(False)} of {original.size} voxels"):
            bound.check(original, read)


LOSSY = ("bitround-{bits}", "quantize-{digits}", "fixedscaleoffset-{offset}-{scale}-i8", "bitround-{bits}+quantize-1")


@settings(max_examples=150)
@given(
    st.sampled_from(LOSSY),
    st.integers(1, 23),
    st.integers(0, 6),
    st.floats(-1e4, 1e4),
    st.floats(1e-3, 1e3),
    hnp.arrays(st.sampled_from([np.dtype("f4"), np.dtype("f8")]), 20, elements=st.floats(-1e6, 1e6, width=32)),
)
def test_lossy_chain_keeps_its_promise_on_numbers_of_a_measurement(text, bits, digits, offset, scale, original):
    chain = parse_chain(text.format(bits=bits, digits=digits, offset=repr(offset), scale=repr(scale)))
    filters, _ = v2_codecs(chain, original.dtype)
    value = original
    for entry in filters:
        value = get_codec(entry).encode(value)
    for entry in reversed(filters):
        value = get_codec(entry).decode(value)
    error_bound(chain).check(original, np.asarray(value).view(original.dtype))


@settings(max_examples=100)
@given(chains, st.sampled_from(DTYPES))
def test_format_3_has_one_serializer_between_filters_and_compressors(chain, dtype):
    dtype = np.dtype(dtype)
    filters, compressor = say(chain, dtype)
    codecs = v3_codecs(chain, dtype)
    serializers = [i for i, codec in enumerate(codecs) if codec["name"] in ("bytes", "numcodecs.pcodec")]
    assert serializers == [len(chain.filters)]
    assert len(codecs) == len(list(chain)) + (chain.serializer is None)
    assert len(filters or ()) + bool(compressor) == len(list(chain))
