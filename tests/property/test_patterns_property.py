"""Access patterns and their arithmetic against brute force."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbench.model import AccessPattern, ArrayLayout, Box
from zbench.patterns import SplitMix64, access_pattern, hilbert_order, mean_touched, plan, touched_chunks

pytestmark = pytest.mark.property

SHAPE = (13, 9, 17)
NAMES = ["full_read", "xy_scroll", "xz_scroll", "yz_scroll", "xy_plane", "xz_plane", "yz_plane", "ortho3_jump"]
NAMES += [f"train_patch-{edge}" for edge in (1, 7, 32)] + ["train_patch-8-biased"]
NAMES += ["particles-1-20", "particles-8-30-sorted"]


@st.composite
def boxes(draw, shape=SHAPE):
    start = tuple(draw(st.integers(0, extent - 1)) for extent in shape)
    return Box(start, tuple(draw(st.integers(a + 1, extent)) for a, extent in zip(start, shape, strict=True)))


@st.composite
def layouts(draw):
    chunks = tuple(draw(st.integers(1, 7)) for _ in SHAPE)
    shards = tuple(draw(st.integers(1, 3)) * chunk for chunk in chunks) if draw(st.booleans()) else None
    return ArrayLayout(chunks=chunks, shards=shards)


def marked(box, edges):
    """Blocks of the grid in which some voxel of the box lies, by marking every voxel."""
    marks = np.zeros(SHAPE, bool)
    marks[box.slices] = True
    return {tuple(row) for row in (np.argwhere(marks) // np.array(edges)).tolist()}


@given(boxes(), layouts())
def test_touched_chunks_are_those_that_hold_a_marked_voxel(box, layout):
    touched = list(touched_chunks(box, layout.chunks))
    assert touched == sorted(set(touched))
    assert set(touched) == marked(box, layout.chunks)


@settings(max_examples=150)
@given(
    st.lists(st.lists(boxes(), min_size=1, max_size=3).map(tuple), min_size=1, max_size=6).map(tuple),
    layouts(),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(0, 40),
    st.integers(0, 100),
)
def test_plan_is_what_a_reader_with_a_cache_does(operations, layout, itemsize, room, spare):
    chunk_bytes = prod(layout.chunks) * itemsize
    cost = plan(
        AccessPattern(name="test", operations=operations),
        layout,
        itemsize=itemsize,
        cache_bytes=room * chunk_bytes + spare % chunk_bytes,
    )
    cache, decoded, opened = [], 0, 0
    for operation in operations:
        used = []
        for box in operation:
            used += [place for place in sorted(marked(box, layout.chunks)) if place not in used]
        fetched = [place for place in used if place not in cache]
        decoded += len(fetched)
        edges = layout.shards or layout.chunks
        objects = {
            tuple(place[axis] * layout.chunks[axis] // edges[axis] for axis in range(len(SHAPE))) for place in fetched
        }
        opened += len(objects)
        cache = ([place for place in cache if place not in used] + used)[-room:] if room else []
    assert (cost.chunks, cost.objects) == (decoded, opened)
    assert cost.requests == decoded + (opened if layout.shards else 0)
    assert cost.bytes_decoded == decoded * chunk_bytes
    assert cost.bytes_needed == itemsize * sum(box.voxels for operation in operations for box in operation)
    assert cost.amplification == cost.bytes_decoded / cost.bytes_needed


@settings(max_examples=60)
@given(st.data())
def test_mean_touched_is_the_average_over_every_place(data):
    shape = tuple(data.draw(st.integers(1, 12)) for _ in range(data.draw(st.integers(1, 3))))
    box = tuple(data.draw(st.integers(1, extent)) for extent in shape)
    chunks = tuple(data.draw(st.integers(1, 15)) for _ in shape)
    places = list(product(*(range(extent - edge + 1) for extent, edge in zip(shape, box, strict=True))))
    counts = [
        len(list(touched_chunks(Box(place, tuple(map(sum, zip(place, box, strict=True)))), chunks))) for place in places
    ]
    assert mean_touched(shape, box, chunks) == pytest.approx(sum(counts) / len(counts))


@settings(max_examples=60)
@given(st.sampled_from(NAMES), st.tuples(*[st.integers(32, 200)] * 3), st.integers(-(2**70), 2**70))
def test_every_box_lies_inside_any_volume(name, shape, seed):
    pattern = access_pattern(name, shape, seed=seed, points=[(0, 0, 0), tuple(extent - 1 for extent in shape)])
    assert pattern == access_pattern(name, shape, seed=seed, points=[(0, 0, 0), tuple(e - 1 for e in shape)])
    assert pattern.boxes
    for box in pattern.boxes:
        assert all(0 <= a < b <= extent for a, b, extent in zip(box.start, box.stop, shape, strict=True))


@settings(max_examples=40)
@given(st.tuples(*[st.integers(1, 40)] * 3))
def test_full_read_of_an_empty_cache_is_every_chunk_once(shape):
    layout = ArrayLayout(chunks=(7, 5, 4))
    cost = plan(access_pattern("full_read", shape), layout, itemsize=2)
    assert cost.chunks == prod(-(-extent // chunk) for extent, chunk in zip(shape, layout.chunks, strict=True))


@given(st.integers(), st.integers(1, 2**32))
def test_below_is_the_top_of_the_product(seed, limit):
    drawn = SplitMix64(seed).below(limit)
    assert 0 <= drawn < limit
    assert drawn == SplitMix64(seed).next() * limit // 2**64


@given(st.integers(1, 4).flatmap(lambda axes: st.lists(st.tuples(*[st.integers(0, 3000)] * axes), max_size=50)))
def test_hilbert_order_is_a_permutation_that_does_not_depend_on_the_order_given(points):
    order = hilbert_order(points)
    assert sorted(order) == list(range(len(points)))
    along = [points[index] for index in order]
    backwards = points[::-1]
    assert [backwards[index] for index in hilbert_order(backwards)] == along
