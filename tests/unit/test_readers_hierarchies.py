"""HDF5 files and Zarr hierarchies: several arrays in one, read box by box."""

from __future__ import annotations

import gzip
import json
import os

import h5py
import numcodecs
import numpy as np
import pytest
import zarr

from zbench.datasets import read_file, read_voxels
from zbench.errors import DataError, RefusedError
from zbench.model import Box

FORMATS = [pytest.param(2, id="format 2"), pytest.param(3, id="format 3")]


@pytest.fixture
def values(rng):
    return rng.integers(-1000, 1000, (6, 8, 9)).astype("i2")


def hdf5(path, arrays, **attributes):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, chunks=(1, *values.shape[1:]), compression="gzip").attrs.update(
                attributes
            )
    return path


def stored(path, values, zarr_format, **options):
    array = zarr.create_array(str(path), data=values, chunks=(2, 4, 5), zarr_format=zarr_format, **options)
    return path, array


def garble(path, times=2):
    data = path.read_bytes()
    path.write_bytes((b"\xff" * (len(data) // times)) + data[len(data) // times :])


# HDF5


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5", "a.hdf"])
def test_one_array_of_hdf5_needs_no_choice(tmp_path, values, name):
    volume = read_file(hdf5(tmp_path / name, {"volumes/raw": values}))
    assert isinstance(volume.array, h5py.Dataset)
    assert (volume.shape, volume.axes, volume.spacing) == ((6, 8, 9), "zyx", None)
    np.testing.assert_array_equal(volume.array[...], values)


@pytest.mark.parametrize("suffix", [".h5.gz", ".hdf5.gz"])
def test_hdf5_that_is_packed_as_a_whole_is_unpacked(tmp_path, values, suffix):
    (tmp_path / f"a{suffix}").write_bytes(gzip.compress(hdf5(tmp_path / "a.h5", {"stack": values}).read_bytes()))
    np.testing.assert_array_equal(read_file(tmp_path / f"a{suffix}").array[...], values)


def test_several_arrays_of_hdf5_want_one_chosen(tmp_path, values):
    path = hdf5(tmp_path / "a.h5", {"raw": values, "labels/cells": values.astype("u2"), "labels/nuclei": values})
    with pytest.raises(
        DataError, match=r"several arrays.*a\.h5' has labels/cells, labels/nuclei, raw; none was chosen"
    ):
        read_file(path)
    with pytest.raises(DataError, match="there is no 'cells'"):
        read_file(path, member="cells")
    assert read_file(path, member="labels/cells").array.dtype == "u2"


def test_tables_beside_a_volume_are_not_offered(tmp_path, values):
    path = hdf5(tmp_path / "a.h5", {"stack": values, "transforms": values[0], "line": values[0, 0]})
    np.testing.assert_array_equal(read_file(path).array[...], values)


def test_a_plane_is_taken_when_there_is_no_volume(tmp_path, values):
    volume = read_file(hdf5(tmp_path / "a.h5", {"plane": values[0], "line": values[0, 0]}))
    assert volume.axes == "yx"


def test_hdf5_without_an_array_is_refused(tmp_path, values):
    with pytest.raises(DataError, match=r"at least one array of two axes or more: '.*a\.h5' holds none"):
        read_file(hdf5(tmp_path / "a.h5", {"line": values[0, 0]}))


def test_spacing_of_hdf5_is_in_micrometres(tmp_path, values):
    volume = read_file(hdf5(tmp_path / "a.h5", {"raw": values}, element_size_um=(0.25, 0.1, 0.1)))
    assert (volume.spacing, volume.spacing_unit) == ((0.25, 0.1, 0.1), "micrometer")


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((0.25, 0.1), id="an axis too few"),
        pytest.param((0.25, 0.1, 0.0), id="nothing"),
        pytest.param((0.25, 0.1, np.nan), id="no number"),
    ],
)
def test_an_unsound_spacing_of_hdf5_is_left_out(tmp_path, values, size):
    volume = read_file(hdf5(tmp_path / "a.h5", {"raw": values}, element_size_um=size))
    assert (volume.spacing, volume.spacing_unit) == (None, None)


@pytest.mark.parametrize(
    ("dtype", "match"),
    [pytest.param("c8", "complex64", id="complex"), pytest.param("?", "bool", id="truths")],
)
def test_hdf5_of_no_real_numbers_is_refused(tmp_path, values, dtype, match):
    with pytest.raises(RefusedError, match=match):
        read_file(hdf5(tmp_path / "a.h5", {"raw": values.astype(dtype)}))


def test_only_the_chunks_of_a_box_are_read_from_hdf5(tmp_path, values):
    path = hdf5(tmp_path / "a.h5", {"raw": values})
    with h5py.File(path) as file:
        place = file["raw"].id.get_chunk_info(4).byte_offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(16))
    volume = read_file(path)
    # The plane that is damaged is read by no other box.
    np.testing.assert_array_equal(read_voxels(volume, Box((0, 0, 0), (4, 8, 9))), values[:4])
    with pytest.raises(DataError, match=r"must be whole.*a\.h5"):
        read_voxels(volume)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_cut_hdf5_is_refused(tmp_path, values, share, packed):
    data = hdf5(tmp_path / "a.h5", {"raw": values}).read_bytes()
    data = data[: int(len(data) * share)]
    path = tmp_path / ("cut.h5.gz" if packed else "cut.h5")
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match=r"must be whole.*cut\.h5"):
        read_file(path)


