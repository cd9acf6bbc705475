"""The published read amplification of the portal's geometry, by formula and by counted requests of real reads.

The table is that of the project's domain notes, section 2.5 ("Read-amplification table for the real portal geometry"):
tomograms of 184 x 630 x 630 voxels, float32. Its averages over positions are held against the formula cell by cell in
``tests/unit/test_pattern_arithmetic.py``; here real engines read.
"""

from __future__ import annotations

from math import prod, sqrt
from statistics import mean

import numpy as np
import pytest

from zbench.codecs import parse_config
from zbench.engines import engine
from zbench.model import ArrayLayout, Box, StoreKind, StoreSpec, Trace
from zbench.patterns import access_pattern, mean_touched, plan, touched_chunks
from zbench.stores import chunk_keys, counts, inventory, trace
from zbench.units import format_shape, parse_shape

# The service of a trace is not the one that a pool of connections was made for.
pytestmark = pytest.mark.filterwarnings("ignore:Successfully reconstructed a store:RuntimeWarning")

TOMOGRAM = (184, 630, 630)
ENGINES = ("zarr-python", "zarrs", "tensorstore")
# Chunk extent: number of chunks, megabytes of one, padding (stored ÷ logical); then chunks and bytes decoded ÷ needed
# of a plane normal to z, of one normal to y or x, and of three planes through a place, each chunk decoded once.
# fmt: off
TABLE = {
    "256":        (9,     "67.1", "2.07", (9, "380"),   (3, "434"),   (9, "240")),
    "128":        (50,    "8.39", "1.44", (25, "132"),  (10, "181"),  (34, "113")),
    "96":         (98,    "3.54", "1.19", (49, "109"),  (14, "107"),  (62, "87")),
    "64":         (300,   "1.05", "1.08", (100, "66"),  (30, "68"),   (138, "58")),
    "32":         (2400,  "0.131", "1.08", (400, "33"),  (120, "34"),  (595, "31")),
    "16":         (19200, "0.016", "1.08", (1600, "17"), (480, "17"),  (2469, "16")),
    "16x128x128": (300,   "1.05", "1.08", (25, "17"),   (60, "136"),  (124, "52")),
    "16x64x64":   (1200,  "0.262", "1.08", (100, "17"),  (120, "68"),  (309, "32")),
    "92x126x126": (50,    "5.84", "1.00", (25, "92"),   (10, "126"),  (34, "79")),
    "46x90x90":   (196,   "1.49", "1.00", (49, "46"),   (28, "90"),   (88, "52")),
    "1x630x630":  (184,   "1.59", "1.00", (1, "1"),     (184, "630"), (184, "116")),
}
# fmt: on
AXES = {"xy_plane": 0, "xz_plane": 1, "yz_plane": 2}


def printed(value, like):
    """Print with as many decimals as the table."""
    return f"{value:.{len(like.partition('.')[2])}f}"


def plane_of(row, pattern):
    return TABLE[row][3 if pattern == "xy_plane" else 4]


@pytest.mark.parametrize("row", TABLE)
def test_chunks_bytes_and_padding_of_the_table_are_right_to_the_printed_digit(row):
    number, megabytes, padding, *_ = TABLE[row]
    extent = parse_shape(row)
    cost = plan(access_pattern("full_read", TOMOGRAM), ArrayLayout(chunks=extent), itemsize=4)
    assert (cost.chunks, cost.requests, cost.objects) == (number, number, number)
    assert printed(prod(extent) * 4 / 1e6, megabytes) == megabytes
    assert printed(cost.amplification, padding) == padding


@pytest.mark.parametrize("row", TABLE)
def test_planes_of_the_table_are_right_to_the_printed_digit(row):
    for pattern in AXES:
        count, amplification = plane_of(row, pattern)
        cost = plan(access_pattern(pattern, TOMOGRAM), ArrayLayout(chunks=parse_shape(row)), itemsize=4)
        assert (cost.chunks, printed(cost.amplification, amplification)) == (count, amplification)


