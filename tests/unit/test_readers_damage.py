"""Which reader a file takes, and that damage to a file of any format comes out as a clear error and as nothing else."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

import eccodes
import h5py
import mrcfile
import msgpack
import netCDF4
import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from astropy.io import fits
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from zbench.datasets import read_file, read_voxels
from zbench.datasets.readers import SUFFIXES
from zbench.errors import DataError, RefusedError

DAMAGES = 60


@pytest.fixture
def values(rng):
    return rng.integers(0, 250, (5, 6, 7)).astype("u2")


def write_mrc(path, values):
    with mrcfile.new(path) as file:
        file.set_data(values)


def write_packed(path, values):
    write_mrc(path.with_name("whole.mrc"), values)
    pack = gzip.compress if path.suffix == ".gz" else bz2.compress
    path.write_bytes(pack(path.with_name("whole.mrc").read_bytes()))


def write_em(path, values):
    path.write_bytes(bytes([6, 0, 0, 2]) + struct.pack("<3i", *values.shape[::-1]) + bytes(496) + values.tobytes())


def write_bcif(path, values):
    def column(name, data, kind):
        return {"name": name, "data": {"data": data, "encoding": [{"kind": "ByteArray", "type": kind}]}}

    info = [column(f"axis_order[{axis}]", struct.pack("<i", axis), 3) for axis in range(3)]
    info += [column(f"sample_count[{axis}]", struct.pack("<i", values.shape[2 - axis]), 3) for axis in range(3)]
    info += [column(f"{name}[{axis}]", struct.pack("<d", 1), 33) for axis in range(3) for name in ("dimensions",)]
    info += [column(f"spacegroup_cell_size[{axis}]", struct.pack("<d", 9), 33) for axis in range(3)]
    encoding = [{"kind": "IntervalQuantization"}, {"kind": "ByteArray", "type": 4}]
    stored = {"name": "values", "data": {"data": values.astype("u1").tobytes(), "encoding": encoding}}
    categories = [{"name": "_volume_data_3d_info", "columns": info}, {"name": "_volume_data_3d", "columns": [stored]}]
    path.write_bytes(msgpack.packb({"dataBlocks": [{"categories": categories}]}))


def write_png(path, values):
    Image.fromarray(values[0]).save(path)


def write_zip(path, values):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, plane in enumerate(values):
            kept = io.BytesIO()
            Image.fromarray(plane).save(kept, "PNG")
            archive.writestr(f"{index}.png", kept.getvalue())


def write_tar(path, values):
    write_mrc(path.with_name("whole.mrc"), values)
    with tarfile.open(path, "w") as archive:
        archive.add(path.with_name("whole.mrc"), "whole.mrc")


def write_hdf5(path, values):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=values, chunks=(2, 3, 4), compression="gzip")


def write_packed_hdf5(path, values):
    write_hdf5(path.with_name("whole.h5"), values)
    path.write_bytes(gzip.compress(path.with_name("whole.h5").read_bytes()))


def write_dicom(path, values):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = "1.2.3"
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.NumberOfFrames, image.Rows, image.Columns = values.shape
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.PixelData = 15, 0, values.tobytes()
    image["PixelData"].VR = "OW"
    image.save_as(path, enforce_file_format=True)


def write_nifti(path, values):
    nibabel.Nifti1Image(values.T, np.eye(4)).to_filename(path)


def write_packed_fits(path, values):
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values, compression_type="RICE_1")]).writeto(path)


def write_netcdf(path, values):
    with netCDF4.Dataset(path, "w", format="NETCDF4" if path.suffix == ".nc4" else "NETCDF3_CLASSIC") as file:
        for name, extent in zip("zyx", values.shape, strict=True):
            file.createDimension(name, extent)
        file.createVariable("u", "i2", ("z", "y", "x"))[...] = values


def write_grib(path, values):
    with path.open("wb") as file:
        for level, plane in enumerate(values, 1):
            handle = eccodes.codes_grib_new_from_samples(f"regular_ll_pl_{path.suffix[1:]}")
            for key, value in {"Ni": plane.shape[1], "Nj": plane.shape[0], "level": level}.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, plane.astype("f8").ravel())
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)


def write_amira(path, values):
    z, y, x = values.shape
    text = f"# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\ndefine Lattice {x} {y} {z}\nLattice {{ ushort Data }} @1"
    data = values.tobytes()
    if path.name != "a.am":
        data = zlib.compress(data)
        text += f"(HxZip,{len(data)})"
    path.write_bytes(f"{text}\n# Data section follows\n@1\n".encode() + data + b"\n")


WRITERS = {
    "a.mrc": write_mrc,
    "a.mrc.gz": write_packed,
    "a.map.bz2": write_packed,
    "a.em": write_em,
    "a.bcif": write_bcif,
    "a.tif": tifffile.imwrite,
    "packed.tif": lambda path, values: tifffile.imwrite(path, values, compression="zlib"),
    "imagej.tif": lambda path, values: tifffile.imwrite(path, values, imagej=True, metadata={"unit": "um"}),
    "a.ome.tif": lambda path, values: tifffile.imwrite(path, values, metadata={"axes": "ZYX"}),
    "a.png": write_png,
    "a.zip": write_zip,
    "a.tar": write_tar,
    "a.h5": write_hdf5,
    "a.h5.gz": write_packed_hdf5,
    "a.npy": np.save,
    "a.dcm": write_dicom,
    "a.nii": write_nifti,
    "a.nii.gz": write_nifti,
    "a.fits": lambda path, values: fits.PrimaryHDU(values).writeto(path),
    "packed.fits": write_packed_fits,
    "a.nc": write_netcdf,
    "a.nc4": write_netcdf,
    "a.grib1": write_grib,
    "a.grib2": write_grib,
    "a.am": write_amira,
    "packed.am": write_amira,
}


def damaged(data, rng):
    """Spoil a file as disks, networks and programs do: cut it, garble a run, flip bits, or put a wild number in."""
    spoilt = bytearray(data)
    # Headers are where a little damage matters most.
    place = int(rng.integers(0, min(len(data), 1200 if rng.random() < 0.7 else len(data))))
    match int(rng.integers(0, 4)):
        case 0:
            del spoilt[place:]
        case 1:
            length = int(rng.integers(1, 64))
            spoilt[place : place + length] = rng.integers(0, 256, length, "u1").tobytes()
        case 2:
            spoilt[place] ^= 1 << int(rng.integers(0, 8))
        case _:
            wild = int(rng.choice([-1, 0, 2**31 - 1, -(2**31), 2**24]))
            spoilt[place : place + 4] = struct.pack("<i", wild)
    return bytes(spoilt)


@pytest.mark.parametrize("name", WRITERS)
def test_damage_to_a_file_is_told_or_does_not_matter(tmp_path, values, rng, name, monkeypatch):
    # A machine with 64 MiB, so that no wild size is taken into memory.
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**14}.__getitem__)
    path = tmp_path / name
    WRITERS[name](path, values)
    whole = path.read_bytes()
    assert read_voxels(read_file(path)).size
    told = []
    for _ in range(DAMAGES):
        # A new file: the old one may still be mapped.
        path.unlink()
        path.write_bytes(damaged(whole, rng))
        try:
            read_voxels(read_file(path))
        except (DataError, RefusedError) as error:
            told.append(str(error))
    assert len(told) > DAMAGES // 20
    assert all(name in text for text in told)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_damage_to_a_zarr_hierarchy_is_told_or_does_not_matter(tmp_path, values, rng, zarr_format, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**14}.__getitem__)
    zarr.create_array(str(tmp_path / "a.zarr"), data=values, chunks=(3, 6, 7), zarr_format=zarr_format)
    files = {path: path.read_bytes() for path in (tmp_path / "a.zarr").rglob("*") if path.is_file()}
    told = []
    for _ in range(DAMAGES):
        path = list(files)[int(rng.integers(len(files)))]
        path.write_bytes(damaged(files[path], rng))
        try:
            read_voxels(read_file(tmp_path / "a.zarr"))
        except (DataError, RefusedError) as error:
            told.append(str(error))
        path.write_bytes(files[path])
    assert len(told) > DAMAGES // 20
    assert all("a.zarr" in text for text in told)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_another_format_is_refused(tmp_path, values, name):
    path = tmp_path / name
    WRITERS["a.npy" if name != "a.npy" else "a.mrc"](tmp_path / "other.npy", values)
    (tmp_path / "other.npy").rename(path)
    with pytest.raises(DataError, match=name):
        read_file(path)


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=name):
        read_file(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path, suffix):
    with pytest.raises(DataError, match=r"must exist: there is no '.*gone"):
        read_file(tmp_path / f"gone{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_has_a_reader_that_looks_into_the_file(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(b"no volume at all")
    with pytest.raises(DataError, match=r"'.*/a\."):
        read_file(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("name", ["volume", "volume.jpg", "volume.mrc.xz", "volume.gz"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path, name):
    (tmp_path / name).write_bytes(b"volume")
    with pytest.raises(RefusedError, match=r"known by its suffix: .*volume.* has none of .*\.mrc, .*\.zip\. Rename it"):
        read_file(tmp_path / name)


BARE = """
import sys
from pathlib import Path

