"""The environment of a release: made once, kept, and used again."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zbench
from zbench.errors import ResultsError
from zbench.harness.sweep.tools import call_uv
from zbench.results import read_json, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbench.harness.sweep.axes import Axis
    from zbench.harness.sweep.releases import Release
    from zbench.harness.sweep.tools import Interpreter

__all__ = ["Gap", "Made", "make_place"]

_MARK = "zbench-sweep.json"
_CARDS = "data_registry"
_LONGEST_S = 300
# What every engine must be able to do before its release counts as usable.
_TRIAL = """
import sys
import numpy as np
from zbench.codecs import parse_chain
from zbench.engines import engine
from zbench.errors import RefusedError
from zbench.model import ArrayLayout, StorageConfig, StoreKind, StoreSpec
chosen = engine(sys.argv[1])
refusals = []
for layout in ("v2-c32", "v3-c32"):
    config = StorageConfig(layout=ArrayLayout.parse(layout), chain=parse_chain("blosc-lz4-5-shuffle"))
    try:
        chosen.refuse(config, dtype=np.dtype("uint16"), store=StoreSpec(kind=StoreKind.LOCAL, location="/nowhere"))
    except RefusedError as error:
        refusals.append(str(error))
sys.exit(refusals[-1] if len(refusals) == 2 else 0)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """An environment that holds a release.

    Attributes
    ----------
    version
        The release.
    python
        Interpreter of the environment.
    python_version
        Its version.
    pins
        What was asked for beside the release.
    packages
        Everything that is installed, sorted.
    """

    version: str
    python: Path
    python_version: str
    pins: tuple[str, ...]
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A release that cannot be measured.

    Attributes
    ----------
    version
        The release.
    reason
        Why.
    """

    version: str
    reason: str


def make_place(axis: Axis, release: Release, folder: Path) -> Made | Gap:
    """Make the environment of a release, or find it as it was made; zbench, as it runs here, is in it.

    Parameters
    ----------
    axis
        What is swept.
    release
        The release, with the interpreter that it is to run in.
    folder
        In which environments are kept.

    Returns
    -------
    Made or Gap
        The environment, or why there is none.
    """
    if release.python is None:
        return Gap(version=release.version, reason="no interpreter of this machine can have it: install a newer Python")
    reasons = []
    for held in axis.held:
        pins = (f"{axis.name}=={release.version}", *held)
        try:
            return _made(axis, release.version, release.python, pins, folder)
        except ResultsError as error:
            # What is half made is not used again, and there are many releases.
            shutil.rmtree(_place(axis, release.version, release.python, pins, folder), ignore_errors=True)
            reasons.append(f"with {', '.join(held) or 'nothing held'}: {error}")
    # The last set asks for the release alone, so what it says is about the release.
    return Gap(version=release.version, reason=reasons[-1])


def _made(axis: Axis, version: str, python: Interpreter, pins: Sequence[str], folder: Path) -> Made:
    wanted: dict[str, Any] = {"python": python.version, "pins": list(pins)}
    place = _place(axis, version, python, pins, folder)
    program = place / "bin" / "python"
    told = _mark(place)
    if told is None or told["wanted"] != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        call_uv("venv", "--quiet", "--no-project", "--no-config", "--clear", "--python", str(python.path), str(place))
        # zbench asks for newer releases than some of these: what it needs is named here, and it is copied in itself.
        call_uv("pip", "install", "--quiet", "--python", str(program), *pins, *_needed(pins))
        _install_zbench(place)
        _try(axis, program, place)
        told = {"wanted": wanted, "packages": _packages(program)}
        write_atomically(place / _MARK, json.dumps(told))
    else:
        _install_zbench(place)
    return Made(
        version=version,
        python=program,
        python_version=python.version,
        pins=tuple(pins[1:]),
        packages=tuple((name, number) for name, number in told["packages"]),
    )


def _place(axis: Axis, version: str, python: Interpreter, pins: Sequence[str], folder: Path) -> Path:
    digest = hashlib.sha256(json.dumps([python.version, *pins]).encode()).hexdigest()[:8]
    return folder / f"{axis.name}-{version}-{digest}"


def _needed(pins: Sequence[str]) -> list[str]:
    named = {pin.partition("==")[0] for pin in pins}
    return [name for name in ("numcodecs", "numpy", "pooch", "zarr") if name not in named]


def _mark(place: Path) -> Any:
    if not (place / _MARK).is_file():
        return None
    try:
        told = read_json(place / _MARK)
    except ResultsError:
        return None
    return told if isinstance(told, dict) and {"wanted", "packages"} <= set(told) else None


def _install_zbench(place: Path) -> None:
    """Copy this very zbench, so that what measures is the same in every release and does not change meanwhile."""
    source = Path(zbench.__file__).parent
    (packages,) = place.glob("lib/python*/site-packages")
    target = packages / "zbench"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    cards = source.parent / _CARDS
    if not (target / _CARDS).exists() and cards.is_dir():
        shutil.copytree(cards, target / _CARDS)


def _try(axis: Axis, program: Path, place: Path) -> None:
    """Let the release store and read a few voxels: what installs does not always import."""
    done = subprocess.run(  # noqa: S603 - the interpreter that was just made
        [str(program), "-c", _TRIAL, axis.engine],
        check=False,
        capture_output=True,
        text=True,
        cwd=place,
        timeout=_LONGEST_S,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        msg = f"it installs and does not work: {said[:500]}"
        raise ResultsError(msg)


def _packages(program: Path) -> list[tuple[str, str]]:
    listed = json.loads(call_uv("pip", "list", "--python", str(program), "--format", "json"))
    return sorted((one["name"], one["version"]) for one in listed)
