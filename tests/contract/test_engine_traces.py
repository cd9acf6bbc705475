"""What an engine asks of a store is seen whole, counted exactly, and the same every time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter_ns

import numpy as np
import pytest
import zarr

from zbench.codecs import parse_config
from zbench.engines import write_verified
from zbench.model import AccessPattern, Box, StoreKind, StoreSpec
from zbench.patterns import plan, touched_chunks
from zbench.stores import chunk_keys, counts, inventory, trace

SHAPE = (10, 9, 8)
PLANE = Box((2, 0, 0), (3, 9, 8))
BOXES = (PLANE, Box((1, 1, 1), (7, 5, 4)))
METADATA = {"zarr.json", ".zarray", ".zattrs"}


def traced_read(engine, store, *boxes):
    """Open an array, read boxes; give the trace and the begin of each box."""
    begins = []
    with trace(engine.tracing, store) as (seen, log):
        array = engine.open(seen)
        for box in boxes:
            begins.append(log.now_ns())
            array.read_box(box)
    return log.trace(), begins


def without_times(seen):
    return Counter(replace(request, offset_ns=0) for request in seen.requests)


def size_of(store, key):
    return Path(store.location, key).stat().st_size


def key_of(layout, place):
    head = [] if layout.zarr_format == 2 else ["c"]
    return layout.key_separator.join([*head, *map(str, place)])


# The service of a trace is not the one that a pool of connections was made for.
pytestmark = pytest.mark.filterwarnings("ignore:Successfully reconstructed a store:RuntimeWarning")


@pytest.fixture
def volume(volume):
    """Make the voxels that the numbers of this module are of."""
    return partial(volume, shape=SHAPE)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory):
    """Store an array and trace one read of a plane and a box; made once for all tests that look at it."""
    root, known = tmp_path_factory.mktemp("traces"), {}

    def once(engine, layout, values):
        key = engine.name, layout
        if key not in known:
            store = StoreSpec(kind=StoreKind.LOCAL, location=str(root / f"{len(known)}.zarr"))
            config = parse_config(f"{layout}:zstd-1")
            write_verified(engine, store, config, values)
            known[key] = store, config, *traced_read(engine, store, *BOXES)
        return known[key]

    return once


def count(seen, begins, store, config, boxes=BOXES):
    kept = inventory(store)
    return counts(seen, kept, store=store, layout=config.layout, itemsize=2, boxes=boxes, begins_ns=begins)


def test_each_chunk_that_a_box_touches_is_got_once_and_whole(chosen, layout, volume, read_once):
    store, config, seen, begins = read_once(chosen, layout, volume())
    cost = count(seen, begins, store, config)
    expected = plan(AccessPattern(name="boxes", operations=tuple((box,) for box in BOXES)), config.layout, itemsize=2)
    assert (cost.bytes_decoded, cost.bytes_needed) == (expected.bytes_decoded, expected.bytes_needed)
    assert cost.amplification == expected.amplification
    if config.layout.shards is None:
        keys = Counter(
            key_of(config.layout, place) for box in BOXES for place in touched_chunks(box, config.layout.chunks)
        )
        assert Counter(request.key for request in chunk_keys(seen)) == keys
        assert all(request.size_bytes == size_of(store, request.key) for request in chunk_keys(seen))


def test_counts_are_sums_over_the_trace(chosen, layout, volume, read_once):
    store, config, seen, begins = read_once(chosen, layout, volume())
    cost = count(seen, begins, store, config)
    gets = [request for request in seen.requests if request.operation == "get"]
    assert (cost.requests, cost.reads, cost.writes, cost.bytes_written) == (len(seen.requests), len(gets), 0, 0)
    metadata = [request for request in gets if request.key in METADATA and request.found]
    assert all(request.size_bytes == size_of(store, request.key) for request in metadata)
    assert cost.bytes_fetched == sum(request.size_bytes for request in (*metadata, *chunk_keys(seen)))
    assert (cost.objects, cost.stored_bytes) == (inventory(store).objects, inventory(store).stored_bytes)


def test_requests_come_in_the_order_of_their_begin_and_metadata_first(chosen, layout, volume, read_once):
    _, _, seen, _ = read_once(chosen, layout, volume())
    offsets = [request.offset_ns for request in seen.requests]
    assert offsets == sorted(offsets)
    assert 0 < offsets[0] < offsets[-1] < 60e9
    kinds = [request.key in METADATA for request in seen.requests]
    assert kinds == sorted(kinds, reverse=True)
    assert any(kinds)


def test_requests_and_counts_repeat_to_the_digit(chosen, plain, volume, read_once):
    store, config, first, begins = read_once(chosen, plain, volume())
    again, begins_again = traced_read(chosen, store, *BOXES)
    assert without_times(again) == without_times(first)
    assert count(again, begins_again, store, config) == count(first, begins, store, config)


# Requests for all of one read of a plane from shards of eight uncompressed chunks, 128 bytes each; the index of a shard
# is 132 bytes. A range is first byte and number of bytes; the first byte counts from the end if it is negative.
_ONE_BY_ONE = {("c/0/0/0", first, 128) for first in (0, 256, 512, 768)} | {
    ("c/0/1/0", first, 128) for first in (0, 256)
}
_INDICES = {("c/0/0/0", -132, 132), ("c/0/1/0", -132, 132)}
SHARD_RANGES = {
    # Each chunk by itself.
    ("zarr-python", "3.1"): _INDICES | _ONE_BY_ONE,
    # From the first to the last wanted chunk at once, with what lies between: gaps of up to 1 MiB are fetched.
    ("zarr-python", "3.4"): _INDICES | {("c/0/0/0", 0, 896), ("c/0/1/0", 0, 384)},
    ("zarr-python-fused", "3.4"): _INDICES | {("c/0/0/0", 0, 896), ("c/0/1/0", 0, 384)},
    # tensorstore 0.1.86 puts the chunks of a plane side by side, zarr-python in Morton order.
    ("tensorstore", ""): _INDICES | {("c/0/0/0", 0, 512), ("c/0/1/0", 0, 256)},
    # zarrs 0.2.3 asks for the plane within each chunk, and knows the size of the shard.
    ("zarrs", ""): {("c/0/0/0", 1024, 132), ("c/0/1/0", 512, 132)}
    | {("c/0/0/0", first, 32) for first in (64, 192, 320, 448)}
    | {("c/0/1/0", first, 8) for first in (64, 192)},
}


def test_ranges_of_shards_are_those_of_the_release(with_s3, local, volume):
    config = parse_config("v3-c4-s8:none")
    write_verified(with_s3, local(), config, volume())
    seen = chunk_keys(traced_read(with_s3, local(), PLANE)[0])
    release = ".".join(with_s3.versions()["zarr"].split(".")[:2]) if with_s3.name.startswith("zarr-python") else ""
    ranges = [(request.key, request.start, request.length) for request in seen]
    assert Counter(ranges) == Counter(SHARD_RANGES[with_s3.name, release])
    assert all(request.size_bytes == request.length for request in seen)


# Requests, reads among them, and bytes of chunks (without metadata) that were fetched and decoded, opening included,
# for one plane of 144 bytes that touches six chunks of 128. zarr 2 asks whether a chunk is there before it gets it; so
# does zarrs, which then fetches only the part of an uncompressed chunk that is asked for.
COUNTS = {
    ("zarr-python", "2", "v2-c4"): (14, 7, 768, 768),
    ("zarr-python", "3", "v2-c4"): (9, 9, 768, 768),
    ("zarr-python", "3", "v3-c4"): (9, 9, 768, 768),
    ("zarrs", "3", "v2-c4"): (15, 9, 144, 144),
    ("zarrs", "3", "v3-c4"): (15, 9, 144, 144),
    ("tensorstore", "3", "v2-c4"): (8, 8, 768, 768),
    ("tensorstore", "3", "v3-c4"): (7, 7, 768, 768),
}


def test_counts_are_those_of_the_engine(chosen, local, volume, engines):
    major = engines["zarr-python"].versions()["zarr"][0]
    texts = [key[2] for key in COUNTS if key[:2] == (chosen.name.removesuffix("-fused"), major)]
    assert texts
    for text in texts:
        config, store = parse_config(f"{text}:none"), local(text)
        write_verified(chosen, store, config, volume())
        seen, begins = traced_read(chosen, store, PLANE)
        cost, fetched = (
            count(seen, begins, store, config, [PLANE]),
            sum(request.size_bytes for request in chunk_keys(seen)),
        )
        told = (cost.requests, cost.reads, fetched, cost.bytes_decoded)
        assert told == COUNTS[chosen.name.removesuffix("-fused"), major, text]


def test_writing_puts_each_object_once(chosen, plain, local, volume):
    config, values = parse_config(f"{plain}:zstd-1"), volume()
    with trace(chosen.tracing, local()) as (seen, log):
        chosen.create(seen, config, shape=values.shape, dtype=values.dtype).write(values)
    root = Path(local().location)
    puts = Counter((request.key, request.size_bytes) for request in log.trace().of("put"))
    files = [path for path in root.rglob("*") if path.is_file()]
    assert puts == Counter((path.relative_to(root).as_posix(), path.stat().st_size) for path in files)
    cost = count(log.trace(), (), local(), config)
    assert (cost.writes, cost.bytes_written) == (cost.objects, cost.stored_bytes)
    np.testing.assert_array_equal(chosen.open(local()).read(), values)


def test_chunks_that_were_never_written_are_asked_for_and_not_decoded(chosen, plain, local, volume):
    config, values = parse_config(f"{plain}:zstd-1"), volume(shape=(8, 8, 16))
    array = chosen.create(local(), config, shape=values.shape, dtype=values.dtype)
    array.write_box(Box((0, 0, 0), (8, 8, 8)), values[:, :, :8])
    seen, begins = traced_read(chosen, local(), Box.whole(values.shape))
    missing = {request.key for request in seen.requests if not request.found} - METADATA
    assert missing
    assert {request.key for request in chunk_keys(seen)}.isdisjoint(missing)
    assert count(seen, begins, local(), config, [Box.whole(values.shape)]).bytes_decoded == 8 * 8 * 8 * 2


def test_memory_is_asked_for_the_same_as_a_folder(observed, layout, local, volume, tmp_path):
    config, values = parse_config(f"{layout}:zstd-1"), volume()
    memory = StoreSpec(kind=StoreKind.MEMORY, location=f"{tmp_path}/{observed.name}")
    seen = []
    for store in (local(), memory):
        with trace(observed.tracing, store) as (place, log):
            observed.create(place, config, shape=values.shape, dtype=values.dtype).write(values)
            array = observed.open(place)
            array.read_box(PLANE)
            array.read()
        seen.append(without_times(log.trace()))
    assert seen[0] == seen[1]


def test_an_observer_changes_nothing(chosen, plain, local, volume):
    config, values = parse_config(f"{plain}:zstd-1"), volume()
    with trace(chosen.tracing, local("traced")) as (seen, _):
        write_verified(chosen, seen, config, values)
    write_verified(chosen, local("plain"), config, values)
    one, other = (
        {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (Path(local("traced").location), Path(local("plain").location))
    )
    assert one == other


def test_an_observer_is_told_when_a_request_began(observed, plain, local, volume, monkeypatch):
    write_verified(observed, local(), parse_config(f"{plain}:zstd-1"), volume())
    # What each reading method of the store is called, and when it came to do its work.
    base, names = (
        (zarr.storage.LocalStore, ("get", "get_sync"))
        if hasattr(zarr, "create_array")
        else (
            zarr.DirectoryStore,
            ("__getitem__",),
        )
    )
    worked, told = [], []

    def noting(method):
        def noted(*args, **kwargs):
            worked.append(perf_counter_ns())
            return method(*args, **kwargs)

        return noted

    for name in names:
        if hasattr(base, name):
            monkeypatch.setattr(base, name, noting(getattr(base, name)))
    begin = perf_counter_ns()
    observed.open(replace(local(), observer=told.append)).read_box(PLANE)
    began = sorted(request.offset_ns for request in told if request.operation == "get")
    assert len(began) == len(worked) > 2
    assert all(begin < at <= work for at, work in zip(began, sorted(worked), strict=True))
