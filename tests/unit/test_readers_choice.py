"""How an array of a file, and a place on its axes, is chosen: the same way for every format."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import zarr

from zbench.cell import voxels
from zbench.datasets import load, prepared, read_file, read_voxels, split_member, split_source
from zbench.datasets.readers.lazy import Part, Planes
from zbench.errors import DataError, RefusedError
from zbench.grid import active_preset
from zbench.model import Box


@pytest.fixture
def values(rng):
    return rng.integers(0, 999, (3, 2, 4, 5, 6)).astype("u2")


@pytest.fixture
def ome(tmp_path, values):
    """An OME-Zarr of two levels, with times and channels."""
    spatial = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    axes = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel"}, *spatial]
    levels = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [9, 1, 2 * f, f, f]}]}
        for level, f in enumerate((0.5, 1.0))
    ]
    whole = [{"type": "scale", "scale": [1, 1, 2, 2, 2]}]
    told = {"multiscales": [{"axes": axes, "datasets": levels, "coordinateTransformations": whole}]}
    group = zarr.create_group(str(tmp_path / "a.ome.zarr"), zarr_format=2, attributes=told)
    group.create_array("0", data=values, chunks=(1, 1, 2, 5, 6))
    group.create_array("1", data=values[..., ::2, ::2, ::2])
    return tmp_path / "a.ome.zarr"


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        pytest.param(None, (None, {}), id="nothing"),
        pytest.param("raw", ("raw", {}), id="name"),
        pytest.param("0@c=1@t=12", ("0", {"c": 1, "t": 12}), id="name and places"),
        pytest.param("@t=3", (None, {"t": 3}), id="places"),
        pytest.param("me@home/raw@z=0", ("me@home/raw", {"z": 0}), id="name with the sign"),
        pytest.param("0@c=red", ("0@c=red", {}), id="no number"),
        pytest.param("0@c=-1", ("0@c=-1", {}), id="negative"),
        pytest.param("", (None, {}), id="empty"),
    ],
)
def test_a_member_is_a_name_with_places(member, expected):
    assert split_member(member) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("emd-1832", ("emd-1832", None), id="dataset"),
        pytest.param("/data/a.h5::labels/raw", ("/data/a.h5", "labels/raw"), id="file"),
        pytest.param("era5-members-t::@m=0", ("era5-members-t", "@m=0"), id="dataset with a place"),
        pytest.param("/data/a.h5::", ("/data/a.h5::", None), id="nothing behind"),
        pytest.param("::raw", ("::raw", None), id="nothing before"),
    ],
)
def test_a_source_has_its_member_behind_two_colons(source, expected):
    assert split_source(source) == expected


def test_a_path_with_two_colons_is_a_path(tmp_path):
    np.save(tmp_path / "a::b.npy", np.zeros((2, 3)))
    assert split_source(str(tmp_path / "a::b.npy")) == (str(tmp_path / "a::b.npy"), None)
    assert load(str(tmp_path / "a::b.npy")).shape == (2, 3)


def test_level_channel_and_time_of_ome_zarr_are_chosen(ome, values):
    volume = read_file(ome, member="0@t=2@c=1")
    assert (volume.axes, volume.shape, volume.array.chunks) == ("zyx", (4, 5, 6), (2, 5, 6))
    # The scale of the level times that of all levels.
    assert (volume.spacing, volume.spacing_unit) == ((2.0, 1.0, 1.0), "micrometer")
    np.testing.assert_array_equal(read_voxels(volume), values[2, 1])
    np.testing.assert_array_equal(read_voxels(volume, Box((1, 0, 2), (3, 5, 4))), values[2, 1, 1:3, :, 2:4])


def test_times_that_are_not_chosen_stay_axes(ome, values):
    volume = read_file(ome, member="1@c=0")
    assert (volume.axes, volume.spacing) == ("tzyx", (4.0, 2.0, 2.0))
    np.testing.assert_array_equal(read_voxels(volume), values[:, 0, ::2, ::2, ::2])


def test_the_spacing_of_an_axis_goes_with_it(ome):
    volume = read_file(ome, member="1@t=0@c=0@z=1")
    assert (volume.axes, volume.spacing, volume.spacing_unit) == ("yx", (2.0, 2.0), "micrometer")


def test_the_levels_of_ome_zarr_are_listed(ome):
    with pytest.raises(DataError, match=r"has 0, 1; none was chosen\. Give --member NAME, or PATH::NAME"):
        read_file(ome, member="@c=1")


@pytest.mark.parametrize(
    ("member", "match"),
    [
        pytest.param("0@c=2", r"has t of 3, c of 2, z of 4, y of 5, x of 6; got @c=2\.", id="place outside"),
        pytest.param("0@q=0@t=0", r"got @q=0\. Choose as in --member NAME@t=0", id="no such axis"),
        pytest.param("0@t=0@c=0@z=0@y=0", "two axes at least: .*, x are left", id="nothing left"),
        pytest.param("0@t=0@c=0@z=0@y=0@x=0", "two axes at least: .*, none are left", id="a number left"),
        pytest.param("7@c=0", "has 0, 1; there is no '7'", id="no such level"),
        pytest.param("0@c=red", "has 0, 1; there is no '0@c=red'", id="no number"),
    ],
)
def test_a_place_that_is_not_there_is_told_with_those_that_are(ome, member, match):
    with pytest.raises(DataError, match=match):
        read_file(ome, member=member)


def test_a_name_that_looks_like_a_choice_is_a_name_first(tmp_path, values):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"], file["raw@t=1"] = values[0], values[1]
    volume = read_file(tmp_path / "a.h5", member="raw@t=1")
    np.testing.assert_array_equal(read_voxels(volume), values[1])


def test_load_takes_the_member_with_the_source(ome, values):
    np.testing.assert_array_equal(read_voxels(load(f"{ome}::0@t=1@c=1")), values[1, 1])
    np.testing.assert_array_equal(read_voxels(load(str(ome), member="0@t=1@c=1")), values[1, 1])


def test_two_members_are_refused(ome):
    with pytest.raises(DataError, match="One member is chosen"):
        load(f"{ome}::0", member="1")


def test_a_part_is_prepared_for_the_suite(ome, values):
    first, other = prepared(f"{ome}::0@t=1@c=1"), prepared(f"{ome}::0@t=1@c=0")
    np.testing.assert_array_equal(np.load(first), values[1, 1])
    np.testing.assert_array_equal(np.load(other), values[1, 0])
    np.testing.assert_array_equal(np.load(prepared(f"{ome}::0@t=0@c=0", volume_size=2)), values[0, 0, 1:3, 1:3, 2:4])


def test_the_suite_names_a_part_as_it_names_a_file(ome, values, monkeypatch):
    monkeypatch.setenv("ASV_CONF_DIR", str(ome.parent))
    monkeypatch.setenv("ZBENCH_DATASETS", f"./{ome.name}::0@t=1@c=1,./{ome.name}::1@t=0@c=0")
    first, other = active_preset().datasets
    np.testing.assert_array_equal(voxels(first), values[1, 1])
    np.testing.assert_array_equal(voxels(other), values[0, 0, ::2, ::2, ::2])


def test_a_part_of_a_dataset_is_prepared_for_the_suite():
    whole = np.load(prepared("cryoet-phantom-128"))
    np.testing.assert_array_equal(np.load(prepared("cryoet-phantom-128::@z=7")), whole[7])
    np.testing.assert_array_equal(np.load(prepared("cryoet-phantom-128", volume_size=8)), whole[60:68, 60:68, 60:68])


def test_six_axes_without_names_are_refused(tmp_path, values):
    np.save(tmp_path / "a.npy", values[None])
    with pytest.raises(RefusedError, match=r"two to five axes.*has shape \(1, 3, 2, 4, 5, 6\)"):
        read_file(tmp_path / "a.npy")


INDICES = [
    pytest.param(Ellipsis, id="all"),
    pytest.param(slice(1, 3), id="planes"),
    pytest.param(1, id="one plane"),
    pytest.param((slice(0, 2), slice(1, 4), slice(2, 5)), id="box"),
    pytest.param((slice(None), 2), id="a row of each"),
    pytest.param((Ellipsis, 3), id="a column of each"),
    pytest.param((2, Ellipsis, slice(0, 2)), id="part of a plane"),
    pytest.param((slice(2, 2),), id="none"),
    pytest.param((1, 2, 3), id="one voxel"),
]


@pytest.mark.parametrize("index", INDICES)
def test_a_part_is_indexed_as_the_array_that_it_stands_for(values, index):
    part = Part(values, {0: 2, 1: 1})
    assert (part.shape, part.dtype, part.chunks) == ((4, 5, 6), values.dtype, None)
    np.testing.assert_array_equal(part[index], values[2, 1][index])


def planes_of(values, asked, path):
    flat = values.reshape(-1, *values.shape[-2:])

    def decode(numbers):
        asked.extend(numbers)
        return (flat[number] for number in numbers)

    return Planes(values.shape, values.dtype, decode, path)


@pytest.mark.parametrize("index", INDICES)
def test_planes_are_indexed_as_the_array_that_they_stand_for(values, tmp_path, index):
    planes = planes_of(values[0, 0], [], tmp_path)
    np.testing.assert_array_equal(planes[index], values[0, 0][index])


def test_only_the_planes_that_are_asked_for_are_decoded(values, tmp_path):
    asked = []
    planes = planes_of(values, asked, tmp_path)
    np.testing.assert_array_equal(planes[1:3, 0, 2:4, 1:2], values[1:3, 0, 2:4, 1:2])
    assert (asked, planes.chunks) == ([10, 11, 18, 19], (1, 1, 1, 5, 6))


def test_a_plane_that_is_not_as_it_was_said_to_be_is_refused(values, tmp_path):
    planes = Planes((2, 5, 6), np.dtype("u2"), lambda numbers: (values[0, 0, 0, :4] for _ in numbers), tmp_path)
    with pytest.raises(DataError, match=r"one shape and type: .* says \(5, 6\) uint16, plane 1 is \(4, 6\) uint16"):
        planes[1:]
