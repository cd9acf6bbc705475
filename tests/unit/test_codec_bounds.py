"""What a chain may lose: the promise, the codec that must keep it, and the check that must catch what does not."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
from numcodecs.registry import get_codec

from zbench.codecs import Bound, chain_is_lossless, error_bound, parse_chain, v2_codecs
from zbench.errors import RefusedError, VerificationError

FLOATS = ("f2", "f4", "f8")
INTEGERS = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


def through(text, voxels):
    """Encode and decode with numcodecs itself."""
    filters, compressor = v2_codecs(parse_chain(text), voxels.dtype)
    codecs = [get_codec(entry) for entry in [*(filters or ()), *([compressor] if compressor else ())]]
    value = voxels
    with warnings.catch_warnings():
        # Overflow in the arithmetic of a codec warns; what comes of it is what these tests look at.
        warnings.simplefilter("ignore", RuntimeWarning)
        for codec in codecs:
            value = codec.encode(value)
        for codec in reversed(codecs):
            value = codec.decode(value)
    return np.asarray(value).reshape(-1).view(voxels.dtype).reshape(voxels.shape)


def keeps_its_bound(text, voxels):
    error_bound(parse_chain(text)).check(voxels, through(text, voxels))


def special(dtype):
    """Every kind of number that a float can be, and the ends of integers."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        return np.array([ends.min, ends.max, 0, 1, ends.max - 1, ends.min, ends.min + 1, ends.max], dtype)
    kind = np.finfo(dtype)
    numbers = [0.0, -0.0, np.inf, -np.inf, kind.max, kind.min, kind.smallest_normal, -kind.smallest_subnormal, 1 / 3]
    payload = np.array([np.nan] * 2, dtype)
    payload.view(f"u{dtype.itemsize}")[1] |= 1
    return np.concatenate([np.array(numbers, dtype), payload, -payload])


def finite(dtype, rng, limit):
    """Random bits, numbers near one and subnormal numbers, all below a limit."""
    bits = rng.integers(0, 256, 3000 * np.dtype(dtype).itemsize, dtype="u1").view(dtype)
    near_one = rng.normal(size=1000).astype(dtype)
    subnormal = (rng.normal(size=1000) * float(np.finfo(dtype).smallest_normal)).astype(dtype)
    voxels = np.concatenate([bits[np.isfinite(bits)], near_one, subnormal])
    return voxels[np.abs(voxels) <= limit]


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
@pytest.mark.parametrize(
    "text",
    ["none", "blosc", "blosc-lz4-1-bitshuffle", "zstd", "gzip-1", "lz4", "crc32c", "shuffle+zstd", "delta", "pcodec"],
)
def test_lossless_chain_gives_every_bit_back(text, dtype):
    chain = parse_chain(text)
    voxels = np.tile(special(dtype), 9)
    try:
        v2_codecs(chain, voxels.dtype)
    except RefusedError:
        assert (text, np.dtype(dtype).kind) == ("delta", "f") or (text, np.dtype(dtype).itemsize) == ("pcodec", 1)
        return
    assert chain_is_lossless(chain)
    assert error_bound(chain) == Bound()
    assert through(text, voxels).tobytes() == voxels.tobytes()
    keeps_its_bound(text, voxels)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_delta_wraps_around_and_back(dtype):
    voxels = special(dtype)
    with np.errstate(over="ignore"):
        differences = np.diff(voxels)
    codec = get_codec(v2_codecs(parse_chain("delta"), voxels.dtype)[0][0])
    encoded = codec.encode(voxels)
    assert encoded.dtype == voxels.dtype
    np.testing.assert_array_equal(encoded[1:], differences)
    np.testing.assert_array_equal(codec.decode(encoded), voxels)


@pytest.mark.parametrize("dtype", FLOATS)
def test_bitround_keeps_its_bound_at_every_number_of_bits(dtype):
    rng = np.random.default_rng(20)
    # Above half of the largest number, rounding up may give infinity.
    voxels = finite(dtype, rng, float(np.finfo(dtype).max) / 2)
    for keepbits in range(1, np.finfo(dtype).nmant + 1):
        keeps_its_bound(f"bitround-{keepbits}", voxels)