class Stored:
    """An array of ones that an engine reads under the eyes of the tracing stores."""

    def __init__(self, name, folder, shape, chunks, *, dtype="u1", chain="zstd-1"):
        self.engine = engine(name)
        self.store = StoreSpec(kind=StoreKind.LOCAL, location=str(folder / "tomogram.zarr"))
        self.config = parse_config(f"v3-c{format_shape(chunks)}:{chain}")
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.array = self.engine.create(self.store, self.config, shape=shape, dtype=self.dtype)

    def write(self, *boxes):
        for box in boxes or [Box.whole(self.shape)]:
            self.array.write_box(box, np.ones(box.shape, self.dtype))
        return self

    def read(self, *boxes):
        """Read boxes; give for each the number of requests that got chunks, and the counts of all its requests."""
        begins = []
        with trace(self.engine.tracing, self.store) as (seen, log):
            array = self.engine.open(seen)
            for box in boxes:
                begins.append(log.now_ns())
                assert array.read_box(box).all()
        kept, requests = inventory(self.store), log.trace().requests
        for box, begin, end in zip(boxes, begins, [*begins[1:], log.now_ns()], strict=True):
            part = Trace(tuple(request for request in requests if begin <= request.offset_ns < end))
            layout, itemsize = self.config.layout, self.dtype.itemsize
            cost = counts(part, kept, store=self.store, layout=layout, itemsize=itemsize, boxes=[box])
            yield len(chunk_keys(part)), cost


def planes(shape):
    return {pattern: access_pattern(pattern, shape).boxes[0] for pattern in AXES}


