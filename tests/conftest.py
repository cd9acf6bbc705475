"""What all tests share: real volumes, a random source, no network beyond this machine, a cache of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_SIBLING = Path(__file__).parents[2] / "shared" / "corpus"


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def corpus():
    """Folder of the real volumes; CI and make have it, a plain clone may not."""
    mirror = os.environ.get("ZBENCH_DATA_MIRROR", "")
    place = Path(mirror) if mirror and "://" not in mirror else _SIBLING
    if not (place / "catalog.json").is_file():
        pytest.skip(f"The corpus of real volumes is not at {place}; set ZBENCH_DATA_MIRROR to its folder.")
    return place


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A package registry that answers, which making an environment needs."""
    # Not above: the contract runs in environments without asv.
    from zbench.asv_plugin.uv_tool import find_uv

    command = [find_uv(), "pip", "install", "--dry-run", "--no-cache", "--target", str(tmp_path_factory.mktemp("none"))]
    asked = subprocess.run([*command, "packaging"], capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip(f"no package registry answers: {asked.stderr[-300:]}")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep tests out of the user's cache, and the user's settings out of tests."""
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    for variable in ("ZBENCH_PRESET", "ZBENCH_DATASETS", "ZBENCH_ENGINES", "ZBENCH_THREADS"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def own_pipeline():
    """Read and write with zarr's own pipeline, whatever engine a test before has used in this process."""
    zarr = sys.modules.get("zarr")
    # zarr 2 has neither pipelines nor settings.
    if hasattr(zarr, "config"):
        zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"})


@pytest.fixture(autouse=True)
def no_network(request, monkeypatch):
    """Refuse connections to other machines, unless a test says that it needs one."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            msg = f"A test without the network marker connects to this machine only: got {address!r}."
            raise RuntimeError(msg)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
