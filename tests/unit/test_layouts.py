"""Layouts that follow the volume."""

from __future__ import annotations

from fractions import Fraction

import pytest

from zbench.errors import LayoutError, RefusedError
from zbench.layouts import LAYOUT_FORMS, divisor_near, resolve_layout
from zbench.model import ArrayLayout

TOMOGRAM = (184, 630, 630)


@pytest.mark.parametrize(
    ("extent", "target", "divisor"),
    [
        (1, 64, 1),
        (64, 64, 64),
        (64, 1000, 64),
        (630, 64, 63),
        (184, 64, 46),
        (630, 128, 126),
        (184, 128, 92),
        pytest.param(631, 64, 631, id="a prime is itself when 1 is further"),
        pytest.param(4093, 64, 4093, id="the largest prime below the square of the target"),
        pytest.param(4099, 64, 1, id="beyond the square 1 is nearer"),
        pytest.param(54, 4, 3, id="by ratio 3 is nearer than 6"),
        pytest.param(98, 10, 14, id="by ratio 14 is nearer than 7 though further by difference"),
        pytest.param(4, 3, 4, id="4 rather than 2"),
        pytest.param(8, 1, 1, id="target of one"),
    ],
)
def test_divisor_is_the_nearest_by_ratio(extent, target, divisor):
    assert divisor_near(extent, target) == divisor


def test_no_two_divisors_are_equally_near():
    """Were ``low`` and ``high`` as far, ``low * high`` would be the target squared, and the target a divisor itself."""
    for extent in range(1, 300):
        divisors = [number for number in range(1, extent + 1) if extent % number == 0]
        for target in range(2, 65):
            far = [max(Fraction(number, target), Fraction(target, number)) for number in divisors]
            assert far.count(min(far)) == 1
            assert divisor_near(extent, target) == divisors[far.index(min(far))]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("v3-c64", "v3-c64"),
        (" v2-c64 ", "v2-c64"),
        ("v2-c16x128x128", "v2-c16x128x128"),
        ("v3-c64x64x64", "v3-c64"),
        ("v3-cdiv64", "v3-c46x63x63"),
        ("v3-cdiv1", "v3-c1"),
        ("v2-cdiv9999", "v2-c184x630x630"),
        ("v2-cslab4", "v2-c4x630x630"),
        ("v3-cslab1000", "v3-c184x630x630"),
        ("v3-cpencil16", "v3-c184x16x16"),
        ("v3-cpencil1000", "v3-c184x630x630"),
        ("v3-c32-s256", "v3-c32-s256"),
        ("v3-c32-sall", "v3-c32-s192x640x640"),
        ("v3-cdiv64-sall", "v3-c46x63x63-s184x630x630"),
        ("v3-cslab4-sall", "v3-c4x630x630-s184x630x630"),
        ("v3-cslab2-s8x630x630", "v3-c2x630x630-s8x630x630"),
        ("v3-c32-s64-index=start", "v3-c32-s64-index=start"),
        ("v3-c32-s64-index=end", "v3-c32-s64"),
        ("v3-c32-sall-index=start-order=F-sep=.", "v3-c32-s192x640x640-index=start-order=F-sep=."),
        ("v2-cdiv64-order=F-sep=/", "v2-c46x63x63-order=F-sep=/"),
        ("v2-c64-sep=.", "v2-c64"),
    ],
)
def test_layout_becomes_numbers(text, canonical):
    layout = resolve_layout(text, TOMOGRAM)
    assert layout.text == canonical
    assert resolve_layout(canonical, TOMOGRAM) == layout == ArrayLayout.parse(canonical)


@pytest.mark.parametrize("shape", [(127, 631, 997), (1, 7, 4099), (184, 630, 630), (2, 2, 2)])
@pytest.mark.parametrize("rule", ["cdiv1", "cdiv32", "cdiv64", "cdiv100000"])
def test_divisors_never_pad(shape, rule):
    chunks = resolve_layout(f"v3-{rule}", shape).chunks
    assert all(extent % chunk == 0 for extent, chunk in zip(shape, chunks, strict=True))


