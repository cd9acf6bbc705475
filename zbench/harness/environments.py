"""The Python environments that studies measure in: those of the asv suite, kept apart from the suite's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.asv_project import asv_project

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Made", "environments"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """An environment that was made, or found as it should be.

    Attributes
    ----------
    name
        Python and zarr release, as asv names it.
    commit
        Full hash of what is installed in it.
    done, total
        Environments that are there, and that there will be.
    """

    name: str
    commit: str
    done: int
    total: int


def environments(
    repository: Path, work: Path, *, commit: str = "HEAD", report: Callable[[Made], None] = lambda _: None
) -> tuple[str, dict[str, Path]]:
    """Make one environment for each zarr release that asv.conf.json names, with the first Python that can have it.

    Parameters
    ----------
    repository
        Folder with ``asv.conf.json``.
    work
        Folder in which the environments are kept.
    commit
        What is installed in them.
    report
        Told after each environment.

    Returns
    -------
    commit : str
        Its full hash.
    pythons : dict
        From the name of each environment to its interpreter, oldest zarr first.

    Raises
    ------
    ResultsError
        If one cannot be made, or the machine has no interpreter for any.
    """
    from asv.environment import get_environments  # noqa: PLC0415 - asv is part of the extra that studies need

    found: dict[str, Path] = {}
    with asv_project(repository, purpose="A study") as (config, repo):
        # Its own folder: a suite that runs at the same time may install another commit in its environments.
        config.env_dir = str(work / "environments")
        work.mkdir(parents=True, exist_ok=True)
        full = str(repo.get_hash_from_name(commit))
        chosen = _one_a_release(list(get_environments(config, None)))
        for done, env in enumerate(chosen, start=1):
            name = str(env.name).removeprefix(f"{env.tool_name}-")
            env.create()
            env.install_project(config, repo, full)
            found[name] = Path(env.find_executable("python"))
            report(Made(name=name, commit=full, done=done, total=len(chosen)))
    if not found:
        msg = "A study needs an interpreter for one of the Pythons of asv.conf.json: none was found. Install one."
        raise ResultsError(msg)
    return full, found


def _one_a_release(environments: list[Any]) -> list[Any]:
    """Keep the first environment of each set of requirements, oldest zarr first."""
    first: dict[str, Any] = {}
    for env in environments:
        first.setdefault(str(sorted(env.requirements.items())), env)
    return sorted(first.values(), key=lambda env: [int(part) for part in env.requirements["zarr"].split(".")])