@pytest.mark.parametrize("dtype", FLOATS)
def test_quantize_keeps_its_bound_at_all_digits_and_magnitudes(dtype):
    rng = np.random.default_rng(21)
    for digits in range(5 if dtype == "f2" else 13):
        scale = 2.0 ** np.ceil(np.log2(10.0**digits))
        keeps_its_bound(f"quantize-{digits}", finite(dtype, rng, float(np.finfo(dtype).max) / scale))
        assert error_bound(parse_chain(f"quantize-{digits}")).absolute == 0.5 / scale <= 0.5 * 10.0**-digits


OFFSETS = (0.0, 0.1, -3.3, 1e3, -12345.678)
SCALES = (1.0, -1.0, 3.0, 1.1, 0.7, 0.01, 100.0, 1234.5)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_fixed_scale_keeps_its_bound_where_nothing_overflows(dtype):
    rng = np.random.default_rng(22)
    dtype = np.dtype(dtype)
    tried = 0
    for offset, scale, astype in product(OFFSETS, SCALES, INTEGERS):
        room, ends = np.iinfo(astype), np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        low, high = sorted((room.min / scale + offset, room.max / scale + offset))
        # Rounding must not lead past the ends of the voxels' own type either.
        low, high = max(low, float(ends.min) + 1 / abs(scale)), min(high, float(ends.max) * 0.999 - 1 / abs(scale))
        if low >= high:
            continue
        voxels = rng.uniform(low, high, 100).astype(dtype)
        wide = voxels.astype("f8") - offset
        stays = (wide * scale > room.min * 0.99) & (wide * scale < room.max * 0.99) & np.isfinite(wide)
        if dtype.kind == "f":
            # float16 computes in float16, which ends at 65504.
            stays &= np.maximum(1, abs(scale)) * np.abs(wide) < float(ends.max) / 2
        if stays.any():
            tried += 1
            keeps_its_bound(f"fixedscaleoffset-{offset!r}-{scale!r}-{astype}", voxels[stays])
    assert tried > 100


@pytest.mark.parametrize(
    ("text", "voxel"),
    [
        pytest.param("fixedscaleoffset-0-1-i2", 32768.0, id="one more than the integers reach"),
        pytest.param("fixedscaleoffset-0-1-i2", 1e6, id="far beyond the integers"),
        pytest.param("fixedscaleoffset-0-1-u1", -1.0, id="below unsigned integers"),
        pytest.param("fixedscaleoffset-0-1-u1", 256.0, id="wraps to zero"),
        pytest.param("fixedscaleoffset-0-1-i4", np.nan, id="integers have no NaN"),
        pytest.param("fixedscaleoffset-0-1-i4", np.inf, id="integers have no infinity"),
        pytest.param("fixedscaleoffset-0-1-i2", -np.inf, id="integers have no negative infinity"),
        pytest.param("bitround-3", np.finfo("f4").max, id="rounds up to infinity"),
        pytest.param("quantize-12", 1e30, id="scales up to infinity"),
    ],
)
def test_check_catches_what_a_codec_cannot_hold(text, voxel):
    voxels = np.array([1.0, voxel, 2.0], "f4")
    with pytest.raises(VerificationError, match=r"1 of 3 voxels differ, the first at \(1,\)"):
        keeps_its_bound(text, voxels)


def test_check_catches_a_nan_that_rounding_turns_into_a_number():
    """Its rounding carries out of a mantissa of ones, or drops the only one: NaN comes back as zero or infinity."""
    voxels = np.array([0x7FFFFFFF, 0x7F800001, 0x3F800000], "u4").view("f4")
    read = through("bitround-3", voxels)
    assert not np.isnan(read).any()
    with pytest.raises(VerificationError, match=r"2 of 3 voxels differ, the first at \(0,\)"):
        error_bound(parse_chain("bitround-3")).check(voxels, read)


def test_quiet_nan_infinity_and_zeros_pass_through_rounding():
    keeps_its_bound("bitround-3+quantize-2", np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], "f4"))


@pytest.mark.parametrize("read", [0.0, -np.inf, np.finfo("f4").max, np.nan])
def test_infinity_is_near_to_itself_alone(read):
    with pytest.raises(VerificationError, match="1 of 1 voxels differ"):
        Bound(relative=0.1).check(np.array([np.inf], "f4"), np.array([read], "f4"))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "bool", "i1", ">u2", ">f4"])