def test_packed_hdf5_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 8192}.__getitem__)
    (tmp_path / "bomb.h5.gz").write_bytes(gzip.compress(bytes(2**26), 1))
    with pytest.raises(DataError, match=r"half the memory.*bomb\.h5\.gz' takes 33554432 bytes or more"):
        read_file(tmp_path / "bomb.h5.gz")


def test_text_that_is_named_hdf5_is_refused(tmp_path):
    (tmp_path / "a.h5").write_text("volume")
    with pytest.raises(DataError, match=r"must be whole.*a\.h5.*OSError"):
        read_file(tmp_path / "a.h5")


# Zarr


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("name", ["a.zarr", "volume"])
def test_a_zarr_array_is_known_by_its_metadata(tmp_path, values, zarr_format, name):
    path, _ = stored(tmp_path / name, values, zarr_format)
    volume = read_file(path)
    assert isinstance(volume.array, zarr.Array)
    assert (volume.name, volume.shape, volume.axes) == (name, (6, 8, 9), "zyx")
    np.testing.assert_array_equal(volume.array[...], values)


def test_a_sharded_zarr_array_is_read(tmp_path, values):
    path, _ = stored(tmp_path / "a.zarr", values, 3, shards=(4, 8, 10))
    np.testing.assert_array_equal(read_file(path).array[...], values)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_one_array_of_a_zarr_group_needs_no_choice(tmp_path, values, zarr_format):
    zarr.create_group(str(tmp_path / "a.zarr"), zarr_format=zarr_format)
    stored(tmp_path / "a.zarr" / "deep" / "in", values, zarr_format)
    zarr.open_group(str(tmp_path / "a.zarr" / "deep"), mode="a", zarr_format=zarr_format)
    np.testing.assert_array_equal(read_file(tmp_path / "a.zarr").array[...], values)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_several_arrays_of_a_zarr_group_want_one_chosen(tmp_path, values, zarr_format):
    group = zarr.create_group(str(tmp_path / "a.zarr"), zarr_format=zarr_format)
    for name in ("0", "1", "labels/cells"):
        group.create_array(name, data=values[: len(name)], chunks=(1, 8, 9))
    group.create_array("line", data=values[0, 0])
    with pytest.raises(DataError, match=r"several arrays.*a\.zarr' has 0, 1, labels/cells; none was chosen"):
        read_file(tmp_path / "a.zarr")
    array = read_file(tmp_path / "a.zarr", member="labels/cells").array
    assert isinstance(array, zarr.Array)
    np.testing.assert_array_equal(array[...], values)


def multiscales(unit="angstrom", *, names="zyx", scale=(10.0, 5.0, 5.0)):
    axes = [{"name": name, "type": "space"} | ({"unit": unit} if unit else {}) for name in names]
    levels = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [2**level * s for s in scale]}]}
        for level in range(2)
    ]
    return [{"axes": axes, "datasets": levels}]


