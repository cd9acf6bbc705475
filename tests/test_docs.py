"""The documents name all that there is, and all that they name is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from zbench.cli import main
from zbench.engines import ENGINE_NAMES
from zbench.grid import PRESET_NAMES

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    # Pages of results are made by studies, each of which names its own command.
    *(path for path in sorted((REPOSITORY / "docs").rglob("*.md")) if path.parent.name != "results"),
]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
# A word of a line of shell, or its end.
PROGRAM = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(?P<line>(?:zbench|zarr-benchmark|make|asv) [^#|<>&]*)")


def commands(group=main, *names):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield " ".join(("zbench", *names, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)


def targets():
    """The targets that `make help` lists."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return re.findall(r"^([a-z-]+):.*?## ", makefile, flags=re.MULTILINE)


def variables():
    """The environment variables that the code reads."""
    files = chain(
        (REPOSITORY / "zbench").rglob("*.py"), (REPOSITORY / "benchmarks").glob("*.py"), [REPOSITORY / "Makefile"]
    )
    texts = (path.read_text(encoding="utf-8") for path in files)
    return sorted({name for text in texts for name in re.findall(r"\bZBENCH_[A-Z]+(?:_[A-Z]+)*\b", text)})


def lines_of_code(*programs):
    """What documents say in code of one of the programs: lines of fenced blocks, and spans within the text."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", rest)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    found = (PROGRAM.match(line) for line in (*lines, *spans))
    told = dict.fromkeys(match["line"].strip() for match in found if match)
    return [line for line in told if line.split()[0] in programs]


def is_named(words):
    """Whether a command is named whole, or in a list of its group such as "`zbench data list`, `show`"."""
    group, _, last = words.rpartition(" ")
    alone = re.compile(rf"`{re.escape(last)}[` ]")
    return words in TEXT or any(f"`{group} " in line and alone.search(line) for line in TEXT.splitlines())


@pytest.mark.parametrize("words", [pytest.param(words, id=words) for words, _ in commands()])
def test_every_command_is_documented(words):
    assert is_named(words)


@pytest.mark.parametrize("target", targets())
def test_every_target_of_make_is_documented(target):
    assert target in {word for line in lines_of_code("make") for word in line.split()}


@pytest.mark.parametrize("variable", variables())
def test_every_environment_variable_is_documented(variable):
    assert f"`{variable}`" in TEXT


@pytest.mark.parametrize("name", [*PRESET_NAMES, *ENGINE_NAMES])
def test_every_preset_and_engine_is_documented(name):
    assert re.search(rf"[`*]{re.escape(name)}[`*]", TEXT)


def test_documents_show_commands():
    assert len(lines_of_code("make")) >= 5
    assert len(lines_of_code("zbench")) >= 5


@pytest.mark.parametrize("line", lines_of_code("make"))
def test_every_target_that_a_document_names_exists(line):
    names = [word for word in shlex.split(line)[1:] if "=" not in word and not word.startswith("-")]
    assert set(names) <= set(targets())


@pytest.mark.parametrize("line", lines_of_code("zbench", "zarr-benchmark"))
def test_every_command_that_a_document_names_exists(line):
    command, words = main, shlex.split(line)[1:]
    context = click.Context(main)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        name, command, words = command.resolve_command(context, words)
        context = click.Context(command, info_name=name, parent=context)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h"}
    assert {word.split("=")[0] for word in words if word.startswith("-") and not word.startswith("-'")} <= known


def cheap(line):
    """Whether a line is a whole command that needs neither voxels nor much time."""
    _, *words = line.split()
    told = words[:1] == ["env"] or words[:2] in (["configs", "list"], ["configs", "explain"], ["data", "list"])
    whole = told or (words[:2] == ["data", "show"] and "--look" not in words)
    # A word in capitals stands for what a user puts there; explaining and showing want to know what.
    return whole and not re.search(r"\b[A-Z]{4,}\b|^zbench (configs explain|data show)$", line)


@pytest.mark.parametrize("line", [line for line in lines_of_code("zbench") if cheap(line)])
def test_a_command_that_costs_little_does_what_a_document_says(line):
    ran = CliRunner().invoke(main, shlex.split(line)[1:])
    assert ran.exit_code == 0, ran.output


def test_every_benchmark_that_a_document_names_exists():
    wanted = [pattern for line in lines_of_code("asv") for pattern in re.findall(r"(?:--bench|-b)[ =](\S+)", line)]
    program = "from asv_runner.discovery import disc_benchmarks as d; print(*(b.name for b in d('benchmarks')))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    names = ran.stdout.split()
    assert [pattern for pattern in wanted if not any(re.search(pattern, name) for name in names)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_repository_leads_to_a_file(document):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    # Pages of the place that the repository lies at, which it does not know.
    inside = [link for link in links if "://" not in link and "/actions/" not in link]
    assert [link for link in inside if not (document.parent / link).exists()] == []