def scaled(row):
    """Shape and chunks at half the extent, or at a tenth within the planes where a chunk is one plane thin.

    The chunk grid and the padding stay; amplification of a plane shrinks as the extent along its normal.
    """
    by = (1, 10, 10) if row == "1x630x630" else (2, 2, 2)
    shape, chunks = (tuple(a // b for a, b in zip(extent, by, strict=True)) for extent in (TOMOGRAM, parse_shape(row)))
    return shape, chunks, by


def check_planes(row, by, costs):
    for (pattern, axis), (requests, cost) in zip(AXES.items(), costs, strict=True):
        count, amplification = plane_of(row, pattern)
        assert (requests, printed(by[axis] * cost.amplification, amplification)) == (count, amplification)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("row", [row for row in TABLE if TABLE[row][0] <= 300])
def test_counted_reads_at_small_scale_are_those_of_the_table(tmp_path, name, row):
    shape, chunks, by = scaled(row)
    array = Stored(name, tmp_path, shape, chunks).write()
    *of_planes, (requests, cost) = array.read(*planes(shape).values(), Box.whole(shape))
    check_planes(row, by, of_planes)
    number, _, padding, *_ = TABLE[row]
    assert (requests, printed(cost.amplification, padding)) == (number, padding)
    assert cost.objects == number + 1


@pytest.mark.parametrize("row", ["16x64x64", "32", pytest.param("16", marks=pytest.mark.slow)])
def test_counted_planes_of_many_chunks_are_those_of_the_table(tmp_path, row):
    shape, chunks, by = scaled(row)
    # Only the chunks of the planes are there; nobody asks for the others.
    array = Stored("zarr-python", tmp_path, shape, chunks).write(*planes(shape).values())
    check_planes(row, by, list(array.read(*planes(shape).values())))


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_counted_reads_of_a_whole_tomogram_are_those_of_the_table(tmp_path, name):
    row = "128"
    number, _, padding, *_ = TABLE[row]
    array = Stored(name, tmp_path, TOMOGRAM, parse_shape(row), dtype="f4").write()
    *of_planes, (requests, cost) = array.read(*planes(TOMOGRAM).values(), Box.whole(TOMOGRAM))
    check_planes(row, (1, 1, 1), of_planes)
    assert (requests, printed(cost.amplification, padding)) == (number, padding)
    assert cost.bytes_decoded == number * 128**3 * 4


# What an engine fetches of three planes through a place: no release keeps a chunk from one plane to the next, so the
# chunks where planes cross are got again. In the table each is decoded once.
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("row", ["256", "128", "92x126x126"])
def test_three_planes_cost_more_than_in_the_table_by_the_chunks_where_they_cross(tmp_path, name, row):
    shape, chunks, _ = scaled(row)
    jump = access_pattern("ortho3_jump", shape).operations[0]
    costs = list(Stored(name, tmp_path, shape, chunks).write(*jump).read(*jump))
    by_plane, together = [TABLE[row][3][0], TABLE[row][4][0], TABLE[row][4][0]], TABLE[row][5][0]
    assert [requests for requests, _ in costs] == by_plane
    assert [cost.bytes_decoded for _, cost in costs] == [count * prod(chunks) for count in by_plane]
    assert len({place for plane in jump for place in touched_chunks(plane, chunks)}) == together < sum(by_plane)


# Of uncompressed chunks (46 x 90 x 90 voxels of one byte, two by two by one of them) a plane needs 90 x 180 or 46 x 180
# bytes. zarr-python 2.18, 3.1 and 3.4 and tensorstore 0.1.86 get whole chunks, as the formula says. zarrs 0.2.3 gets of
# each chunk what lies between the first and the last voxel that is asked for: of a plane normal to z that is the plane
# itself, of one normal to y all but 89 rows, of one normal to x all but 89 voxels.
UNCOMPRESSED = {
    "zarr-python": (4 * 372_600, 2 * 372_600, 2 * 372_600),
    "tensorstore": (4 * 372_600, 2 * 372_600, 2 * 372_600),
    "zarrs": (4 * 8_100, 2 * (372_600 - 89 * 90), 2 * (372_600 - 89)),
}


@pytest.mark.parametrize("name", ENGINES)
def test_bytes_of_uncompressed_chunks_are_those_of_the_engine(tmp_path, name):
    shape, chunks = (46, 180, 180), (46, 90, 90)
    array = Stored(name, tmp_path, shape, chunks, chain="none").write()
    costs = list(array.read(*planes(shape).values()))
    assert [requests for requests, _ in costs] == [4, 2, 2]
    assert tuple(cost.bytes_fetched for _, cost in costs) == UNCOMPRESSED[name]
    assert tuple(cost.bytes_decoded for _, cost in costs) == UNCOMPRESSED[name]


def spread_of_touched(shape, edge, chunks):
    """Standard deviation over positions of the number of chunks that a cube touches."""
    first = second = 1.0
    for extent, chunk in zip(shape, chunks, strict=True):
        starts = np.arange(extent - edge + 1)
        touched = (starts + edge - 1) // chunk - starts // chunk + 1
        first, second = first * touched.mean(), second * (touched**2.0).mean()
    return sqrt(max(second - first**2, 0))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("row", "edge"), [("128", 48), ("92x126x126", 96), ("64", 48)])
def test_counted_patches_average_to_the_mean_over_all_places(tmp_path, name, row, edge):
    shape, chunks, _ = scaled(row)
    edge //= 2
    boxes = [box for seed in range(6) for box in access_pattern(f"train_patch-{edge}", shape, seed=seed).boxes]
    array = Stored(name, tmp_path, shape, chunks).write()
    costs = list(array.read(*boxes))
    touched = [len(list(touched_chunks(box, chunks))) for box in boxes]
    assert [requests for requests, _ in costs] == touched
    error = spread_of_touched(shape, edge, chunks) / sqrt(len(boxes))
    expected = mean_touched(shape, (edge,) * 3, chunks)
    assert mean(touched) == pytest.approx(expected, abs=4 * error)
    amplification = mean(cost.amplification for _, cost in costs)
    assert amplification == pytest.approx(expected * prod(chunks) / edge**3, rel=4 * error / expected)
