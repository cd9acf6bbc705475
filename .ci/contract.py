#!/usr/bin/env python3
"""Run the engine contract suite in every environment that asv measures in, and say which this machine lacks.

What an environment holds is said once, in ``asv.conf.json``; here pytest and its plugins are put beside it. The
environments lie in ``.venv-contract`` and are made anew when what they should hold changes.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import click
from asv import util
from asv.config import Config
from asv.console import log
from asv.environment import Environment, get_environments, iter_matrix

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
        environment.create()
    # Two at a time: each is one process.
    with ThreadPoolExecutor(2) as both:
        for environment, done in zip(environments, both.map(_run, environments), strict=True):
            click.echo(f"\n== {SUITE} in {environment.name}\n{done.stdout}")
            if done.returncode != 0:
                failed.append(environment.name)
    click.echo(
        f"\n{SUITE} ran in {len(environments)} of {len(wanted)} environments, "
        f"failed in {len(failed)}{': ' if failed else ''}{', '.join(failed)}"
    )
    if not environments:
        click.echo("An engine is checked in at least one environment: none of the interpreters above starts.", err=True)
        return 1
    return len(failed)


def _run(environment: Environment) -> subprocess.CompletedProcess[str]:
    command = [environment.find_executable("python"), "-m", "pytest", SUITE]
    return subprocess.run(  # noqa: S603 - fixed command
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _print_interpreters(pythons: list[str]) -> None:
    for python in pythons:
        try:
            click.echo(f"Python {python}: {find_python(python)}")
        except util.UserError:
            click.echo(f"Python {python}: ABSENT, its environments are not tested here")


if __name__ == "__main__":
    sys.exit(main())
