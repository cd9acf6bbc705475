"""Cards of datasets: read whole, or refused with the rule, the value and the file."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from zbench.datasets import DOMAINS, Card
from zbench.errors import PresetError
from zbench.model import Provenance

FILE = {
    "name": "cell-7",
    "title": "A cell",
    "domain": "cryoet",
    "aliases": ["cell_7"],
    "shape": [4, 6, 8],
    "dtype": "int16",
    "axes": "zyx",
    "spacing": [10, 2.5, 2.5],
    "spacing_unit": "angstrom",
    "licence": "CC0-1.0",
    "licence_note": "as the portal says",
    "citation": "Somebody 2020",
    "source": "https://data.example.org/cell.mrc",
    "downloadable": True,
    "path": "cryoet/cell.mrc",
    "sha256": "ab" * 32,
    "bytes": 1408,
    "member": "data",
    "voxel_digest": "blake2b:" + "0" * 32,
}
GENERATED = {key: FILE[key] for key in ("name", "title", "domain", "shape", "dtype", "axes", "licence", "citation")} | {
    "source": "generator phantom, seed 3",
    "voxel_digest": FILE["voxel_digest"],
    "generator": "phantom",
    "seed": 3,
}
GONE = object()


def parse(base=FILE, **changes):
    """Read a card with these keys changed; GONE takes one away. JSON values are written as TOML writes them."""
    kept = {key: value for key, value in (base | changes).items() if value is not GONE}
    return Card.parse("\n".join(f"{key} = {json.dumps(value)}" for key, value in kept.items()), where="cell-7.toml")


def test_every_key_is_kept():
    card = parse()
    assert {field.name for field in fields(Card)} == {*FILE, *GENERATED}
    for key, value in FILE.items():
        assert getattr(card, key) == (tuple(value) if isinstance(value, list) else value)


def test_a_generated_dataset_needs_no_file():
    card = parse(GENERATED)
    assert (card.generator, card.seed, card.path, card.bytes) == ("phantom", 3, "", 0)


def test_logical_bytes_are_those_of_the_voxels():
    assert parse().logical_bytes == np.zeros((4, 6, 8), "i2").nbytes


def test_provenance_is_source_licence_and_citation():
    assert parse().provenance == Provenance(
        source="https://data.example.org/cell.mrc", licence="CC0-1.0", citation="Somebody 2020"
    )


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_is_taken(domain):
    assert parse(domain=domain).domain == domain


def test_text_that_is_no_toml_names_the_file():
    with pytest.raises(PresetError, match=r"A card is TOML: cell-7\.toml is not"):
        Card.parse("name = ", where="cell-7.toml")


@pytest.mark.parametrize(
    "key", [field.name for field in fields(Card) if field.name in FILE and field.name in GENERATED]
)
def test_a_card_without_a_needed_key_says_which(key):
    with pytest.raises(PresetError, match=rf"cell-7\.toml lacks \['{key}'\]"):
        parse(**{key: GONE})


def test_an_unknown_key_is_named_beside_the_known_ones():
    with pytest.raises(PresetError, match=r"unknown \['license'\].*licence"):
        parse(license="MIT")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("name", 7, id="number for a name"),
        pytest.param("title", "  ", id="blank title"),
        pytest.param("licence", "", id="no licence"),
        pytest.param("citation", ["a", "b"], id="list for a citation"),
        pytest.param("source", False, id="truth for a source"),
        pytest.param("member", 0, id="number for a member"),
        pytest.param("shape", 4, id="one number for a shape"),
        pytest.param("shape", [], id="no axis"),
        pytest.param("shape", [4, 6, 0], id="empty axis"),
        pytest.param("shape", [4, 6, 8.0], id="shape of fractions"),
        pytest.param("shape", [4, 6, True], id="shape of truths"),
        pytest.param("spacing", 2.5, id="one number for a spacing"),
        pytest.param("spacing", [10, 0, 2.5], id="spacing of nothing"),
        pytest.param("spacing", [10, -2.5, 2.5], id="negative spacing"),
        pytest.param("spacing", [10, "2.5", 2.5], id="spacing as text"),
        pytest.param("aliases", "cell_7", id="text for aliases"),
        pytest.param("aliases", [7], id="number for an alias"),
        pytest.param("bytes", "1408", id="text for bytes"),
        pytest.param("bytes", 1408.5, id="fraction of a byte"),
        pytest.param("downloadable", "yes", id="text for a truth"),
        pytest.param("sha256", 5, id="number for a checksum"),
        pytest.param("seed", True, id="truth for a seed"),
    ],
)
def test_a_value_of_the_wrong_kind_is_shown(key, value):
    with pytest.raises(PresetError, match=rf"On a card, {key} is .*: cell-7\.toml has .*Correct the card"):
        parse(**{key: value})


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"name": "Cell 7"}, "name is small letters", id="name with a space"),
        pytest.param({"name": "../cell"}, "name is small letters", id="name that is a path"),
        pytest.param({"domain": "cryo"}, "domain is one that is known", id="unknown domain"),
        pytest.param({"axes": "zy"}, "one letter an axis", id="too few axes"),
        pytest.param({"axes": "zyy"}, "one letter an axis", id="axis twice"),
        pytest.param({"axes": "zy1"}, "one letter an axis", id="axis that is no letter"),
        pytest.param({"dtype": "complex64"}, "numpy's numbers", id="complex"),
        pytest.param({"dtype": "bool"}, "numpy's numbers", id="truths"),
        pytest.param({"dtype": "longdouble"}, "up to 64 bits", id="too wide"),
        pytest.param({"dtype": "int17"}, "numpy's numbers", id="no type at all"),
        pytest.param({"voxel_digest": "sha256:" + "0" * 32}, "voxel_digest", id="other digest"),
        pytest.param({"voxel_digest": "blake2b:" + "0" * 31}, "voxel_digest", id="short digest"),
        pytest.param({"spacing": [2.5, 2.5]}, "spacing has one number an axis", id="too few spacings"),
        pytest.param({"spacing_unit": GONE}, "come together", id="spacing without a unit"),
        pytest.param({"spacing": GONE}, "come together", id="unit without a spacing"),
        pytest.param({"path": GONE}, "has the path of its file", id="neither file nor generator"),
        pytest.param({"path": "/data/cell.mrc"}, "below a mirror", id="absolute path"),
        pytest.param({"path": "../cell.mrc"}, "below a mirror", id="path out of the mirror"),
        pytest.param({"sha256": "AB" * 32}, "64 hexadecimal digits", id="capital checksum"),
        pytest.param({"sha256": "ab" * 31}, "64 hexadecimal digits", id="short checksum"),
        pytest.param({"bytes": 0}, "bytes is the size", id="no bytes"),
        pytest.param({"source": "ask Somebody"}, "public address", id="source that is no address"),
        pytest.param({"source": "https://a.example/b (packed)"}, "without spaces", id="remark in an address to get"),
        pytest.param({"generator": "phantom"}, "generated dataset has no path", id="both file and generator"),
    ],
)
def test_a_card_that_breaks_a_rule_is_refused_with_it(changes, rule):
    with pytest.raises(PresetError, match=rf"On a card, .*{rule}.*: cell-7\.toml has .*Correct the card"):
        parse(**changes)


@pytest.mark.parametrize("key", ["path", "sha256", "bytes", "downloadable", "member"])
def test_a_generated_dataset_has_nothing_of_a_file(key):
    with pytest.raises(PresetError, match="generated dataset has no path"):
        parse(GENERATED, **{key: FILE[key]})


def test_a_source_that_was_packed_may_say_so():
    assert not parse(source="https://a.example/b (26 files, packed into one)", downloadable=False).downloadable


def test_one_axis_with_one_letter_is_a_card():
    assert parse(shape=[5], axes="x", spacing=GONE, spacing_unit=GONE).shape == (5,)