@pytest.mark.parametrize(
    ("zarr_format", "nested"),
    [pytest.param(2, False, id="OME-NGFF 0.4"), pytest.param(3, True, id="OME-NGFF 0.5")],
)
def test_each_level_of_ome_zarr_has_its_spacing(tmp_path, values, zarr_format, nested):
    told = {"multiscales": multiscales()}
    attributes = {"ome": told} if nested else told
    group = zarr.create_group(str(tmp_path / "a.zarr"), zarr_format=zarr_format, attributes=attributes)
    group.create_array("0", data=values)
    group.create_array("1", data=values[::2, ::2, ::2])
    for level, spacing in (("0", (10.0, 5.0, 5.0)), ("1", (20.0, 10.0, 10.0))):
        volume = read_file(tmp_path / "a.zarr", member=level)
        assert (volume.axes, volume.spacing, volume.spacing_unit) == ("zyx", spacing, "angstrom")


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(multiscales(unit=None), id="no unit"),
        pytest.param(multiscales(scale=(10.0, 0.0, 5.0)), id="nothing"),
        pytest.param(multiscales(scale=(5.0, 5.0)), id="an axis too few"),
        pytest.param([{"axes": "zyx"}], id="no levels"),
        pytest.param("multiscales", id="text"),
        pytest.param([], id="empty"),
    ],
)
def test_unsound_multiscales_do_not_keep_voxels_from_being_read(tmp_path, values, told):
    group = zarr.create_group(str(tmp_path / "a.zarr"), attributes={"multiscales": told})
    group.create_array("0", data=values)
    volume = read_file(tmp_path / "a.zarr")
    assert (volume.axes, volume.spacing, volume.spacing_unit) == ("zyx", None, None)
    np.testing.assert_array_equal(volume.array[...], values)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_an_engine_that_was_used_before_does_not_decide_how_a_volume_is_read(tmp_path, values, zarr_format):
    pytest.importorskip("zarrs", reason="the engines group is not installed")
    delta = numcodecs.Delta("<i2") if zarr_format == 2 else zarr.codecs.numcodecs.Delta(dtype="<i2")
    with zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}):
        stored(tmp_path / "a.zarr", values, zarr_format, filters=[delta])
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "codec_pipeline.strict": True}):
        np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "a.zarr")), values)
        assert zarr.config.get("codec_pipeline.path") == "zarrs.ZarrsCodecPipeline"


def test_only_the_chunks_of_a_box_are_read_from_zarr(tmp_path, values):
    path, _ = stored(tmp_path / "a.zarr", values, 3)
    garble(path / "c" / "2" / "0" / "0")
    volume = read_file(path)
    np.testing.assert_array_equal(read_voxels(volume, Box((0, 0, 0), (4, 8, 9))), values[:4])
    with pytest.raises(DataError, match=r"must be whole.*a\.zarr"):
        read_voxels(volume)


def test_a_volume_larger_than_the_memory_is_read_by_boxes_only(tmp_path):
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(10**5,) * 3, chunks=(64,) * 3, dtype="f4", fill_value=7)
    volume = read_file(tmp_path / "a.zarr")
    np.testing.assert_array_equal(read_voxels(volume, Box((9, 9, 9), (11, 12, 13))), np.full((2, 3, 4), 7, "f4"))
    with pytest.raises(DataError, match=r"half the memory: '.*a\.zarr' takes 4000000000000000 bytes"):
        read_voxels(volume)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_an_empty_zarr_group_is_refused(tmp_path, zarr_format):
    zarr.create_group(str(tmp_path / "a.zarr"), zarr_format=zarr_format)
    with pytest.raises(DataError, match=r"at least one array.*a\.zarr' holds none"):
        read_file(tmp_path / "a.zarr")


def test_zarr_of_complex_numbers_is_refused(tmp_path, values):
    path, _ = stored(tmp_path / "a.zarr", values.astype("c8"), 3)
    with pytest.raises(RefusedError, match="complex64"):
        read_file(path)


def test_zarr_of_one_axis_is_refused(tmp_path, values):
    zarr.create_array(str(tmp_path / "a.zarr"), data=values[0, 0])
    with pytest.raises(RefusedError, match=r"two to five axes.*a\.zarr' has shape \(9,\)"):
        read_file(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("zarr_format", "name"), [pytest.param(2, ".zarray", id="format 2"), pytest.param(3, "zarr.json", id="format 3")]
)
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda told: "", id="empty"),
        pytest.param(lambda told: json.dumps(told)[:-20], id="cut"),
        pytest.param(lambda told: "[]", id="a list"),
        pytest.param(lambda told: json.dumps(told | {"zarr_format": 9}), id="format of the future"),
        pytest.param(lambda told: json.dumps(told | {"shape": "all"}), id="shape of text"),
        pytest.param(lambda told: json.dumps({key: told[key] for key in told if key != "shape"}), id="no shape"),
        pytest.param(lambda told: json.dumps(told | {"data_type": "nothing", "dtype": "nothing"}), id="no type"),
        pytest.param(
            lambda told: json.dumps(told | {"codecs": [{"name": "magic"}], "compressor": {"id": "magic"}}),
            id="unknown codec",
        ),
    ],
)
def test_damaged_zarr_metadata_is_refused(tmp_path, values, zarr_format, name, spoil):
    path, _ = stored(tmp_path / "a.zarr", values, zarr_format)
    told = json.loads((path / name).read_text())
    (path / name).write_text(spoil(told))
    with pytest.raises(DataError, match=r"a\.zarr"):
        read_voxels(read_file(path))
