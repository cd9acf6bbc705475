"""From a trace to exact numbers, on objects whose every byte is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zbench.model import ArrayLayout, Box, Request, StoreKind, StoreSpec, Trace
from zbench.stores import chunk_keys, counts, inventory

CHUNK_BYTES = 4 * 4 * 2
PLAIN = ArrayLayout(chunks=(4, 4))
# A shard of two by two chunks. Stored are (0, 0) in bytes 0-9, (0, 1) in 10-29 and (1, 1) in 30-59; (1, 0) is absent.
SHARDED = ArrayLayout(chunks=(4, 4), shards=(8, 8))
INDEX_FIRST = ArrayLayout(chunks=(4, 4), shards=(8, 8), index_location="start")
ABSENT = 2**64 - 1
INDEX_BYTES = 4 * 16 + 4


@pytest.fixture
def store(tmp_path):
    return StoreSpec(kind=StoreKind.LOCAL, location=str(tmp_path))


def put(store, key, data):
    path = Path(store.location, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def put_shard(store, key, *, at_start=False):
    shift = INDEX_BYTES if at_start else 0
    entries = [(shift, 10), (shift + 10, 20), (ABSENT, ABSENT), (shift + 30, 30)]
    index = np.array(entries, "<u8").tobytes() + b"crc-"
    put(store, key, index + bytes(60) if at_start else bytes(60) + index)


def get(key, start=None, length=None, size_bytes=0, **more):
    return Request(operation="get", key=key, start=start, length=length, size_bytes=size_bytes, **more)


def count(store, layout, requests, boxes, **more):
    return counts(Trace(tuple(requests)), inventory(store), store=store, layout=layout, itemsize=2, boxes=boxes, **more)


@pytest.mark.parametrize("key", ["zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata", "group/zarr.json"])
def test_metadata_holds_no_voxels(key):
    assert chunk_keys(Trace((get(key, size_bytes=9),))) == ()


def test_only_what_was_got_and_found_holds_voxels():
    got = get("c/0/0", size_bytes=9)
    others = [
        get("c/0/1", found=False),
        Request(operation="head", key="c/0/0"),
        Request(operation="put", key="c/0/0", size_bytes=9),
        Request(operation="list", key=""),
    ]
    assert chunk_keys(Trace((got, *others))) == (got,)


@pytest.mark.parametrize("key", ["c/0/0", "0.0", "0/0", "c.0.0"])
def test_chunks_are_known_by_any_separator(key):
    assert len(chunk_keys(Trace((get(key, size_bytes=9),)))) == 1


def test_requests_and_bytes_are_sums_by_operation(store):
    put(store, "zarr.json", b"{}")
    put(store, "c/0/0", bytes(7))
    cost = count(
        store,
        PLAIN,
        [
            get(".zarray", found=False),
            get("zarr.json", size_bytes=2),
            Request(operation="head", key="c/0/0"),
            get("c/0/0", size_bytes=7),
            Request(operation="put", key="c/0/0", size_bytes=5),
            Request(operation="delete", key="c/0/0"),
            Request(operation="list", key=""),
        ],
        [Box((0, 0), (1, 4)), Box((0, 0), (2, 2))],
    )
    assert (cost.requests, cost.reads, cost.writes) == (7, 3, 1)
    assert (cost.bytes_fetched, cost.bytes_written) == (9, 5)
    assert (cost.objects, cost.stored_bytes) == (2, 9)
    assert cost.bytes_needed == (4 + 4) * 2
    assert (cost.bytes_decoded, cost.amplification) == (CHUNK_BYTES, CHUNK_BYTES / 16)


@pytest.mark.parametrize(
    ("request_", "decoded"),
    [
        pytest.param(get("c/0/0", size_bytes=20), CHUNK_BYTES, id="without a range"),
        pytest.param(get("c/0/0", 0, 20, size_bytes=20), CHUNK_BYTES, id="by the range of all of it"),
        pytest.param(get("c/0/0", 0, None, size_bytes=20), CHUNK_BYTES, id="from its first byte"),
        pytest.param(get("c/0/0", -20, 20, size_bytes=20), CHUNK_BYTES, id="from its end"),
        pytest.param(get("c/0/0", -99, 99, size_bytes=20), CHUNK_BYTES, id="from before its begin"),
        pytest.param(get("c/0/0", 4, 8, size_bytes=8), 8, id="in part"),
        pytest.param(get("c/0/0", -5, 5, size_bytes=5), 5, id="its last bytes"),
    ],
)
def test_a_chunk_is_decoded_whole_if_its_bytes_were_got_whole(store, request_, decoded):
    put(store, "c/0/0", bytes(20))
    assert count(store, PLAIN, [request_], [Box((0, 0), (1, 1))]).bytes_decoded == decoded


def test_a_chunk_is_decoded_as_often_as_it_is_got(store):
    put(store, "c/0/0", bytes(20))
    cost = count(store, PLAIN, [get("c/0/0", size_bytes=20)] * 3, [Box((0, 0), (1, 1))] * 3)
    assert cost.bytes_decoded == 3 * CHUNK_BYTES


BY_PLACE = {(0, 0): (0, 10), (0, 1): (10, 20), (1, 1): (30, 30)}


@pytest.mark.parametrize(("layout", "shift"), [(SHARDED, 0), (INDEX_FIRST, INDEX_BYTES)], ids=["end", "start"])
@pytest.mark.parametrize("place", BY_PLACE, ids=str)
def test_a_chunk_of_a_shard_counts_by_itself(store, layout, shift, place):
    put_shard(store, "c/0/0", at_start=bool(shift))
    first, length = BY_PLACE[place]
    start = tuple(4 * number for number in place)
    requests = [
        get("c/0/0", 0 if shift else -INDEX_BYTES, INDEX_BYTES, size_bytes=INDEX_BYTES),
        get("c/0/0", shift + first, length, size_bytes=length),
    ]
    box = Box(start, tuple(number + 1 for number in start))
    assert count(store, layout, requests, [box]).bytes_decoded == CHUNK_BYTES


def test_an_index_alone_decodes_nothing(store):
    put_shard(store, "c/0/0")
    index = get("c/0/0", -INDEX_BYTES, INDEX_BYTES, size_bytes=INDEX_BYTES)
    assert count(store, SHARDED, [index], [Box((0, 0), (8, 8))]).bytes_decoded == 0


@pytest.mark.parametrize(
    ("box", "chunks"),
    [
        pytest.param(Box((0, 0), (8, 8)), 3, id="all, one of which is absent"),
        pytest.param(Box((0, 0), (4, 8)), 2, id="a row"),
        pytest.param(Box((0, 4), (8, 8)), 2, id="a column"),
        pytest.param(Box((3, 3), (5, 4)), 1, id="one and the absent one"),
        pytest.param(Box((4, 0), (8, 4)), 0, id="the absent one"),
    ],
)
def test_what_no_box_asks_for_is_fetched_and_not_decoded(store, box, chunks):
    put_shard(store, "c/0/0")
    cost = count(store, SHARDED, [get("c/0/0", 0, 60, size_bytes=60)], [box])
    assert (cost.bytes_fetched, cost.bytes_decoded) == (60, chunks * CHUNK_BYTES)
    assert count(store, SHARDED, [get("c/0/0", size_bytes=128)], [box]).bytes_decoded == chunks * CHUNK_BYTES


def test_shards_lie_where_their_keys_say(store):
    put_shard(store, "c/1/2")
    whole = [get("c/1/2", size_bytes=128)]
    assert count(store, SHARDED, whole, [Box((0, 0), (8, 8))]).bytes_decoded == 0
    assert count(store, SHARDED, whole, [Box((8, 20), (12, 24))]).bytes_decoded == CHUNK_BYTES


def test_a_part_of_a_chunk_of_a_shard_counts_in_part(store):
    put_shard(store, "c/0/0")
    # The last six bytes of (0, 0), all of (0, 1), the first five of (1, 1).
    cost = count(store, SHARDED, [get("c/0/0", 4, 31, size_bytes=31)], [Box((0, 0), (8, 8))])
    assert cost.bytes_decoded == 6 + CHUNK_BYTES + 5


def test_a_request_is_for_the_box_that_was_begun_last(store):
    put_shard(store, "c/0/0")
    # Each time all bytes are got for the sake of one chunk.
    requests = [get("c/0/0", 0, 60, size_bytes=60, offset_ns=at) for at in (15, 25)]
    boxes = [Box((0, 0), (4, 4)), Box((4, 4), (8, 8))]
    assert count(store, SHARDED, requests, boxes, begins_ns=[10, 20]).bytes_decoded == 2 * CHUNK_BYTES
    assert count(store, SHARDED, requests, boxes).bytes_decoded == 4 * CHUNK_BYTES
    late = [get("c/0/0", 0, 60, size_bytes=60, offset_ns=at) for at in (20, 30)]
    assert count(store, SHARDED, late, [boxes[0], Box((4, 0), (8, 4))], begins_ns=[10, 20]).bytes_decoded == 0


def test_what_is_got_before_the_first_box_is_for_none(store):
    put_shard(store, "c/0/0")
    early = [get("c/0/0", 0, 60, size_bytes=60, offset_ns=5)]
    assert count(store, SHARDED, early, [Box((0, 0), (8, 8))], begins_ns=[10]).bytes_decoded == 0
