"""Every engine keeps arrays on disk, and in memory and behind an S3 service where it has them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from zbench.codecs import parse_config
from zbench.engines import check_metadata, write_verified
from zbench.errors import VerificationError
from zbench.model import Box, StoreKind, StoreSpec, voxel_digest
from zbench.stores import S3Server, inventory


@pytest.fixture
def served(tmp_path):
    """An S3 service over a folder, whose arrays can be looked at there."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    with S3Server(folder) as server:
        yield StoreSpec(kind=StoreKind.S3, location=f"{server.bucket}/some/array.zarr", endpoint=server.endpoint)


def on_disk(tmp_path):
    return StoreSpec(kind=StoreKind.LOCAL, location=str(tmp_path / "bucket" / "some" / "array.zarr"))


def test_an_array_in_memory_comes_back_and_leaves_no_file(with_memory, plain, volume, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = StoreSpec(kind=StoreKind.MEMORY, location=f"{with_memory.name}/{plain}/{tmp_path.name}")
    config, values = parse_config(f"{plain}:zstd-1"), volume()
    assert write_verified(with_memory, store, config, values).digest == voxel_digest(values)
    with_memory.open(store, writable=True).write_box(Box((0, 0, 0), (1, 2, 3)), np.zeros((1, 2, 3), "u2"))
    values[:1, :2, :3] = 0
    np.testing.assert_array_equal(with_memory.open(store).read(), values)
    check_metadata(with_memory.metadata(store), config, values)
    assert list(tmp_path.iterdir()) == []


def test_two_places_in_memory_are_two_arrays(with_memory, volume, tmp_path):
    config, values = parse_config("v2-c4:none"), volume()
    one, other = (StoreSpec(kind=StoreKind.MEMORY, location=f"{tmp_path}/{with_memory.name}/{name}") for name in "ab")
    write_verified(with_memory, one, config, values)
    write_verified(with_memory, other, config, values + 1)
    np.testing.assert_array_equal(with_memory.open(one).read(), values)


# The service of a test is not the one that a pool of connections was made for.
@pytest.mark.filterwarnings("ignore:Successfully reconstructed a store:RuntimeWarning")
def test_an_array_behind_s3_comes_back_and_takes_what_it_would_on_disk(with_s3, plain, volume, served, tmp_path, local):
    config, values = parse_config(f"{plain}:zstd-1"), volume()
    for store in (served, local()):
        assert write_verified(with_s3, store, config, values).digest == voxel_digest(values)
    # The service keeps objects as files.
    behind, on = sizes(on_disk(tmp_path)), sizes(local())
    assert list(behind) == list(on)
    if with_s3.name == "zarr-python-fused" and plain.endswith("s8"):
        # Behind S3 the fused pipeline of zarr 3.4.2 stores the chunks of a shard that lie beyond the array too.
        assert sum(behind.values()) > sum(on.values())
    else:
        assert behind == on
    box = Box((3, 0, 2), (9, 5, 5))
    with_s3.open(served, writable=True).write_box(box, values[box.slices] + 100)
    np.testing.assert_array_equal(with_s3.open(served).read_box(box), values[box.slices] + 100)
    check_metadata(with_s3.metadata(served), config, values)


def sizes(store):
    root = Path(store.location)
    return {
        path.relative_to(root).as_posix(): path.stat().st_size for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_a_folder_name_may_have_spaces_and_signs(chosen, plain, volume, tmp_path):
    store = StoreSpec(kind=StoreKind.LOCAL, location=str(tmp_path / "a b%20c#d?é.zarr"))
    values = volume()
    assert write_verified(chosen, store, parse_config(f"{plain}:zstd-1"), values).digest == voxel_digest(values)
    assert inventory(store).objects > 1


def test_a_store_without_an_array_has_no_metadata(chosen, local):
    with pytest.raises(VerificationError, match="there is none"):
        chosen.metadata(local())
    with pytest.raises(Exception, match=r"(?i)not exist|not found|there is none|NOT_FOUND"):
        chosen.open(local())


def test_a_store_travels_to_another_process(local):
    assert pickle.loads(pickle.dumps(local())) == local()
