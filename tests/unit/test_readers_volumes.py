"""Files of one volume each: MRC in all its names and modes, EM, BinaryCIF, npy."""

from __future__ import annotations

import bz2
import gzip
import struct
import tracemalloc
import warnings

import mrcfile
import msgpack
import numpy as np
import pytest

from zbench.datasets import read_file
from zbench.errors import DataError, RefusedError

MODES = [
    pytest.param(0, "i1", id="mode 0"),
    pytest.param(1, "i2", id="mode 1"),
    pytest.param(2, "f4", id="mode 2"),
    pytest.param(6, "u2", id="mode 6"),
    pytest.param(12, "f2", id="mode 12"),
]
PACKED = [pytest.param(gzip.compress, ".gz", id="gzip"), pytest.param(bz2.compress, ".bz2", id="bzip2")]
# 32-bit words of the header, from zero.
NX, NZ, MODE, MX, MZ, CELL_X, MAPC, SPACE_GROUP, EXTENDED = 0, 2, 3, 7, 9, 10, 16, 22, 23


@pytest.fixture
def values(rng):
    return rng.integers(-100, 100, (3, 4, 5)).astype("f4")


def mrc(path, values, *, spacing=(2.0, 3.0, 4.0), extended=b""):
    """Write an MRC volume with spacings x, y, z."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(values)
        file.voxel_size = spacing
        if extended:
            file.set_extended_header(np.frombuffer(extended, "V1"))
    return path


def patch(path, word, value, kind="<i"):
    """Overwrite one 32-bit word of the header."""
    with path.open("r+b") as file:
        file.seek(4 * word)
        file.write(struct.pack(kind, value))
    return path


def em(path, values, *, machine=6, kind=5, order="<"):
    extent = struct.pack(f"{order}3i", *values.shape[::-1])
    path.write_bytes(bytes([machine, 0, 0, kind]) + extent + bytes(496) + values.tobytes())
    return path


def bcif(path, values, *, order=(0, 1, 2), kinds=("IntervalQuantization", "ByteArray"), cell=(10.0, 16.0, 6.0)):
    """Write the columns of a BinaryCIF volume that matter, x first."""

    def column(name, data, kind):
        return {"name": name, "data": {"data": data, "encoding": [{"kind": "ByteArray", "type": kind}]}}

    info = [column(f"axis_order[{axis}]", struct.pack("<i", order[axis]), 3) for axis in range(3)]
    info += [column(f"sample_count[{axis}]", struct.pack("<i", values.shape[2 - axis]), 3) for axis in range(3)]
    info += [column(f"dimensions[{axis}]", struct.pack("<f", 1), 32) for axis in range(3)]
    info += [column(f"spacegroup_cell_size[{axis}]", struct.pack("<d", cell[axis]), 33) for axis in range(3)]
    encoding = [{"kind": kind} | ({"type": 4} if kind == "ByteArray" else {}) for kind in kinds]
    stored = {"name": "values", "data": {"data": values.tobytes(), "encoding": encoding}}
    categories = [
        {"name": "_volume_data_3d_info", "columns": info},
        {"name": "_volume_data_3d", "columns": [stored]},
    ]
    path.write_bytes(msgpack.packb({"dataBlocks": [{"header": "VOLUME", "categories": categories}]}))
    return path


# MRC


@pytest.mark.parametrize("name", ["a.mrc", "a.map", "a.rec", "a.mrcs", "a.st", "a.ali", "A.MRC"])
def test_mrc_under_each_of_its_names_is_mapped(tmp_path, values, name):
    volume = read_file(mrc(tmp_path / name, values))
    assert isinstance(volume.array, np.memmap)
    np.testing.assert_array_equal(volume.array, values)


@pytest.mark.parametrize("name", ["a.mrc", "a.map", "a.rec", "a.mrcs", "a.st"])
@pytest.mark.parametrize(("pack", "suffix"), PACKED)
def test_packed_mrc_under_each_of_its_names_is_unpacked(tmp_path, values, name, pack, suffix):
    (tmp_path / (name + suffix)).write_bytes(pack(mrc(tmp_path / name, values).read_bytes()))
    volume = read_file(tmp_path / (name + suffix))
    np.testing.assert_array_equal(volume.array, values)
    assert volume.spacing == (4.0, 3.0, 2.0)


@pytest.mark.parametrize(("mode", "dtype"), MODES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_every_mode_comes_with_its_type(tmp_path, rng, mode, dtype, packed):
    values = (rng.random((2, 3, 4)) * 100).astype(dtype)
    path = mrc(tmp_path / "a.mrc", values)
    assert mrcfile.open(path).header.mode == mode
    if packed:
        (tmp_path / "a.mrc.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "a.mrc.gz"
    volume = read_file(path)
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(volume.array, values)


def test_spacing_is_in_angstrom_along_z_y_x(tmp_path, values):
    volume = read_file(mrc(tmp_path / "a.mrc", values))
    assert (volume.axes, volume.spacing, volume.spacing_unit) == ("zyx", (4.0, 3.0, 2.0), "angstrom")


def test_big_endian_mrc_is_read(tmp_path, values):
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(values.astype(">f4"))
        file.voxel_size = (2, 3, 4)
    assert struct.unpack(">i", (tmp_path / "a.mrc").read_bytes()[:4]) == (5,)
    volume = read_file(tmp_path / "a.mrc")
    np.testing.assert_array_equal(volume.array, values)
    assert volume.spacing == (4.0, 3.0, 2.0)


def test_an_extended_header_is_stepped_over(tmp_path, values):
    volume = read_file(mrc(tmp_path / "a.mrc", values, extended=bytes(96)))
    np.testing.assert_array_equal(volume.array, values)


def test_an_old_file_without_map_id_and_stamp_is_read(tmp_path, values):
    path = patch(patch(mrc(tmp_path / "a.mrc", values), 52, 0), 53, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_file(path).array, values)


def test_axes_of_a_map_that_is_stored_otherwise_are_told(tmp_path, values):
    # Columns run along z, rows along x, sections along y, as in EMD-3001.
    path = mrc(tmp_path / "a.map", values, spacing=(1, 1, 1))
    for axis, (cell, along) in enumerate([(8.0, 3), (12.0, 1), (30.0, 2)]):
        patch(path, CELL_X + axis, cell, "<f")
        patch(path, MAPC + axis, along)
    for axis, parts in enumerate([4, 3, 5]):
        patch(path, MX + axis, parts)
    volume = read_file(path)
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.axes, volume.spacing) == ("yxz", (4.0, 2.0, 6.0))


@pytest.mark.parametrize(
    "order",
    [pytest.param((0, 0, 0), id="zeros"), pytest.param((1, 1, 2), id="twice"), pytest.param((7, 8, 9), id="beyond")],
)
def test_axes_that_mean_nothing_are_taken_for_x_y_z(tmp_path, values, order):
    path = mrc(tmp_path / "a.mrc", values)
    for axis, along in enumerate(order):
        patch(path, MAPC + axis, along)
    assert (read_file(path).axes, read_file(path).spacing) == ("zyx", (4.0, 3.0, 2.0))


@pytest.mark.parametrize(
    ("word", "value", "kind"),
    [
        pytest.param(CELL_X, 0.0, "<f", id="no cell"),
        pytest.param(CELL_X, -5.0, "<f", id="negative cell"),
        pytest.param(CELL_X, float("nan"), "<f", id="cell of no number"),
        pytest.param(CELL_X, float("inf"), "<f", id="endless cell"),
        pytest.param(MX, 0, "<i", id="no parts"),
    ],
)
def test_a_header_without_a_sound_cell_gives_no_spacing(tmp_path, values, word, value, kind):
    volume = read_file(patch(mrc(tmp_path / "a.mrc", values), word, value, kind))
    assert (volume.spacing, volume.spacing_unit) == (None, None)


def test_a_single_image_has_two_axes_and_two_spacings(tmp_path, values):
    volume = read_file(mrc(tmp_path / "a.mrc", values[0]))
    assert (volume.shape, volume.axes, volume.spacing) == ((4, 5), "yx", (3.0, 2.0))


def test_a_stack_of_images_has_no_spacing_between_them(tmp_path, values):
    with mrcfile.new(tmp_path / "a.st") as file:
        file.set_data(values)
        file.set_image_stack()
        file.voxel_size = 2.0
    volume = read_file(tmp_path / "a.st")
    assert (volume.shape, volume.spacing) == ((3, 4, 5), None)


def test_a_stack_of_volumes_has_four_axes(tmp_path, rng):
    values = rng.random((2, 3, 4, 5)).astype("f4")
    volume = read_file(mrc(tmp_path / "a.mrc", values))
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.axes, volume.spacing) == ("tzyx", None)


def test_complex_voxels_are_refused(tmp_path, values):
    with pytest.raises(RefusedError, match=r"integers or floating-point numbers.*complex64"):
        read_file(mrc(tmp_path / "a.mrc", values.astype("c8")))


@pytest.mark.parametrize(
    ("word", "value", "match"),
    [
        pytest.param(NX, -5, "describes its data", id="negative extent"),
        pytest.param(NZ, 0, "describes its data", id="no section"),
        pytest.param(NZ, 4, "describes its data", id="more than there is"),
        pytest.param(NZ, 2, "describes its data", id="less than there is"),
        pytest.param(NX, 2**31 - 1, "describes its data|half the memory", id="more than any machine has"),
        pytest.param(EXTENDED, -8, "describes its data", id="negative extended header"),
        pytest.param(EXTENDED, 2**31 - 1, "describes its data", id="endless extended header"),
        pytest.param(MODE, 77, "mode", id="unknown mode"),
        pytest.param(SPACE_GROUP, 401, "describes its data", id="stack of no volumes"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_header_that_does_not_fit_its_data_is_refused(tmp_path, values, word, value, match, packed):
    path = patch(mrc(tmp_path / "a.mrc", values), word, value)
    if word == SPACE_GROUP:
        patch(path, MZ, 2)
    if packed:
        (tmp_path / "a.mrc.bz2").write_bytes(bz2.compress(path.read_bytes()))
        path = tmp_path / "a.mrc.bz2"
    with pytest.raises(DataError, match=rf"({match}).*") as caught:
        read_file(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("size", [0, 3, 1023, 1024, 1024 + 3 * 4 * 5 * 4 - 1])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_cut_file_is_refused(tmp_path, values, size, packed):
    data = mrc(tmp_path / "a.mrc", values).read_bytes()[:size]
    path = tmp_path / ("cut.mrc.gz" if packed else "cut.mrc")
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match=r"cut\.mrc"):
        read_file(path)


@pytest.mark.parametrize(("pack", "suffix"), PACKED)
def test_a_packed_file_that_is_cut_is_refused(tmp_path, values, pack, suffix):
    packed = pack(mrc(tmp_path / "a.mrc", values).read_bytes())
    (tmp_path / f"cut.mrc{suffix}").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"must be whole.*cut\.mrc"):
        read_file(tmp_path / f"cut.mrc{suffix}")


@pytest.mark.parametrize(("pack", "suffix"), PACKED)
def test_a_packed_file_that_never_ends_is_not_unpacked(tmp_path, values, pack, suffix):
    # Two GiB of zeros behind the volume: they pack small, and must not be put into memory to be refused.
    packed = pack(mrc(tmp_path / "a.mrc", values).read_bytes()) + pack(bytes(2**26)) * 32
    (tmp_path / f"bomb.mrc{suffix}").write_bytes(packed)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"describes its data.*has more"):
        read_file(tmp_path / f"bomb.mrc{suffix}")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2**26


def test_a_packed_file_that_claims_more_than_the_memory_is_refused(tmp_path, values):
    path = patch(patch(mrc(tmp_path / "a.mrc", values), NX, 10**6), NX + 1, 10**6)
    (tmp_path / "bomb.mrc.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match=r"half the memory.*bomb\.mrc\.gz.*takes 12000000001024 bytes"):
        read_file(tmp_path / "bomb.mrc.gz")


# EM


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        pytest.param(1, "i1", id="bytes"),
        pytest.param(2, "i2", id="16 bit"),
        pytest.param(4, "i4", id="32 bit"),
        pytest.param(5, "f4", id="float"),
        pytest.param(9, "f8", id="double"),
    ],
)
@pytest.mark.parametrize(
    ("machine", "order"),
    [pytest.param(6, "<", id="little-endian"), pytest.param(5, ">", id="big-endian"), pytest.param(3, ">", id="SGI")],
)
def test_em_of_every_type_is_mapped(tmp_path, rng, kind, dtype, machine, order):
    values = (rng.random((3, 4, 5)) * 100).astype(np.dtype(dtype).newbyteorder(order))
    volume = read_file(em(tmp_path / "a.em", values, machine=machine, kind=kind, order=order))
    assert isinstance(volume.array, np.memmap)
    assert volume.array.dtype.newbyteorder("=") == dtype
    np.testing.assert_array_equal(volume.array, values)


def test_complex_em_is_refused(tmp_path, values):
    with pytest.raises(RefusedError, match="complex64"):
        read_file(em(tmp_path / "a.em", values.astype("c8"), kind=8))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:511], id="header cut"),
        pytest.param(lambda data: data[:-1], id="data cut"),
        pytest.param(lambda data: data[:3] + b"\x07" + data[4:], id="unknown type"),
        pytest.param(lambda data: data[:4] + b"\xff" * 12 + data[16:], id="negative extents"),
        pytest.param(lambda data: data[:4] + b"\xff\xff\xff\x7f" * 3 + data[16:], id="extents beyond 64 bits"),
        pytest.param(lambda data: b"EM " * 300, id="text"),
    ],
)
def test_em_that_does_not_hold_what_it_says_is_refused(tmp_path, values, spoil):
    path = em(tmp_path / "a.em", values)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"(An EM file|must be whole).*a\.em"):
        read_file(path)


# BinaryCIF


def test_codes_of_a_binary_cif_volume_come_with_spacing(tmp_path, rng):
    values = rng.integers(0, 255, (3, 4, 5), "u1")
    volume = read_file(bcif(tmp_path / "a.bcif", values))
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.axes, volume.spacing, volume.spacing_unit) == ("zyx", (2.0, 4.0, 2.0), "angstrom")


def test_a_binary_cif_volume_without_a_cell_has_no_spacing(tmp_path, rng):
    volume = read_file(bcif(tmp_path / "a.bcif", rng.integers(0, 255, (3, 4, 5), "u1"), cell=(0, 0, 0)))
    assert (volume.spacing, volume.spacing_unit) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kinds": ("ByteArray",)}, id="not quantised"),
        pytest.param({"kinds": ("IntervalQuantization", "RunLength", "ByteArray")}, id="run lengths"),
        pytest.param({"order": (2, 1, 0)}, id="z fastest"),
    ],
)
def test_binary_cif_that_is_encoded_otherwise_is_refused(tmp_path, rng, changes):
    with pytest.raises(DataError, match=r"quantised to bytes, x fastest: '.*a\.bcif'"):
        read_file(bcif(tmp_path / "a.bcif", rng.integers(0, 255, (3, 4, 5), "u1"), **changes))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-1], id="cut"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: msgpack.packb(7), id="a number"),
        pytest.param(lambda data: msgpack.packb({"dataBlocks": []}), id="no volume"),
        pytest.param(lambda data: data.replace(b"sample_count[0]", b"sample_count[9]"), id="no extent"),
    ],
)
def test_damaged_binary_cif_is_refused(tmp_path, rng, spoil):
    path = bcif(tmp_path / "a.bcif", rng.integers(0, 255, (3, 4, 5), "u1"))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"must be whole.*a\.bcif"):
        read_file(path)


# npy


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_mapped(tmp_path, values, order):
    np.save(tmp_path / "a.npy", np.asarray(values, order=order))
    volume = read_file(tmp_path / "a.npy")
    assert isinstance(volume.array, np.memmap)
    np.testing.assert_array_equal(volume.array, values)
    assert (volume.axes, volume.spacing) == ("zyx", None)


@pytest.mark.parametrize(
    ("dtype", "match"),
    [
        pytest.param("c16", "complex128", id="complex"),
        pytest.param("?", "bool", id="truths"),
        pytest.param("U3", "<U3", id="text"),
        pytest.param("M8[s]", "datetime64", id="dates"),
        pytest.param([("a", "u1"), ("b", "f4")], "'a'", id="structure"),
        pytest.param("longdouble", "float128", id="wide"),
    ],
)
def test_voxels_that_are_no_real_numbers_are_refused(tmp_path, dtype, match):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4), dtype))
    with pytest.raises(RefusedError, match=rf"up to 64 bits: '.*a\.npy' has .*{match}.*Convert it"):
        read_file(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(), (7,), (1, 2, 3, 4, 5, 6)])
def test_other_than_two_to_five_axes_are_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(RefusedError, match=r"two to five axes.*a\.npy' has shape"):
        read_file(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        pytest.param("objects", lambda path: np.save(path, np.array([[{}, None]]), allow_pickle=True), id="objects"),
        pytest.param("zip", lambda path: np.savez(path.with_suffix(".npz"), a=1), id="zip"),
        pytest.param("cut", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), id="cut"),
        pytest.param("text", lambda path: path.write_text("1 2 3"), id="text"),
    ],
)
def test_npy_that_is_something_else_is_refused(tmp_path, name, write):
    path = tmp_path / f"{name}.npy"
    write(path)
    if not path.exists():
        path.with_suffix(".npz").rename(path)
    with pytest.raises(DataError, match=rf"must be whole.*{name}\.npy"):
        read_file(path)
