"""What one engine writes every other engine of the environment reads, voxel for voxel."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from zbench.codecs import parse_config
from zbench.engines import write_verified
from zbench.errors import RefusedError
from zbench.model import Box, voxel_digest

CHAINS = [
    pytest.param("none", "f4", id="no codec"),
    pytest.param("blosc-zstd-5-shuffle", "u2", id="blosc"),
    pytest.param("blosc-lz4-1-noshuffle", "f2", id="blosc without shuffle"),
    pytest.param("zstd-3", ">i4", id="zstd of big-endian voxels"),
    pytest.param("gzip-5", "u1", id="gzip"),
    pytest.param("zstd-1+crc32c", "f8", id="two compressors"),
    pytest.param("shuffle+zstd-1", "f4", id="shuffle of numcodecs"),
    pytest.param("pcodec-8", "i2", id="pcodec"),
]

pytestmark = pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3:UserWarning")


def able(engines, config, dtype, store):
    def takes(one):
        try:
            one.refuse(config, dtype=dtype, store=store)
        except RefusedError:
            return False
        return True

    return [one for one in engines.values() if takes(one)]


def each_reads_what_each_wrote(engines, place, config, values):
    for writer in engines:
        store = place(writer.name)
        write_verified(writer, store, config, values)
        for reader in engines:
            assert voxel_digest(reader.open(store).read()) == voxel_digest(values), f"{reader.name} of {writer.name}"


@pytest.mark.parametrize(("chain", "dtype"), CHAINS)
def test_engines_read_the_codecs_of_each_other(plain, engines, local, volume, chain, dtype):
    config, values = parse_config(f"{plain}:{chain}"), volume(dtype=dtype)
    # Which codecs an engine lacks is tested with the codecs; these four they all have.
    those = able(engines, config, values.dtype, local())
    assert len(those) == len(engines) or chain not in ("none", "blosc-zstd-5-shuffle", "zstd-3", "gzip-5")
    each_reads_what_each_wrote(those, local, config, values)


def test_engines_read_the_layouts_of_each_other(layout, engines, local, volume):
    config, values = parse_config(f"{layout}:zstd-1"), volume()
    those = able(engines, config, values.dtype, local())
    lacking = {"zarrs"} & set(engines) if layout.endswith("order=F") else set()
    assert {one.name for one in those} == set(engines) - lacking
    each_reads_what_each_wrote(those, local, config, values)


def test_engines_write_into_what_another_made(engines, zarrs, local, volume):
    expected, box = volume(), Box((2, 3, 1), (7, 6, 5))
    for maker, writer in permutations(engines.values(), 2):
        store = local(f"{maker.name}-{writer.name}")
        values = expected.copy()
        write_verified(maker, store, parse_config("v3-c4-s8:zstd-1"), values)
        values[box.slices] += 100
        writer.open(store, writable=True).write_box(box, values[box.slices])
        np.testing.assert_array_equal(maker.open(store).read(), values, err_msg=store.location)
