"""Both sides of a gate, built by asv's own machinery, each in environments of its own."""

from __future__ import annotations

import itertools
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.asv_project import asv_project
from zbench.harness.gate.question import PYTHON
from zbench.runner.pairs import Item, Kind, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zbench.harness.gate.question import GateQuestion, SideWanted
    from zbench.harness.gate.settings import GateSettings

__all__ = ["Built", "build"]

# Both as long as the other: paths lie in memory, too.
_FOLDERS = {"baseline": "base", "candidate": "head"}
_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """Two sides ready to be measured.

    Attributes
    ----------
    commits
        Full hashes of baseline and candidate.
    suite
        Folder of the benchmarks.
    sides
        From the name of each environment to its two sides.
    items
        All benchmarks that were asked for, in all environments.
    cache_timeouts_s
        From the key of each ``setup_cache`` to the longest time that it may take.
    project
        Name of the project.
    """

    commits: tuple[str, str]
    suite: Path
    sides: Mapping[str, tuple[Side, Side]]
    items: tuple[Item, ...]
    cache_timeouts_s: Mapping[str, float]
    project: str


def build(question: GateQuestion, settings: GateSettings, work: Path, report: Callable[[str], None]) -> Built:
    """Make the environments of both sides, install each side in its own, and find the benchmarks.

    Parameters
    ----------
    question
        What is compared.
    settings
        Which metrics are better when they are larger.
    work
        Folder in which the environments are kept.
    report
        Told of each step.

    Returns
    -------
    Built
        Both sides in every environment that both can have.

    Raises
    ------
    ResultsError
        If a commit is unknown, an environment cannot be made, a side cannot be built, or nothing is left to measure.
    """
    wanted = {"baseline": question.baseline, "candidate": question.candidate}
    with asv_project(question.repository, purpose="A gate") as (config, repo):
        commits = {name: str(repo.get_hash_from_name(side.commit)) for name, side in wanted.items()}
        own = {name: _environments(config, side, work / "env" / _FOLDERS[name]) for name, side in wanted.items()}
        pairs = _paired(own, question)
        sides: dict[str, tuple[Side, Side]] = {}
        for label, both in pairs.items():
            made = []
            for name, env in zip(_FOLDERS, both, strict=True):
                report(f"building {commits[name][:8]} for the {name} in {env.name}")
                env.create()
                env.install_project(config, repo, commits[name])
                extra = {"ZBENCH_PRESET": question.preset} if question.preset else {}
                made.append(_side(name, env, work / "scratch" / _FOLDERS[name], extra))
            sides[label] = (made[0], made[1])
        report("looking for benchmarks")
        env = next(iter(pairs.values()))[1]
        found = _discovered(config, repo, env, commits["candidate"])
        suite, project = Path(config.benchmark_dir).resolve(), str(config.project)
    every = (item for label in sides for name, entry in found.items() for item in _items(name, label, entry, settings))
    items = tuple(item for item in every if _is_wanted(item, question.benchmarks))
    if not items:
        msg = f"A gate measures what --bench matches: {' or '.join(question.benchmarks)!r} matches no benchmark."
        raise ResultsError(msg)
    return Built(
        commits=(commits["baseline"], commits["candidate"]),
        suite=suite,
        sides=sides,
        items=items,
        cache_timeouts_s={
            entry["setup_cache_key"]: float(entry.get("setup_cache_timeout") or entry.get("timeout") or _TIMEOUT_S)
            for entry in found.values()
            if entry.get("setup_cache_key")
        },
        project=project,
    )


def _environments(config: Any, side: SideWanted, folder: Path) -> list[Any]:
    from asv.environment import get_environments  # noqa: PLC0415 - asv is part of the extra that gates need

    # The folder is a side's own: asv has one commit in an environment, and a gate needs two at a time.
    config.env_dir = str(folder)
    if not side.requirements:
        return list(get_environments(config, None))
    kept = config.matrix, config.pythons, config.exclude
    try:
        required = {name: version for name, version in side.requirements if name != PYTHON}
        matrix = {kind: dict(entries) for kind, entries in _by_kind(config.matrix).items()}
        matrix.setdefault("req", {}).update({name: [_asv_version(version)] for name, version in required.items()})
        config.matrix = matrix
        pythons = [version.removeprefix("==") for name, version in side.requirements if name == PYTHON]
        config.pythons = pythons or config.pythons
        # Made for the versions of the configuration, in whose place others come.
        config.exclude = []
        return list(get_environments(config, None))
    finally:
        config.matrix, config.pythons, config.exclude = kept