@pytest.mark.parametrize(
    ("shape", "text", "canonical"),
    [
        ((1000,), "v3-c64x", "v3-c64x"),
        ((1000,), "v3-cdiv64", "v3-c50x"),
        ((1000,), "v3-cslab10", "v3-c10x"),
        ((1000,), "v3-cpencil10", "v3-c1000x"),
        ((100, 90), "v3-cslab10-sall", "v3-c10x90-s100x90"),
        ((10, 20, 30, 40), "v2-cpencil8", "v2-c10x8x8x8"),
        ((12, 12, 12, 12), "v3-c4x4x4x4", "v3-c4x4x4x4"),
    ],
)
def test_other_numbers_of_axes_follow_the_volume(shape, text, canonical):
    assert resolve_layout(text, shape).text == canonical


@pytest.mark.parametrize(("text", "shape"), [("v3-c64", (100, 100)), ("v3-c8x8", TOMOGRAM), ("v2-c8x", (9, 9))])
def test_layout_of_another_number_of_axes_is_refused(text, shape):
    with pytest.raises(RefusedError, match="as many axes as the volume"):
        resolve_layout(text, shape)


@pytest.mark.parametrize(
    ("text", "shape", "times"),
    [
        ("v3-c256", (128, 128, 128), "8.0"),
        ("v2-c128", (64, 64, 100), "5.1"),
        ("v3-c1x64x64", (1, 20, 20), "10.2"),
        ("v3-c64-s128", (30, 30, 30), "9.7"),
    ],
)
def test_chunks_that_are_mostly_padding_are_refused(text, shape, times):
    with pytest.raises(RefusedError, match=f"mostly padding: .* stores {times} times"):
        resolve_layout(text, shape)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        pytest.param("v2-c256", TOMOGRAM, id="what the CryoET Data Portal stores, 2.07 times the voxels"),
        pytest.param("v3-c128", (128, 128, 128), id="one chunk"),
        pytest.param("v3-c64", (32, 64, 64), id="twice"),
        pytest.param("v3-c64", (32, 32, 64), id="four times"),
        pytest.param("v3-c100", (101, 101, 101), id="chunks within the volume may pad more"),
        pytest.param("v3-c64-s512", (128, 128, 128), id="a shard stores no padding of its own"),
    ],
)
def test_padding_that_people_meet_is_taken(text, shape):
    assert resolve_layout(text, shape) == ArrayLayout.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v3",
        "c64",
        "v1-c64",
        "v4-c64",
        "v3-c",
        "v3-c-64",
        "v3-c64-",
        "v3-c64-s",
        "v3_c64",
        "V3-c64",
        "v3-c64 -s128",
        "v3-cdiv",
        "v3-cdiv0",
        "v3-cdiv064",
        "v3-cdiv4x4",
        "v3-cslab-1",
        "v3-ccube64",
        "v3-cx",
        "v3-csall",
        "v3-c0",
        "v3-c64x0x64",
        "v3-cx64",
        "v3-c64xx",
        "v3-c64x-64",
        "v3-c64.0",
        "v3-c\N{ARABIC-INDIC DIGIT THREE}",
        "v3-c32-s48",
        "v3-c32-s64x64",
        "v3-c32-s0",
        "v3-c32-sdiv64",
        "v3-cdiv64-s100",
        "v2-c32-s64",
        "v2-c32-sall",
        "v3-c32-index=start",
        "v3-c32-s64-index=middle",
        "v3-c32-order=A",
        "v3-c32-sep=-",
        "v3-c32-sep=",
        "v3-c32-x=1",
        "v3-c32-sep=.-order=F",
    ],
)
def test_text_that_means_no_layout_is_refused(text):
    with pytest.raises(LayoutError):
        resolve_layout(text, TOMOGRAM)


def test_message_tells_the_forms():
    with pytest.raises(LayoutError, match=r"v\{2,3\}-cdiv64: on each axis .* got 'nonsense'"):
        resolve_layout("nonsense", TOMOGRAM)


def test_every_form_that_is_told_can_be_used():
    for form in LAYOUT_FORMS:
        text = form.partition(":")[0]
        for given in [text.replace("{2,3}", number) for number in "23"] if "{" in text else [text]:
            assert resolve_layout(given, (256, 640, 640)).text.startswith(given[:4])
