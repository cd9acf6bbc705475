"""From boxes to chunks, objects, requests and bytes: brute force, and a published table."""

from __future__ import annotations

from itertools import product
from math import prod, sqrt

import numpy as np
import pytest

from zbench.model import AccessPattern, ArrayLayout, Box
from zbench.patterns import access_pattern, mean_touched, plan, touched_chunks
from zbench.units import parse_shape

# Read amplification for the shape of tomograms in the CryoET Data Portal, float32: the table of the project's domain
# notes, section 2.5 ("Read-amplification table for the real portal geometry"). A cell is chunks touched and, in
# brackets there, bytes decoded / bytes needed, as printed. The columns: one plane normal to z, one normal to y or x
# (they agree), three planes through a place, a box of 48, 96 and 128 voxels, everything (with its padding).
TOMOGRAM = (184, 630, 630)
COLUMNS = ("xy", "xz_yz", "ortho3", "48", "96", "128", "full")
# fmt: off
TABLE = {
    "256":        ((9, "380"), (3, "434"), (9, "240"), ("1.3", "201"), ("1.8", "35"), ("2.2", "18"), (9, "2.07")),
    "128":        ((25, "132"), (10, "181"), (34, "113"), ("2.4", "45"), ("4.8", "11"), ("7.9", "7.9"), (50, "1.44")),
    "96":         ((49, "109"), (14, "107"), (62, "87"), ("2.7", "22"), ("7.8", "7.8"), ("10.4", "4.4"), (98, "1.19")),
    "64":         ((100, "66"), (30, "68"), (138, "58"), ("4.9", "12"), ("14.5", "4.3"), ("27", "3.3"), (300, "1.08")),
    "32":         ((400, "33"), (120, "34"), (595, "31"), ("14", "4.2"), ("63", "2.3"), ("123", "1.9"), (2400, "1.08")),
    "16":    ((1600, "17"), (480, "17"), (2469, "16"), ("61", "2.2"), ("333", "1.5"), ("715", "1.4"), (19200, "1.08")),
    "16x128x128": ((25, "17"), (60, "136"), (124, "52"), ("6.6", "16"), ("20", "6.0"), ("35", "4.4"), (300, "1.08")),
    "16x64x64":   ((100, "17"), (120, "68"), (309, "32"), ("11", "6.7"), ("42", "3.1"), ("80", "2.5"), (1200, "1.08")),
    "92x126x126": ((25, "92"), (10, "126"), (34, "79"), ("2.2", "29"), ("5.9", "9.7"), ("8", "5.6"), (50, "1.00")),
    "46x90x90":   ((49, "46"), (28, "90"), (88, "52"), ("4.7", "16"), ("12.8", "5.4"), ("20", "3.5"), (196, "1.00")),
    "1x630x630":  ((1, "1"), (184, "630"), (184, "116"), ("48", "172"), ("96", "43"), ("128", "24"), (184, "1.00")),
}
# Patches of the table are averages over a sample of positions, so some differ in the printed digits from the exact
# average over all positions, given here to three digits: chunks, amplification.
EXACT_WHERE_PRINTED_DIFFERS = {
    ("256", 48): ("1.35", "205"),
    ("128", 48): ("2.35", "44.5"),
    ("96", 48): ("2.96", "23.7"),
    ("96", 96): ("7.87", "7.87"),
    ("96", 128): ("10.7", "4.5"),
    ("64", 48): ("5.02", "11.9"),
    ("64", 96): ("14.3", "4.22"),
    ("32", 48): ("14.8", "4.38"),
    ("32", 96): ("62.5", "2.31"),
    ("16", 48): ("61", "2.26"),
    ("16", 96): ("334", "1.54"),
    ("16", 128): ("713", "1.39"),
    ("16x128x128", 48): ("6.88", "16.3"),
    ("16x64x64", 48): ("11.7", "6.94"),
    ("92x126x126", 48): ("2.35", "31"),
    ("46x90x90", 48): ("4.43", "14.9"),
    ("46x90x90", 96): ("12.7", "5.35"),
    ("46x90x90", 128): ("20.3", "3.6"),
}
# fmt: on


