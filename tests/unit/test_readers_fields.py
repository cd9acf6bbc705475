"""NIfTI, FITS, NetCDF and GRIB: several variables, axes with names, and numbers that stay as they are stored."""

from __future__ import annotations

import gzip
import mmap
import os
import re
import subprocess
import sys

import eccodes
import netCDF4
import nibabel
import numpy as np
import pytest
from astropy.io import fits

from zbench.datasets import read_file, read_voxels
from zbench.datasets.readers.netcdf_classic import end_of_data
from zbench.errors import DataError, RefusedError
from zbench.model import Box, Meaning


@pytest.fixture
def values(rng):
    return rng.integers(-1000, 1000, (5, 6, 7)).astype("i2")


# NIfTI


def nifti(path, values, *, scaling=None, unit="mm", zooms=None, second=False):
    """Write an array ``(…, z, y, x)``; NIfTI itself counts from x."""
    image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image)(values.T, np.eye(4), dtype=values.dtype)
    image.header.set_xyzt_units(unit, "sec")
    image.header.set_zooms(zooms or (0.5, 1.0, 2.0, 3.0, 4.0)[: values.ndim])
    image.to_filename(path)
    if scaling:
        # The library would pack the values; here they are packed already.
        data = bytearray(path.read_bytes())
        place = 176 if second else 112
        size, kind = (8, "<f8") if second else (4, "<f4")
        data[place : place + 2 * size] = np.array(scaling, kind).tobytes()
        path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("second", [False, True], ids=["NIfTI-1", "NIfTI-2"])
def test_nifti_is_mapped_with_x_as_its_fastest_axis(tmp_path, values, second):
    volume = read_file(nifti(tmp_path / "a.nii", values, second=second))
    assert isinstance(volume.array, np.memmap)
    assert (volume.axes, volume.spacing, volume.spacing_unit) == ("zyx", (2.0, 1.0, 0.5), "millimeter")
    assert (volume.array.dtype, volume.meaning) == ("i2", None)
    np.testing.assert_array_equal(read_voxels(volume), values)


@pytest.mark.parametrize("second", [False, True], ids=["NIfTI-1", "NIfTI-2"])
def test_scaling_of_nifti_is_kept_as_meaning(tmp_path, values, second):
    volume = read_file(nifti(tmp_path / "a.nii", values, scaling=(0.25, -7.0), second=second))
    np.testing.assert_array_equal(read_voxels(volume), values)
    assert volume.meaning == Meaning(scale=0.25, offset=-7.0)


@pytest.mark.parametrize("second", [False, True], ids=["NIfTI-1", "NIfTI-2"])
def test_packed_nifti_is_unpacked(tmp_path, values, second):
    path = nifti(tmp_path / "a.nii", values, scaling=(2.0, 0.0), second=second)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    volume = read_file(tmp_path / "b.nii.gz")
    assert (volume.spacing, volume.meaning) == ((2.0, 1.0, 0.5), Meaning(scale=2.0))
    np.testing.assert_array_equal(read_voxels(volume), values)


def test_a_time_of_nifti_is_chosen(tmp_path, values):
    series = np.stack([values, values + 1])
    path = nifti(tmp_path / "a.nii", series)
    whole, later = read_file(path), read_file(path, member="@t=1")
    assert (whole.axes, whole.spacing) == ("tzyx", (2.0, 1.0, 0.5))
    assert (later.axes, later.spacing, later.spacing_unit) == ("zyx", (2.0, 1.0, 0.5), "millimeter")
    np.testing.assert_array_equal(read_voxels(whole), series)
    np.testing.assert_array_equal(read_voxels(later), series[1])


def test_vectors_of_nifti_have_no_axis_of_time(tmp_path, values):
    volume = read_file(nifti(tmp_path / "a.nii", np.stack([values, -values])[:, None]))
    assert (volume.axes, volume.shape) == ("vzyx", (2, 5, 6, 7))


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        pytest.param("micron", "micrometer", id="micrometres"),
        pytest.param("meter", "meter", id="metres"),
        pytest.param("unknown", None, id="none"),
    ],
)
def test_the_unit_of_nifti_is_told(tmp_path, values, unit, name):
    volume = read_file(nifti(tmp_path / "a.nii", values, unit=unit))
    assert (volume.spacing is None, volume.spacing_unit) == (name is None, name)