def test_lossless_check_counts_bits_not_values(dtype):
    voxels = np.zeros((2, 3, 4), dtype)
    Bound().check(voxels, voxels.copy())
    read = voxels.copy()
    # The last byte of a voxel holds the sign: the value zero stays, the bits do not.
    read.view("u1")[1, 2, -1] ^= 1 if dtype == "bool" else 0x80
    with pytest.raises(VerificationError, match=r"1 of 24 voxels differ, the first at \(1, 2, 3\)"):
        Bound().check(voxels, read)


def test_lossless_check_takes_nan_for_itself_in_any_byte_order_and_layout():
    voxels = np.array([[np.nan, 1.0], [2.0, -0.0]], ">f4")
    Bound().check(voxels, np.asfortranarray(voxels.astype("<f4")))


@pytest.mark.parametrize(
    "read", [np.zeros((2, 2), "f8"), np.zeros((2, 2), "i4"), np.zeros((4,), "f4"), np.zeros((2, 3), "f4")]
)
@pytest.mark.parametrize("bound", [Bound(), Bound(absolute=1e9)])
def test_check_wants_the_same_shape_and_type(read, bound):
    with pytest.raises(VerificationError, match="shape and type that were written"):
        bound.check(np.zeros((2, 2), "f4"), read)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_check_draws_the_line_at_the_bound(dtype):
    bound = Bound(absolute=0.5, relative=0.25)
    voxels = np.full(3, 8.0, dtype)
    bound.check(voxels, voxels + np.array([0, 2.5, -2.5], dtype))
    with pytest.raises(VerificationError, match=r"absolute error 0.5, relative error 0.25\).*first at \(2,\).*wrote"):
        bound.check(voxels, voxels + np.array([0, 2.5, 2.501], dtype))


def test_check_of_integers_allows_the_cut_of_the_fraction_and_no_more():
    bound = error_bound(parse_chain("fixedscaleoffset-0-1.1-i4"))
    voxels = np.full(2, 100, "i4")
    bound.check(voxels, voxels + np.array([0, 1], "i4"))
    with pytest.raises(VerificationError, match="1 of 2 voxels"):
        bound.check(voxels, voxels + np.array([0, 2], "i4"))


def test_numcodecs_cuts_the_fraction_of_integers_off():
    """The reason for that allowance: a bound of half a step alone is broken by numcodecs itself."""
    voxels = np.arange(256, dtype="u1")
    worst = np.abs(through("fixedscaleoffset-0.25-3.0-i4", voxels).astype(int) - voxels.astype(int)).max()
    assert worst == 1 > 0.5 / 3.0


@pytest.mark.parametrize(
    ("text", "absolute", "relative"),
    [
        ("none", 0.0, 0.0),
        ("delta+blosc", 0.0, 0.0),
        ("bitround-10", 0.0, 2.0**-11),
        ("quantize-0", 0.5, 0.0),
        ("quantize-2", 0.5 / 128, 0.0),
        ("fixedscaleoffset-3--10-i2", 0.05, 0.0),
        ("bitround-1+quantize-0", 0.5, 0.25),
        ("quantize-0+bitround-1", 0.5 + 0.25 * 0.5, 0.25),
    ],
)
def test_bound_is_that_of_all_steps(text, absolute, relative):
    bound = error_bound(parse_chain(text))
    assert (bound.absolute, bound.relative) == (absolute, relative)
    assert chain_is_lossless(parse_chain(text)) is (absolute == relative == 0)


@pytest.mark.parametrize(
    "text",
    [
        "delta+fixedscaleoffset-0-1-i2",
        "fixedscaleoffset-0-1-i2+fixedscaleoffset-0-0.1-i2",
        "fixedscaleoffset-0-1-i2+delta+fixedscaleoffset-0-1-i2",
    ],
)
def test_loss_that_a_later_decoding_magnifies_has_no_bound(text):
    with pytest.raises(RefusedError, match=r"must take the voxels themselves.*Put the lossy codec first"):
        error_bound(parse_chain(text))


def test_scale_of_zero_has_no_bound():
    with pytest.raises(RefusedError, match="must not be zero"):
        error_bound(parse_chain("fixedscaleoffset-0-0"))
