"""Presets: what is measured, as data."""

from __future__ import annotations

import pytest

from zbench.codecs import parse_chain
from zbench.errors import PresetError, UnknownNameError
from zbench.grid import PRESET_NAMES, CellSpec, active_preset, load_preset
from zbench.layouts import resolve_layout

GOOD = """
title = "Mine"
datasets = ["a", "b"]
engines = ["zarr-python", "tensorstore"]

[[sweeps]]
name = "codec"
question = "Which codec?"
layouts = ["v2-c64", "v3-c64x64x64", "v3-cdiv64"]
chains = ["none", "blosc"]
patterns = ["full_read", "train_patch-64"]

[[sweeps]]
name = "layout"
question = "Which layout?"
layouts = ["v3-c64", "v3-c32-s64"]
chains = ["blosc-zstd-5-shuffle"]
patterns = ["xy_plane"]
"""


@pytest.fixture
def preset(tmp_path):
    def write(text):
        file = tmp_path / "mine.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)

    return write


@pytest.fixture(autouse=True)
def _no_choice_from_outside(monkeypatch):
    for name in ("ZBENCH_PRESET", "ZBENCH_DATASETS", "ZBENCH_ENGINES"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_shipped_preset_is_sound(name):
    shipped = load_preset(name)
    assert shipped.name == name
    assert shipped.title
    cells = shipped.cells()
    assert len(cells) == len(set(cells)) == len({cell.text for cell in cells})
    for sweep in shipped.sweeps:
        assert sweep.question.endswith("?")
        for texts in (sweep.layouts, sweep.chains, sweep.patterns):
            assert len(texts) == len(set(texts))
    for cell in cells:
        assert parse_chain(cell.chain).text == cell.chain
        assert resolve_layout(cell.layout, (256, 512, 512))


def test_cells_are_datasets_by_engines_by_sweeps_each_once(preset):
    mine = load_preset(preset(GOOD))
    ways = [
        *(
            (layout, chain)
            for layout in ("v2-c64", "v3-c64", "v3-cdiv64")
            for chain in ("none", "blosc-zstd-5-shuffle")
        ),
        ("v3-c32-s64", "blosc-zstd-5-shuffle"),
    ]
    assert mine.cells() == tuple(
        CellSpec(dataset, engine, *way) for dataset in "ab" for engine in ("zarr-python", "tensorstore") for way in ways
    )
    assert mine.cells()[0].text == "a|zarr-python|v2-c64|none"
    assert [sweep.patterns for sweep in mine.sweeps] == [("full_read", "train_patch-64"), ("xy_plane",)]


def test_chains_of_all_questions_come_once(preset):
    assert load_preset(preset(GOOD)).chains == ("none", "blosc-zstd-5-shuffle")
    assert len(set(load_preset("full").chains)) == len(load_preset("full").chains)


def test_one_layout_under_two_spellings_is_one_cell(preset):
    text = GOOD.replace('"v3-cdiv64"', '" v3-c64 ", "v3-c64-sep=/", " v3-cdiv64"')
    assert load_preset(preset(text)).cells() == load_preset(preset(GOOD)).cells()


def test_layout_for_another_number_of_axes_is_spelled_well(preset):
    assert load_preset(preset(GOOD.replace("v2-c64", "v2-c64x64"))).sweeps[0].layouts[0] == "v2-c64x64"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (GOOD.replace('title = "Mine"\n', "", 1), "differs in title"),
        (GOOD.replace('engines = ["zarr-python", "tensorstore"]', "", 1), "differs in engines"),
        (GOOD.replace('question = "Which codec?"\n', "", 1), "sweep codec differs in question"),
        (GOOD.replace('name = "codec"\n', "", 1), r"sweep \? differs in name"),
        (GOOD.replace('title = "Mine"', 'title = "Mine"\nrounds = 3', 1), "differs in rounds"),
        (GOOD.replace('name = "codec"', 'name = "codec"\nstores = []', 1), "sweep codec differs in stores"),
        ("", "differs in datasets, engines, sweeps, title"),
        ("title = 1\ndatasets = []\nengines = []\nsweeps = []", "title is a str: got 1"),
        (GOOD.replace('datasets = ["a", "b"]', 'datasets = "a"'), "datasets is a list: got 'a'"),
        (GOOD.replace('datasets = ["a", "b"]', "datasets = []"), "datasets is a list of texts, at least one"),
        (GOOD.replace('datasets = ["a", "b"]', 'datasets = ["a", 1]'), "datasets is a list of texts"),
        (GOOD.replace('engines = ["zarr-python", "tensorstore"]', "engines = []"), "engines is a list of texts"),
        (GOOD.partition("[[sweeps]]")[0] + "sweeps = []", r"has no \[\[sweeps\]\]"),
        (GOOD.partition("[[sweeps]]")[0] + "sweeps = [1]", r"sweeps are tables headed .* got 1"),
        (GOOD.partition("[[sweeps]]")[0] + 'sweeps = ["codec"]', "sweeps are tables headed .* got 'codec'"),
        (GOOD.partition("[[sweeps]]")[0] + "[sweeps]\nname = 1", "sweeps is a list"),
        (GOOD.replace('name = "codec"', "name = 3"), "name is a str: got 3"),
        (GOOD.replace('name = "codec"', 'name = "layout"'), "names of their own, .* has 'layout', 'layout'"),
        (GOOD.replace('name = "codec"', 'name = ""'), "names of their own, .* has '', 'layout'"),
        (GOOD.replace('name = "codec"', 'name = "Which codec"'), "names of their own, .* has 'Which codec'"),
        (GOOD.replace('name = "codec"', 'name = "codec-3"'), "names of their own, .* has 'codec-3'"),
        (GOOD.replace('chains = ["none", "blosc"]', "chains = []"), "chains is a list of texts"),
        (GOOD.replace('chains = ["none", "blosc"]', 'chains = "none"'), "chains is a list: got 'none'"),
        (GOOD.replace('"none", "blosc"', '["none"]'), "chains is a list of texts"),
        (GOOD.replace('"none", "blosc"', '"zstd+delta"'), "sweep codec: A codec chain is filters"),
        (GOOD.replace('"none", "blosc"', '"brotli"'), "sweep codec: Unknown codec 'brotli'"),
        (GOOD.replace('"v2-c64"', '"v5-c64"'), "sweep codec: A layout is written"),
        (GOOD.replace('"v2-c64"', '"v2-c64-s128"'), "sweep codec: Sharding belongs to Zarr format 3"),
        (GOOD.replace('"v3-c32-s64"', '"v3-c32-s48"'), "sweep layout: A shard must hold a whole number"),
        (GOOD.replace('"xy_plane"', '"xy_plain"'), "sweep layout: Unknown access pattern"),
        (GOOD.replace('"xy_plane"', '"train_patch-4096"'), "sweep layout: The boxes"),
        (GOOD.replace('"xy_plane"', '"train_patch-64-biased"'), "sweep layout: .*places to be biased to"),
        ("title = ", "is TOML"),
        (GOOD + "title = 3", "sweep layout differs in title"),
        (GOOD.replace('title = "Mine"', "title = 1\ntitle = 2"), "is TOML"),
        (b"title = '\xff'", "readable TOML file in UTF-8"),
    ],
)
def test_preset_that_cannot_be_used_is_refused_with_the_place(preset, text, part):
    file = preset(text)
    with pytest.raises(PresetError, match=part) as caught:
        load_preset(file)
    assert file in str(caught.value)


