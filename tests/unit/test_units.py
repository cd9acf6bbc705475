"""Quantities as text and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbench.errors import LayoutError, PresetError
from zbench.units import (
    GIB,
    MIB,
    format_bytes,
    format_duration,
    format_shape,
    gib_per_second,
    parse_duration,
    parse_shape,
)

SHAPES = st.lists(st.integers(1, 10**6), min_size=1, max_size=5).map(tuple)


@given(shape=SHAPES)
def test_a_shape_comes_back_from_its_text(shape):
    assert parse_shape(format_shape(shape)) == shape


@given(edge=st.integers(1, 10**6))
def test_a_cube_is_written_by_its_edge_alone(edge):
    assert format_shape((edge,) * 3) == str(edge)


@given(one=SHAPES, other=SHAPES)
def test_two_shapes_have_two_texts(one, other):
    assert (format_shape(one) == format_shape(other)) is (one == other)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        pytest.param("64", (64, 64, 64), id="cube"),
        pytest.param("16x128x128", (16, 128, 128), id="slab"),
        pytest.param("64x", (64,), id="one-axis"),
        pytest.param("7x7", (7, 7), id="two-axes"),
        pytest.param(" 16X32x8 ", (16, 32, 8), id="as-people-type"),
    ],
)
def test_a_shape_is_read_as_people_write_it(text, shape):
    assert parse_shape(text) == shape


@pytest.mark.parametrize(
    "text", ["", "x", "0", "16x0x8", "-1", "+8", "1.5", "x16", "16xx8", "1 6", "a", "²", "٦٤", "16,8", "16x8xx"]
)
def test_what_is_no_shape_is_refused_with_the_rule(text):
    with pytest.raises(LayoutError, match=r"positive whole numbers joined by 'x'.*got " + re.escape(repr(text))):
        parse_shape(text)


@given(text=st.text(max_size=12) | st.text("0123456789x -", max_size=12))
def test_any_text_is_a_shape_or_refused(text):
    try:
        shape = parse_shape(text)
    except LayoutError:
        return
    assert all(type(extent) is int and extent > 0 for extent in shape)
    assert parse_shape(format_shape(shape)) == shape


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        pytest.param(0, "0 B", id="none"),
        pytest.param(1023, "1023 B", id="last-of-bytes"),
        pytest.param(1024, "1.0 KiB", id="first-of-kib"),
        pytest.param(8 * MIB, "8.0 MiB", id="mib"),
        pytest.param(1.5 * GIB, "1.5 GiB", id="gib"),
        pytest.param(2048 * 1024**4, "2048.0 TiB", id="beyond-tib"),
        pytest.param(-3 * MIB, "-3.0 MiB", id="difference"),
    ],
)
def test_bytes_are_written_in_binary_units(size_bytes, text):
    assert format_bytes(size_bytes) == text


@given(size_bytes=st.integers(0, 2**60))
def test_written_bytes_are_right_to_the_last_digit_shown(size_bytes):
    number, unit = format_bytes(size_bytes).split()
    scale = 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)
    assert abs(float(number) * scale - size_bytes) <= 0.0501 * scale


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        pytest.param(0, "0 ns", id="none"),
        pytest.param(12, "12 ns", id="ns"),
        pytest.param(1500, "1.5 µs", id="us"),
        pytest.param(12_300_000, "12.3 ms", id="ms"),
        pytest.param(61.2e9, "61.2 s", id="s"),
        pytest.param(-2e6, "-2 ms", id="difference"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_keeps_it_readable(duration_ns, text):
    assert format_duration(duration_ns) == text


@given(duration_ns=st.floats(1.0, 999e9))
def test_a_written_duration_is_right_to_three_digits(duration_ns):
    number, unit = format_duration(duration_ns).split()
    scale = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
    assert abs(float(number) * scale - duration_ns) <= 0.00501 * duration_ns


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("90", 90.0, id="bare"),
        pytest.param("90s", 90.0, id="s"),
        pytest.param("250ms", 0.25, id="ms"),
        pytest.param("10m", 600.0, id="m"),
        pytest.param("1.5h", 5400.0, id="h"),
        pytest.param(" 2 m ", 120.0, id="as-people-type"),
    ],
)
def test_a_budget_is_read_as_people_write_it(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@given(value=st.integers(0, 10**6), unit=st.sampled_from(["ms", "s", "m", "h"]))
def test_a_budget_is_its_number_times_its_unit(value, unit):
    assert parse_duration(f"{value}{unit}") == pytest.approx(value * {"ms": 1e-3, "s": 1, "m": 60, "h": 3600}[unit])


@pytest.mark.parametrize("text", ["", "s", "-1s", "1.s", ".5s", "10 min", "1h30m", "1e3s", "inf", "nan", "1,5s"])
def test_what_is_no_budget_is_refused_with_the_rule(text):
    with pytest.raises(PresetError, match=r"number with ms, s, m or h.*got " + re.escape(repr(text))):
        parse_duration(text)


def test_throughput_is_logical_gib_in_a_second():
    assert gib_per_second(GIB, 1e9) == 1.0
    assert gib_per_second(512 * MIB, 250e6) == 2.0


@given(size_bytes=st.integers(1, 2**50), duration_ns=st.integers(1, 10**15))
def test_twice_the_time_is_half_the_throughput(size_bytes, duration_ns):
    once = gib_per_second(size_bytes, duration_ns)
    assert gib_per_second(size_bytes, 2 * duration_ns) == pytest.approx(once / 2)
