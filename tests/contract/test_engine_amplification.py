"""Every engine in every release reads what the published table says, at half the extent of the portal's tomograms.

The whole table, and what it is, stands in ``tests/integration/test_amplification.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from zbench.codecs import parse_config
from zbench.model import Box, Trace
from zbench.patterns import access_pattern
from zbench.stores import chunk_keys, counts, inventory, trace

HALF_TOMOGRAM = (92, 315, 315)
# Half the extent of a chunk, and for planes normal to z, y and x and for everything: chunks, and bytes decoded ÷ needed
# as printed for the whole extent. Half the extent has the same chunks, and half the amplification of a plane.
TABLE = {
    "64": ([25, 10, 10, 50], ["132", "181", "181", "1.44"]),
    "8x64x64": ([25, 60, 60, 300], ["17", "136", "136", "1.08"]),
    "46x63x63": ([25, 10, 10, 50], ["92", "126", "126", "1.00"]),
}

pytestmark = pytest.mark.filterwarnings("ignore:Successfully reconstructed a store:RuntimeWarning")


@pytest.mark.parametrize("chunks", TABLE)
def test_counted_planes_and_full_reads_are_those_of_the_table(chosen, local, chunks, engines):
    version = "v2" if engines["zarr-python"].versions()["zarr"].startswith("2") else "v3"
    config, store = parse_config(f"{version}-c{chunks}:zstd-1"), local()
    chosen.create(store, config, shape=HALF_TOMOGRAM, dtype=np.dtype("u1")).write(np.ones(HALF_TOMOGRAM, "u1"))
    boxes = [access_pattern(name, HALF_TOMOGRAM).boxes[0] for name in ("xy_plane", "xz_plane", "yz_plane")]
    boxes.append(Box.whole(HALF_TOMOGRAM))
    begins = []
    with trace(chosen.tracing, store) as (seen, log):
        array = chosen.open(seen)
        for box in boxes:
            begins.append(log.now_ns())
            assert array.read_box(box).all()
    requests, kept = log.trace().requests, inventory(store)
    read, printed = [], []
    for box, begin, end in zip(boxes, begins, [*begins[1:], log.now_ns()], strict=True):
        part = Trace(tuple(request for request in requests if begin <= request.offset_ns < end))
        cost = counts(part, kept, store=store, layout=config.layout, itemsize=1, boxes=[box])
        read.append(len(chunk_keys(part)))
        whole = box.shape == HALF_TOMOGRAM
        printed.append(f"{cost.amplification:.2f}" if whole else f"{2 * cost.amplification:.0f}")
    assert (read, printed) == TABLE[chunks]