def _by_kind(matrix: Mapping[str, Any]) -> Mapping[str, Any]:
    return matrix if {"req", "env", "env_nobuild"} & set(matrix) else {"req": matrix}


def _asv_version(specifier: str) -> str:
    # asv puts "==" before what begins with a digit.
    return specifier.removeprefix("==")


def _paired(own: Mapping[str, list[Any]], question: GateQuestion) -> dict[str, tuple[Any, Any]]:
    """Pair environments that are alike in all but what is compared."""
    compared = {name for side in (question.baseline, question.candidate) for name, _ in side.requirements}
    labelled = {name: {_label(env, compared): env for env in environments} for name, environments in own.items()}
    labels = [label for label in labelled["baseline"] if label in labelled["candidate"]]
    if compared and PYTHON not in compared:
        # One interpreter answers the question; several would answer it several times.
        labels = labels if question.environments else labels[:1]
    chosen = [
        label
        for label in labels
        if not question.environments or any(re.search(wanted, label) for wanted in question.environments)
    ]
    if not chosen:
        there = ", ".join(labels) or "none"
        msg = (
            f"A gate needs an environment that both sides can have: --env {' or '.join(question.environments) or 'all'}"
            f" leaves none of {there}. Install an interpreter that asv.conf.json names, or choose another."
        )
        raise ResultsError(msg)
    return {label: (labelled["baseline"][label], labelled["candidate"][label]) for label in chosen}


def _label(env: Any, compared: set[str]) -> str:
    parts = [] if PYTHON in compared else [f"py{env.python}"]
    parts += [f"{name}{version}" for name, version in sorted(env.requirements.items()) if name not in compared]
    parts += [f"{name}-{value}" for name, value in sorted(env.env_vars.items())]
    return "-".join(parts) or "default"


def _side(name: str, env: Any, scratch: Path, extra: Mapping[str, str]) -> Side:
    scratch.mkdir(parents=True, exist_ok=True)
    python = Path(env.find_executable("python"))
    # As asv itself starts benchmarks.
    variables = {
        **env._global_env_vars,  # noqa: SLF001 - nothing public tells them
        **env.env_vars,
        "PATH": os.pathsep.join((str(python.parent), os.environ.get("PATH", ""))),
        "PYTHONNOUSERSITE": "True",
        **extra,
    }
    return Side(
        name=name, python=python, variables={str(key): str(value) for key, value in variables.items()}, scratch=scratch
    )


def _discovered(config: Any, repo: Any, env: Any, commit: str) -> dict[str, dict[str, Any]]:
    from asv.benchmarks import Benchmarks  # noqa: PLC0415 - asv is part of the extra that gates need

    return dict(Benchmarks.discover(config, repo, [env], [commit]))


def _is_wanted(item: Item, expressions: Sequence[str]) -> bool:
    """Match what zbench prints, and what asv prints, which quotes texts."""
    texts = (item.cell, item.asv_cell)
    return not expressions or any(re.search(one, text) for one in expressions for text in texts)


def _items(name: str, environment: str, entry: dict[str, Any], settings: GateSettings) -> Iterator[Item]:
    kind = next((kind for kind in Kind if kind == entry["type"]), Kind.VALUE)
    combinations = list(itertools.product(*entry["params"])) if entry["params"] else [()]
    for index, combination in enumerate(combinations):
        item = Item(
            environment=environment,
            name=name,
            index=index if entry["params"] else None,
            parameters=tuple(zip(entry["param_names"], map(_plain, combination), strict=False)),
            asv_cell=f"{name}({', '.join(combination)})",
            kind=kind,
            unit=str(entry["unit"]),
            cache_key=entry.get("setup_cache_key"),
            timeout_s=float(entry.get("timeout") or _TIMEOUT_S),
            larger_is_better=settings.larger_is_better(name, str(entry["unit"])),
        )
        if math.isfinite(item.timeout_s):
            yield item


def _plain(text: str) -> str:
    """Write a parameter without the quotes that asv's repr gave it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] in "'\"" else text
