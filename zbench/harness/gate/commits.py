"""Commits of a repository: where a branch left another, and what lies between two."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["commits_between", "left_main"]

_MAINS = ("origin/main", "main", "origin/master", "master")


def left_main(repository: Path) -> str:
    """Find where HEAD left the main branch.

    Parameters
    ----------
    repository
        Folder of the repository.

    Returns
    -------
    str
        Full hash; on the main branch itself that of the commit before HEAD.

    Raises
    ------
    ResultsError
        If there is no main branch that HEAD left, or no commit before HEAD.
    """
    for main in _MAINS:
        found = _called(repository, "merge-base", main, "HEAD")
        if not found.returncode:
            left = found.stdout.strip()
            return _git(repository, "rev-parse", "HEAD^") if left == _git(repository, "rev-parse", "HEAD") else left
    msg = "A gate needs a baseline: there is no branch main or master that HEAD left. Name it: zbench gate BASELINE."
    raise ResultsError(msg)


def commits_between(repository: Path, good: str, bad: str) -> tuple[str, ...]:
    """List the commits from good to bad, along first parents.

    Parameters
    ----------
    repository
        Folder of the repository.
    good, bad
        Commits, branches or tags.

    Returns
    -------
    tuple of str
        Full hashes, good first, bad last.

    Raises
    ------
    ResultsError
        If one is unknown, or good is not before bad.
    """
    first = _git(repository, "rev-parse", "--verify", f"{good}^{{commit}}")
    last = _git(repository, "rev-parse", "--verify", f"{bad}^{{commit}}")
    listed = _git(repository, "rev-list", "--first-parent", "--reverse", "--ancestry-path", f"{first}..{last}").split()
    if not listed or listed[-1] != last:
        msg = f"A search goes from a good commit to a later bad one: {good!r} is not before {bad!r}. Turn them round."
        raise ResultsError(msg)
    return (first, *listed)


def _git(repository: Path, *arguments: str) -> str:
    ran = _called(repository, *arguments)
    if ran.returncode:
        msg = f"A search needs commits of the repository: git said {ran.stderr.strip()!r}. Look with 'git log'."
        raise ResultsError(msg)
    return ran.stdout.strip()


def _called(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - git with arguments of our own
        ["git", *arguments],  # noqa: S607 - as found on the path, like asv does
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
