"""Access patterns: the definitions of the workload list, word by word."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise, product
from statistics import mean

import pytest

from zbench.errors import RefusedError, UnknownNameError
from zbench.model import AccessPattern, Box
from zbench.patterns import PATTERN_FORMS, SplitMix64, access_pattern, hilbert_order

TOMOGRAM = (184, 630, 630)  # a common shape in the CryoET Data Portal
NORMAL = {"xy": 0, "xz": 1, "yz": 2}
ALL_NAMES = (
    "full_read",
    *(f"{plane}_{kind}" for plane, kind in product(NORMAL, ("scroll", "plane"))),
    "ortho3_jump",
    *(f"train_patch-{edge}" for edge in (32, 48, 64, 80, 96, 128)),
    "train_patch-64-biased",
    *(f"particles-{edge}-100" for edge in (32, 48, 64, 96, 128)),
    "particles-32-1000",
    "particles-48-1000-sorted",
)
LABEL = [(0, 0, 0), (183, 629, 629), (90, 300, 310), (91, 301, 311)]


def make(name, shape=TOMOGRAM, seed=0):
    return access_pattern(name, shape, seed=seed, points=LABEL)


def is_plane(box, shape, axis):
    return all(
        (box.stop[i] - box.start[i] == 1) if i == axis else (box.start[i], box.stop[i]) == (0, shape[i])
        for i in range(3)
    )


def test_splitmix64_gives_the_reference_numbers():
    """First outputs of the reference C code of Vigna (prng.di.unimi.it/splitmix64.c) for seed 1234567."""
    source = SplitMix64(1234567)
    assert [source.next() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize("seed", [-1, 2**64, 2**64 + 5])
def test_only_the_low_64_bits_of_a_seed_count(seed):
    assert SplitMix64(seed).next() == SplitMix64(seed % 2**64).next()


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000, 2**31 - 1, 2**32 - 1, 2**63 + 1, 2**64, 10**30])
def test_below_stays_below_every_limit(limit):
    source = SplitMix64(1)
    assert all(0 <= source.below(limit) < limit for _ in range(1000))


def test_below_reaches_every_number_equally_often():
    source = SplitMix64(2)
    counts = Counter(source.below(10) for _ in range(20_000))
    assert sorted(counts) == list(range(10))
    # Chi square with 9 degrees of freedom is above 27.9 once in a thousand.
    assert sum((count - 2000) ** 2 / 2000 for count in counts.values()) < 27.9


def test_uniform_is_more_than_zero_and_at_most_one():
    class Fixed(SplitMix64):
        def __init__(self, bits):
            self.bits = bits

        def next(self):
            return self.bits

    assert Fixed(0).uniform() == 2.0**-53
    assert Fixed(2**64 - 1).uniform() == 1.0
    source = SplitMix64(3)
    assert mean(source.uniform() for _ in range(20_000)) == pytest.approx(0.5, abs=0.01)


def test_normal_has_the_moments_and_tails_of_the_normal_distribution():
    source = SplitMix64(4)
    numbers = [source.normal() for _ in range(20_000)]
    assert mean(numbers) == pytest.approx(0, abs=0.03)
    assert mean(number**2 for number in numbers) == pytest.approx(1, abs=0.04)
    for limit, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
        assert mean(abs(number) < limit for number in numbers) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("expected", [0.5, 20.0])
def test_poisson_has_mean_and_variance_equal(expected):
    source = SplitMix64(5)
    numbers = [source.poisson(expected) for _ in range(10_000)]
    assert mean(numbers) == pytest.approx(expected, rel=0.03)
    assert mean((number - expected) ** 2 for number in numbers) == pytest.approx(expected, rel=0.06)
    assert numbers.count(0) / 10_000 == pytest.approx(math.exp(-expected), abs=0.015)


@pytest.mark.parametrize("name", ALL_NAMES)
def test_all_boxes_lie_inside_the_volume(name):
    for shape in (TOMOGRAM, (131, 257, 300)):
        for box in make(name, shape).boxes:
            assert all(0 <= a < b <= extent for a, b, extent in zip(box.start, box.stop, shape, strict=True))


@pytest.mark.parametrize("name", ALL_NAMES)
def test_pattern_is_the_same_for_the_same_arguments(name):
    pattern = make(name)
    assert isinstance(pattern, AccessPattern)
    assert (pattern.name, str(pattern)) == (name, name)
    assert pattern == make(name)
    random = "ortho3" in name or "train" in name or "particles" in name
    assert (pattern.operations != make(name, seed=1).operations) == random


def test_positions_do_not_change_between_releases():
    """Results of different releases stand side by side, so the same seed means the same boxes for ever."""
    assert make("ortho3_jump").boxes[1].start == (0, 271, 0)
    assert make("train_patch-64").boxes[0].start == (106, 244, 14)
    assert make("particles-48-100").boxes[0].start == (48, 382, 33)


@pytest.mark.parametrize("plane", NORMAL)
def test_scroll_is_64_consecutive_planes_from_the_middle(plane):
    axis = NORMAL[plane]
    pattern = make(f"{plane}_scroll")
    places = [box.start[axis] for box in pattern.boxes]
    assert places == list(range(TOMOGRAM[axis] // 2, TOMOGRAM[axis] // 2 + 64))
    assert all(is_plane(box, TOMOGRAM, axis) for box in pattern.boxes)
    assert all(len(operation) == 1 for operation in pattern.operations)
    assert pattern.concurrency == 1


@pytest.mark.parametrize("plane", NORMAL)
@pytest.mark.parametrize(("extent", "planes"), [(1, 1), (2, 1), (63, 32), (127, 64), (128, 64), (129, 64)])
def test_scroll_ends_with_the_volume(plane, extent, planes):
    axis = NORMAL[plane]
    shape = tuple(extent if i == axis else 9 for i in range(3))
    boxes = make(f"{plane}_scroll", shape).boxes
    assert len(boxes) == planes
    assert boxes[0].start[axis] == extent // 2
    assert boxes[-1].stop[axis] <= extent


@pytest.mark.parametrize("plane", NORMAL)
def test_plane_is_the_first_of_the_scroll(plane):
    assert make(f"{plane}_plane").operations == make(f"{plane}_scroll").operations[:1]


def test_ortho3_is_three_planes_through_each_of_30_places_six_at_once():
    pattern = make("ortho3_jump")
    assert (len(pattern.operations), pattern.concurrency) == (30, 6)
    points = []
    for operation in pattern.operations:
        assert [is_plane(box, TOMOGRAM, axis) for axis, box in enumerate(operation)] == [True] * 3
        points.append(tuple(box.start[axis] for axis, box in enumerate(operation)))
    assert len(set(points)) == 30
    # The whole volume is jumped to, not a corner of it.
    for axis, extent in enumerate(TOMOGRAM):
        places = [point[axis] for point in points]
        assert min(places) < extent / 4
        assert max(places) > extent * 3 / 4


@pytest.mark.parametrize("shape", [TOMOGRAM, (5,), (3, 4), (2, 3, 4, 5)])
def test_full_read_is_the_whole_array_of_any_number_of_axes(shape):
    pattern = access_pattern("full_read", shape)
    assert pattern.operations == ((Box.whole(shape),),)
    assert pattern.voxels == math.prod(shape)


@pytest.mark.parametrize("edge", [32, 48, 64, 80, 96, 128])
def test_training_batch_is_16_cubes_in_one_operation(edge):
    (batch,) = make(f"train_patch-{edge}").operations
    assert len(batch) == 16
    assert {box.shape for box in batch} == {(edge,) * 3}
    assert len({box.start for box in batch}) == 16


def test_training_crops_reach_the_last_place():
    starts = {box.start for seed in range(40) for box in make("train_patch-9", (10, 10, 10), seed).boxes}
    assert starts == set(product((0, 1), repeat=3))


def test_biased_crops_are_centred_on_the_label_and_pushed_inside():
    (batch,) = make("train_patch-64-biased", seed=3).operations
    expected = {(0, 0, 0), (120, 566, 566), (58, 268, 278), (59, 269, 279)}
    assert {box.start for box in batch} == expected
    assert {box.shape for box in batch} == {(64, 64, 64)}
    odd = access_pattern("train_patch-5-biased", (9, 9, 9), points=[(4, 4, 4)]).boxes[0]
    assert (odd.start, odd.stop) == ((2, 2, 2), (7, 7, 7))


@pytest.mark.parametrize("edge", [32, 48, 64, 96, 128])
@pytest.mark.parametrize("count", [100, 1000])
def test_particles_are_that_many_cubes_one_an_operation(edge, count):
    pattern = make(f"particles-{edge}-{count}")
    assert len(pattern.operations) == count
    assert all(len(operation) == 1 for operation in pattern.operations)
    assert {box.shape for box in pattern.boxes} == {(edge,) * 3}


def test_sorted_particles_are_the_same_boxes_along_a_shorter_way():
    plain, ordered = make("particles-48-1000"), make("particles-48-1000-sorted")
    assert Counter(plain.boxes) == Counter(ordered.boxes)

    def way(pattern):
        return sum(math.dist(a.start, b.start) for a, b in pairwise(pattern.boxes))

    assert way(ordered) < way(plain) / 2


def test_picks_are_clustered_with_20_a_cluster_and_a_spread_of_60_voxels():
    """Ripley's view of a Neyman-Scott process, in a volume so large that its border and chance meetings count little.

    Children follow one another in the list. Two children of one parent differ by a normal number of spread
    60 * sqrt(2) on each axis; a new parent is far away, so long steps tell the clusters apart.
    """
    shape = (20_000,) * 3
    centres = [tuple(place + 24 for place in box.start) for box in make("particles-48-10000", shape, 11).boxes]
    clusters = [[centres[0]]]
    for before, after in pairwise(centres):
        if math.dist(before, after) > 8 * 60 * math.sqrt(2):
            clusters.append([])
        clusters[-1].append(after)
    sizes = [len(cluster) for cluster in clusters[:-1]]
    # Some 500 clusters of 20, deviation sqrt(20): the mean is known to 0.2, the variance to 6 %.
    assert mean(sizes) == pytest.approx(20, abs=0.8)
    assert mean((size - 20) ** 2 for size in sizes) == pytest.approx(20, rel=0.25)
    for axis in range(3):
        steps = [a[axis] - b[axis] for cluster in clusters for a, b in pairwise(cluster)]
        assert math.sqrt(mean(step**2 for step in steps) / 2) == pytest.approx(60, rel=0.03)
        parents = [mean(centre[axis] for centre in cluster) for cluster in clusters]
        assert mean(parents) == pytest.approx(10_000, rel=0.06)


@pytest.mark.parametrize("name", ["particles-64-100", "particles-60-10000"])
def test_particles_refuse_a_volume_that_holds_hardly_a_box(name):
    with pytest.raises(RefusedError, match=r"fit around its clusters: .* of \d+ boxes inside"):
        access_pattern(name, (64, 64, 64))


def test_particles_take_a_volume_that_holds_few_boxes():
    assert len(access_pattern("particles-96-100", (128, 128, 128)).boxes) == 100


@pytest.mark.parametrize("name", ["train_patch-65", "train_patch-65-biased", "particles-65-3"])
def test_box_larger_than_the_volume_is_refused(name):
    with pytest.raises(RefusedError, match=r"must fit the volume.*65 voxels an axis"):
        access_pattern(name, (64, 128, 128), points=[(1, 1, 1)])
    assert access_pattern("train_patch-64", (64, 64, 64)).boxes[0] == Box.whole((64, 64, 64))


def test_bias_without_places_is_refused():
    with pytest.raises(RefusedError, match="places to be biased to"):
        access_pattern("train_patch-64-biased", TOMOGRAM)


@pytest.mark.parametrize("name", [name for name in ALL_NAMES if name != "full_read"])
@pytest.mark.parametrize("shape", [(630, 630), (3, 184, 630, 630)])
def test_patterns_of_three_axes_refuse_other_volumes(name, shape):
    with pytest.raises(RefusedError, match="three axes"):
        access_pattern(name, shape)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "full",
        "zx_scroll",
        "xy",
        "ortho3",
        "train_patch",
        "train_patch-0",
        "train_patch-064",
        "particles-48",
        "particles-48-0",
        "particles--48-1",
        "particles-48-10-biased",
        "train_patch-64-sorted",
        "full_read ",
    ],
)
def test_unknown_pattern_is_named_with_the_forms_that_exist(name):
    with pytest.raises(UnknownNameError, match=r"Unknown access pattern .*full_read"):
        access_pattern(name, TOMOGRAM)
    assert len(PATTERN_FORMS) == 6


@pytest.mark.parametrize(("axes", "bits"), [(2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (3, 3), (4, 2)])
def test_hilbert_curve_steps_to_a_neighbour_every_time(axes, bits):
    points = list(product(range(2**bits), repeat=axes))
    order = hilbert_order(points)
    assert sorted(order) == list(range(len(points)))
    for a, b in pairwise(order):
        assert sum(abs(i - j) for i, j in zip(points[a], points[b], strict=True)) == 1


def test_hilbert_curve_fills_each_octant_before_the_next():
    points = list(product(range(8), repeat=3))
    octants = [tuple(place // 4 for place in points[index]) for index in hilbert_order(points)]
    assert len(set(octants)) == 8
    assert sum(a != b for a, b in pairwise(octants)) == 7


def test_hilbert_order_takes_no_points_equal_points_and_one_axis():
    assert hilbert_order([]) == []
    assert hilbert_order([(0, 0, 0)]) == [0]
    assert hilbert_order([(0, 0), (0, 0)]) == [0, 1]
    assert hilbert_order([(5,), (1,), (3,)]) == [1, 2, 0]