def test_nifti_in_colours_is_refused(tmp_path):
    colours = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(colours, np.eye(4)).to_filename(tmp_path / "a.nii")
    with pytest.raises(RefusedError, match="Voxels are integers or floating"):
        read_file(tmp_path / "a.nii")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_cut_nifti_is_refused(tmp_path, values, share, packed):
    data = nifti(tmp_path / "a.nii", values).read_bytes()
    data = data[: int(len(data) * share)]
    path = tmp_path / ("cut.nii.gz" if packed else "cut.nii")
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match=r"cut\.nii"):
        read_file(path)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_nifti_that_claims_more_than_it_has_is_refused_unread(tmp_path, values, packed):
    data = bytearray(nifti(tmp_path / "a.nii", values).read_bytes())
    data[42:48] = np.array([30000] * 3, "<i2").tobytes()
    path = tmp_path / ("b.nii.gz" if packed else "b.nii")
    path.write_bytes(gzip.compress(data) if packed else bytes(data))
    with pytest.raises(
        DataError, match=r"describes its data: .* says \(30000, 30000, 30000\) int16, 54000000000352 bytes"
    ):
        read_file(path)


# FITS


def cube(path, values, **cards):
    unit = fits.PrimaryHDU(values)
    unit.header.update(cards)
    unit.writeto(path)
    return path


WORLD = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CTYPE3": "VRAD"}


@pytest.mark.parametrize("name", ["a.fits", "a.fit", "a.fts"])
def test_a_fits_cube_is_mapped_with_the_names_of_its_axes(tmp_path, values, name):
    volume = read_file(cube(tmp_path / name, values.astype("f4"), **WORLD, BUNIT="Jy/beam"))
    assert (volume.axes, volume.meaning) == ("vyx", Meaning(unit="Jy/beam"))
    np.testing.assert_array_equal(read_voxels(volume), values)
    base = volume.array
    while not isinstance(base, mmap.mmap):
        base = base.base


def test_scaling_of_fits_is_kept_as_meaning(tmp_path, values):
    path = cube(tmp_path / "a.fits", values)
    with fits.open(path, "update", do_not_scale_image_data=True) as file:
        file[0].header.update({"BSCALE": 0.5, "BZERO": 32768, "BLANK": -32768, "BUNIT": "K"})
    volume = read_file(path)
    np.testing.assert_array_equal(read_voxels(volume), values)
    assert volume.array.dtype.name == "int16"
    assert volume.meaning == Meaning(unit="K", scale=0.5, offset=32768.0, fill=-32768.0)


def test_axes_of_fits_with_a_single_place_are_left_out(tmp_path, values):
    volume = read_file(cube(tmp_path / "a.fits", values[None], **WORLD, CTYPE4="STOKES"))
    assert (volume.shape, volume.axes) == ((5, 6, 7), "vyx")


def test_spacing_of_fits_needs_one_unit_for_all_axes(tmp_path, values):
    steps = {f"CDELT{axis}": -0.1 * axis for axis in (1, 2, 3)}
    alike = cube(tmp_path / "a.fits", values, **steps, **{f"CUNIT{axis}": "um" for axis in (1, 2, 3)})
    mixed = cube(tmp_path / "b.fits", values, **steps, CUNIT1="deg", CUNIT2="deg", CUNIT3="m/s")
    volume = read_file(alike)
    assert volume.spacing == pytest.approx((0.3, 0.2, 0.1))
    assert (volume.axes, volume.spacing_unit) == ("zyx", "um")
    assert read_file(mixed).spacing is None


def test_several_images_of_fits_want_one_chosen(tmp_path, values):
    units = [fits.PrimaryHDU(), fits.ImageHDU(values, name="SCI"), fits.ImageHDU(values + 1, name="ERR")]
    fits.HDUList([*units, fits.ImageHDU(values[0], name="FLAT")]).writeto(tmp_path / "a.fits")
    with pytest.raises(DataError, match=r"several arrays.*a\.fits' has ERR, SCI; none was chosen"):
        read_file(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "a.fits", member="ERR")), values + 1)


