"""No number for wrong bytes: planted faults of voxels and layouts are found, each by its name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zbench.codecs import parse_config
from zbench.engines import check_metadata, engine, write_verified
from zbench.engines.local import read_metadata
from zbench.errors import RefusedError, VerificationError
from zbench.model import StoreKind, StoreSpec, voxel_digest
from zbench.stores import inventory

VALUES = (np.arange(270) % 97 + 1).reshape(9, 6, 5).astype("f4")


@pytest.fixture
def store(tmp_path):
    return StoreSpec(kind=StoreKind.LOCAL, location=str(tmp_path / "array.zarr"))


class Wrapped:
    """Stands for another: does all that it does, except what is overridden."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)


class Faulty(Wrapped):
    """A real engine whose arrays go through a planted fault."""

    def __init__(self, *, array=None, stored=None):
        super().__init__(engine("zarr-python"))
        self._array, self._stored = array or (lambda real, store: real), stored

    def create(self, store, config, *, shape, dtype):
        return self._array(self._real.create(store, self._stored or config, shape=shape, dtype=dtype), store)

    def open(self, store, *, writable=False):
        return self._array(self._real.open(store, writable=writable), store)


def flip_a_byte(store, key, place):
    path = Path(store.location, key)
    data = bytearray(path.read_bytes())
    data[place] ^= 0x40
    path.write_bytes(data)


class _Reading(Wrapped):
    def __init__(self, real, change):
        super().__init__(real)
        self._change = change

    def read(self):
        return self._change(self._real.read())


def reading(change):
    return Faulty(array=lambda real, store: _Reading(real, change))


class _Writing(Wrapped):
    def __init__(self, real, afterwards):
        super().__init__(real)
        self._afterwards = afterwards

    def write(self, values):
        self._real.write(values)
        self._afterwards()


def tampering(key, place):
    return Faulty(array=lambda real, store: _Writing(real, lambda: flip_a_byte(store, key, place)))


def changed(values, place, value):
    values = values.copy()
    values[place] = value
    return values


@pytest.mark.parametrize("text", ["v2-c4:zstd-1", "v3-c4-s8:blosc-zstd-5-shuffle", "v3-c4:none"])
def test_a_sound_engine_is_right_by_the_digest_of_what_it_read(store, text):
    assert write_verified(Faulty(), store, parse_config(text), VALUES).digest == voxel_digest(VALUES)


@pytest.mark.parametrize(
    ("text", "key", "place", "told"),
    [
        # Byte 0 of chunk (1, 0, 1) is the lowest of voxel (4, 0, 4).
        pytest.param("v2-c4:none", "1.0.1", 0, r"1 of 270 voxels differ, the first at \(4, 0, 4\)", id="format 2"),
        pytest.param("v3-c4:none", "c/1/0/1", 3, r"1 of 270 voxels differ, the first at \(4, 0, 4\)", id="format 3"),
        pytest.param("v3-c4-s8:none", "c/0/0/0", 5, r"1 of 270 voxels differ, the first at \(0, 0, 1\)", id="shard"),
        pytest.param("v3-c4:zstd-1+crc32c", "c/0/0/0", 30, "failed at .*zstd-1.crc32c", id="checksum"),
        pytest.param("v2-c4:gzip-1", "0.0.0", 0, "failed at .*gzip-1", id="head of gzip"),
        pytest.param("v2-c4:blosc-zstd-1-shuffle", "0.0.0", 0, "failed at .*blosc", id="head of blosc"),
        pytest.param("v3-c4-s8:none", "c/0/0/0", -1, "failed at .*v3-c4-s8", id="checksum of the index"),
    ],
)
def test_one_byte_that_the_store_corrupts_is_found(store, text, key, place, told):
    with pytest.raises(VerificationError, match=told) as wrong:
        write_verified(tampering(key, place), store, parse_config(text), VALUES)
    assert "zarr-python" in str(wrong.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda read: changed(read, (8, 5, 4), -1), r"1 of 270 .* first at \(8, 5, 4\)", id="a voxel"),
        pytest.param(lambda read: read[::-1], "of 270 voxels differ", id="upside down"),
        pytest.param(np.zeros_like, "270 of 270 voxels differ", id="nothing stored"),
        pytest.param(lambda read: read[:, :, :4], "shape and type", id="another shape"),
        pytest.param(lambda read: read.astype("f8"), "shape and type", id="another type"),
    ],
)
def test_an_engine_that_reads_something_else_is_found(store, change, told):
    with pytest.raises(VerificationError, match=told):
        write_verified(reading(change), store, parse_config("v2-c4:zstd-1"), VALUES)


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3:UserWarning")
def test_a_lossy_chain_may_lose_what_its_bound_says_and_no_more(store):
    config = parse_config("v3-c4:bitround-3+zstd-1")
    values = VALUES + np.float32(0.37)
    digest = write_verified(Faulty(), store, config, values).digest
    assert digest != voxel_digest(values)
    worse = reading(lambda read: changed(read, (1, 2, 3), read[1, 2, 3] * 1.2))
    other = StoreSpec(kind=StoreKind.LOCAL, location=f"{store.location}-2")
    with pytest.raises(VerificationError, match=r"1 of 270 voxels differ, the first at \(1, 2, 3\)"):
        write_verified(worse, other, config, values)


