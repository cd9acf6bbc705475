"""Layouts: text and object are the same thing, and rules that follow a volume keep what they promise."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbench.errors import LayoutError, RefusedError
from zbench.layouts import divisor_near, resolve_layout
from zbench.model import ArrayLayout
from zbench.units import format_shape

pytestmark = pytest.mark.property

shapes = st.lists(st.integers(1, 2000), min_size=3, max_size=3).map(tuple)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_divisor_divides_and_none_is_nearer(extent, target):
    def distance(number):
        return max(Fraction(number, target), Fraction(target, number))

    found = divisor_near(extent, target)
    assert extent % found == 0
    assert all(distance(found) <= distance(number) for number in range(1, extent + 1) if extent % number == 0)


@given(
    st.lists(st.integers(1, 64), min_size=1, max_size=4),
    st.lists(st.integers(1, 5), min_size=4, max_size=4),
    st.sampled_from(["", "-index=start"]),
    st.sampled_from(["", "-order=F"]),
    st.sampled_from(["", "-sep=."]),
)
def test_canonical_text_means_itself_for_any_volume_that_holds_it(chunks, times, index, order, separator):
    shards = tuple(chunk * time for chunk, time in zip(chunks, times, strict=False))
    text = f"v3-c{format_shape(tuple(chunks))}-s{format_shape(shards)}{index}{order}{separator}"
    layout = ArrayLayout.parse(text)
    assert layout.text == text
    assert resolve_layout(text, tuple(10 * chunk for chunk in chunks)) == layout


@given(shapes, st.sampled_from(["div", "slab", "pencil"]), st.integers(1, 3000), st.sampled_from(["", "-sall"]))
def test_rules_follow_the_volume(shape, rule, size, shards):
    layout = resolve_layout(f"v3-c{rule}{size}{shards}", shape)
    chunks = layout.chunks
    assert all(1 <= chunk <= extent for chunk, extent in zip(chunks, shape, strict=True))
    if rule == "div":
        assert all(extent % chunk == 0 for chunk, extent in zip(chunks, shape, strict=True))
    elif rule == "slab":
        assert chunks == (min(size, shape[0]), *shape[1:])
    else:
        assert chunks == (shape[0], min(size, shape[1]), min(size, shape[2]))
    if shards:
        assert all(
            extent <= shard < extent + chunk and shard % chunk == 0
            for extent, shard, chunk in zip(shape, layout.shards, chunks, strict=True)
        )


@given(shapes, st.lists(st.integers(1, 4000), min_size=3, max_size=3).map(tuple))
def test_padding_is_refused_beyond_four_times_the_voxels(shape, chunks):
    stored = math.prod(-(-extent // chunk) * chunk for extent, chunk in zip(shape, chunks, strict=True))
    text = f"v2-c{format_shape(chunks)}"
    # Only a chunk that is larger than the volume on some axis can pad that much.
    if stored > 4 * math.prod(shape):
        with pytest.raises(RefusedError, match="mostly padding"):
            resolve_layout(text, shape)
    else:
        assert resolve_layout(text, shape).chunks == chunks


@given(
    shapes, st.lists(st.integers(1, 64), min_size=3, max_size=3), st.lists(st.integers(1, 300), min_size=3, max_size=3)
)
def test_shard_that_is_no_whole_number_of_chunks_is_refused(shape, chunks, shards):
    chunks = tuple(min(chunk, extent) for chunk, extent in zip(chunks, shape, strict=True))
    text = f"v3-c{format_shape(chunks)}-s{format_shape(tuple(shards))}"
    if all(shard % chunk == 0 for shard, chunk in zip(shards, chunks, strict=True)):
        assert resolve_layout(text, shape).shards == tuple(shards)
    else:
        with pytest.raises(LayoutError, match="whole number of chunks"):
            resolve_layout(text, shape)