def test_images_of_fits_of_one_name_are_told_apart_by_their_version(tmp_path, values):
    units = [fits.ImageHDU(values + version, name="SCI", ver=version) for version in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "a.fits", member="SCI-2")), values + 2)


def test_packed_fits_is_unpacked(tmp_path, values):
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress(cube(tmp_path / "b.fits", values).read_bytes()))
    np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "a.fits.gz")), values)


def test_packed_images_of_fits_are_unpacked(tmp_path, values):
    packed = fits.CompImageHDU(values, compression_type="RICE_1", name="SCI")
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "a.fits")), values)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_cut_fits_is_refused(tmp_path, values, share, packed):
    data = cube(tmp_path / "a.fits", np.tile(values, (8, 4, 4))).read_bytes()
    data = data[: int(len(data) * share)]
    path = tmp_path / ("cut.fits.gz" if packed else "cut.fits")
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match=r"cut\.fits"):
        read_voxels(read_file(path))


def test_cut_fits_is_told_with_its_sizes(tmp_path, values):
    data = cube(tmp_path / "a.fits", np.tile(values, (8, 4, 4))).read_bytes()
    (tmp_path / "cut.fits").write_bytes(data[:-2880])
    with pytest.raises(
        DataError, match=rf"describes its data: .* says {len(data)} bytes or more, and has {len(data) - 2880}"
    ):
        read_file(tmp_path / "cut.fits")


def test_a_table_of_fits_is_no_volume(tmp_path):
    fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])]).writeto(tmp_path / "a.fits")
    with pytest.raises(DataError, match="holds none"):
        read_file(tmp_path / "a.fits")


# NetCDF

KINDS = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA", "NETCDF4"]
CLASSIC = pytest.mark.parametrize("kind", KINDS)


def netcdf(path, arrays, names=("level", "latitude", "longitude"), kind="NETCDF4", **told):
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.set_auto_maskandscale(False)
        shape = next(iter(arrays.values())).shape
        for name, extent in zip(names, shape, strict=True):
            file.createDimension(name, extent)
        for name, values in arrays.items():
            fill = told.pop("_FillValue", None)
            made = file.createVariable(name, values.dtype, names, fill_value=fill)
            made.set_auto_maskandscale(False)
            made[...] = values
            made.setncatts(told)
    return path


@CLASSIC
def test_packed_integers_of_netcdf_stay_packed(tmp_path, values, kind):
    told = {"scale_factor": 0.5, "add_offset": 100.0, "units": "m s**-1", "_FillValue": -32767}
    volume = read_file(netcdf(tmp_path / "a.nc", {"u": values}, kind=kind, **told))
    assert (np.dtype(volume.array.dtype).name, volume.axes) == ("int16", "zyx")
    assert volume.meaning == Meaning(unit="m s**-1", scale=0.5, offset=100.0, fill=-32767.0)
    np.testing.assert_array_equal(read_voxels(volume), values)
    assert volume.meaning.text == "value = 0.5 \u00d7 number + 100.0, in m s**-1; -32767.0 stands for no value"


@CLASSIC
def test_several_variables_of_netcdf_want_one_chosen(tmp_path, values, kind):
    path = netcdf(tmp_path / "a.nc", {"u": values, "v": values + 1}, kind=kind)
    with pytest.raises(
        DataError, match=r"several arrays.*a\.nc' has u, v; none was chosen\. Give --member NAME, or PA"
    ):
        read_file(path)
    np.testing.assert_array_equal(read_voxels(read_file(path, member="v")), values + 1)


