"""AmiraMesh lattices: raw and packed, of either byte order, alone and several in a file."""

from __future__ import annotations

import gzip
import os
import zlib

import numpy as np
import pytest

from zbench.datasets import read_file, read_voxels
from zbench.errors import DataError, RefusedError

TYPES = {"u1": "byte", "i2": "short", "u2": "ushort", "i4": "int", "f4": "float", "f8": "double"}


@pytest.fixture
def labels(rng):
    """Few labels in blocks, as segmentations have them."""
    return np.kron(rng.integers(0, 4, (3, 2, 4)), np.ones((2, 5, 9), int)).astype("u1")


def by_runs(data, rng):
    """Pack as Amira does: runs of one byte, and bytes as they are where none repeats."""
    packed, place = bytearray(), 0
    while place < len(data):
        count = int(rng.integers(1, 128))
        part = data[place : place + count]
        same = len(part) - len(part.lstrip(part[:1]))
        if same > 1 or len(part) == 1:
            packed += bytes([same]) + part[:1]
            place += same
        else:
            packed += bytes([len(part) + 128]) + part
            place += len(part)
    return bytes(packed)


def amira(path, arrays, *, order="<", packing=None, head="", rng=None):
    kind = "BINARY-LITTLE-ENDIAN" if order == "<" else "BINARY"
    z, y, x = next(iter(arrays.values())).shape
    lines, blocks = [], []
    for number, (name, values) in enumerate(arrays.items(), 1):
        data = values.astype(values.dtype.newbyteorder(order)).tobytes()
        if packing:
            data = zlib.compress(data) if packing == "HxZip" else by_runs(data, rng)
        packed = f"({packing},{len(data)})" if packing else ""
        lines.append(f"Lattice {{ {TYPES[values.dtype.str[1:]]} {name} }} @{number}{packed}")
        blocks.append(b"@%d\n%s\n" % (number, data))
    text = f"# AmiraMesh {kind} 2.1\n\n\ndefine Lattice {x} {y} {z}\n\nParameters {{\n{head}"
    text += '    CoordType "uniform"\n}\n\n' + "\n".join(lines) + "\n\n# Data section follows\n"
    path.write_bytes(text.encode("latin1") + b"\n".join(blocks))
    return path


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("dtype", TYPES)
def test_a_raw_lattice_is_mapped(tmp_path, rng, dtype, order):
    values = (rng.random((3, 4, 5)) * 100).astype(dtype)
    volume = read_file(amira(tmp_path / "a.am", {"Data": values}, order=order))
    assert (volume.axes, volume.array.dtype.name) == ("zyx", values.dtype.name)
    np.testing.assert_array_equal(read_voxels(volume), values)
    assert not volume.array.flags.owndata


@pytest.mark.parametrize("packing", ["HxByteRLE", "HxZip"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_packed_lattice_is_unpacked(tmp_path, labels, rng, packing, dtype):
    values = labels.astype(dtype)
    volume = read_file(amira(tmp_path / "a.am", {"Labels": values}, packing=packing, rng=rng))
    np.testing.assert_array_equal(read_voxels(volume), values)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5, 1.0])
def test_runs_of_every_length_are_unpacked(tmp_path, labels, rng, noise):
    values = np.where(rng.random(labels.shape) < noise, rng.integers(0, 256, labels.shape), labels).astype("u1")
    volume = read_file(amira(tmp_path / "a.am", {"Labels": values}, packing="HxByteRLE", rng=rng))
    np.testing.assert_array_equal(read_voxels(volume), values)


def test_a_file_packed_by_gzip_is_unpacked(tmp_path, labels, rng):
    path = amira(tmp_path / "a.am", {"Labels": labels}, packing="HxByteRLE", rng=rng)
    (tmp_path / "b.am.gz").write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "b.am.gz")), labels)


@pytest.mark.parametrize("packing", [None, "HxByteRLE", "HxZip"])
def test_several_lattices_want_one_chosen(tmp_path, labels, rng, packing):
    path = amira(tmp_path / "a.am", {"Labels": labels, "Grey": labels.astype("i2") - 7}, packing=packing, rng=rng)
    with pytest.raises(DataError, match=r"several arrays.*a\.am' has Grey, Labels; none was chosen"):
        read_file(path)
    np.testing.assert_array_equal(read_voxels(read_file(path, member="Grey")), labels.astype("i2") - 7)


