"""``zbench configs`` as a user runs it, and what every command has in common."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from zbench import __version__
from zbench.cli import main
from zbench.codecs import CODEC_NAMES, codec_kind
from zbench.engines import ENGINE_NAMES
from zbench.grid import PRESET_NAMES, load_preset
from zbench.layouts import LAYOUT_FORMS

OWN = """
title = "My [own] grid"
datasets = ["volumes/[mine].mrc"]
engines = ["zarr-python"]

[[sweeps]]
name = "shard"
question = "Which shard?"
layouts = ["v3-c32-s64", "v3-c32"]
chains = ["zstd-3"]
patterns = ["full_read", "ortho3_jump", "train_patch-32"]
"""


def zbench(*arguments, width=80):
    return CliRunner(env={"COLUMNS": str(width)}).invoke(main, arguments)


def answer(*arguments):
    ran = zbench(*arguments, "--json")
    assert ran.exit_code == 0, ran.output
    assert ran.stderr == ""
    return json.loads(ran.stdout)


@pytest.mark.parametrize("command", [["zbench"], ["zarr-benchmark"], ["python", "-m", "zbench"]], ids=" ".join)
def test_the_program_is_there_under_each_of_its_names(command):
    program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    told = subprocess.run([*program, "--version"], check=True, capture_output=True, text=True).stdout
    assert told.strip() == f"zbench, version {__version__}"


def test_the_program_says_what_its_exit_status_means():
    assert "Exit status: 0 done, 1 a regression, 2 the question could not be answered." in zbench("--help").stdout


def commands(group=main, *names):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*names, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)


@pytest.mark.parametrize(("names", "command"), [pytest.param(*found, id=" ".join(found[0])) for found in commands()])
def test_every_command_and_option_says_what_it_is_for(names, command):
    shown = zbench(*names, "--help")
    assert shown.exit_code == 0
    assert command.help
    assert shown.stdout.startswith(f"Usage: main {' '.join(names)} ")
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name


@pytest.mark.parametrize("width", [80, 170])
@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_a_preset_is_listed_whole(preset, width):
    ran = zbench("configs", "list", "--preset", preset, width=width)
    grid = load_preset(preset)
    assert ran.exit_code == 0
    texts = [grid.title, f"preset {preset}: {len(grid.cells())} cells", *grid.datasets, *grid.engines]
    for sweep in grid.sweeps:
        texts += [f"{sweep.name}: {sweep.question}", *sweep.layouts, *sweep.chains, *sweep.patterns]
    assert [text for text in texts if text not in ran.stdout] == []
    assert "…" not in ran.stdout


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_a_preset_as_json_holds_every_cell(preset):
    found, grid = answer("configs", "list", "--preset", preset), load_preset(preset)
    assert [tuple(cell.values()) for cell in found["cells"]] == [
        (cell.dataset, cell.engine, cell.layout, cell.chain) for cell in grid.cells()
    ]
    assert [sweep["name"] for sweep in found["sweeps"]] == [sweep.name for sweep in grid.sweeps]


def test_a_grid_of_one_s_own_is_listed_with_its_brackets(tmp_path):
    file = tmp_path / "[mine].toml"
    file.write_text(OWN, encoding="utf-8")
    shown = zbench("configs", "list", "--preset", str(file)).stdout
    assert f"My [own] grid\npreset {file}: 2 cells\ndatasets: {tmp_path}/volumes/[mine].mrc" in shown


def test_all_codecs_and_layouts_are_listed():
    found = answer("configs", "list", "--codecs")
    forms = [codec_kind(name).form for name in CODEC_NAMES]
    assert [codec["form"] for codec in found["codecs"]] == forms
    assert {codec["role"] for codec in found["codecs"]} == {"filter", "serializer", "compressor"}
    assert found["layouts"] == list(LAYOUT_FORMS)
    shown = zbench("configs", "list", "--codecs", width=200).stdout
    assert [text for text in (*forms, *LAYOUT_FORMS) if text not in shown] == []


def test_a_configuration_is_spelled_out():
    shown = zbench(
        "configs", "explain", "v3-c32-s256:shuffle+zstd-3", "--shape", "500", "--dtype", "uint16", width=170
    ).stdout
    assert "v3-c32-s256:shuffle+zstd-3 for a volume of 500 voxels, uint16" in shown
    assert "chunks: 4096 of 64.0 KiB, in 8 objects beside the metadata" in shown
    assert "padding: 1.07 times the voxels are stored" in shown
    assert "loss: none" in shown
    assert '"elementsize": 2' in shown
    for engine in ENGINE_NAMES:
        assert f"\n{engine}: " in shown


# What the geometry of the CryoET Data Portal costs with chunks of 64 voxels, as published: chunks, amplification.
@pytest.mark.parametrize(
    ("layout", "chunks", "patterns"),
    [
        ("v2-c64", 300, {"xy_plane": (100, 66), "xz_plane": (30, 68), "yz_plane": (30, 68), "full_read": (300, 1.08)}),
        ("v3-c256", 9, {"xy_plane": (9, 380), "xz_plane": (3, 434), "full_read": (9, 2.07)}),
        ("v3-c16x128x128", 300, {"xy_plane": (25, 16.5), "xz_plane": (60, 136), "full_read": (300, 1.08)}),
        ("v2-cslab1", 184, {"xy_plane": (1, 1), "xz_plane": (184, 630), "full_read": (184, 1)}),
    ],
)
def test_the_costs_of_a_portal_tomogram_are_those_that_are_published(layout, chunks, patterns):
    found = answer("configs", "explain", f"{layout}:none", "--shape", "184x630x630")
    costs = {cost["pattern"]: (cost["requests"], cost["amplification"]) for cost in found["costs"]}
    assert found["chunks"] == found["objects"] == chunks
    for name, (requests, amplification) in patterns.items():
        assert costs[name][0] == requests
        assert costs[name][1] == pytest.approx(amplification, rel=0.01)


def test_a_lossy_chain_says_how_much_it_may_lose():
    assert "0.25" in answer("configs", "explain", "v3-c64:fixedscaleoffset-0.0-2.0-u2+zstd-3")["loss"]


def test_an_engine_that_cannot_says_why():
    engines = dict(answer("configs", "explain", "v2-c64:delta+zstd-3", "--dtype", "int16")["engines"])
    assert engines["zarr-python"] == ""
    assert "filters are not supported" in engines["tensorstore"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["explain", "v2-c32-s64:none"], "Sharding belongs to Zarr format 3"),
        (["explain", "v3-c32-s48:none"], "whole number of chunks"),
        (["explain", "cubes"], "A layout is written"),
        (["explain", "v3-c64:brotli"], "Unknown codec 'brotli'"),
        (["explain", "v3-c64:zstd-99"], "level"),
        (["explain", "v3-c64:zstd-3+delta"], "A codec chain is filters"),
        (["explain", "v3-c64:delta"], "integer voxels"),
        (["explain", "v3-c64:none", "--shape", "0"], "A shape is"),
        (["explain", "v3-c64:none", "--shape", "64x64"], "as many axes"),
        (["explain", "v3-c64:none", "--dtype", "float31"], "numpy's whole or floating-point numbers"),
        (["explain", "v3-c64:none", "--dtype", "object"], "numpy's whole or floating-point numbers"),
        (["explain", "v3-c64:none", "--dtype", "i4,f4"], "numpy's whole or floating-point numbers"),
        (["explain", "v3-c64:none", "--dtype", "M8[s]"], "numpy's whole or floating-point numbers"),
        (["explain", "v3-c1:none", "--shape", "4096"], "68719476736"),
        (["explain", "v3-c64:none", "--shape", "99999999999999999999"], "chunk by chunk"),
        (["list", "--preset", "quik"], "Did you mean 'quick'"),
        (["list", "--preset", "/nowhere/grid.toml"], "readable TOML file"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments, told):
    ran = zbench("configs", *arguments)
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("zbench: ")
    assert ran.stderr.count("\n") == 1
    assert told in ran.stderr


@pytest.mark.parametrize("arguments", [["list", "--colour"], ["explain"], ["draw"]])
def test_wrong_usage_is_told_with_the_way_to_help(arguments):
    ran = zbench("configs", *arguments)
    assert ran.exit_code == 2
    assert "--help" in ran.stderr
    assert "Traceback" not in ran.output


def test_a_reader_that_stops_listening_gets_no_traceback():
    program = [str(Path(sys.executable).with_name("zbench")), "configs", "list", "--preset", "full", "--json"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(1)
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