@pytest.mark.parametrize("stage", ["create", "write", "read"])
def test_a_library_that_falls_is_a_failure_with_its_words(store, stage):
    class Falling(Faulty):
        def create(self, *args, **kwargs):
            if stage == "create":
                raise MemoryError("no room\nleft")  # noqa: EM101 - stands for a library
            return super().create(*args, **kwargs)

    def fall(*_):
        raise RuntimeError("no room\nleft")  # noqa: EM101 - stands for a library

    class Array(Wrapped):
        write = fall if stage == "write" else lambda self, values: self._real.write(values)
        read = fall if stage == "read" else lambda self: self._real.read()

    falling = Falling(array=lambda real, store: Array(real))
    with pytest.raises(VerificationError, match=r"failed at 'v2-c4:none' with (Memory|Runtime)Error: no room left"):
        write_verified(falling, store, parse_config("v2-c4:none"), VALUES)


def test_what_is_refused_is_not_written(store):
    with pytest.raises(RefusedError, match="integer voxels"):
        write_verified(Faulty(), store, parse_config("v2-c4:delta"), VALUES)
    assert inventory(store).objects == 0


@pytest.mark.parametrize(
    ("asked", "stored", "told"),
    [
        pytest.param("v3-c4:none", "v2-c4:none", r"zarr_format should be 3, the store has 2", id="format"),
        pytest.param("v2-c4:none", "v2-c4x4x5:none", r"chunks\[2\] should be 4, the store has 5", id="chunks in 2"),
        pytest.param("v3-c4:none", "v3-c2x4x4:none", r"chunk_grid.*chunk_shape\[0\] should be 4", id="chunks in 3"),
        pytest.param("v3-c4-s8:none", "v3-c4-s4x8x8:none", r"chunk_grid.*\[0\] should be 8", id="shards"),
        pytest.param("v3-c4-s8:none", "v3-c2-s8:none", r"codecs\[0\].*chunk_shape\[0\] should be 4", id="inner chunks"),
        pytest.param("v3-c4-s8:none", "v3-c8:none", r"codecs\[0\]\.name should be 'sharding", id="no shards"),
        pytest.param("v3-c4:none", "v3-c2-s4:none", r"codecs\[0\]\.name should be 'bytes'", id="shards unasked"),
        pytest.param("v3-c4-s8-index=start:none", "v3-c4-s8:none", "index_location should be 'start'", id="index"),
        pytest.param(
            "v3-c4-s8:none", "v3-c4-s8-index=start:none", "index_location should be 'end'", id="index unasked"
        ),
        pytest.param("v2-c4-order=F:none", "v2-c4:none", "order should be 'F', the store has 'C'", id="order"),
        pytest.param("v2-c4-sep=/:none", "v2-c4:none", "dimension_separator should be '/'", id="separator in 2"),
        pytest.param("v2-c4:none", "v2-c4-sep=/:none", r"dimension_separator should be '\.'", id="separator unasked"),
        pytest.param("v3-c4-sep=.:none", "v3-c4:none", r"separator should be '\.'", id="separator in 3"),
        pytest.param("v2-c4:zstd-3", "v2-c4:zstd-4", "compressor.level should be 3, the store has 4", id="level in 2"),
        pytest.param("v3-c4:zstd-3", "v3-c4:zstd-4", r"codecs\[1\].*level should be 3", id="level in 3"),
        pytest.param("v2-c4:none", "v2-c4:zstd-4", "compressor should be None", id="codec unasked in 2"),
        pytest.param("v3-c4:none", "v3-c4:zstd-4", "codecs should be", id="codec unasked in 3"),
        pytest.param("v3-c4:zstd-4", "v3-c4:none", "codecs should be", id="no codec"),
        pytest.param("v3-c4:gzip-4", "v3-c4:zstd-4", r"codecs\[1\]\.name should be 'gzip'", id="another codec"),
        pytest.param("v2-c4:shuffle+zstd-1", "v2-c4:zstd-1", "filters should be", id="filter in 2"),
        pytest.param(
            "v2-c4:blosc-zstd-5-shuffle", "v2-c4:blosc-zstd-5-bitshuffle", "shuffle should be 1", id="shuffle in 2"
        ),
        pytest.param(
            "v3-c4:blosc-zstd-5-shuffle",
            "v3-c4:blosc-lz4-5-shuffle",
            "cname should be 'zstd'",
            id="compressor of blosc",
        ),
        pytest.param(
            "v3-c4-s8:zstd-3", "v3-c4-s8:zstd-4", r"codecs\[0\].*codecs\[1\].*level should be 3", id="level in shards"
        ),
    ],
)
def test_a_layout_that_is_not_what_was_asked_is_found_by_its_setting(store, asked, stored, told):
    faulty = Faulty(stored=parse_config(stored))
    with pytest.raises(VerificationError, match=f"stored metadata must say what was asked for: .*{told}"):
        write_verified(faulty, store, parse_config(asked), VALUES)