def test_variables_in_groups_of_netcdf_are_named_by_their_path(tmp_path, values):
    path = netcdf(tmp_path / "a.nc", {"u": values})
    with netCDF4.Dataset(path, "a") as file:
        file.createGroup("deep").createVariable("v", "i2", ("level", "latitude", "longitude"))[...] = values + 1
    np.testing.assert_array_equal(read_voxels(read_file(path, member="deep/v")), values + 1)


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        pytest.param(("time", "level", "latitude", "longitude"), "tzyx", id="weather"),
        pytest.param(("number", "time", "lat", "lon"), "mtyx", id="ensemble"),
        pytest.param(("time", "band", "y", "x"), "tcyx", id="bands"),
        pytest.param(("station", "run", "row", "column"), "sroc", id="own names"),
        pytest.param(("xa", "xb", "xc", "lon"), "abcx", id="names that begin alike"),
    ],
)
def test_every_dimension_of_netcdf_has_a_letter_of_its_own(tmp_path, values, names, axes):
    assert read_file(netcdf(tmp_path / "a.nc", {"u": np.stack([values] * 2)}, names)).axes == axes


def test_places_of_netcdf_are_chosen_by_letter(tmp_path, rng):
    values = rng.integers(0, 99, (3, 4, 5, 6, 7)).astype("i2")
    path = netcdf(tmp_path / "a.nc", {"u": values, "v": -values}, ("number", "time", "level", "lat", "lon"))
    volume = read_file(path, member="v@m=2@t=1")
    assert volume.axes == "zyx"
    np.testing.assert_array_equal(read_voxels(volume, Box((1, 0, 2), (4, 6, 3))), -values[2, 1, 1:4, :, 2:3])


def test_spacing_of_netcdf_comes_from_even_coordinates_of_one_unit(tmp_path, values):
    for name in ("even.nc", "uneven.nc"):
        with netCDF4.Dataset(netcdf(tmp_path / name, {"u": values}, ("z", "y", "x")), "a") as file:
            for axis, step in (("z", 2.0), ("y", -1.0), ("x", 0.5)):
                line = file.createVariable(axis, "f8", (axis,))
                line[:] = 7 + step * np.arange(line.size)
                line.units = "m"
            if name == "uneven.nc":
                file["z"][0] = 0
    volume = read_file(tmp_path / "even.nc")
    assert (volume.spacing, volume.spacing_unit) == (pytest.approx((2.0, 1.0, 0.5)), "m")
    assert read_file(tmp_path / "uneven.nc").spacing is None


def test_text_of_netcdf_is_not_offered(tmp_path, values):
    path = netcdf(tmp_path / "a.nc", {"u": values})
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("names", "S1", ("level", "latitude", "longitude"))
        file.createVariable("words", str, ("level", "latitude", "longitude"))
    assert read_file(path).shape == (5, 6, 7)


def records(path, kind, dtypes):
    with netCDF4.Dataset(path, "w", format=kind) as file:
        for name, extent in (("time", None), ("y", 3), ("x", 3)):
            file.createDimension(name, extent)
        for index, dtype in enumerate(dtypes):
            file.createVariable(f"v{index}", dtype, ("time", "y", "x"))[:] = np.full((5, 3, 3), index + 1)
        file.createVariable("fixed", "i1", ("y", "x"))[:] = 7


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("dtypes", [["i1"], ["i2", "i1"], ["f8", "i2", "i1"]], ids=",".join)
def test_the_end_of_classic_netcdf_is_known_to_the_padding(tmp_path, kind, dtypes):
    records(tmp_path / "a.nc", kind, dtypes)
    data = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "b.nc").write_bytes(data[:-4])
    assert len(data) - 4 < read_end(tmp_path / "a.nc") <= len(data)
    assert read_file(tmp_path / "a.nc", member="v0").shape == (5, 3, 3)
    with pytest.raises(DataError, match=r"NetCDF file describes its data: '.*b\.nc' says"):
        read_file(tmp_path / "b.nc", member="v0")


def read_end(path):
    with path.open("rb") as file:
        return end_of_data(file)


@CLASSIC
@pytest.mark.parametrize("share", [0.0, 0.05, 0.6, 0.99])
def test_cut_netcdf_is_refused(tmp_path, values, kind, share):
    data = netcdf(tmp_path / "a.nc", {"u": np.tile(values, (4, 4, 4))}, kind=kind).read_bytes()
    (tmp_path / "cut.nc").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"cut\.nc"):
        read_voxels(read_file(tmp_path / "cut.nc"))


# GRIB


