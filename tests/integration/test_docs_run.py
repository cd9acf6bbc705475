"""Every line of shell in the documents does what it should: it is run here, or the list below says why not."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import numpy as np
import pytest
import zarr

from zbench.cli import main
from zbench.grid import load_preset
from zbench.harness.gate.settings import read_settings

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    # Pages of results are made by studies, and end in the command that makes them again.
    *(path for path in sorted((REPOSITORY / "docs").rglob("*.md")) if path.parent.name != "results"),
]
BLOCK = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)

# THE ONE PLACE: what is not run, and why. Each entry must fit a line of a document; options are checked all the same.
NOT_RUN = {
    r"(?:[A-Z_]+=\S+ )*make .*": "makes environments, measures for up to hours, or runs these tests; its target exists",
    r"\.venv/bin/asv (?:run|compare) .*": "measures commits of the clone for an hour; make bench runs it",
    r"zarr-benchmark cryoet --dataset 10445 .*": "needs the portal, which tests/network asks",
    r"zbench cryoet (?:s3|gs|az|https)://.*": "needs buckets of others; test_zarr_address.py serves its own",
    r".*_ZBENCH_COMPLETE=(?:zsh|fish)_source zbench.*": "needs that shell; test_completion.py asks for its script",
    r"zbench summary [0-9a-f]{8}": "needs the results of make bench at that commit",
    r"zbench (?:gate|bisect|calibrate|sweep|history)\b.*": "measures commits or releases for hours; its tests run less",
    r"status=\$\?|cat reports/gate\.md|exit .*": "follows a gate that is not run",
    r"note: .*": "what a command prints, not a command",
    r"zbench publish.*": "needs the results of make bench; the tests of the dashboard publish others",
}
# Languages that are not shell, whose blocks are not run as they are.
OTHER_LANGUAGES = {
    "toml": "settings, which are loaded",
    "yaml": "settings of GitHub and GitLab, which alone can run them; commands in them are checked",
    "groovy": "settings of Jenkins, which alone can run them; commands in them are checked",
}
# Run on less: the same command on a smaller crop with one cell; and what the tutorial or another test measures for real
# only says what it would do.
SHORTER = (
    (
        r"zbench cryoet (\S+) --volume-size 128 --budget 5m",
        r"zbench cryoet \1 --volume-size 16 --budget 1ms --workloads full_read --test-configs {scratch}/tiny.toml",
    ),
    (r"(zbench cryoet --resume .*)", r"\1 --budget 1ms"),
    (r"((?:zbench|zarr-benchmark) cryoet (?!.*--(?:budget|dry-run|resume)).*|zbench scale .*)", r"\1 --dry-run"),
)
# On a machine that does much else.
PATIENCE_S = 120
TINY = """
title = "Tiny"
datasets = ["cryoet-phantom-128"]
engines = ["zarr-python"]