def printed(value, like):
    """Print with as many decimals as the table."""
    return f"{value:.{len(like.partition('.')[2])}f}"


def layout_of(chunks):
    return ArrayLayout(chunks=parse_shape(chunks))


@pytest.mark.parametrize("chunks", TABLE)
@pytest.mark.parametrize(
    ("column", "patterns"), [("xy", ["xy_plane"]), ("xz_yz", ["xz_plane", "yz_plane"]), ("full", ["full_read"])]
)
def test_planes_and_full_reads_of_the_table_are_right_to_the_printed_digit(chunks, column, patterns):
    count, amplification = TABLE[chunks][COLUMNS.index(column)]
    for pattern in patterns:
        cost = plan(access_pattern(pattern, TOMOGRAM), layout_of(chunks), itemsize=4)
        assert (cost.chunks, printed(cost.amplification, amplification)) == (count, amplification)


@pytest.mark.parametrize("chunks", TABLE)
def test_three_planes_of_the_table_cost_the_same_at_every_place(chunks):
    count, amplification = TABLE[chunks][COLUMNS.index("ortho3")]
    for seed in range(2):
        cost = plan(access_pattern("ortho3_jump", TOMOGRAM, seed=seed), layout_of(chunks), itemsize=4)
        assert (cost.chunks, printed(cost.amplification, amplification)) == (30 * count, amplification)


def spread_of_touched(edge, chunks):
    """Standard deviation over positions of the number of chunks that a cube touches."""
    first = second = 1.0
    for extent, chunk in zip(TOMOGRAM, chunks, strict=True):
        starts = np.arange(extent - edge + 1)
        counts = (starts + edge - 1) // chunk - starts // chunk + 1
        first, second = first * counts.mean(), second * (counts**2.0).mean()
    return sqrt(max(second - first**2, 0))


@pytest.mark.parametrize("chunks", TABLE)
@pytest.mark.parametrize("edge", [48, 96, 128])
def test_patches_of_the_table_lie_within_their_sampling_error(chunks, edge):
    count, amplification = TABLE[chunks][COLUMNS.index(str(edge))]
    extent = parse_shape(chunks)
    exact = mean_touched(TOMOGRAM, (edge,) * 3, extent)
    exact_amplification = exact * prod(extent) / edge**3
    differs = (printed(exact, count), printed(exact_amplification, amplification)) != (count, amplification)
    known = EXACT_WHERE_PRINTED_DIFFERS.get((chunks, edge))
    assert known == ((f"{exact:.3g}", f"{exact_amplification:.3g}") if differs else None)
    # The notes do not tell how many positions were sampled; three deviations of the mean of 200 cover every cell.
    half_digit = 0.5 * 10.0 ** -len(count.partition(".")[2])
    assert abs(float(count) - exact) <= half_digit + 3 * spread_of_touched(edge, extent) / sqrt(200)


@pytest.mark.parametrize("chunks", ["64", "16x128x128", "46x90x90"])
@pytest.mark.parametrize("edge", [48, 96])
def test_average_of_training_crops_comes_to_the_exact_average(chunks, edge):
    extent = parse_shape(chunks)
    touched = [
        len(list(touched_chunks(box, extent)))
        for seed in range(100)
        for box in access_pattern(f"train_patch-{edge}", TOMOGRAM, seed=seed).boxes
    ]
    error = spread_of_touched(edge, extent) / sqrt(len(touched))
    assert np.mean(touched) == pytest.approx(mean_touched(TOMOGRAM, (edge,) * 3, extent), abs=4 * error)


def test_chunks_come_in_c_order():
    box = Box((3, 0, 5), (9, 4, 6))
    assert list(touched_chunks(box, (4, 4, 5))) == [(0, 0, 1), (1, 0, 1), (2, 0, 1)]
    assert list(touched_chunks(Box((0, 3), (1, 9)), (2, 4))) == [(0, 0), (0, 1), (0, 2)]


def test_box_that_ends_on_a_boundary_does_not_touch_the_next_chunk():
    assert list(touched_chunks(Box((0,), (4,)), (4,))) == [(0,)]
    assert list(touched_chunks(Box((4,), (5,)), (4,))) == [(1,)]


