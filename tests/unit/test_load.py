"""Volumes by name or path, and as prepared arrays that are made once and trusted only while they are what was made."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import shutil
import zipfile
from dataclasses import replace

import mrcfile
import numpy as np
import pytest

from zbench.datasets import card, centre_crop, load, prepared
from zbench.datasets.fetch import cache_folder
from zbench.datasets.load import card_voxels, read_card
from zbench.errors import DataError, LayoutError, UnknownNameError
from zbench.model import Box, voxel_digest

# The smallest file of the corpus.
SMALL = "tardis-dualaxis"


@pytest.fixture(autouse=True)
def new_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def own(tmp_path, rng):
    """A volume of the user's: big-endian, of odd extents."""
    values = rng.integers(-1000, 1000, (5, 6, 7)).astype(">i2")
    np.save(tmp_path / "own.npy", values)
    return tmp_path / "own.npy", values


@pytest.fixture
def mirror(tmp_path, corpus, monkeypatch):
    """A mirror with one small real file that a test may spoil."""
    found = card(SMALL)
    place = tmp_path / "mirror" / found.path
    place.parent.mkdir(parents=True)
    shutil.copyfile(corpus / found.path, place)
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(tmp_path / "mirror"))
    return place


def kept():
    return sorted(path.name for path in (cache_folder() / "prepared").glob("*") if path.suffix != ".json")


# load


def test_a_file_is_loaded_by_its_path(own):
    path, values = own
    volume = load(str(path))
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.name, volume.axes, volume.provenance.source) == ("own.npy", "zyx", str(path))
    assert volume.provenance.licence == "unknown"


def test_a_dataset_is_loaded_by_name_or_alias(mirror):
    for name in (SMALL, "tardis_rec3D_dualaxis_int8"):
        volume = load(name)
        found = card(SMALL)
        assert (volume.name, volume.shape, volume.provenance) == (SMALL, found.shape, found.provenance)
        assert (volume.axes, volume.spacing, volume.spacing_unit) == (found.axes, found.spacing, found.spacing_unit)
        assert voxel_digest(volume.array[...]) == found.voxel_digest


def test_a_generated_dataset_needs_neither_network_nor_mirror(monkeypatch):
    monkeypatch.delenv("ZBENCH_DATA_MIRROR", raising=False)
    volume = load("cryoet-phantom-128")
    assert volume.shape == (128, 128, 128)
    assert volume.array[3:5, :9, 100:].shape == (2, 9, 28)


def test_a_folder_that_is_named_like_a_dataset_does_not_stand_in_for_it(mirror, tmp_path, monkeypatch):
    (tmp_path / SMALL).mkdir()
    monkeypatch.chdir(tmp_path)
    assert load(SMALL).shape == card(SMALL).shape
    assert prepared(SMALL).name.startswith(SMALL)


def test_a_name_that_is_neither_says_so():
    with pytest.raises(UnknownNameError, match=r"Unknown dataset 'emd-301'.*Did you mean 'emd-3001'.*no file of that"):
        load("emd-301")


def test_a_path_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DataError, match=r"name in the registry or a file that exists: there is no '.*gone\.mrc'"):
        load(str(tmp_path / "gone.mrc"))


def test_a_member_of_a_dataset_is_refused(mirror):
    with pytest.raises(DataError, match="one array: got member 'label' for 'tardis-dualaxis'"):
        load(SMALL, member="label")


def test_a_member_of_a_file_is_chosen(tmp_path, rng):
    for name in ("low", "high"):
        with mrcfile.new(tmp_path / f"{name}.mrc") as file:
            file.set_data(rng.random((2, 3, 4), "f4"))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("low", "high"):
            archive.write(tmp_path / f"{name}.mrc", f"{name}.mrc")
    np.testing.assert_array_equal(
        load(str(tmp_path / "two.zip"), member="high").array, mrcfile.read(tmp_path / "high.mrc")
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"shape": (78, 64, 33)}, id="shape"),
        pytest.param({"dtype": "uint8"}, id="type"),
    ],
)
def test_a_file_that_is_not_what_its_card_says_is_refused(mirror, changes):
    with pytest.raises(DataError, match=r"is what its card says: 'tardis-dualaxis' should be .* the file has"):
        read_card(replace(card(SMALL), **changes))


# centre_crop


@pytest.mark.parametrize(
    ("shape", "size", "box"),
    [
        pytest.param((10, 20, 30), None, Box((0, 0, 0), (10, 20, 30)), id="all"),
        pytest.param((10, 20, 30), 4, Box((3, 8, 13), (7, 12, 17)), id="even"),
        pytest.param((10, 21, 30), 5, Box((2, 8, 12), (7, 13, 17)), id="odd"),
        pytest.param((4, 240, 232), 128, Box((0, 56, 52), (4, 184, 180)), id="shorter axis stays whole"),
        pytest.param((7,), 1, Box((3,), (4,)), id="one voxel"),
    ],
)
def test_a_crop_is_the_middle(shape, size, box):
    assert centre_crop(shape, size) == box


@pytest.mark.parametrize("size", [0, -3])
def test_a_crop_of_nothing_is_refused(size):
    with pytest.raises(LayoutError, match="at least one voxel"):
        centre_crop((10, 20, 30), size)


# prepared