def document_of(store, text, values=VALUES):
    config = parse_config(text)
    engine("zarr-python").create(store, config, shape=values.shape, dtype=values.dtype)
    return read_metadata(store), config


@pytest.mark.parametrize(
    ("text", "values", "told"),
    [
        pytest.param("v2-c4:none", VALUES.astype("f8"), "dtype should be '<f8'", id="type in 2"),
        pytest.param("v3-c4:none", VALUES.astype("f8"), "data_type should be 'float64'", id="type in 3"),
        pytest.param("v2-c4:none", VALUES[:, :5], r"shape\[1\] should be 5, the store has 6", id="shape in 2"),
        pytest.param("v3-c4:none", VALUES[0], r"shape should be \[6, 5\]", id="number of axes"),
    ],
)
def test_metadata_of_another_volume_is_found(store, text, values, told):
    document, config = document_of(store, text)
    check_metadata(document, config, VALUES)
    with pytest.raises(VerificationError, match=told):
        check_metadata(document, config, values)


def test_big_endian_voxels_are_stored_little_endian(store):
    document, config = document_of(store, "v2-c4:none", VALUES.astype(">f4"))
    check_metadata(document, config, VALUES.astype(">f4"))
    with pytest.raises(VerificationError, match="dtype should be '<f4', the store has '>f4'"):
        check_metadata(document | {"dtype": ">f4"}, config, VALUES)


def test_what_a_document_may_leave_out_is_no_difference(store):
    document, config = document_of(store, "v2-c4:none")
    del document["dimension_separator"]
    check_metadata(document, config, VALUES)
    document, config = document_of(StoreSpec(kind=StoreKind.LOCAL, location=f"{store.location}-3"), "v3-c4-s8:none")
    del document["chunk_key_encoding"]["configuration"]
    del document["codecs"][0]["configuration"]["index_location"]
    check_metadata(document | {"attributes": {"more": 1}}, config, VALUES)


def test_an_index_without_its_checksum_is_found(store):
    document, config = document_of(store, "v3-c4-s8:none")
    document["codecs"][0]["configuration"]["index_codecs"].pop()
    with pytest.raises(VerificationError, match=r"index_codecs should be .*crc32c"):
        check_metadata(document, config, VALUES)


def test_a_document_of_no_format_is_found():
    with pytest.raises(VerificationError, match="zarr_format should be 3, the store has None"):
        check_metadata({}, parse_config("v3-c4:none"), VALUES)


@pytest.mark.parametrize("name", ["zarr.json", ".zarray"])
def test_metadata_is_read_from_either_document(tmp_path, name):
    Path(tmp_path, name).write_text(json.dumps({"zarr_format": 1}), encoding="utf-8")
    assert read_metadata(StoreSpec(kind=StoreKind.LOCAL, location=str(tmp_path))) == {"zarr_format": 1}
    assert read_metadata({name: b'{"zarr_format": 1}'}.get) == {"zarr_format": 1}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(None, r"zarr\.json or \.zarray: there is none", id="none"),
        pytest.param(b"{", r"is JSON: zarr\.json is not", id="cut off"),
        pytest.param(b"\xff\xfe", r"is JSON: zarr\.json is not", id="no text"),
        pytest.param(b"[1]", "there is none", id="a list"),
    ],
)
def test_metadata_that_is_none_is_an_error(data, told):
    with pytest.raises(VerificationError, match=told):
        read_metadata({"zarr.json": data}.get)


def test_metadata_of_a_store_that_is_not_local_needs_its_engine():
    with pytest.raises(RefusedError, match=r"got a memory store\. Use a local one"):
        read_metadata(StoreSpec(kind=StoreKind.MEMORY, location="place"))
