"""What a gate is asked: which two sides, of which project, measured how long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PYTHON", "GateQuestion", "SideWanted", "requirements_of"]

PYTHON = "python"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<version>(==|>=|<=|~=|!=|<|>)\s*[^\s,;]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SideWanted:
    """One side as it was asked for.

    Attributes
    ----------
    commit
        A commit, branch or tag.
    requirements
        Name and version specifier of packages that this side has in place of those of the configuration.
    """

    commit: str
    requirements: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """What it is called in reports."""
        return " ".join(f"{name}{version}" for name, version in self.requirements) or self.commit


@dataclass(frozen=True, kw_only=True, slots=True)
class GateQuestion:
    """Two sides, and what is to be measured of them.

    Attributes
    ----------
    repository
        Folder with ``asv.conf.json``.
    baseline, candidate
        The two sides.
    benchmarks
        Regular expressions, of which a benchmark with its parameters must match one; empty for all.
    environments
        Regular expressions, of which the name of an environment must match one; empty for all.
    budget_s
        Seconds of measuring, building and caches not counted.
    metrics
        Which metrics are measured: ``value``, ``time``, ``peakmemory``, ``instructions``.
    seed
        Of all orders.
    preset
        Preset of zbench's own suite, if that is measured.
    """

    repository: Path
    baseline: SideWanted
    candidate: SideWanted
    benchmarks: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    budget_s: float = 600.0
    metrics: tuple[str, ...] = ("value", "time", "peakmemory")
    seed: int = 0
    preset: str | None = None


def requirements_of(text: str) -> tuple[tuple[str, str], ...]:
    """Read the packages of one side.

    Parameters
    ----------
    text
        Requirements with versions, apart by blanks or commas: ``"zarr==3.1.6 numcodecs==0.16.1"``. ``python==3.12``
        is the interpreter.

    Returns
    -------
    tuple
        Name and version specifier of each.

    Raises
    ------
    ResultsError
        If one is no package with a version.
    """
    found = []
    for part in re.split(r"[\s,]+(?=[A-Za-z])", text.strip()):
        match = _REQUIREMENT.fullmatch(part.strip())
        if match is None:
            msg = (
                f"A side names packages with versions, such as 'zarr==3.1.6' or 'zarr==3.1.6 numcodecs==0.16.1': got "
                f"{part!r} in {text!r}."
            )
            raise ResultsError(msg)
        found.append((match["name"].lower(), re.sub(r"\s", "", match["version"])))
    return tuple(found)
