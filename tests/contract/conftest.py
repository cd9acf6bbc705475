"""The engines and layouts that this environment has, and where to put arrays.

The suite runs in every environment that asv measures in, so it imports what those hold: numpy, zarr, numcodecs, the
engines, pytest, Hypothesis.
"""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest

from zbench.engines import ENGINE_NAMES, engine
from zbench.errors import RefusedError
from zbench.model import StoreKind, StoreSpec

LAYOUTS = {
    2: ("v2-c4", "v2-c4x3x5-sep=/", "v2-c4-order=F"),
    3: ("v3-c4", "v3-c4x3x5-sep=.", "v3-c4-s8", "v3-c2x3x4-s8x6x8-index=start"),
}
# Enough where the layout is not the question.
PLAIN = ("v2-c4", "v3-c4-s8")
FORMATS = (2,) if metadata.version("zarr").startswith("2.") else (2, 3)


def installed():
    for name in ENGINE_NAMES:
        try:
            yield engine(name)
        except RefusedError:
            continue


def layouts_of(chosen):
    # What an engine lacks is tested among the refusals.
    texts = [text for form in FORMATS for text in LAYOUTS[form]]
    return [text for text in texts if not (chosen.name == "zarrs" and text.endswith("order=F"))]


GROUPS = {
    "chosen": lambda one: True,
    "observed": lambda one: one.tracing == "observer",
    "with_memory": lambda one: one.name != "zarrs",
    "with_s3": lambda one: FORMATS != (2,),
    "of_zarr_3": lambda one: FORMATS != (2,) and one.name != "tensorstore",
}


def pytest_generate_tests(metafunc):
    """Give a test each engine of the group that it names, with each ``layout`` that it has or each ``plain`` one."""
    group = next((name for name in GROUPS if name in metafunc.fixturenames), None)
    engines = [one for one in installed() if group and GROUPS[group](one)]
    kind = next((name for name in ("layout", "plain") if name in metafunc.fixturenames), None)
    if kind is None and group is not None:
        metafunc.parametrize(group, engines, ids=[one.name for one in engines])
    elif group is None and kind is not None:
        metafunc.parametrize(kind, [text for form in FORMATS for text in LAYOUTS[form] if wanted(kind, text)])
    elif kind is not None:
        pairs = [(one, text) for one in engines for text in layouts_of(one) if wanted(kind, text)]
        metafunc.parametrize((group, kind), pairs, ids=[f"{one.name}-{text}" for one, text in pairs])


def wanted(kind, text):
    return kind == "layout" or text in PLAIN


@pytest.fixture
def engines():
    """All engines of this environment by name."""
    return {one.name: one for one in installed()}


@pytest.fixture
def zarrs(engines):
    """The engine zarrs, where this environment has it."""
    return engines.get("zarrs") or pytest.skip("zarrs needs zarr 3, which is not in this environment")


@pytest.fixture
def fused(engines):
    """The fused pipeline, where this environment has it."""
    return engines.get("zarr-python-fused") or pytest.skip("the fused pipeline came with zarr 3.4")


@pytest.fixture
def local(tmp_path):
    """Name folders for arrays."""

    def place(name="array"):
        return StoreSpec(kind=StoreKind.LOCAL, location=str(tmp_path / f"{name}.zarr"))

    return place


@pytest.fixture
def volume():
    """Make voxels: none is zero, and all fit into a byte and into half precision."""

    def make(shape=(9, 6, 5), dtype="u2"):
        return ((np.arange(np.prod(shape)) * 31 + 7) % 97 + 1).reshape(shape).astype(dtype)

    return make
