"""Environments of two results: which belong together, and in what they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.results import python_minor

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from zbench.model import Environment

__all__ = ["Difference", "differences", "matched", "package_changes", "place_labels"]

_MATTERS: dict[str, Callable[[Environment], str]] = {
    "machine": lambda one: one.machine,
    "cpu": lambda one: one.cpu,
    "cores": lambda one: str(one.cores or ""),
    "threads": lambda one: " ".join(f"{name}={value}" for name, value in one.threads) or "no limit",
    "filesystem": lambda one: "" if one.filesystem == "unknown" else one.filesystem,
    "python": lambda one: python_minor(one.python),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two environments differ.

    Attributes
    ----------
    what
        Its name.
    baseline, candidate
        What it is on each side.
    """

    what: str
    baseline: str
    candidate: str


def matched(baseline: Mapping[str, Environment], candidate: Mapping[str, Environment]) -> dict[str, str]:
    """Find for each environment of the candidate the one of the baseline that it is compared with.

    Parameters
    ----------
    baseline, candidate
        Environments by id.

    Returns
    -------
    dict
        From the id in the candidate to the id in the baseline: the same one; or else the only one with the same Python
        and packages; or else the only one at all. What has no counterpart is left out.
    """
    found = {name: name for name in candidate if name in baseline}
    ours = {name: one for name, one in baseline.items() if name not in found}
    theirs = {name: one for name, one in candidate.items() if name not in found}
    for alike in (_software, lambda _: None) if len(baseline) == len(candidate) == 1 else (_software,):
        found |= _only_ones(ours, theirs, alike)
    return found


def _software(environment: Environment) -> Hashable:
    packages = tuple(sorted(pair for pair in environment.packages if pair[0] != "zbench"))
    return python_minor(environment.python), packages


def _only_ones(
    ours: Mapping[str, Environment], theirs: Mapping[str, Environment], alike: Callable[[Environment], Hashable]
) -> dict[str, str]:
    def by_kind(environments: Mapping[str, Environment]) -> dict[Hashable, list[str]]:
        kinds: dict[Hashable, list[str]] = {}
        for name, environment in environments.items():
            kinds.setdefault(alike(environment), []).append(name)
        return kinds

    base, other = by_kind(ours), by_kind(theirs)
    return {
        names[0]: base[kind][0] for kind, names in other.items() if len(names) == 1 and len(base.get(kind, ())) == 1
    }


def differences(
    pairs: Iterable[tuple[Environment, Environment]],
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Tell in what environments differ that times depend on.

    Parameters
    ----------
    pairs
        Baseline and candidate.

    Returns
    -------
    differences : tuple of Difference
        Machine, processor, cores, threads, filesystem, minor version of Python; each difference once.
    unknown : tuple of str
        Which of them a side does not say; they are not counted as different.
    """
    found: dict[Difference, None] = {}
    unknown: dict[str, None] = {}
    for base, other in pairs:
        for what, value in _MATTERS.items():
            ours, theirs = value(base), value(other)
            if not (ours and theirs):
                unknown[what] = None
            elif ours != theirs:
                found[Difference(what, ours, theirs)] = None
    return tuple(found), tuple(unknown)


def package_changes(pairs: Iterable[tuple[Environment, Environment]]) -> tuple[Difference, ...]:
    """Tell which packages are others.

    Parameters
    ----------
    pairs
        Baseline and candidate environments.

    Returns
    -------
    tuple of Difference
        Each change once; a package that one side does not list is ``none`` there, and the system counts as one.
    """
    found: dict[Difference, None] = {}
    for base, other in pairs:
        ours, theirs = dict(base.packages) | {"os": base.os}, dict(other.packages) | {"os": other.os}
        for name in sorted(set(ours) | set(theirs)):
            if ours.get(name) != theirs.get(name):
                found[Difference(name, ours.get(name) or "none", theirs.get(name) or "none")] = None
    return tuple(found)


def place_labels(environments: Mapping[str, Environment]) -> dict[str, str]:
    """Name environments for people.

    Parameters
    ----------
    environments
        By id.

    Returns
    -------
    dict
        From the id to Python and zarr, with the begin of the id where that would be said twice.
    """
    plain = {name: _label(environment) for name, environment in environments.items()}
    twice = {label for label in plain.values() if list(plain.values()).count(label) > 1}
    return {name: f"{label} {name[:6]}".strip() if label in twice else label for name, label in plain.items()}


def _label(environment: Environment) -> str:
    zarr = dict(environment.packages).get("zarr")
    parts = (environment.python and f"py{python_minor(environment.python)}", zarr and f"zarr{zarr}")
    return "-".join(part for part in parts if part)