def test_a_dataset_is_prepared_with_the_voxels_of_its_card(mirror):
    path = prepared(SMALL)
    values = np.load(path, mmap_mode="r")
    assert voxel_digest(values) == card(SMALL).voxel_digest
    assert path.is_relative_to(cache_folder())
    assert kept() == [path.name]


def test_a_prepared_crop_is_the_middle_of_the_dataset(mirror):
    whole = np.load(prepared(SMALL))
    crop = np.load(prepared(SMALL, volume_size=20))
    np.testing.assert_array_equal(crop, whole[29:49, 22:42, 6:26])
    assert crop.flags.c_contiguous


def test_it_is_made_once(mirror):
    first = prepared(SMALL).stat()
    mirror.unlink()
    assert prepared(SMALL).stat() == first


def test_a_prepared_file_is_little_endian_and_in_c_order(own):
    path, values = own
    stored = np.load(prepared(str(path)))
    assert stored.dtype.str == "<i2"
    assert stored.flags.c_contiguous
    np.testing.assert_array_equal(stored, values)


def test_a_file_that_changed_is_prepared_anew(own):
    path, values = own
    before = prepared(str(path))
    np.save(path, values + 1)
    os.utime(path, ns=(1, 1))
    after = prepared(str(path))
    assert after != before
    np.testing.assert_array_equal(np.load(after), values + 1)


def test_a_plane_that_changed_in_its_folder_is_prepared_anew(tmp_path, rng):
    tifffile = pytest.importorskip("tifffile")
    folder = tmp_path / "planes"
    folder.mkdir()
    for index in range(3):
        tifffile.imwrite(folder / f"{index}.tif", rng.integers(0, 99, (4, 5), "u1"))
    before, told = prepared(str(folder)), folder.stat()
    # In place: neither the time nor the size of the folder tells.
    with (folder / "1.tif").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")
    os.utime(folder / "1.tif", ns=(1, 1))
    os.utime(folder, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert np.load(before).max() < 99
    assert np.load(prepared(str(folder))).max() == 255


def test_crops_of_one_file_are_kept_apart(own):
    path, values = own
    np.testing.assert_array_equal(np.load(prepared(str(path), volume_size=3)), values[1:4, 1:4, 2:5])
    np.testing.assert_array_equal(np.load(prepared(str(path))), values)
    with pytest.raises(LayoutError, match="at least one voxel"):
        prepared(str(path), volume_size=0)


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(cut, id="cut"),
        pytest.param(flip, id="one bit"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.with_suffix(".json").unlink(), id="no record"),
        pytest.param(lambda path: path.with_suffix(".json").write_text("[]"), id="record of nothing"),
        pytest.param(lambda path: path.with_suffix(".json").write_text("{"), id="record cut"),
    ],
)
@pytest.mark.parametrize("volume_size", [pytest.param(None, id="whole"), pytest.param(20, id="crop")])
def test_a_prepared_file_that_was_spoilt_is_made_anew(mirror, spoil, volume_size):
    path = prepared(SMALL, volume_size=volume_size)
    good = path.read_bytes()
    spoil(path)
    os.utime(path, ns=(1, 1))
    assert prepared(SMALL, volume_size=volume_size) == path
    assert path.read_bytes() == good


def test_a_prepared_file_that_was_only_touched_is_kept_without_its_source(mirror):
    path = prepared(SMALL)
    mirror.unlink()
    os.utime(path, ns=(1, 1))
    assert prepared(SMALL) == path
    assert path.stat().st_mtime_ns == 1


def test_voxels_that_are_not_those_of_the_card_are_refused(mirror):
    # The file has the checksum of the card, but the card another digest: a reader that went wrong looks like this.
    wrong = replace(card(SMALL), voxel_digest="blake2b:" + "f" * 32)
    with pytest.raises(DataError, match=r"fixed voxels: 'tardis-dualaxis' gave blake2b:.* its card says blake2b:ffff"):
        card_voxels(wrong)


def test_a_source_that_went_wrong_is_named_and_nothing_is_kept(mirror):
    flip(mirror)
    with pytest.raises(DataError, match=r"fixed bytes: '.*rec3D_dualaxis_int8\.rec' has SHA-256"):
        prepared(SMALL)
    assert kept() == []
    assert mirror.is_file()


def test_a_cache_that_cannot_be_written_says_what_to_do(own, monkeypatch, tmp_path):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "taken"))
    with pytest.raises(DataError, match=r"needs room in the cache: .*ZBENCH_CACHE_DIR"):
        prepared(str(own[0]))


def test_a_volume_that_is_damaged_in_its_middle_is_told_when_it_is_read(tmp_path, rng):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("data", data=rng.random((4, 16, 16)), chunks=(1, 16, 16), compression="gzip")
        place = made.id.get_chunk_info(2).byte_offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(64))
    assert load(str(path)).array[0].shape == (16, 16)
    with pytest.raises(DataError, match=r"must be whole.*damaged\.h5"):
        prepared(str(path))
    assert kept() == []


def prepare_digest(name):
    return voxel_digest(np.load(prepared(name)))


def test_processes_that_prepare_at_once_get_one_good_file(mirror):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(prepare_digest, [SMALL] * 6))
    assert set(found) == {card(SMALL).voxel_digest}
    assert kept() == [prepared(SMALL).name]


def test_threads_that_prepare_at_once_get_one_good_file(own):
    path, values = own
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(prepare_digest, [str(path)] * 24))
    assert set(found) == {voxel_digest(values)}
    assert kept() == [prepared(str(path)).name]