def test_voxels_that_look_like_the_mark_of_the_next_lattice_are_voxels(tmp_path):
    trap = np.frombuffer(b"..\n@2\n....\n@1\n@2\n.", "u1").reshape(1, 3, 6)
    path = amira(tmp_path / "a.am", {"Trap": trap, "Other": trap + 1})
    np.testing.assert_array_equal(read_voxels(read_file(path, member="Trap")), trap)
    np.testing.assert_array_equal(read_voxels(read_file(path, member="Other")), trap + 1)


def test_spacing_comes_from_the_box_through_the_outermost_voxels(tmp_path):
    head = '    Units {\n        Coordinates "nm"\n    }\n    BoundingBox 10 18 0 9 -5 -1,\n'
    volume = read_file(amira(tmp_path / "a.am", {"Data": np.zeros((3, 4, 5), "u1")}, head=head))
    assert (volume.spacing, volume.spacing_unit) == ((2.0, 3.0, 2.0), "nanometer")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("    BoundingBox 10 18 0 9 -5 -1,\n", id="no unit"),
        pytest.param('    Units { Coordinates "ell" }\n    BoundingBox 10 18 0 9 -5 -1,\n', id="unknown unit"),
        pytest.param('    Units { Coordinates "nm" }\n    BoundingBox 10 10 0 9 -5 -1,\n', id="nothing"),
        pytest.param('    Units { Coordinates "nm" }\n    BoundingBox 1-0 1e 0 9 -5 -1,\n', id="no numbers"),
        pytest.param('    Units { Coordinates "nm" }\n', id="no box"),
    ],
)
def test_an_unsound_box_gives_no_spacing(tmp_path, head):
    volume = read_file(amira(tmp_path / "a.am", {"Data": np.zeros((3, 4, 5), "u1")}, head=head))
    assert (volume.spacing, volume.spacing_unit) == (None, None)


@pytest.mark.parametrize("packing", [None, "HxByteRLE", "HxZip"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.7, 0.97])
def test_a_cut_file_is_refused(tmp_path, labels, rng, packing, share):
    data = amira(tmp_path / "a.am", {"Labels": labels}, packing=packing, rng=rng).read_bytes()
    (tmp_path / "cut.am").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"cut\.am"):
        read_file(tmp_path / "cut.am")


@pytest.mark.parametrize("packing", ["HxByteRLE", "HxZip"])
@pytest.mark.parametrize("planes", [5, 7])
def test_a_packed_lattice_of_another_extent_is_refused(tmp_path, labels, rng, packing, planes):
    path = amira(tmp_path / "a.am", {"Labels": labels}, packing=packing, rng=rng)
    path.write_bytes(path.read_bytes().replace(b"Lattice 36 10 6", b"Lattice 36 10 %d" % planes))
    with pytest.raises(DataError, match=r"has all voxels: 'Labels' of '.*a\.am'"):
        read_file(path)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        pytest.param(b"BINARY-LITTLE-ENDIAN", b"ASCII", "when it is binary", id="text"),
        pytest.param(b"{ byte", b"{ float[3]", r"is float\[3\]\. Convert", id="vectors"),
        pytest.param(b"{ byte", b"{ complex", r"is complex\. Convert", id="complex"),
        pytest.param(b"@1\n\n", b"@1(HxMagic,9)\n\n", r"is byte HxMagic\. Convert", id="packing"),
    ],
)
def test_a_lattice_of_another_form_is_refused(tmp_path, labels, old, new, match):
    path = amira(tmp_path / "a.am", {"Labels": labels})
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(RefusedError, match=match):
        read_file(path)


@pytest.mark.parametrize("packing", ["HxByteRLE", "HxZip"])
def test_a_lattice_that_claims_more_than_the_memory_is_refused(tmp_path, labels, rng, packing, monkeypatch):
    path = amira(tmp_path / "a.am", {"Labels": labels}, packing=packing, rng=rng)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 2000}.__getitem__)
    with pytest.raises(DataError, match=r"half the memory: '.*a\.am' takes 2160 bytes"):
        read_file(path)
