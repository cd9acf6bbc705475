"""How the sweep calls uv, and the interpreters that it finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Interpreter", "call_uv", "find_uv", "interpreters"]

# zbench itself must run in it.
_OLDEST = (3, 11)
_LONGEST_S = 900


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine.

    Attributes
    ----------
    version
        Whole, such as ``"3.12.1"``.
    path
        Absolute path of the program.
    """

    version: str
    path: Path

    @property
    def minor(self) -> str:
        """Such as ``"3.12"``."""
        return ".".join(self.version.split(".")[:2])


def find_uv() -> str:
    """Find the uv program: that of the ``uv`` package first, then on ``PATH``.

    Returns
    -------
    str
        Absolute path of the program.

    Raises
    ------
    ResultsError
        If there is none.
    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - the package may be absent where uv is on PATH

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        on_path = shutil.which("uv")
    if on_path is None:
        msg = f"A sweep makes its environments with uv: it is not installed. Run: {sys.executable} -m pip install uv"
        raise ResultsError(msg)
    return on_path


def call_uv(*args: str) -> str:
    """Run uv and return what it printed.

    Parameters
    ----------
    *args
        Its arguments.

    Returns
    -------
    str
        Its standard output.

    Raises
    ------
    ResultsError
        If it failed, with what it said.
    """
    # uv would answer a missing interpreter with a download.
    variables = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "PATH": os.pathsep.join(_folders())}
    try:
        done = subprocess.run(  # noqa: S603 - uv itself; what is installed was asked for
            [find_uv(), *args], check=False, capture_output=True, text=True, env=variables, timeout=_LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"uv answers within {_LONGEST_S} s: 'uv {' '.join(args[:2])}' did not ({error}). Run the sweep again."
        raise ResultsError(msg) from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or "nothing"
        msg = f"'uv {' '.join(args[:2])}' failed. It said: {said[-1000:]}"
        raise ResultsError(msg)
    return done.stdout


def _folders() -> Sequence[str]:
    # A name on PATH proves little: pyenv leaves names there that only print an error. uv starts each that it finds.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    own = [str(folder) for folder in sorted(pyenv.glob("versions/*/bin"))]
    return [*own, os.environ.get("PATH", os.defpath), str(Path(sys.base_prefix, "bin"))]


def interpreters() -> tuple[Interpreter, ...]:
    """Find the interpreters of this machine that zbench can run in.

    Returns
    -------
    tuple of Interpreter
        CPython with its global lock, one for each minor release, oldest first.

    Raises
    ------
    ResultsError
        If there is none, or no uv to look.
    """
    listed = call_uv("python", "list", "--only-installed", "--no-config", "--output-format", "json")
    found: dict[tuple[int, int], Interpreter] = {}
    for one in json.loads(listed):
        parts = one["version_parts"]
        minor = parts["major"], parts["minor"]
        usable = one["implementation"] == "cpython" and one["variant"] == "default" and one["path"]
        # A shim depends on the folder it is called in.
        if usable and minor >= _OLDEST and "/shims/" not in one["path"]:
            found.setdefault(minor, Interpreter(one["version"], Path(one["path"])))
    if not found:
        msg = f"A sweep needs Python {'.'.join(map(str, _OLDEST))} or newer: none was found. Install one."
        raise ResultsError(msg)
    return tuple(found[minor] for minor in sorted(found))
