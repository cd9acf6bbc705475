"""What the Tab key completes: the script that each shell is given, and what it asks zbench for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PATH = f"{BIN}{os.pathsep}{os.environ['PATH']}"
PROGRAMS = {"zbench": "_ZBENCH_COMPLETE", "zarr-benchmark": "_ZARR_BENCHMARK_COMPLETE"}


def asked(program="zbench", **variables):
    """Run the program as a script of completion does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("_Z")}
    done = subprocess.run(
        [BIN / program], env=environment | variables, check=True, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    return done.stdout


# What a shell offers after each line; the last word is being written.
LINES = [
    pytest.param("zbench cry", {"cryoet"}, id="command"),
    pytest.param("zbench data ver", {"verify"}, id="command of a group"),
    pytest.param("zbench import_", set(), id="name of a module"),
    pytest.param("zbench scale --si", {"--sizes"}, id="option"),
    pytest.param("zbench cryoet --cache-state ", {"warm", "cold", "both"}, id="value"),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_bash_completes(tmp_path, line, expected):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed here.")
    # As bash does when Tab is pressed: the function that the script has registered, with the words of the line.
    script = f"""
        eval "$(_ZBENCH_COMPLETE=bash_source zbench)"
        function=$(complete -p zbench | sed -E 's/.* -F ([^ ]+) .*/\\1/')
        line={line!r}
        read -ra COMP_WORDS <<< "$line"
        [[ $line == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
        "$function" zbench
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [bash, "--norc", "-c", script], env=os.environ | {"PATH": PATH}, cwd=tmp_path, check=True, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_zsh_and_fish_are_told_the_same(line, expected):
    words = line.split(" ")
    zsh = asked(
        _ZBENCH_COMPLETE="zsh_complete", COMP_WORDS=line.rstrip(), COMP_CWORD=str(len(words) - 1)
    ).splitlines()  # fmt: skip
    # Kind, value and help, a line each.
    assert set(zsh[1::3]) == expected
    fish = asked(_ZBENCH_COMPLETE="fish_complete", COMP_WORDS=line, COMP_CWORD=words[-1])
    told = [line.partition(",")[2].partition("\t")[0] for line in fish.splitlines() if line]
    assert set(told) == expected


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_for_each_name_of_the_program(program, shell):
    script = asked(program, **{PROGRAMS[program]: f"{shell}_source"})
    assert f"{PROGRAMS[program]}={shell}_complete" in script
    place = shutil.which(shell)
    if place is not None:
        subprocess.run([place, "-n"], input=script, check=True, text=True, timeout=60)