def read(*operations):
    return AccessPattern(name="test", operations=operations)


def test_boxes_of_one_operation_share_their_chunks():
    box = Box((0, 0, 0), (8, 8, 8))
    layout = ArrayLayout(chunks=(4, 4, 4))
    assert plan(read((box, box)), layout, itemsize=2).chunks == 8
    apart = plan(read((box,), (box,)), layout, itemsize=2)
    assert (apart.chunks, apart.bytes_needed, apart.bytes_decoded) == (16, 2 * 512 * 2, 16 * 64 * 2)
    assert apart.amplification == 1.0


def test_shards_cost_one_request_for_their_index_each_operation():
    layout = ArrayLayout(chunks=(4, 4, 4), shards=(8, 8, 8))
    cost = plan(read((Box((0, 0, 0), (4, 4, 12)),), (Box((0, 0, 0), (1, 1, 1)),)), layout, itemsize=4)
    # First three chunks in two shards, then one chunk in one shard.
    assert (cost.chunks, cost.objects, cost.requests) == (4, 3, 7)
    unsharded = plan(read((Box((0, 0, 0), (4, 4, 12)),)), ArrayLayout(chunks=(4, 4, 4)), itemsize=4)
    assert (unsharded.chunks, unsharded.objects, unsharded.requests) == (3, 3, 3)


def test_chunks_at_the_edge_are_decoded_whole():
    cost = plan(read((Box((8,), (9,)),)), ArrayLayout(chunks=(8,)), itemsize=8)
    assert (cost.bytes_decoded, cost.bytes_needed, cost.amplification) == (64, 8, 8.0)


@pytest.mark.parametrize(("cache_chunks", "decoded"), [(0, 6), (1, 6), (2, 5), (3, 3), (100, 3)], ids="{}".format)
def test_cache_throws_the_least_recently_used_chunk_out(cache_chunks, decoded):
    a, b, c = (Box((4 * i,), (4 * i + 4,)) for i in range(3))
    # With room for two: a, b, a again from the cache, c in the place of b, b in that of a, a. First in, first out
    # would keep b instead and decode four.
    pattern = read((a,), (b,), (a,), (c,), (b,), (a,))
    chunk_bytes = 4 * 2
    cost = plan(pattern, ArrayLayout(chunks=(4,)), itemsize=2, cache_bytes=cache_chunks * chunk_bytes + 1)
    assert (cost.chunks, cost.objects, cost.requests) == (decoded,) * 3


def test_scroll_with_the_cache_of_the_definition_decodes_each_chunk_once():
    layout = ArrayLayout(chunks=(64, 64, 64))
    scroll = access_pattern("xy_scroll", TOMOGRAM)
    assert plan(scroll, layout, itemsize=4).chunks == 64 * 100
    # Planes 92 to 155 lie in two layers of chunks, 100 MiB each.
    assert plan(scroll, layout, itemsize=4, cache_bytes=512 * 1024**2).chunks == 2 * 100


def test_other_number_of_axes_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        list(touched_chunks(Box((0, 0), (1, 1)), (4, 4, 4)))


@pytest.mark.parametrize(
    ("shape", "box", "chunks"),
    [
        ((7, 9, 12), (3, 4, 5), (2, 4, 5)),
        ((5, 5, 5), (5, 5, 5), (2, 2, 8)),
        ((30,), (7,), (4,)),
        ((6, 6), (1, 6), (5, 4)),
    ],
)
def test_mean_is_the_average_over_every_place(shape, box, chunks):
    places = list(product(*(range(extent - edge + 1) for extent, edge in zip(shape, box, strict=True))))
    counted = 0
    for place in places:
        marks = np.zeros(shape, int)
        marks[tuple(slice(start, start + edge) for start, edge in zip(place, box, strict=True))] = 1
        places_marked = np.argwhere(marks) // np.array(chunks)
        counted += len({tuple(row) for row in places_marked.tolist()})
    assert mean_touched(shape, box, chunks) == pytest.approx(counted / len(places))