[[sweeps]]
name = "codec"
question = "Does the command of the document run?"
layouts = ["v3-c8"]
chains = ["none"]
patterns = ["full_read"]
"""


def blocks(language):
    for document in DOCUMENTS:
        for found in BLOCK.finditer(document.read_text(encoding="utf-8")):
            if found["language"] == language:
                yield document, found["text"]


def shell_lines(document):
    """Lines of shell of a document, without their comments; a block that shows output has its command after a $."""
    for found, text in blocks(""):
        if found != document:
            continue
        lines = [line for line in text.splitlines() if line.strip()]
        shown = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        yield from shown or [re.sub(r"\s+# .*", "", line) for line in lines]


def reason(line):
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, line)), None)


RUNNABLE = {
    document: [line for line in shell_lines(document) if reason(line) is None] for document in DOCUMENTS
}  # fmt: skip


def weather(path):
    netcdf = pytest.importorskip("netCDF4", reason="the formats group is not installed")
    with netcdf.Dataset(path, "w") as file:
        shape = {"time": 5, "level": 4, "latitude": 6, "longitude": 7}
        for name, extent in shape.items():
            file.createDimension(name, extent)
        for name in "uv":
            file.createVariable(name, "f4", tuple(shape))[:] = np.random.default_rng(8).normal(0, 9, (5, 4, 6, 7))


def cells(path):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    values = np.random.default_rng(9).integers(0, 200, (13, 2, 8, 16, 16), dtype="u1")
    levels = (values, values[..., ::2, ::2])
    for name, level in enumerate(levels):
        group.create_array(str(name), data=level)
    scales = [[{"type": "scale", "scale": [1.0, 1.0, 2.0, edge, edge]}] for edge in (1.0, 2.0)]
    datasets = [{"path": str(name), "coordinateTransformations": scale} for name, scale in enumerate(scales)]
    kinds = {"t": "time", "c": "channel"}
    axes = [{"name": name, "type": kinds.get(name, "space")} for name in "tczyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


def labels(path):
    h5py = pytest.importorskip("h5py", reason="the formats group is not installed")
    with h5py.File(path, "w") as file:
        for name in ("volumes/raw", "volumes/labels"):
            file[name] = np.random.default_rng(10).integers(0, 9, (8, 9, 10), dtype="u4")


def tomogram(path):
    mrcfile = pytest.importorskip("mrcfile", reason="the formats group is not installed")
    mrcfile.write(path, np.zeros((256, 256, 256), "i1"))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder with what the documents say that a user has."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "data").mkdir()
    (folder / "tiny.toml").write_text(TINY, encoding="utf-8")
    tomogram(folder / "tomogram.mrc")
    tomogram(folder / "data/tomogram.mrc")
    weather(folder / "data/weather.nc")
    cells(folder / "data/cells.ome.zarr")
    labels(folder / "data/labels.h5")
    return folder


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            path,
            id=str(path.relative_to(REPOSITORY)),
            # Two whole runs on a tomogram, which test_cryoet.py makes of smaller ones.
            marks=[pytest.mark.long] if path.name == "tutorial.md" else [],
        )
        for path, lines in RUNNABLE.items()
        if lines
    ],
)
def test_the_commands_of_a_document_run_in_their_order(document, scratch, corpus):
    variables = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ZBENCH_DATA_MIRROR": str(corpus),
        "HOME": str(scratch),
    }
    for line in RUNNABLE[document]:
        if line.startswith("zbench compare results/tutorial results/later"):
            # A second run, as the text before it says.
            shutil.copytree(scratch / "results/tutorial", scratch / "results/later")
        status, told = run(shorter(line, scratch), scratch, variables)
        assert status == 0, f"{line}\n{told}"


def run(line, folder, variables):
    """Run a line of shell; what takes longer than any of them should is ended with all that it has started."""
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", line], cwd=folder, env=os.environ | variables, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        told, _ = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.fail(f"{line} takes longer than {PATIENCE_S} s: give it a place in NOT_RUN or SHORTER.")
    return process.returncode, told


def shorter(line, scratch):
    line = line.replace(".venv/bin/", "").replace("/data/", f"{scratch}/data/")
    for pattern, instead in SHORTER:
        line = re.sub(pattern, instead.replace("{scratch}", str(scratch)), line)
    return line


def test_every_reason_for_not_running_a_line_is_used():
    lines = [line for document in DOCUMENTS for line in shell_lines(document)]
    unused = [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, line) for line in lines)]
    assert unused == []


def embedded():
    """Commands in the settings of CI systems."""
    texts = (text for language in OTHER_LANGUAGES for _, text in blocks(language))
    return {found for text in texts for found in re.findall(r"^\s*(?:- |sh ')(zbench [^'\n]*)", text, re.MULTILINE)}


def not_run():
    lines = {line for document in DOCUMENTS for line in shell_lines(document) if reason(line) and "zbench " in line}
    return sorted(lines | embedded())


@pytest.mark.parametrize("line", not_run())
def test_a_command_that_is_not_run_has_options_that_exist_with_their_values(line):
    words = shlex.split(re.sub(r"\s[|<>&].*|^eval.*", "", line))
    if not words or words[0] not in ("zbench", "zarr-benchmark"):
        return
    command, arguments, context = main, words[1:], click.Context(main)
    while isinstance(command, click.Group) and arguments:
        name, command, arguments = command.resolve_command(context, arguments)
        context = click.Context(command, info_name=name, parent=context, resilient_parsing=True)
    command.make_parser(context).parse_args(arguments)


@pytest.mark.parametrize(("document", "text"), [pytest.param(d, t, id=d.name) for d, t in blocks("toml")])
def test_settings_in_a_document_can_be_loaded(document, text, tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    if "tool" in tomllib.loads(text):
        assert read_settings(tmp_path) != read_settings(tmp_path / "without")
    else:
        assert load_preset(str(path)).cells()


def test_blocks_of_other_languages_are_known_here():
    found = {match["language"] for path in DOCUMENTS for match in BLOCK.finditer(path.read_text(encoding="utf-8"))}
    assert found == {"", *OTHER_LANGUAGES}, "a block of a new language wants a test of its own"


@pytest.mark.parametrize("page", ["grid.md", "results.md"])
def test_what_the_code_wrote_into_a_page_is_current(page):
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "-I", "docs", f"docs/reference/{page}"], cwd=REPOSITORY,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nRun 'make readme'."