def message(values, *, sample="regular_ll_pl_grib2", **keys):
    handle = eccodes.codes_grib_new_from_samples(sample)
    try:
        rows, columns = values.shape
        for key, value in {
            "Ni": columns,
            "Nj": rows,
            "shortName": "t",
            "level": 500,
            "bitsPerValue": 16,
            **keys,
        }.items():
            eccodes.codes_set(handle, key, value)
        eccodes.codes_set_values(handle, values.astype("f8").ravel())
        return eccodes.codes_get_message(handle)
    finally:
        eccodes.codes_release(handle)


SAMPLES = pytest.mark.parametrize("sample", ["regular_ll_pl_grib1", "regular_ll_pl_grib2"])


@SAMPLES
def test_fields_of_grib_are_ordered_whatever_their_order_in_the_file(tmp_path, values, sample):
    levels = [1000, 850, 700, 500, 100]
    messages = [message(plane, sample=sample, level=level) for plane, level in zip(values, levels, strict=True)]
    (tmp_path / "a.grib").write_bytes(b"".join(messages[index] for index in (3, 0, 4, 1, 2)))
    volume = read_file(tmp_path / "a.grib")
    assert (volume.shape, volume.axes, volume.array.dtype) == ((5, 6, 7), "zyx", "f4")
    assert volume.meaning.unit == "K"
    np.testing.assert_allclose(read_voxels(volume), values, atol=0.05)
    np.testing.assert_array_equal(read_voxels(volume, Box((1, 2, 3), (4, 5, 6))), read_voxels(volume)[1:4, 2:5, 3:6])


@SAMPLES
def test_several_variables_of_grib_want_one_chosen(tmp_path, values, sample):
    messages = [
        message(plane, sample=sample, level=level, shortName=name)
        for level, plane in enumerate(values, 1)
        for name in ("u", "t")
    ]
    (tmp_path / "a.grb").write_bytes(b"".join(messages))
    with pytest.raises(DataError, match=r"several arrays.*a\.grb' has t, u; none was chosen"):
        read_file(tmp_path / "a.grb")
    assert read_file(tmp_path / "a.grb", member="u").shape == (5, 6, 7)


def test_a_variable_of_grib_on_two_kinds_of_level_is_told_apart(tmp_path, values):
    messages = [message(plane, level=level) for level, plane in enumerate(values, 1)]
    messages += [message(values[0], typeOfLevel="surface", level=0)]
    (tmp_path / "a.grib2").write_bytes(b"".join(messages))
    with pytest.raises(DataError, match="has t-isobaricInhPa, t-surface"):
        read_file(tmp_path / "a.grib2")
    assert read_file(tmp_path / "a.grib2", member="t-surface").axes == "yx"


def test_times_and_steps_of_grib_are_axes(tmp_path, values):
    messages = [
        message(values[0] + 100 * time + 10 * step, dataTime=time * 600, endStep=6 * step, bitsPerValue=24)
        for step in range(2)
        for time in range(3)
    ]
    (tmp_path / "a.grib").write_bytes(b"".join(messages))
    volume = read_file(tmp_path / "a.grib")
    assert (volume.axes, volume.shape) == ("tsyx", (3, 2, 6, 7))
    np.testing.assert_allclose(
        read_voxels(read_file(tmp_path / "a.grib", member="t@t=2@s=1")), values[0] + 210, atol=0.01
    )


def test_points_of_grib_without_a_value_are_nan(tmp_path, values):
    plane = values[0].astype("f8")
    plane[2, 3] = 9999
    (tmp_path / "a.grib").write_bytes(message(plane, missingValue=9999, bitmapPresent=1))
    found = read_voxels(read_file(tmp_path / "a.grib"))
    assert [tuple(place) for place in np.argwhere(np.isnan(found))] == [(2, 3)]