sys.modules[{module!r}] = None  # As if it were not installed.
from zbench.datasets import read_file
from zbench.errors import RefusedError

try:
    read_file(Path({path!r}))
except RefusedError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        pytest.param("a.mrc", "mrcfile", "mrcfile", id="MRC"),
        pytest.param("a.tif", "tifffile", "tifffile", id="TIFF"),
        pytest.param("a.png", "PIL", "pillow", id="PNG"),
        pytest.param("a.zip", "PIL", "pillow", id="zip of PNG"),
        pytest.param("a.h5", "h5py", "h5py", id="HDF5"),
        pytest.param("a.bcif", "msgpack", "msgpack", id="BinaryCIF"),
        pytest.param("a.dcm", "pydicom", "pydicom", id="DICOM"),
        pytest.param("a.nii", "nibabel", "nibabel", id="NIfTI"),
        pytest.param("a.fits", "astropy", "astropy", id="FITS"),
        pytest.param("a.nc", "netCDF4", "netCDF4", id="NetCDF"),
        pytest.param("a.grib2", "eccodes", "eccodes", id="GRIB"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_gets_it(tmp_path, values, name, module, package):
    WRITERS[name](tmp_path / name, values)
    code = BARE.format(module=module, path=str(tmp_path / name))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"needs the package {package}: it is not installed" in done.stdout
    assert f"pip install {package}," in done.stdout
