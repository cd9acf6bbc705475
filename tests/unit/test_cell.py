"""A cell is stored once and proved; a wrong one is a failure, a refused one a skip, and neither gives a number."""

from __future__ import annotations

import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr
from numcodecs.registry import register_codec
from numcodecs.zstd import Zstd

from zbench.cell import (
    blank_array,
    cell_fields,
    cell_pattern,
    open_array,
    read,
    restored_cell,
    store_cell,
    store_cells,
    stored,
    voxels,
)
from zbench.counting import count_read
from zbench.errors import LayoutError, RefusedError, VerificationError
from zbench.grid import CellSpec
from zbench.model import Box, voxel_digest

SHAPE = (12, 10, 9)
VALUES = ((np.arange(12 * 10 * 9) * 31) % 97 + 1).reshape(SHAPE).astype("u2")


def spec(layout="v2-c4", chain="zstd-3", engine="zarr-python", dataset="some-volume"):
    return CellSpec(dataset, engine, layout, chain)


@pytest.fixture
def dataset(tmp_path):
    """A volume of the user's own: the path of a file."""
    path = tmp_path / "data" / "volume.npy"
    path.parent.mkdir()
    np.save(path, VALUES)
    voxels.cache_clear()
    return str(path)


class _Corrupting(Zstd):
    """Flips one bit of what it decodes."""

    codec_id = "zstd"

    def decode(self, buf, out=None):
        decoded = bytearray(super().decode(buf))
        decoded[17] ^= 1
        return bytes(decoded)


@pytest.fixture
def corrupting_codec():
    register_codec(_Corrupting)
    yield
    register_codec(Zstd)


@pytest.fixture
def other_layout(monkeypatch):
    """A zarr that makes chunks of another extent than it is told."""
    create = zarr.create_array

    def other(*, chunks, **told):
        return create(chunks=tuple(extent + 1 for extent in chunks), **told)

    monkeypatch.setattr(zarr, "create_array", other)


def test_a_stored_cell_tells_what_lies_on_disk(tmp_path):
    cell = store_cell(spec("v3-c4-s8"), VALUES, tmp_path)
    files = [path for path in Path(cell.store.location).rglob("*") if path.is_file()]
    assert Path(cell.store.location).parent == tmp_path
    assert (cell.shape, cell.dtype, cell.digest) == (SHAPE, "<u2", voxel_digest(VALUES))
    # Two shards on each axis, and the metadata.
    assert (cell.objects, cell.stored_bytes) == (2 * 2 * 2 + 1, sum(path.stat().st_size for path in files))
    assert len(files) == cell.objects
    assert cell.config.text == "v3-c4-s8:zstd-3"
    assert cell.logical_bytes == VALUES.nbytes
    assert cell.compression_ratio == VALUES.nbytes / cell.stored_bytes


def test_a_layout_that_follows_the_volume_becomes_numbers(tmp_path):
    assert store_cell(spec("v3-cslab3"), VALUES, tmp_path).config.layout.chunks == (3, 10, 9)


def test_a_cell_that_is_stored_again_replaces_the_older_one(tmp_path):
    first = store_cell(spec(), VALUES, tmp_path)
    Path(first.store.location, "left over").write_bytes(b"")
    again = store_cell(spec(), VALUES + 1, tmp_path)
    assert (again.store, again.objects) == (first.store, first.objects)
    np.testing.assert_array_equal(open_array(again).read(), VALUES + 1)


def test_cells_of_a_file_lie_in_the_folder_and_apart_from_its_namesakes(tmp_path):
    paths = [tmp_path / name / "volume.npy" for name in ("one", "other")]
    places = set()
    for path in paths:
        path.parent.mkdir()
        cell = store_cell(spec(dataset=str(path)), VALUES, tmp_path / "cells")
        places.add(cell.store.location)
        assert Path(cell.store.location).parent == tmp_path / "cells"
        assert list(path.parent.iterdir()) == []
    assert len(places) == 2


def test_cells_of_different_engines_layouts_and_chains_lie_apart(tmp_path):
    specs = [spec(), spec(chain="zstd-4"), spec("v3-c4"), spec(engine="tensorstore"), spec(dataset="other")]
    assert len({store_cell(one, VALUES, tmp_path).store.location for one in specs}) == len(specs)


