"""What README.md shows of zbench's output: run by `make readme`, which puts it between the marks."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import cog

PROGRAMS = Path(sys.executable).parent
# The tables of a summary need so many.
COLUMNS = "134"


def command(line: str, *, keep: int | None = None) -> None:
    """Show a command and what it prints; a command that fails stops the making of the file."""
    program, *arguments = shlex.split(line)
    done = subprocess.run(
        [str(PROGRAMS / program), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": COLUMNS, "NO_COLOR": "1"},
    )
    lines = [text.rstrip() for text in done.stdout.splitlines()]
    shown = lines if keep is None else lines[:keep]
    cog.outl("\n".join(["```", f"$ {line}", *shown, *(["..."] if len(shown) < len(lines) else []), "```"]))


def bench() -> None:
    """Show the begin of the summary that `make bench` printed last, which is of the commit that was HEAD then."""
    newest = max(Path(".asv/results").glob("*/*-zbench-uv-*.json"), key=lambda path: path.stat().st_mtime)
    command(f"zbench summary {newest.name.partition('-')[0]}", keep=40)


def grid() -> None:
    """List what a grid can be built of, from the code that reads it."""
    from zbench.codecs import CODEC_NAMES, codec_kind
    from zbench.layouts import LAYOUT_FORMS
    from zbench.patterns import PATTERN_FORMS

    cog.outl("## Codecs\n\n| written | role | meaning |\n|---|---|---|")
    for kind in map(codec_kind, CODEC_NAMES):
        cog.outl(f"| `{kind.form.replace('|', ', ')}` | {kind.role} | {kind.summary} |")
    cog.outl("\n## Layouts\n\n| written | meaning |\n|---|---|")
    for form in LAYOUT_FORMS:
        written, _, meaning = form.partition(": ")
        cog.outl(f"| `{written}` | {meaning} |")
    cog.outl("\n## Access patterns\n")
    for form in PATTERN_FORMS:
        cog.outl(f"- `{form}`")


def columns() -> None:
    """List the columns of the results table, from the schema that follows from the code."""
    from zbench.results import results_schema

    cog.outl("| column | means |\n|---|---|")
    told: dict[str, list[str]] = {}
    for name, column in results_schema()["properties"]["rows"]["items"]["properties"].items():
        told.setdefault(column["description"], []).append(name)
    for text, names in told.items():
        cog.outl(f"| `{'`, `'.join(names)}` | {text} |")
