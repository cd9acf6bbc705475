"""The uv program: where it is, how it is called, and which interpreters it can start."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from asv import util

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["call_uv", "find_python", "find_uv"]

# uv would otherwise answer a missing interpreter with a download from GitHub.
_NO_DOWNLOADS = {"UV_PYTHON_DOWNLOADS": "never"}


def find_uv() -> str:
    """Find the uv program: that of the ``uv`` package first, then on ``PATH``.

    Returns
    -------
    str
        Absolute path of the program.

    Raises
    ------
    asv.util.UserError
        There is none. asv prints this class as one line; any other would be a traceback.
    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - the package may be absent where uv is on PATH

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        on_path = shutil.which("uv")
    if on_path is None:
        msg = (
            "asv's environments of type 'zbench-uv' are made by uv, which is neither installed beside asv "
            f"({sys.executable}) nor on PATH. Run: {sys.executable} -m pip install uv"
        )
        raise util.UserError(msg)
    return str(Path(on_path).resolve())


def call_uv(args: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None) -> str:
    """Run uv and return what it printed.

    Parameters
    ----------
    args
        Arguments after ``uv``.
    timeout
        Seconds without any output after which uv is stopped.
    env
        Variables to set on top of this process's own.

    Returns
    -------
    str
        Standard output, stripped.

    Raises
    ------
    asv.util.UserError
        uv failed; the message holds what uv said.
    """
    out, err, code = util.check_output(
        [find_uv(), *args],
        env={**os.environ, **_NO_DOWNLOADS, **(env or {})},
        timeout=timeout,
        dots=False,
        display_error=False,
        return_stderr=True,
        valid_return_codes=None,
    )
    if code != 0:
        reason = err.strip() or out.strip() or "it printed nothing"
        msg = f"'uv {args[0]}' failed with status {code}: {reason}\nThe command was: uv {' '.join(args)}"
        raise util.UserError(msg)
    return str(out).strip()


@cache
def find_python(version: str) -> str:
    """Find an interpreter that starts and is of the wanted version.

    A name on ``PATH`` proves little: pyenv leaves a ``python3.12`` there that only prints an error. uv starts each
    candidate and asks for its version. The folders of pyenv and of this interpreter are searched after ``PATH``.

    Parameters
    ----------
    version
        For example ``"3.12"``.

    Returns
    -------
    str
        Absolute path of the interpreter.

    Raises
    ------
    asv.util.UserError
        There is none; the message holds what uv said.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [os.environ.get("PATH", os.defpath), os.path.join(sys.base_prefix, "bin")]  # noqa: PTH118 - PATH is text
    folders += [str(folder) for folder in sorted(pyenv.glob(f"versions/{version}*/bin"), reverse=True)]
    wanted = ["python", "find", "--no-project", "--no-config", "--system", version]
    return call_uv(wanted, timeout=60, env={"PATH": os.pathsep.join(folders)})