@pytest.mark.parametrize("name", ["absent.toml", "folder.toml", "a\0b.toml"])
def test_file_that_cannot_be_read_is_refused(tmp_path, name):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(PresetError, match="readable TOML file"):
        load_preset(f"{tmp_path}/{name}")


@pytest.mark.parametrize("name", ["", "quik", "QUICK", "quick.tml", "full "])
def test_unknown_preset_is_named_with_those_that_exist(name):
    with pytest.raises(UnknownNameError, match=r"Unknown preset .*full, path/of/a/file.toml, quick"):
        load_preset(name)


def test_quick_is_active_unless_told_otherwise(monkeypatch, preset):
    assert active_preset() == load_preset("quick")
    monkeypatch.setenv("ZBENCH_PRESET", "")
    assert active_preset() == load_preset("quick")
    monkeypatch.setenv("ZBENCH_PRESET", "full")
    assert active_preset() == load_preset("full")
    file = preset(GOOD)
    monkeypatch.setenv("ZBENCH_PRESET", file)
    assert active_preset() == load_preset(file)


def test_datasets_and_engines_can_be_chosen_from_outside(monkeypatch):
    quick = load_preset("quick")
    monkeypatch.setenv("ZBENCH_DATASETS", " one, two ,,")
    assert active_preset().datasets == ("one", "two")
    assert (active_preset().engines, active_preset().sweeps) == (quick.engines, quick.sweeps)
    monkeypatch.setenv("ZBENCH_ENGINES", "tensorstore")
    assert active_preset().engines == ("tensorstore",)
    monkeypatch.setenv("ZBENCH_DATASETS", " , ")
    assert active_preset().datasets == quick.datasets


def test_unknown_active_preset_is_refused(monkeypatch):
    monkeypatch.setenv("ZBENCH_PRESET", "slow")
    with pytest.raises(UnknownNameError, match="Unknown preset 'slow'"):
        active_preset()


def test_files_that_a_preset_names_are_looked_for_beside_it(preset, tmp_path):
    mine = load_preset(preset(GOOD.replace('["a", "b"]', '["a", "volumes/mine.mrc", "/elsewhere/b.npy"]')))
    assert mine.datasets == ("a", f"{tmp_path}/volumes/mine.mrc", "/elsewhere/b.npy")


def test_paths_from_outside_start_where_asv_was_started(monkeypatch, preset, tmp_path):
    preset(GOOD)
    monkeypatch.setenv("ASV_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("ZBENCH_PRESET", "mine.toml")
    monkeypatch.setenv("ZBENCH_DATASETS", "one,./two.npy,/elsewhere/b.npy")
    assert active_preset().name == str(tmp_path / "mine.toml")
    assert active_preset().datasets == ("one", f"{tmp_path}/two.npy", "/elsewhere/b.npy")
