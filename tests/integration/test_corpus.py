"""Real volumes: every file of the corpus has a card, and reads as the corpus's own, independent loader reads it."""

from __future__ import annotations

import importlib.util
import json
from functools import lru_cache

import numpy as np
import pytest
import xarray

from zbench.datasets import card, card_names, load, read_file, read_voxels, registry_root
from zbench.datasets.fetch import checksum
from zbench.model import voxel_digest

CARDS = [found for found in map(card, card_names()) if found.path]
READ = [
    pytest.param(found, id=found.name, marks=[pytest.mark.slow] if found.logical_bytes > 2**27 else [])
    for found in CARDS
]
MILLIMETRES = {"angstrom": 1e-7, "nanometer": 1e-6, "micrometer": 1e-3, "millimeter": 1.0}


@pytest.fixture(autouse=True)
def mirror(corpus, monkeypatch):
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(corpus))


@pytest.fixture(scope="module")
def catalogue(corpus):
    return {entry["dst"]: entry for entry in json.loads((corpus / "catalog.json").read_text())}


@pytest.fixture(scope="module")
def expected(corpus):
    """Read a file by the loader that the corpus brings along, and keep the last one: two cards share some files."""
    spec = importlib.util.spec_from_file_location("corpus_loader", corpus / "corpus_loader.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    return lru_cache(maxsize=1)(lambda path: loader.load(str(corpus / path)))


def array_of(arrays, found):
    """The array of a card among those of its file, by member or as the only one."""
    return arrays[found.member] if found.member in arrays else next(iter(arrays.values()))


def test_every_file_of_the_corpus_has_a_card_with_its_checksum(catalogue):
    assert {found.path: found.sha256 for found in CARDS} == {path: told["sha256"] for path, told in catalogue.items()}


def test_every_array_of_the_corpus_has_a_card(catalogue):
    arrays = sorted((path, array["dtype"]) for path, told in catalogue.items() for array in told["arrays"])
    assert sorted((found.path, found.dtype) for found in CARDS) == arrays


@pytest.mark.parametrize("found", CARDS, ids=lambda found: found.name)
def test_a_card_says_what_the_catalogue_says(catalogue, found):
    told = catalogue[found.path]
    assert found.bytes == told["size"]
    assert found.citation == told["cite"]
    arrays = {array["name"]: array for array in told["arrays"]}
    shape = array_of(arrays, found)["shape"]
    # A single image is no stack of one.
    assert list(found.shape) == (shape[1:] if shape[0] == 1 else shape)


@pytest.mark.parametrize("found", CARDS, ids=lambda found: found.name)
def test_a_source_is_where_the_catalogue_took_the_file_from(catalogue, found):
    told = catalogue[found.path]
    assert told["path"] in found.source
    if told["kind"] != "pypi":
        owner, _, repository = told["n"].partition("+")
        assert f"/{owner}/{repository}/" in found.source
        assert told["commit"] in found.source


@pytest.mark.parametrize("found", CARDS, ids=lambda found: found.name)
def test_a_file_is_what_its_card_says(corpus, found):
    assert (corpus / found.path).stat().st_size == found.bytes
    assert checksum(corpus / found.path) == found.sha256


def test_registry_txt_has_every_file_of_the_corpus(catalogue):
    lines = [line.split() for line in (registry_root() / "registry.txt").read_text().splitlines() if line[:1] != "#"]
    assert lines == sorted([path, told["sha256"]] for path, told in catalogue.items())


@pytest.mark.parametrize("found", READ)
def test_a_volume_reads_as_the_independent_loader_reads_it(corpus, expected, found):
    values = array_of(expected(found.path), found)
    seen = read_file(corpus / found.path, member=found.member)
    assert voxel_digest(read_voxels(seen)) == voxel_digest(values) == found.voxel_digest
    assert (found.shape, found.dtype) == (values.shape, values.dtype.name)
    if seen.spacing is not None:
        told = np.array(found.spacing) * MILLIMETRES[found.spacing_unit]
        np.testing.assert_allclose(told, np.array(seen.spacing) * MILLIMETRES[seen.spacing_unit], rtol=1e-3)
        assert found.axes == seen.axes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("ct-head-ge", "value = number, in HU; -1500.0 stands for no value", id="DICOM"),
        pytest.param("alma-ngc3256", "value = number, in JY/BEAM", id="FITS"),
        pytest.param("era5-members-t", "value = number, in K", id="GRIB"),
        pytest.param(
            "eraint-uvz-z", "value = -1.7250274674967954 \u00d7 number + 66825.5, in m**2 s**-2", id="NetCDF, packed"
        ),
    ],
)
def test_the_meaning_of_stored_numbers_is_kept(name, expected):
    assert load(name).meaning.text == expected


def test_packed_numbers_mean_what_another_library_unpacks_them_to(corpus):
    volume = load("eraint-uvz-u")
    found = read_voxels(volume).astype("f8") * volume.meaning.scale + volume.meaning.offset
    with xarray.open_dataset(corpus / card("eraint-uvz-u").path, decode_times=False) as file:
        np.testing.assert_allclose(found, file["u"].values, rtol=1e-5)


def test_stored_numbers_of_a_scan_mean_hounsfield_units(corpus):
    # Air around a head is at -1000, water and what is soft at 0, whatever the scanner stored.
    volume = load("ct-head-phantom")
    assert volume.meaning.text == "value = number - 1024.0, in HU"
    values = read_voxels(volume).astype("f8") * volume.meaning.scale + volume.meaning.offset
    counts, edges = np.histogram(values, bins=np.arange(-1024, 1024, 16))
    assert -1040 <= edges[counts.argmax()] <= -960
    assert 0 <= np.median(values[values > -500]) < 300


@pytest.mark.parametrize("name", ["eraint-uvz-z", "era5-members-z"])
def test_a_part_of_a_variable_is_chosen_by_its_axes(name):
    whole, part = load(name), load(name, member="@t=1@z=0")
    assert (part.axes, part.shape) == (
        whole.axes.replace("t", "").replace("z", ""),
        (*whole.shape[:-4], *whole.shape[-2:]),
    )
    np.testing.assert_array_equal(read_voxels(part), read_voxels(whole)[..., 1, 0, :, :])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("emd-1832", id="MRC"),
        pytest.param("pytom-p1-goldbead", id="EM"),
        pytest.param("cylindra-microtubule", id="TIFF"),
    ],
)
def test_a_volume_that_is_not_packed_is_mapped(name):
    assert isinstance(load(name).array, np.memmap)
