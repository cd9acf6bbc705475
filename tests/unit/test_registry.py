"""The registry: every card sound, every name and alias one dataset, registry.txt the same in pooch's words."""

from __future__ import annotations

import pickle
import re

import pooch
import pytest

from zbench.datasets import card, card_names, registry_root
from zbench.datasets.registry import read_cards
from zbench.errors import PresetError, UnknownNameError

CARDS = [card(name) for name in card_names()]
FILES = [found for found in CARDS if found.path]


def text(name, *, aliases="[]"):
    return f"""
        name = "{name}"
        title = "Generated"
        domain = "cryoet"
        aliases = {aliases}
        shape = [2, 2, 2]
        dtype = "float32"
        axes = "zyx"
        licence = "CC0-1.0"
        citation = "none"
        source = "generator"
        generator = "phantom"
        voxel_digest = "blake2b:{"0" * 32}"
    """


def test_the_registry_holds_real_and_generated_volumes():
    assert len(FILES) >= 30
    assert any(found.generator for found in CARDS)


@pytest.mark.parametrize("found", CARDS, ids=lambda found: found.name)
def test_every_card_names_licence_citation_and_source(found):
    assert len(found.licence) > 2
    assert len(found.citation) > 2
    assert not re.search(r"\b(as above|same|unknown|todo)\b", found.licence, re.IGNORECASE)


@pytest.mark.parametrize("found", FILES, ids=lambda found: found.name)
def test_every_file_has_a_public_address_and_a_checksum(found):
    assert found.source.startswith("https://")
    assert re.fullmatch("[0-9a-f]{64}", found.sha256)


@pytest.mark.parametrize("found", FILES, ids=lambda found: found.name)
def test_an_address_that_is_downloaded_stays_what_it_is(found):
    if found.downloadable:
        # A branch moves; a commit does not.
        assert re.search("/[0-9a-f]{40}/", found.source)
    else:
        assert re.search(r"\(.*(packed|compressed).*\)", found.source)


def test_cards_of_one_file_agree_about_it():
    by_path = {}
    for found in FILES:
        told = (found.sha256, found.bytes, found.source, found.licence, found.citation)
        assert by_path.setdefault(found.path, told) == told
    assert len(by_path) < len(FILES)


def test_registry_txt_has_the_files_of_the_cards():
    told = pooch.create(path="unused", base_url="", registry=None)
    told.load_registry(registry_root() / "registry.txt")
    assert told.registry == {found.path: found.sha256 for found in FILES}


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        pytest.param("empiar11658_tomo171", "empiar11658-tomo171", id="tomogram"),
        pytest.param("pytom_p1_goldbead_subtomogram", "pytom-p1-goldbead", id="gold bead"),
        pytest.param("EMD-3001", "emd-3001", id="name of the archive"),
    ],
)
def test_an_alias_leads_to_its_dataset(alias, name):
    assert card(alias).name == name


def test_every_name_and_alias_means_one_dataset():
    for found in CARDS:
        for name in (found.name, *found.aliases):
            assert card(name) is found


def test_names_are_sorted():
    assert list(card_names()) == sorted(card_names())


@pytest.mark.parametrize("name", ["emd-301", "emd_3002"])
def test_an_unknown_name_suggests_the_nearest(name):
    with pytest.raises(UnknownNameError, match=rf"Unknown dataset '{name}'\. Did you mean 'emd-3001'\? Known datasets"):
        card(name)


def test_a_part_of_an_alias_is_no_alias():
    with pytest.raises(UnknownNameError, match="Unknown dataset 'empiar'"):
        card("empiar")


def test_cards_travel_to_other_processes():
    assert pickle.loads(pickle.dumps(CARDS)) == CARDS


def test_a_folder_of_cards_is_read_by_name(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.toml").write_text(text(name))
    (tmp_path / "registry.txt").write_text("no card")
    assert list(read_cards(tmp_path)) == ["a", "b"]


def test_a_card_that_is_not_named_as_its_file_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text(text("b"))
    with pytest.raises(PresetError, match=r"named as its file: .*a\.toml says 'b'"):
        read_cards(tmp_path)


@pytest.mark.parametrize(
    ("aliases", "shared"),
    [
        pytest.param('["x"]', "x", id="alias of another"),
        pytest.param('["a"]', "a", id="name of another"),
    ],
)
def test_a_name_that_two_cards_claim_is_refused(tmp_path, aliases, shared):
    (tmp_path / "a.toml").write_text(text("a", aliases='["x"]'))
    (tmp_path / "b.toml").write_text(text("b", aliases=aliases))
    with pytest.raises(PresetError, match=rf"means one dataset: '{shared}' is on .*a\.toml and on .*b\.toml"):
        read_cards(tmp_path)


def test_a_broken_card_is_named(tmp_path):
    (tmp_path / "a.toml").write_text(text("a").replace("float32", "float33"))
    with pytest.raises(PresetError, match=r"dtype is one of numpy's numbers.*a\.toml has 'float33'"):
        read_cards(tmp_path)