@pytest.mark.parametrize(
    ("keep", "match"),
    [
        pytest.param(
            lambda all_of: all_of[:-1], r"one field at every place: 't' of .* has 5 for .*t 2.*z 3", id="missing"
        ),
        pytest.param(lambda all_of: [*all_of[:-1], all_of[0]], "one field at every place: 't' of .* has 6", id="twice"),
    ],
)
def test_fields_of_grib_that_fill_no_block_are_refused(tmp_path, values, keep, match):
    messages = [message(values[0], level=level, dataTime=time) for level in (1, 2, 3) for time in (0, 600)]
    (tmp_path / "a.grib").write_bytes(b"".join(keep(messages)))
    with pytest.raises(DataError, match=match):
        read_file(tmp_path / "a.grib")


def test_a_grid_of_grib_whose_rows_differ_is_refused(tmp_path):
    handle = eccodes.codes_grib_new_from_samples("reduced_gg_pl_32_grib2")
    (tmp_path / "a.grib").write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    with pytest.raises(RefusedError, match=r"rows of one length: .* type reduced_gg"):
        read_file(tmp_path / "a.grib")


@SAMPLES
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_cut_grib_is_refused(tmp_path, values, sample, share):
    data = b"".join(message(plane, sample=sample, level=level) for level, plane in enumerate(values, 1))
    (tmp_path / "cut.grib").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"cut\.grib"):
        read_voxels(read_file(tmp_path / "cut.grib"))


@SAMPLES
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("old", [b"GRIB", b"7777"])
def test_a_message_of_grib_that_would_be_stepped_over_is_refused(tmp_path, values, sample, place, old):
    messages = [message(plane, sample=sample, level=level) for level, plane in enumerate(values, 1)]
    messages[place] = messages[place].replace(old, b"XXXX")
    (tmp_path / "a.grib").write_bytes(b"".join(messages))
    with pytest.raises(DataError, match=r"whole messages: '.*a\.grib'"):
        read_file(tmp_path / "a.grib")


READ = """
import sys
from pathlib import Path
from zbench.datasets import read_file
from zbench.errors import ZbenchError

try:
    read_file(Path(sys.argv[1]))
except ZbenchError as error:
    print(error)
"""


def test_what_is_wrong_with_grib_is_told_once(tmp_path, values):
    data = bytearray(message(values[0]))
    place = 16
    while data[place + 4] != 3:
        place += int.from_bytes(data[place : place + 4], "big")
    # A template of a grid that there is not: the library has much to say about it.
    data[place + 12 : place + 14] = (60000).to_bytes(2, "big")
    (tmp_path / "a.grib").write_bytes(bytes(data))
    # The library keeps the standard error that it first saw, so only a process of its own tells.
    done = subprocess.run([sys.executable, "-c", READ, tmp_path / "a.grib"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert re.fullmatch(r".*a\.grib.*\n", done.stdout)


def test_lines_of_a_bulletin_between_messages_are_stepped_over(tmp_path, values):
    messages = [
        b"\x01\r\r\nHTXX85 ECMF 010000\r\r\n"[1:] + message(plane, level=n) for n, plane in enumerate(values, 1)
    ]
    (tmp_path / "a.grib").write_bytes(b"".join(messages) + b"\r\r\n\x03")
    assert read_file(tmp_path / "a.grib").shape == (5, 6, 7)


def test_a_message_of_several_fields_is_refused(tmp_path, values):
    whole = message(values[0])
    # Sections 4 to 7 once more, as a message with both parts of the wind has them.
    place, sections = 16, {}
    while whole[place : place + 4] != b"7777":
        length = int.from_bytes(whole[place : place + 4], "big")
        sections[whole[place + 4]] = whole[place : place + length]
        place += length
    data = whole[16:-4] + b"".join(sections[number] for number in (4, 5, 6, 7)) + b"7777"
    (tmp_path / "a.grib").write_bytes(whole[:8] + (16 + len(data)).to_bytes(8, "big") + data)
    with pytest.raises(RefusedError, match=r"holds one field: .* has one of 2 at byte 0"):
        read_file(tmp_path / "a.grib")


def test_memory_bounds_what_is_unpacked(tmp_path, monkeypatch, values):
    nifti(tmp_path / "a.nii", np.tile(values, (9, 9, 9)))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16}.__getitem__)
    with pytest.raises(DataError, match=r"half the memory: '.*a\.nii\.gz'"):
        read_file(tmp_path / "a.nii.gz")