def test_a_codec_that_corrupts_one_byte_is_caught(tmp_path, corrupting_codec):
    with pytest.raises(VerificationError, match=r"gave wrong voxels for 'v2-c4:zstd-3'.*first at \(0, 2, 0\)"):
        store_cell(spec(), VALUES, tmp_path)


def test_a_layout_that_is_not_what_was_asked_is_caught(tmp_path, other_layout):
    with pytest.raises(VerificationError, match=r"chunks\[0\] should be 4, the store has 5"):
        store_cell(spec(), VALUES, tmp_path)


def test_many_cells_are_stored_and_each_keeps_its_own_outcome(dataset, tmp_path, corrupting_codec):
    sound = spec("v2-c4", "gzip-1", dataset=dataset)
    wrong = spec("v2-c4", "zstd-3", dataset=dataset)
    refused = spec("v2-c4", "bitround-3", dataset=dataset)
    impossible = spec("v2-c4-s8", "zstd-3", dataset=dataset)
    nowhere = spec(dataset="no-such-volume")
    specs = [wrong, refused, impossible, nowhere, sound]
    outcomes = store_cells(specs, tmp_path / "cells")
    assert list(outcomes) == [one.text for one in specs]
    assert stored(outcomes, sound).digest == voxel_digest(VALUES)
    expected = [(wrong, VerificationError), (refused, RefusedError), (impossible, LayoutError), (nowhere, LookupError)]
    for one, error in expected:
        with pytest.raises(error):
            stored(outcomes, one)


def test_a_wrong_cell_is_a_failure_and_no_skip(dataset, tmp_path, corrupting_codec):
    wrong = spec(dataset=dataset)
    outcomes = store_cells([wrong], tmp_path / "cells")
    with pytest.raises(VerificationError, match="wrong voxels") as failure:
        stored(outcomes, wrong)
    # asv takes just this for a skip.
    assert not isinstance(failure.value, NotImplementedError)


def test_a_wrong_layout_is_a_failure_and_no_skip(dataset, tmp_path, other_layout):
    wrong = spec(dataset=dataset)
    outcomes = store_cells([wrong], tmp_path / "cells")
    with pytest.raises(VerificationError, match="must say what was asked for") as failure:
        stored(outcomes, wrong)
    assert not isinstance(failure.value, NotImplementedError)


def test_a_library_that_falls_is_the_failure_of_its_cell_alone(dataset, tmp_path, monkeypatch):
    decode = Zstd.decode

    def fall(self, *args, **kwargs):
        if self.level == 4:
            raise RuntimeError("decompression error: corrupt input")  # noqa: EM101 - stands for a library
        return decode(self, *args, **kwargs)

    sound, falling = spec(dataset=dataset), spec(chain="zstd-4", dataset=dataset)
    # What the engine can is asked once, and before it falls.
    store_cells([falling], tmp_path / "before")
    monkeypatch.setattr(Zstd, "decode", fall)
    outcomes = store_cells([falling, sound], tmp_path / "cells")
    with pytest.raises(VerificationError, match="RuntimeError: decompression error: corrupt input"):
        stored(outcomes, falling)
    assert stored(outcomes, sound).digest == voxel_digest(VALUES)


@pytest.mark.parametrize(
    ("layout", "chain", "reason"),
    [
        pytest.param("v2-c4", "delta+bitround-3", "floating-point voxels", id="codec"),
        pytest.param("v3-c4-order=F", "none", "no order of its own", id="order"),
        pytest.param("v2-c64", "none", "mostly padding", id="padding"),
        pytest.param("v2-c4x4", "none", "as many axes", id="axes"),
    ],
)
def test_a_refused_cell_is_a_skip_with_its_reason(dataset, tmp_path, layout, chain, reason):
    refused = spec(layout, chain, dataset=dataset)
    outcomes = store_cells([refused], tmp_path / "cells")
    with pytest.raises(NotImplementedError, match=reason):
        stored(outcomes, refused)
    assert list(tmp_path.glob("cells/**/*")) == []


def test_outcomes_travel_from_the_process_that_stores_to_those_that_measure(dataset, tmp_path):
    sound, refused = spec(dataset=dataset), spec("v2-c4", "bitround-3", dataset=dataset)
    outcomes = store_cells([sound, refused], tmp_path / "cells")
    again = pickle.loads(pickle.dumps(outcomes))
    assert stored(again, sound) == stored(outcomes, sound)
    with pytest.raises(RefusedError) as refusal:
        stored(again, refused)
    assert str(refusal.value) == str(outcomes[refused.text])


