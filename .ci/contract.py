#!/usr/bin/env python3
"""Run the engine contract suite in every environment that asv measures in, and say which this machine lacks.

What an environment holds is said once, in ``asv.conf.json``; here pytest and its plugins are put beside it. The
environments lie in ``.venv-contract`` and are made anew when what they should hold changes.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
from asv import util
from asv.config import Config
from asv.console import log
from asv.environment import get_environments, iter_matrix

from zbench.asv_plugin.uv_tool import find_python

SUITE = "tests/contract"
RUNNERS = ("hypothesis", "pytest", "pytest-timeout")


def main() -> int:
    """Make what is missing, run the suite in each, and return the number of environments that failed."""
    conf = Config.load()
    conf.env_dir = str(Path(".venv-contract").resolve())
    # The versions that the rest of the tests ran with.
    conf.companions["*"] += [f"{name}=={version(name)}" for name in RUNNERS]
    log.enable()
    _print_interpreters(conf.pythons)
    environments = list(get_environments(conf, [conf.environment_type]))
    wanted = list(iter_matrix(conf.environment_type, conf.pythons, conf))
    failed = []
    for environment in environments:
        click.echo(f"\n== {SUITE} in {environment.name}")
        environment.create()
        python = environment.find_executable("python")
        if subprocess.run([python, "-m", "pytest", SUITE], check=False).returncode != 0:  # noqa: S603 - fixed command
            failed.append(environment.name)
    click.echo(
        f"\n{SUITE} ran in {len(environments)} of {len(wanted)} environments, "
        f"failed in {len(failed)}{': ' if failed else ''}{', '.join(failed)}"
    )
    if not environments:
        click.echo("An engine is checked in at least one environment: none of the interpreters above starts.", err=True)
        return 1
    return len(failed)


def _print_interpreters(pythons: list[str]) -> None:
    for python in pythons:
        try:
            click.echo(f"Python {python}: {find_python(python)}")
        except util.UserError:
            click.echo(f"Python {python}: ABSENT, its environments are not tested here")


if __name__ == "__main__":
    sys.exit(main())
