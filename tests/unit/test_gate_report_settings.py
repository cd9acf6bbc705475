"""The reference of the gate says what the code reads, and its examples are read by it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml

from zbench.errors import ResultsError
from zbench.harness.gate import read_settings
from zbench.harness.gate.settings import Accepted, GateSettings
from zbench.report.gate.markdown import LONGEST, MARKER
from zbench.units import parse_share

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "reference" / "gate.md").read_text(encoding="utf-8")
RECIPES = (REPOSITORY / "docs" / "how-to" / "gate.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))


def first_cells(head):
    """The code in the first column of the table with a head."""
    rows = PAGE.split(head, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return {row.split("|")[1].strip().strip("`"): row for row in rows}


def known(tmp_path, line):
    (tmp_path / "pyproject.toml").write_text(f"[tool.zbench.gate]\n{line}\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="There are") as refused:
        read_settings(tmp_path)
    return set(str(refused.value).split("There are ")[1].rstrip(".").split(", "))


def test_every_setting_is_documented(tmp_path):
    assert set(first_cells("| key |")) == known(tmp_path, "nothing = 1")


def test_every_smallest_change_is_documented_with_its_value(tmp_path):
    rows = first_cells("| metric of")
    assert set(rows) == known(tmp_path, "min_effect = { nothing = 1 }")
    shares = {name: parse_share(row.split("|")[3].strip()) for name, row in rows.items()}
    assert shares == GateSettings().min_effects


def test_other_defaults_are_documented():
    rows = first_cells("| key |")
    assert f'`"{GateSettings().clock}"`' in rows["clock"]
    assert f'`"{GateSettings().error_rate:.0%}"`' in rows["error_rate"]


def test_the_example_is_read(tmp_path):
    example = re.search(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    (tmp_path / "pyproject.toml").write_text(example, encoding="utf-8")
    found = read_settings(tmp_path)
    assert (found.min_effects["time"], found.min_effects["contrast"], found.min_effects["cpu"]) == (0.05, 0.02, 0.03)
    assert found.clock_of("codecs.Codecs.time_encode") == "cpu"
    assert found.larger_is_better("video.Play.track_rate", "frames per second")
    (accepted,) = found.accepted
    assert accepted.covers("write.Whole.time_write(zstd-19, v3-c64)", today=dt.date(2027, 1, 31))
    assert not accepted.covers("write.Whole.time_write(zstd-19, v3-c64)", today=dt.date(2027, 2, 1))
    assert isinstance(accepted, Accepted)


def test_what_is_said_of_the_comment_holds():
    assert f"at most {LONGEST:,} characters" in PAGE
    assert f"`{MARKER}`" in PAGE


def test_every_input_and_output_of_the_action_is_documented():
    told = set(re.findall(r"`([a-z]+)`", RECIPES.split("| input |", 1)[1].split("Do not use", 1)[0]))
    assert set(ACTION["inputs"]) | set(ACTION["outputs"]) <= told


@pytest.mark.parametrize("name", ["budget", "repository", "comment", "python", "name"])
def test_a_default_of_the_action_is_the_one_that_is_documented(name):
    row = next(line for line in RECIPES.splitlines() if line.startswith(f"| `{name}`"))
    assert row.split("|")[3].strip() == f"`{ACTION['inputs'][name]['default']}`"


def test_recipes_of_other_systems_are_what_those_read():
    github, gitlab = (
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", RECIPES, re.MULTILINE | re.DOTALL)
    )
    (_, gate) = github["jobs"]["gate"]["steps"]
    assert set(gate["with"]) <= set(ACTION["inputs"])
    assert gitlab["gate"]["artifacts"]["reports"]["junit"] == "reports/junit.xml"
