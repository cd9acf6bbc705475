"""The real CryoET Data Portal and its public bucket."""

from __future__ import annotations

import numpy as np
import pytest

from zbench.datasets.portal import Wanted, find_tomograms, planned_bytes, read_crop

pytest.importorskip("cryoet_data_portal", reason="the portal group is not installed")

pytestmark = pytest.mark.network

DATASET = 10445


@pytest.fixture(autouse=True, scope="module")
def asked_for(request):
    """These go out only when they are meant: the suite runs where there is no network."""
    if "network" not in request.config.getoption("markexpr"):
        pytest.skip("needs the real portal: run pytest -m network")


@pytest.fixture(autouse=True)
def own_portal_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path))
    for name in ("ZBENCH_PORTAL_URL", "ZBENCH_PORTAL_S3_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def tomogram(asked_for):
    """The first tomogram of the dataset that has both forms."""
    return next(one for one in find_tomograms(DATASET) if one.omezarr and one.mrc)


@pytest.mark.parametrize("source", ["omezarr", "mrc"])
def test_a_small_crop_of_a_public_tomogram_is_read(tomogram, source):
    wanted = Wanted(dataset=DATASET, tomogram=tomogram.id, size=8, source=source)
    volume = read_crop(wanted)
    assert volume.shape == (8, 8, 8)
    assert volume.spacing == pytest.approx((tomogram.spacing,) * 3)
    assert np.isfinite(volume.array).all()
    assert planned_bytes(wanted).size_bytes > 0


def test_a_coarser_level_has_half_the_voxels_on_each_axis(tomogram):
    planned = planned_bytes(Wanted(dataset=DATASET, tomogram=tomogram.id, level=1))
    assert planned.box.shape == pytest.approx([extent / 2 for extent in tomogram.shape], abs=1)