def test_voxels_are_shared_and_not_to_be_written_to(dataset):
    values = voxels(dataset)
    assert values is voxels(dataset)
    with pytest.raises(ValueError, match="read-only"):
        values[0, 0, 0] = 1


def test_voxels_can_be_kept_to_the_middle(dataset):
    np.testing.assert_array_equal(voxels(dataset, 4), VALUES[4:8, 3:7, 2:6])


def test_a_cell_is_taken_up_by_another_process(tmp_path):
    cell = store_cell(spec("v3-c4-s8", "blosc-zstd-5-shuffle"), VALUES, tmp_path)
    fields = cell_fields(cell)
    assert fields["logical_bytes"] == VALUES.nbytes
    assert fields["config"] == "v3-c4-s8:blosc-zstd-5-shuffle"
    again = restored_cell(cell.spec, tmp_path, fields)
    assert again == cell
    np.testing.assert_array_equal(open_array(again).read(), VALUES)


def test_a_blank_array_is_like_the_cell_and_its_store_empty(tmp_path):
    cell = store_cell(spec(), VALUES, tmp_path / "cells")
    for _ in range(2):
        array = blank_array(cell, tmp_path / "written")
        assert (array.shape, array.dtype) == (cell.shape, np.dtype(cell.dtype))
        assert not array.read().any()
        array.write(VALUES)
        np.testing.assert_array_equal(array.read(), VALUES)
    np.testing.assert_array_equal(open_array(cell).read(), VALUES)


class _Listening:
    def __init__(self):
        self.boxes = []

    def read_box(self, box):
        self.boxes.append(box)


@pytest.mark.parametrize("threads", [0, 4])
def test_a_pattern_is_executed_box_by_box(tmp_path, threads):
    cell = store_cell(spec(), VALUES, tmp_path)
    pattern, array = cell_pattern(cell, "ortho3_jump"), _Listening()
    if threads:
        with ThreadPoolExecutor(threads) as executor:
            read(array, pattern, executor)
    else:
        read(array, pattern)
        assert tuple(array.boxes) == pattern.boxes
    assert Counter(array.boxes) == Counter(pattern.boxes)


def test_a_pattern_that_does_not_fit_is_refused(tmp_path):
    cell = store_cell(spec(), VALUES, tmp_path)
    with pytest.raises(RefusedError, match="must fit the volume"):
        cell_pattern(cell, "train_patch-64")


# The service of a trace is not the one that a pool of connections was made for.
@pytest.mark.filterwarnings("ignore:Successfully reconstructed a store:RuntimeWarning")
@pytest.mark.parametrize("engine", ["zarr-python", "zarrs", "tensorstore"])
def test_a_read_is_counted_exactly(tmp_path, engine):
    cell = store_cell(spec("v3-c4", "zstd-3", engine), VALUES, tmp_path)
    cost = count_read(cell, cell_pattern(cell, "xy_plane"))
    # Three by three chunks of 64 voxels for a plane of 90.
    assert (cost.bytes_decoded, cost.bytes_needed) == (9 * 64 * 2, 90 * 2)
    assert (cost.objects, cost.stored_bytes) == (cell.objects, cell.stored_bytes)
    assert cost == count_read(cell, cell_pattern(cell, "xy_plane"))


def test_chunks_that_boxes_share_are_counted_for_each(tmp_path):
    # tensorstore gets the neighbours of a chunk along with it: what is decoded is what each box asks for.
    cell = store_cell(spec("v3-c4-s12x12x12", "zstd-3", "tensorstore"), VALUES, tmp_path)
    pattern = cell_pattern(cell, "ortho3_jump")
    chunks = [len(range(a // 4, -(-b // 4))) for box in pattern.boxes for a, b in zip(box.start, box.stop, strict=True)]
    decoded = sum(np.prod(chunks[place : place + 3]) for place in range(0, len(chunks), 3))
    assert count_read(cell, pattern).bytes_decoded == decoded * 64 * 2


def test_an_open_array_reads_the_cell(tmp_path):
    cell = store_cell(spec(engine="zarrs"), VALUES, tmp_path)
    np.testing.assert_array_equal(open_array(cell).read_box(Box((1, 2, 3), (4, 5, 6))), VALUES[1:4, 2:5, 3:6])
