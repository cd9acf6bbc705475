"""Pieces on their way into an array, from a source that is told how to behave."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from zbench.datasets.portal.nouns import Piece
from zbench.datasets.portal.transfer import transfer
from zbench.errors import DataError
from zbench.model import Box

SHAPE = (4, 6, 8)
VOXELS = np.arange(4 * 6 * 8, dtype="i2").reshape(SHAPE)


class Planes:
    """A volume of which each plane is a piece; reading those of ``wrong`` fails, those of ``endless`` never ends."""

    address = "memory"
    shape = SHAPE
    dtype = VOXELS.dtype
    scale = (1.0, 1.0, 1.0)

    def __init__(self, *, fill=0, wrong=(), endless=()):
        self.fill, self.wrong, self.endless = fill, wrong, endless
        self.begun, self.given_up = threading.Event(), threading.Event()

    def pieces(self, box):
        planes = range(box.start[0], box.stop[0])
        return [Piece(key=str(z), span=None, size_bytes=96, box=Box((z, 0, 0), (z + 1, 6, 8))) for z in planes]

    def read(self, piece, report):
        z = int(piece.key)
        if z in self.wrong:
            self.begun.wait(30)
            msg = f"plane {z} is gone"
            raise DataError(msg)
        try:
            until = time.monotonic() + 30
            while z in self.endless and time.monotonic() < until:
                self.begun.set()
                time.sleep(0.002)
                report(0)
        except DataError:
            self.given_up.set()
            raise
        report(48)
        report(48)
        return bytearray(VOXELS[z].tobytes())

    def voxels(self, piece, data):
        return np.frombuffer(data, self.dtype).reshape(piece.box.shape)


def moved(source, box, pieces=None, progress=lambda done, total: None):
    out = np.zeros(box.shape, source.dtype)
    transfer(source, source.pieces(box) if pieces is None else pieces, box, out, progress=progress)
    return out


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(Box.whole(SHAPE), id="whole"),
        pytest.param(Box((1, 2, 3), (3, 4, 8)), id="inside"),
        pytest.param(Box((3, 5, 7), (4, 6, 8)), id="last voxel"),
    ],
)
def test_each_voxel_lands_in_its_place(box):
    np.testing.assert_array_equal(moved(Planes(), box), VOXELS[box.slices])


def test_voxels_that_no_piece_holds_have_the_fill_value():
    box = Box.whole(SHAPE)
    source = Planes(fill=7)
    read = moved(source, box, source.pieces(box)[:3])
    np.testing.assert_array_equal(read[:3], VOXELS[:3])
    assert (read[3] == 7).all()


def test_progress_grows_to_the_sum_of_the_pieces():
    seen = []
    moved(Planes(), Box.whole(SHAPE), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(48 * step, 4 * 96) for step in range(1, 9)]


def test_when_a_piece_fails_the_others_are_given_up():
    source = Planes(wrong=(0,), endless=(1,))
    with pytest.raises(DataError, match="plane 0 is gone"):
        moved(source, Box.whole(SHAPE))
    assert source.given_up.is_set()
