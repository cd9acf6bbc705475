"""The engine that is named is the one that works: its own pipeline is in use, and no other does the work for it."""

from __future__ import annotations

import sys

import numcodecs.zstd
import numpy as np
import pytest

from zbench.codecs import parse_config
from zbench.engines import write_verified
from zbench.errors import RefusedError

PIPELINES = {
    "zarr-python": "BatchedCodecPipeline",
    "zarr-python-fused": "FusedCodecPipeline",
    "zarrs": "ZarrsCodecPipeline",
}


def pipeline_of(array):
    return array._array._async_array.codec_pipeline


@pytest.fixture
def broken_zstd(monkeypatch):
    """Take the Zstandard of numcodecs away, through which all Python pipelines go."""

    def fail(*_, **__):
        msg = "Python was asked to decode"
        raise RuntimeError(msg)

    monkeypatch.setattr(numcodecs.zstd.Zstd, "decode", fail)


def test_an_array_has_the_pipeline_of_its_engine(of_zarr_3, plain, local, volume):
    values = volume()
    made = of_zarr_3.create(local(), parse_config(f"{plain}:zstd-1"), shape=values.shape, dtype=values.dtype)
    for array in (made, of_zarr_3.open(local()), of_zarr_3.open(local(), writable=True)):
        assert type(pipeline_of(array)).__name__ == PIPELINES[of_zarr_3.name]


def test_engines_keep_to_their_pipelines_in_turn(engines, zarrs, local, volume):
    values = volume()
    arrays = []
    for one in (engines[name] for name in PIPELINES if name in engines):
        write_verified(one, local(one.name), parse_config("v3-c4-s8:zstd-1"), values)
        arrays.append((one, one.open(local(one.name))))
    for one, array in [*arrays, *reversed(arrays)]:
        np.testing.assert_array_equal(array.read(), values)
        assert type(pipeline_of(array)).__name__ == PIPELINES[one.name]
        # The sharding codec makes its inner pipeline from this when it reads.
        assert sys.modules["zarr"].config.get("codec_pipeline.path").endswith(PIPELINES[one.name])


def test_native_engines_decode_without_python(chosen, plain, local, volume, broken_zstd):
    values = volume()
    config = parse_config(f"{plain}:zstd-3")
    made = chosen.create(local(), config, shape=values.shape, dtype=values.dtype)
    made.write(values)
    array = chosen.open(local())
    if chosen.name in ("zarrs", "tensorstore"):
        np.testing.assert_array_equal(array.read(), values)
    else:
        with pytest.raises(RuntimeError, match="Python was asked"):
            array.read()


def test_zarrs_has_no_python_to_fall_back_on(zarrs, local, volume):
    values = volume()
    write_verified(zarrs, local(), parse_config("v3-c4-s8:zstd-1"), values)
    for array in (zarrs.open(local()), zarrs.open(local(), writable=True)):
        pipeline = pipeline_of(array)
        assert isinstance(pipeline.impl, sys.modules["zarrs._internal"].CodecPipelineImpl)
        assert pipeline.python_impl is None
    assert sys.modules["zarr"].config.get("codec_pipeline.strict") is True


def test_zarrs_does_not_read_what_only_python_could_read(engines, zarrs, local, volume):
    values = volume()
    write_verified(engines["zarr-python"], local(), parse_config("v2-c4:lz4-1"), values)
    with pytest.raises(sys.modules["zarrs.pipeline"].UnsupportedMetadataError):
        zarrs.open(local()).read()


def test_an_engine_without_its_pipeline_is_refused(zarrs, local, volume, monkeypatch):
    values = volume()
    write_verified(zarrs, local(), parse_config("v2-c4:zstd-1"), values)
    module = sys.modules["zarrs.pipeline"]
    # As if the native library knew nothing of this array.
    monkeypatch.setattr(module, "get_codec_pipeline_impl", lambda *_, **__: None)
    with pytest.raises(RefusedError, match="must run its own pipeline"):
        zarrs.open(local())


def test_fused_reads_without_the_batched_pipeline(engines, fused, local, volume, monkeypatch):
    values = volume()
    write_verified(fused, local(), parse_config("v3-c4:zstd-1"), values)
    batched = sys.modules["zarr.core.codec_pipeline"].BatchedCodecPipeline

    async def fail(*_, **__):
        msg = "the batched pipeline was asked"
        raise RuntimeError(msg)

    monkeypatch.setattr(batched, "read", fail)
    np.testing.assert_array_equal(fused.open(local()).read(), values)
    with pytest.raises(RuntimeError, match="batched pipeline was asked"):
        engines["zarr-python"].open(local()).read()
