"""What README.md shows of zbench's output: run by `make readme`, which puts it between the marks."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import cog

PROGRAMS = Path(sys.executable).parent
# As wide as GitHub shows without a scroll bar.
COLUMNS = "120"


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
    """Show the end of what `make bench` printed last."""
    command("zbench summary", keep=40)
