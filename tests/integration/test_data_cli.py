"""``zbench data`` for people and for programs: what it prints, where, and with which exit status."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from zbench.cli.main import main
from zbench.datasets import DOMAINS, cache_folder, card, card_names
from zbench.harness.data import look
from zbench.model import voxel_digest

SMALL = "tardis-dualaxis"
ALIAS = "tardis_rec3D_dualaxis_int8"
# One of each format that needs a library of its own.
KINDS = [
    pytest.param("alma-ngc3256", id="FITS"),
    pytest.param("ct-head-ge", id="DICOM"),
    pytest.param("era5-members-z", id="GRIB"),
    pytest.param("eraint-uvz-z", id="NetCDF"),
]
# As if none of them were installed.
BARE = """
import sys

sys.modules.update(dict.fromkeys(("astropy", "eccodes", "netCDF4", "pydicom")))
from zbench.cli import main

main()
"""


@pytest.fixture(autouse=True)
def mirror(tmp_path, corpus, monkeypatch):
    """The corpus as it is, and a cache of its own."""
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(corpus))
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def copied(tmp_path, corpus, monkeypatch):
    """A mirror with one small file that a test may spoil."""
    place = tmp_path / "mirror" / card(SMALL).path
    place.parent.mkdir(parents=True)
    shutil.copyfile(corpus / card(SMALL).path, place)
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(tmp_path / "mirror"))
    return place


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["data", *arguments])
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def units_named(value):
    """All keys of a JSON value, nested ones too."""
    if isinstance(value, dict):
        return set(value).union(*map(units_named, value.values()))
    return set().union(*map(units_named, value)) if isinstance(value, list) else set()


# list


def test_list_has_a_row_for_every_dataset():
    told = run("list").stdout
    for name in card_names():
        assert re.search(rf"│ {name} +│", told)
    assert "25x43x73" in told
    assert "278.6 MiB" in told


def test_list_can_be_piped_without_colours_and_cuts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    told = run("list").stdout
    assert "\x1b" not in told
    assert "surface-morphometrics-te1" in told


def test_list_is_json_for_programs():
    told = json.loads(run("list", "--json").stdout)
    assert [entry["name"] for entry in told] == list(card_names())
    (found,) = (entry for entry in told if entry["name"] == "emd-1832")
    assert (found["shape"], found["spacing"], found["spacing_unit"]) == ([64, 64, 64], [5.7, 5.7, 5.7], "angstrom")
    assert (found["bytes"], found["logical_bytes"]) == (1049600, 1048576)


@pytest.mark.parametrize("domain", DOMAINS)
def test_list_keeps_one_domain(domain):
    told = json.loads(run("list", "--domain", domain, "--json").stdout)
    assert told
    assert {entry["domain"] for entry in told} == {domain}


def test_list_refuses_an_unknown_domain():
    done = run("list", "--domain", "cryoe", status=2)
    assert "Unknown domain 'cryoe'. Did you mean 'cryoet'? Known domains: astro, climate" in done.stderr
    assert done.stdout == ""


# show


def test_show_prints_addresses_and_checksums_whole():
    found = card("emd-3001")
    told = run("show", "emd-3001").stdout
    for line in (
        f"source         {found.source}\n",
        f"sha256         {found.sha256}\n",
        f"licence        {found.licence}\n",
        f"citation       {found.citation}\n",
        "shape          25, 43, 73\n",
        "spacing        0.3925, 0.4482, 0.4587\n",
        "spacing_unit   angstrom\n",
    ):
        assert line in told
    assert "histogram" not in told


def test_show_takes_an_alias():
    assert run("show", ALIAS).stdout.startswith(f"name           {SMALL}\n")


def test_show_leaves_out_what_a_card_does_not_say():
    told = run("show", "cryoet-phantom-128").stdout
    assert "generator      phantom" in told
    assert not re.search("^(path|sha256|member|spacing) ", told, re.MULTILINE)


def test_show_is_json_for_programs():
    told = json.loads(run("show", SMALL, "--json").stdout)
    assert told["sha256"] == card(SMALL).sha256
    assert told["aliases"] == list(card(SMALL).aliases)
    assert "look" not in told


def test_show_looks_at_the_voxels():
    told = run("show", SMALL, "--look").stdout
    values = np.fromfile(Path(os.environ["ZBENCH_DATA_MIRROR"]) / card(SMALL).path, "i1", offset=1024)
    assert f"values         {values.min()} to {values.max()}, mean {values.mean():.6g}\n" in told
    (bars,) = re.findall("^histogram +(.+)$", told, re.MULTILINE)
    assert len(bars.rstrip()) <= 40
    assert "█" in bars
    assert set(bars) <= set(" ▁▂▃▄▅▆▇█")


def test_show_looks_at_the_voxels_for_programs():
    told = json.loads(run("show", SMALL, "--look", "--json").stdout)["look"]
    assert set(told) == {"low", "high", "mean", "histogram"}
    assert len(told["histogram"]) == 40
    assert sum(told["histogram"]) == 78 * 64 * 32


@pytest.mark.parametrize("command", ["show", "fetch", "verify", "path"])
def test_an_unknown_name_suggests_the_nearest(command):
    done = run(command, "emd-301", status=2)
    assert done.stderr.startswith("zbench: Unknown dataset 'emd-301'. Did you mean 'emd-3001'? Known datasets: ")
    assert done.stdout == ""


# look


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([[0.0, 1.0], [2.0, 40.0]], {0: 1, 1: 1, 2: 1, 39: 1}, id="floats"),
        pytest.param([[7, 7], [7, 7]], {0: 4}, id="constant"),
        pytest.param([[np.nan, 1.0], [np.inf, 3.0]], {0: 1, 39: 1}, id="not finite"),
        pytest.param([[1.0, np.nextafter(1.0, 2)], [1.0, 1.0]], {0: 3, 39: 1}, id="narrower than any bin"),
        pytest.param([[-1.7e308, 1.7e308], [0.0, 0.0]], {0: 1, 20: 2, 39: 1}, id="wider than any number"),
        pytest.param([[5e-324, 0.0], [0.0, 0.0]], {0: 4}, id="denormal"),
    ],
)
def test_a_look_counts_every_finite_voxel(tmp_path, values, expected):
    np.save(tmp_path / "a.npy", np.array(values))
    seen = look(str(tmp_path / "a.npy"))
    assert {place: count for place, count in enumerate(seen.histogram) if count} == expected
    assert (seen.low, seen.high) == (np.nanmin(values), np.max(np.array(values)[np.isfinite(values)]))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i8", "u8", "f2", "f4"])
def test_a_look_spans_the_whole_range_of_a_type(tmp_path, dtype):
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(dtype)
    np.save(tmp_path / "a.npy", np.array([[limits.min, limits.max]], dtype))
    seen = look(str(tmp_path / "a.npy"))
    assert (seen.low, seen.high) == (float(limits.min), float(limits.max))
    assert (seen.histogram[0], seen.histogram[-1]) == (1, 1)


def test_nothing_finite_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 2), np.nan))
    with pytest.raises(OSError, match="at least one finite voxel"):
        look(str(tmp_path / "a.npy"))


# fetch


def test_fetch_prepares_and_prints_paths_alone():
    done = run("fetch", SMALL, "emd-1832")
    first, second = map(Path, done.stdout.split())
    assert voxel_digest(np.load(first)) == card(SMALL).voxel_digest
    assert voxel_digest(np.load(second)) == card("emd-1832").voxel_digest
    assert done.stderr.split("\n")[:2] == [f"fetching {SMALL}", "fetching emd-1832"]


def test_fetch_is_json_for_programs():
    told = json.loads(run("fetch", ALIAS, "--volume-size", "16", "--json").stdout)
    assert list(told) == [SMALL]
    assert np.load(told[SMALL]).shape == (16, 16, 16)


def test_fetch_looks_all_names_up_before_it_begins():
    done = run("fetch", SMALL, "emd-301", status=2)
    assert "Unknown dataset 'emd-301'" in done.stderr
    assert "fetching" not in done.stderr
    assert not (cache_folder() / "prepared").exists()


def test_fetch_wants_a_name():
    assert "Missing argument" in run("fetch", status=2).stderr


def test_fetch_refuses_a_volume_of_nothing():
    assert "--volume-size" in run("fetch", SMALL, "--volume-size", "0", status=2).stderr


def run_bare(*arguments):
    return subprocess.run([sys.executable, "-c", BARE, "data", *arguments], capture_output=True, text=True, check=False)


def test_fetch_of_a_format_without_its_library_says_so():
    done = run_bare("fetch", "alma-ngc3256")
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs the package astropy: it is not installed" in done.stderr


# verify


def test_verify_says_right_of_what_is_right():
    done = run("verify", SMALL, "emd-1832")
    assert done.stdout == f"right    {SMALL}\nright    emd-1832\n"


@pytest.mark.parametrize("name", KINDS)
def test_verify_reads_every_format(name):
    assert run("verify", name).stdout == f"right    {name}\n"


@pytest.mark.parametrize("name", KINDS)
def test_verify_calls_a_format_without_its_library_unread(name):
    done = run_bare("verify", SMALL, name)
    assert done.returncode == 0
    assert re.fullmatch(rf"right    {SMALL}\nunread   {name}: Reading '.*' needs the package .* Run: .*\n", done.stdout)


def test_verify_is_json_for_programs():
    told = json.loads(run("verify", SMALL, "alma-ngc3256", "--json").stdout)
    assert [(entry["name"], entry["state"]) for entry in told] == [(SMALL, "right"), ("alma-ngc3256", "right")]
    assert told[0]["reason"] == ""


def test_verify_finds_a_wrong_file_and_goes_on(copied):
    copied.write_bytes(copied.read_bytes()[:-1] + b"\x77")
    done = run("verify", SMALL, "cryoet-phantom-128", status=2)
    first, second = done.stdout.splitlines()
    assert first.startswith(f"wrong    {SMALL}: A dataset has fixed bytes: '{copied}'")
    assert second == "right    cryoet-phantom-128"


def test_verify_finds_a_missing_file_and_goes_on(copied):
    done = run("verify", "neuroproof-fibsem", SMALL, "--json", status=2)
    told = json.loads(done.stdout)
    assert [entry["state"] for entry in told] == ["missing", "right"]
    assert "set ZBENCH_DATA_MIRROR" in told[0]["reason"]


# path


def test_path_prints_the_file_in_the_mirror(corpus):
    assert run("path", ALIAS).stdout == f"{corpus / card(SMALL).path}\n"


def test_path_is_json_for_programs(corpus):
    assert json.loads(run("path", SMALL, "--json").stdout) == {"path": str(corpus / card(SMALL).path)}


def test_path_of_a_generated_dataset_is_its_prepared_array():
    path = Path(run("path", "cryoet-phantom-128").stdout.strip())
    assert np.load(path, mmap_mode="r").shape == (128, 128, 128)


def test_path_of_a_wrong_file_is_an_error(copied):
    copied.write_bytes(b"other")
    done = run("path", SMALL, status=2)
    assert done.stdout == ""
    assert "fixed bytes" in done.stderr


# All


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["list", "--json"], id="list"),
        pytest.param(["show", SMALL, "--look", "--json"], id="show"),
        pytest.param(["verify", SMALL, "--json"], id="verify"),
    ],
)
def test_keys_of_sizes_name_their_unit(arguments):
    keys = units_named(json.loads(run(*arguments).stdout))
    assert not keys & {"size", "nbytes", "duration", "time", "pixel_size", "resolution"}
    assert ("spacing" in keys) == ("spacing_unit" in keys)


@pytest.mark.parametrize("command", ["list", "show", "fetch", "verify", "path"])
def test_every_command_explains_itself(command):
    assert "--json" in run(command, "--help").stdout


def process(*arguments, **changes):
    return subprocess.run(
        [sys.executable, "-m", "zbench", "data", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | changes,
    )


def test_a_real_process_verifies_and_ends_with_zero():
    done = process("verify", SMALL, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [{"name": SMALL, "state": "right", "reason": ""}]


def test_a_real_process_ends_with_two_and_one_line(tmp_path):
    # A dataset that was packed: no public source is tried instead.
    done = process("path", "neuroproof-fibsem", ZBENCH_DATA_MIRROR=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"zbench: Dataset 'neuroproof-fibsem' must come whole and with the SHA-256 of its card: '{tmp_path}"
    )
