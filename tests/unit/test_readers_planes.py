"""TIFF volumes, planes as single pictures, and archives of files."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from zbench.datasets import read_file
from zbench.datasets.readers.member import natural
from zbench.errors import DataError, RefusedError


@pytest.fixture
def values(rng):
    return rng.integers(0, 60000, (11, 6, 7)).astype("u2")


@pytest.fixture
def small_memory(monkeypatch):
    """A machine with one MiB."""
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 256}.__getitem__)


def png(plane):
    kept = io.BytesIO()
    Image.fromarray(plane).save(kept, "PNG")
    return kept.getvalue()


def tif(plane, **options):
    kept = io.BytesIO()
    tifffile.imwrite(kept, plane, **options)
    return kept.getvalue()


def mrc(values, *, spacing=2.0):
    with tempfile.TemporaryDirectory() as folder:
        with mrcfile.new(f"{folder}/a.mrc") as file:
            file.set_data(values)
            file.voxel_size = spacing
        return Path(folder, "a.mrc").read_bytes()


def em(values):
    return bytes([6, 0, 0, 5]) + struct.pack("<3i", *values.shape[::-1]) + bytes(496) + values.tobytes()


def dicom():
    return bytes(128) + b"DICM" + bytes(64)


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path, files):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in files.items():
            told = tarfile.TarInfo(name)
            told.size = len(data)
            archive.addfile(told, io.BytesIO(data))
    return path


def foldered(path, files):
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


# As cameras number them: without leading zeros, so that the order of letters is wrong.
def numbered(planes, encode, suffix):
    return {f"plane{index + 1}{suffix}": encode(plane) for index, plane in reversed(list(enumerate(planes)))}


HOLDERS = [
    pytest.param(lambda folder, files: foldered(folder / "planes", files), id="folder"),
    pytest.param(lambda folder, files: zipped(folder / "planes.zip", files), id="zip"),
    pytest.param(lambda folder, files: tarred(folder / "planes.tar", files), id="tar"),
    pytest.param(lambda folder, files: tarred(folder / "planes.tgz", files), id="tgz"),
]
KINDS = [
    pytest.param(png, ".png", id="PNG"),
    pytest.param(tif, ".tif", id="TIFF"),
    pytest.param(tif, ".TIFF", id="TIFF in capitals"),
]

# TIFF


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"])
def test_a_plain_tiff_is_mapped(tmp_path, rng, dtype):
    values = (rng.random((7, 6, 5)) * 100).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values)
    volume = read_file(tmp_path / "a.tif")
    assert isinstance(volume.array, np.memmap)
    assert (volume.array.dtype, volume.axes) == (dtype, "zyx")
    np.testing.assert_array_equal(volume.array, values)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"byteorder": ">"}, id="big-endian"),
        pytest.param({"bigtiff": True}, id="BigTIFF"),
        pytest.param({"compression": "zlib"}, id="deflate"),
        pytest.param({"compression": "zlib", "predictor": True}, id="deflate with a predictor"),
        pytest.param({"tile": (16, 16)}, id="tiles"),
        pytest.param({"rowsperstrip": 2}, id="strips"),
        pytest.param({"metadata": None, "photometric": "minisblack"}, id="pages without a shape"),
    ],
)
def test_a_tiff_of_any_layout_is_read(tmp_path, values, options):
    tifffile.imwrite(tmp_path / "a.tiff", values, **options)
    volume = read_file(tmp_path / "a.tiff")
    np.testing.assert_array_equal(volume.array[...], values)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        pytest.param("micron", "micrometer", id="micron"),
        pytest.param("um", "micrometer", id="um"),
        pytest.param("\\u00B5m", "micrometer", id="escaped"),
        pytest.param("nm", "nanometer", id="nm"),
    ],
)
def test_spacing_of_imagej_comes_with_its_unit(tmp_path, values, unit, name):
    metadata = {"axes": "ZYX", "spacing": 0.5, "unit": unit}
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, resolution=(8.0, 4.0), metadata=metadata)
    volume = read_file(tmp_path / "a.tif")
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.spacing, volume.spacing_unit) == ((0.5, 0.25, 0.125), name)


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"axes": "ZYX", "spacing": 0.5}, id="no unit"),
        pytest.param({"axes": "ZYX", "spacing": 0.5, "unit": "pixel"}, id="pixels"),
        pytest.param({"axes": "ZYX", "spacing": 0.0, "unit": "um"}, id="nothing between planes"),
        pytest.param({"axes": "TYX", "unit": "um"}, id="no depth"),
    ],
)
def test_imagej_without_a_sound_spacing_gives_none(tmp_path, values, metadata):
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, resolution=(8.0, 4.0), metadata=metadata)
    volume = read_file(tmp_path / "a.tif")
    assert (volume.spacing, volume.spacing_unit) == (None, None)


def test_spacing_of_ome_comes_with_its_unit(tmp_path, values):
    edges = {"PhysicalSizeZ": 300, "PhysicalSizeY": 65.0, "PhysicalSizeX": 60.0}
    units = {f"PhysicalSize{axis}Unit": "nm" for axis in "XYZ"}
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata={"axes": "ZYX"} | edges | units)
    volume = read_file(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.spacing, volume.spacing_unit) == ((300.0, 65.0, 60.0), "nanometer")


def test_ome_means_micrometres_unless_it_says_otherwise(tmp_path, values):
    edges = {"PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata={"axes": "ZYX"} | edges)
    volume = read_file(tmp_path / "a.ome.tif")
    assert (volume.spacing, volume.spacing_unit) == ((2.0, 0.5, 0.5), "micrometer")


def test_ome_with_several_units_gives_no_spacing(tmp_path, values):
    told = {"PhysicalSizeZ": 1, "PhysicalSizeZUnit": "um", "PhysicalSizeY": 65, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata={"axes": "ZYX"} | told)
    assert read_file(tmp_path / "a.ome.tif").spacing is None


def test_a_tiff_of_several_series_wants_one_chosen(tmp_path, rng):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        low, high = rng.integers(0, 99, (2, 4, 5), "u1"), rng.integers(0, 99, (5, 6, 7), "u2")
        file.write(low)
        file.write(high)
    with pytest.raises(DataError, match=r"several arrays.*a\.tif' has series0, series1; none was chosen"):
        read_file(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"there is no 'series2'"):
        read_file(tmp_path / "a.tif", member="series2")
    np.testing.assert_array_equal(read_file(tmp_path / "a.tif", member="series1").array, high)


def test_a_tiff_in_colours_is_refused(tmp_path, rng):
    tifffile.imwrite(tmp_path / "a.tif", rng.integers(0, 99, (4, 5, 3), "u1"), photometric="rgb")
    with pytest.raises(RefusedError, match=r"single numbers: '.*a\.tif' has YXS.*colour"):
        read_file(tmp_path / "a.tif")


def test_a_compression_that_needs_a_package_names_it(tmp_path, values):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, compression="zlib", byteorder="<")
    data = path.read_bytes()
    # Tag 259 says how it is compressed; 5 is LZW.
    old, new = (struct.pack("<HHIHH", 259, 3, 1, number, 0) for number in (8, 5))
    assert old in data
    path.write_bytes(data.replace(old, new))
    with pytest.raises(RefusedError, match=r"needs the package imagecodecs: '.*a\.tif'.*pip install imagecodecs"):
        read_file(path)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="plain"),
        pytest.param({"compression": "zlib"}, id="packed"),
        pytest.param({"tile": (16, 16)}, id="tiles"),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_tiff_is_refused(tmp_path, rng, options, share):
    data = tif(rng.integers(0, 2**16, (8, 32, 32)).astype("u2"), **options)
    (tmp_path / "cut.tif").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"must be whole.*cut\.tif"):
        read_file(tmp_path / "cut.tif")


def test_a_tiff_that_is_something_else_is_refused(tmp_path, values):
    (tmp_path / "a.tif").write_bytes(png(values[0]))
    with pytest.raises(DataError, match=r"must be whole.*a\.tif.*TiffFileError"):
        read_file(tmp_path / "a.tif")


# Planes


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize(("encode", "suffix"), KINDS)
def test_planes_are_stacked_in_the_order_of_their_numbers(tmp_path, values, hold, encode, suffix):
    volume = read_file(hold(tmp_path, numbered(values, encode, suffix)))
    assert (volume.array.dtype, volume.axes) == ("u2", "zyx")
    np.testing.assert_array_equal(volume.array, values)


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize(("encode", "suffix"), KINDS)
def test_one_plane_is_a_volume_of_two_axes(tmp_path, values, hold, encode, suffix):
    volume = read_file(hold(tmp_path, numbered(values[:1], encode, suffix)))
    assert volume.axes == "yx"
    np.testing.assert_array_equal(volume.array, values[0])


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_png_by_itself_is_a_plane(tmp_path, rng, dtype):
    plane = rng.integers(0, 250, (4, 5)).astype(dtype)
    (tmp_path / "a.png").write_bytes(png(plane))
    volume = read_file(tmp_path / "a.png")
    assert (volume.array.dtype, volume.axes) == (dtype, "yx")
    np.testing.assert_array_equal(volume.array, plane)


@pytest.mark.parametrize("hold", HOLDERS)
def test_companions_of_macos_are_no_planes(tmp_path, values, hold):
    files = numbered(values, png, ".png")
    volume = read_file(hold(tmp_path, files | {f"._{name}": b"Mac OS X" for name in files}))
    np.testing.assert_array_equal(volume.array, values)


def test_other_files_in_a_folder_are_left_alone(tmp_path, values):
    files = numbered(values, png, ".png") | {"notes.txt": b"about it", "Thumbs.db": b"\0"}
    np.testing.assert_array_equal(read_file(foldered(tmp_path / "planes", files)).array, values)


@pytest.mark.parametrize("hold", HOLDERS)
def test_planes_of_several_shapes_are_refused(tmp_path, values, hold):
    files = numbered(values, png, ".png") | {"plane12.png": png(values[0, :3])}
    with pytest.raises(
        DataError, match=r"one shape and type: '.*planes.* begins with \(6, 7\) uint16, plane 11 is \(3,"
    ):
        read_file(hold(tmp_path, files))


@pytest.mark.parametrize("hold", HOLDERS)
def test_planes_of_several_types_are_refused(tmp_path, values, hold):
    files = numbered(values, png, ".png") | {"plane12.png": png(values[0].astype("u1"))}
    with pytest.raises(DataError, match=r"one shape and type.*plane 11 is \(6, 7\) uint8.*Sort them apart"):
        read_file(hold(tmp_path, files))


def test_planes_of_several_kinds_are_refused(tmp_path, values):
    files = numbered(values[:2], png, ".png") | numbered(values[2:], tif, ".tif")
    with pytest.raises(DataError, match=r"of one kind, TIFF or PNG: '.*planes' has .* kinds \['png', 'tiff'\]"):
        read_file(foldered(tmp_path / "planes", files))


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda plane: png(np.stack([plane.astype("u1")] * 3, -1)), id="RGB"),
        pytest.param(lambda plane: png(np.stack([plane.astype("u1")] * 4, -1)), id="RGBA"),
        pytest.param(lambda plane: png(np.stack([plane.astype("u1")] * 2, -1)), id="grey with alpha"),
    ],
)
def test_png_in_colours_is_refused(tmp_path, values, hold, encode):
    with pytest.raises(RefusedError, match=r"single numbers: a PNG of '.*planes.* is (RGB|RGBA|LA), with colours"):
        read_file(hold(tmp_path, numbered(values[:2], encode, ".png")))


def test_png_with_a_palette_is_refused(tmp_path, values):
    Image.fromarray(values[0].astype("u1")).convert("P").save(tmp_path / "a.png")
    with pytest.raises(RefusedError, match=r"single numbers: a PNG of '.*a\.png' is P"):
        read_file(tmp_path / "a.png")


def test_tiff_planes_in_colours_are_refused(tmp_path, rng):
    plane = rng.integers(0, 99, (4, 5, 3), "u1")
    with pytest.raises(RefusedError, match="single numbers"):
        read_file(zipped(tmp_path / "a.zip", {"1.tif": tif(plane, photometric="rgb")}))


def test_black_and_white_png_is_refused(tmp_path):
    Image.new("1", (5, 4)).save(tmp_path / "a.png")
    with pytest.raises(RefusedError, match="bool"):
        read_file(tmp_path / "a.png")


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "planes").mkdir()
    with pytest.raises(DataError, match=r"A folder is read when it holds.*planes' holds 0 files"):
        read_file(tmp_path / "planes")


def test_a_folder_of_other_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds 2 files, none of these"):
        read_file(foldered(tmp_path / "planes", {"a.mrc": b"", "b.txt": b"text"}))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:40], id="cut in the header"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"GIF89a" + data[6:], id="other magic"),
        pytest.param(lambda data: data[:45] + bytes(20) + data[65:], id="garbled"),
    ],
)
@pytest.mark.parametrize("hold", HOLDERS)
def test_a_damaged_plane_is_refused(tmp_path, values, hold, spoil):
    files = numbered(values, png, ".png")
    files["plane4.png"] = spoil(files["plane4.png"])
    with pytest.raises(DataError, match=r"must be whole.*planes"):
        read_file(hold(tmp_path, files))


def test_a_png_that_claims_to_be_huge_is_refused(tmp_path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)

    def piece(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(bytes(1000))
    data = b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", header) + piece(b"IDAT", pixels) + piece(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(RefusedError, match=r"as many pixels as Pillow takes: '.*bomb\.png'"):
        read_file(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        pytest.param(["p10", "p9", "p1"], ["p1", "p9", "p10"], id="numbers"),
        pytest.param(["p010", "p9"], ["p9", "p010"], id="leading zero"),
        pytest.param(["b2", "a10", "a2"], ["a2", "a10", "b2"], id="letters first"),
        pytest.param(["z2y10", "z2y9", "z1y11"], ["z1y11", "z2y9", "z2y10"], id="two numbers"),
        pytest.param(["1", "a", "10", ""], ["", "1", "10", "a"], id="only numbers"),
    ],
)
def test_natural_order(names, ordered):
    assert sorted(names, key=natural) == ordered


# Archives


@pytest.mark.parametrize("hold", HOLDERS[1:])
def test_one_mrc_in_an_archive_is_its_volume(tmp_path, rng, hold):
    values = rng.random((3, 4, 5)).astype("f4")
    volume = read_file(hold(tmp_path, {"deep/in/a.mrc": mrc(values), "deep/in/._a.mrc": b"Mac", "readme.txt": b"x"}))
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.spacing, volume.spacing_unit) == ((2.0, 2.0, 2.0), "angstrom")


@pytest.mark.parametrize("hold", HOLDERS[1:])
def test_several_volumes_in_an_archive_want_one_chosen(tmp_path, rng, hold):
    low, high = rng.random((2, 3, 4)).astype("f4"), rng.random((3, 4, 5)).astype("f4")
    path = hold(tmp_path, {"TE1.mrc": mrc(low), "TF1.rec": mrc(high)})
    with pytest.raises(DataError, match="has TE1, TF1; none was chosen"):
        read_file(path)
    np.testing.assert_array_equal(read_file(path, member="TE1").array, low)
    np.testing.assert_array_equal(read_file(path, member="TF1").array, high)


def test_volumes_of_one_name_in_several_folders_are_told_apart(tmp_path, rng):
    low, high = rng.random((2, 3, 4)).astype("f4"), rng.random((3, 4, 5)).astype("f4")
    path = zipped(tmp_path / "a.zip", {"low/map.mrc": mrc(low), "high/map.mrc": mrc(high)})
    with pytest.raises(DataError, match=r"has high/map\.mrc, low/map\.mrc; none was chosen"):
        read_file(path)
    np.testing.assert_array_equal(read_file(path, member="high/map.mrc").array, high)


def test_many_equal_volumes_are_one_stack(tmp_path, rng):
    values = rng.random((9, 2, 3, 4)).astype("f2")
    files = {f"particle{index}.mrcs": mrc(values[index]) for index in reversed(range(9))}
    volume = read_file(zipped(tmp_path / "a.zip", files))
    assert volume.axes == "tzyx"
    np.testing.assert_array_equal(volume.array, values)


def test_em_planes_in_an_archive_are_one_stack(tmp_path, rng):
    values = rng.random((11, 1, 4, 5)).astype("f4")
    files = {f"proj_{index}.em": em(values[index]) for index in reversed(range(11))}
    np.testing.assert_array_equal(read_file(zipped(tmp_path / "a.zip", files)).array, values[:, 0])


def test_one_em_in_an_archive_is_its_volume(tmp_path, rng):
    values = rng.random((3, 4, 5)).astype("f4")
    np.testing.assert_array_equal(read_file(zipped(tmp_path / "a.zip", {"a.em": em(values)})).array, values)


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize("name", ["DICOMDIR", "IM0001.IMA"])
def test_dicom_without_an_image_is_no_volume(tmp_path, hold, name):
    with pytest.raises((DataError, RefusedError), match=r"is read when it holds TIFF, PNG or DICOM planes.*'.*planes"):
        read_file(hold(tmp_path, {"LICENSE": b"text", name: dicom()}))


@pytest.mark.parametrize("hold", HOLDERS[1:])
def test_an_archive_of_other_files_says_what_it_holds(tmp_path, hold):
    with pytest.raises(RefusedError, match=r"An archive is read when.*has 2 files of kinds \['\.csv', '\.txt'\]"):
        read_file(hold(tmp_path, {"a.txt": b"text", "b.csv": b"1,2"}))


@pytest.mark.parametrize("hold", HOLDERS[1:])
def test_an_empty_archive_is_refused(tmp_path, hold):
    with pytest.raises(RefusedError, match=r"An archive is read when.*has no files"):
        read_file(hold(tmp_path, {}))


@pytest.mark.parametrize("hold", HOLDERS[1:])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.3, 0.5])
def test_a_cut_archive_is_refused(tmp_path, values, hold, share):
    path = hold(tmp_path, numbered(values, tif, ".tif"))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match=r"must be whole.*planes"):
        read_file(path)


@pytest.mark.parametrize("name", ["planes.zip", "planes.tar", "planes.tar.gz"])
def test_an_archive_that_is_something_else_is_refused(tmp_path, values, name):
    (tmp_path / name).write_bytes(tif(values))
    with pytest.raises(DataError, match=rf"must be whole.*{name}"):
        read_file(tmp_path / name)


def test_a_zip_with_a_wrong_checksum_is_refused(tmp_path, values):
    path = zipped(tmp_path / "a.zip", {"1.tif": tif(values[0]), "2.tif": tif(values[1])})
    data = bytearray(path.read_bytes())
    data[data.index(values[1].tobytes()[:20])] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"must be whole.*BadZipFile"):
        read_file(path)


def test_a_zip_that_claims_more_than_the_memory_is_refused_unread(tmp_path, small_memory):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.tif", bytes(2**24))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"half the memory.*bomb\.zip' takes 16777216 bytes.*has 1048576"):
        read_file(tmp_path / "bomb.zip")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2**22


@pytest.mark.parametrize("hold", HOLDERS)
def test_a_stack_that_would_fill_the_memory_is_refused_at_its_first_plane(tmp_path, small_memory, hold):
    plane = np.zeros((128, 128), "u2")
    with pytest.raises(DataError, match=r"half the memory.*planes.* takes 655360 bytes"):
        read_file(hold(tmp_path, numbered([plane] * 20, png, ".png")))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_that_would_fill_the_memory_is_refused_unless_it_is_mapped(tmp_path, small_memory, compression):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 256, 256), "u2"), compression=compression)
    if compression:
        with pytest.raises(DataError, match=r"half the memory.*a\.tif' takes 1048576 bytes"):
            read_file(tmp_path / "a.tif")
    else:
        assert isinstance(read_file(tmp_path / "a.tif").array, np.memmap)


def test_a_tar_that_claims_more_than_the_memory_is_refused_unread(tmp_path):
    told = tarfile.TarInfo("a.mrc")
    told.size = 2**50
    (tmp_path / "bomb.tar").write_bytes(told.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(DataError, match=r"half the memory|must be whole"):
        read_file(tmp_path / "bomb.tar")
