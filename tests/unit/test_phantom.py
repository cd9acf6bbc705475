"""The generated volume: the same everywhere, made box by box, and stored like a real tomogram."""

from __future__ import annotations

import numpy as np
import pytest
from numcodecs import Blosc, Zstd

from zbench.datasets import card
from zbench.datasets.phantom import Phantom, phantom
from zbench.errors import LayoutError
from zbench.model import Box, voxel_digest

# Ratios of 128 and 256 voxel crops of a real tomogram, chunks of 64 (docs/results/phantom.md names the source).
PUBLISHED = {
    "blosc-zstd-5": (Blosc("zstd", clevel=5, shuffle=Blosc.SHUFFLE), 1.168, 1.185),
    "blosc-lz4-5": (Blosc("lz4", clevel=5, shuffle=Blosc.SHUFFLE), 1.09, 1.118),
    "zstd-5": (Zstd(5), 1.077, 1.077),
}


@pytest.fixture(scope="module")
def volume():
    return phantom((128, 128, 128))


def ratio(values, codec):
    corners = np.ndindex(*(extent // 64 for extent in values.shape))
    chunks = [np.ascontiguousarray(values[tuple(slice(64 * c, 64 * c + 64) for c in corner)]) for corner in corners]
    return values.nbytes / sum(len(codec.encode(chunk)) for chunk in chunks)


def test_it_is_the_volume_that_its_card_names(volume):
    assert voxel_digest(volume) == card("cryoet-phantom-128").voxel_digest


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_compresses_within_two_percent_of_real_tomograms(volume, name):
    codec, low, high = PUBLISHED[name]
    assert 0.98 * low <= ratio(volume, codec) <= 1.02 * high


def test_noise_alone_of_that_kind_would_not_pass(volume, rng):
    codec, low, _ = PUBLISHED["blosc-zstd-5"]
    white = rng.standard_normal(volume.shape).astype("f4")
    assert ratio(white, codec) < 0.99 * low


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(Box((3, 50, 17), (40, 90, 101)), id="inside"),
        pytest.param(Box((0, 0, 0), (1, 128, 128)), id="first plane"),
        pytest.param(Box((15, 127, 0), (17, 128, 1)), id="across the planes made at once"),
    ],
)
def test_a_box_by_itself_is_that_part_of_the_whole(volume, box):
    np.testing.assert_array_equal(phantom(volume.shape, box=box), volume[box.slices])


def test_a_larger_phantom_begins_with_the_smaller_one(volume):
    np.testing.assert_array_equal(phantom((200, 128, 300), box=Box.whole((20, 20, 20))), volume[:20, :20, :20])


def test_another_seed_makes_another_volume(volume):
    other = phantom((16, 16, 16), seed=1)
    assert np.abs(np.corrcoef(other.ravel(), volume[:16, :16, :16].ravel())[0, 1]) < 0.2


def test_neighbours_are_correlated_as_in_a_reconstruction(volume):
    centred = volume - volume.mean()
    lags = [float((centred.take(range(127), axis) * centred.take(range(1, 128), axis)).mean()) for axis in range(3)]
    assert all(0.5 < lag / float(centred.var()) < 0.95 for lag in lags)


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(..., id="all"),
        pytest.param(5, id="plane"),
        pytest.param((slice(None), -1), id="last row"),
        pytest.param((slice(2, 9, 3), slice(None, 4), slice(40, None)), id="steps"),
        pytest.param((Ellipsis, slice(3, 5)), id="ellipsis"),
        pytest.param((slice(4, 4),), id="nothing"),
    ],
)
def test_it_is_indexed_like_an_array(index):
    lazy = Phantom((20, 24, 44))
    np.testing.assert_array_equal(lazy[index], phantom((20, 24, 44))[index])


def test_a_plane_of_a_volume_larger_than_memory_is_made():
    lazy = Phantom((100_000, 100_000, 100_000), seed=3)
    assert lazy[99_999, 0:8, 0:8].shape == (8, 8)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: phantom((8, 8)), id="two axes"),
        pytest.param(lambda: Phantom((8, 8)), id="two axes, lazily"),
        pytest.param(lambda: phantom((8, 8, 8), box=Box((0, 0, 0), (9, 8, 8))), id="outside"),
    ],
)
def test_what_is_no_part_of_a_volume_is_refused(call):
    with pytest.raises(LayoutError, match="three axes"):
        call()
