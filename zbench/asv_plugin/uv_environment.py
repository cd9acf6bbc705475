"""An asv environment that uv makes in about a second, and that a second commit needs no network for.

asv's own types run ``pip install`` once per requirement; this one resolves everything together and installs it with
one ``uv pip install``. Beside the matrix it reads one more key of ``asv.conf.json``, ``companions``: what is installed
next to a matrix entry without being part of the environment's name, so that result files and curves keep their names
when a companion moves. ``"*"`` is for every environment.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from asv import util
from asv.console import log
from asv.environment import Environment, EnvironmentUnavailable

from zbench.asv_plugin.lock import hold
from zbench.asv_plugin.uv_tool import call_uv, find_python, find_uv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asv.config import Config
    from asv.repo import Repo

__all__ = ["UvEnvironment", "requirement"]

_EVERY = "*"


def requirement(name: str, version: str) -> str:
    """Write one entry of asv's matrix as a requirement.

    Parameters
    ----------
    name
        Distribution, perhaps with asv's prefix ``pip+``, or a whole requirement when there is no version.
    version
        A version, a specifier such as ``">=3"``, or nothing.

    Returns
    -------
    str
        For example ``"zarr==3.1.6"``.
    """
    operator = "==" if version[:1].isdigit() else ""
    return f"{name.removeprefix('pip+')}{operator}{version}"


class UvEnvironment(Environment):  # type: ignore[misc]  # asv ships no types
    """One interpreter and one set of packages, made by ``uv venv`` and one ``uv pip install``.

    An interpreter that is not on the machine makes the environment unavailable: asv says so in one line and goes on
    with the others.

    Parameters
    ----------
    conf
        asv's configuration.
    python
        Version of the interpreter, for example ``"3.12"``.
    requirements
        The matrix entry: versions by distribution.
    tagged_env_vars
        The matrix entry: environment variables by tag (``"build"`` or ``"nobuild"``) and name.

    Raises
    ------
    asv.environment.EnvironmentUnavailable
        The interpreter is not on this machine.
    asv.util.UserError
        uv is not on this machine.
    """

    tool_name = "zbench-uv"
    matches_python_fallback = False
    _build_command: list[str] | str | None
    _install_command: list[str] | str | None
    _uninstall_command: list[str] | str | None

    def __init__(
        self, conf: Config, python: str, requirements: dict[str, str], tagged_env_vars: dict[tuple[str, str], str]
    ) -> None:
        uv = find_uv()
        try:
            self._interpreter = find_python(python)
        except util.UserError as error:
            msg = f"No Python {python} starts on this machine, so its environment is left out: {error}".splitlines()[0]
            raise EnvironmentUnavailable(msg) from error
        # asv's constructor asks for the name, which is made of these, before it sets them.
        self._python = python
        self._requirements = requirements
        super().__init__(conf, python, requirements, tagged_env_vars)
        self._companions = self._chosen_companions(getattr(conf, "companions", {}))
        self._set_default_commands(uv)
        # asv looked for the installed commit before it knew these commands, whose change asks for a new installation.
        self._set_commit_hash(self._get_installed_commit_hash())

    @classmethod
    def matches(cls, python: str) -> bool:
        """Say whether this type can make an environment for a Python.

        Parameters
        ----------
        python
            What the configuration or ``--python`` says.

        Returns
        -------
        bool
            True for a version. One that this machine lacks too, so that the reason comes from here.
        """
        return re.fullmatch(r"\d+\.\d+(\.\d+)?", python) is not None

    def check_presence(self) -> bool:
        """Say whether the environment is on disk, whole, and made from the same configuration.

        Returns
        -------
        bool
            False when it has to be made anew.
        """
        # asv's own check wants a pip in the environment; uv needs none.
        try:
            if self.load_info_file(self._path) != self._info():
                return False
            self.run_executable("python", ["-c", "pass"], display_error=False)
        except (util.UserError, util.ProcessError, OSError):
            return False
        return True

    def create(self) -> None:
        """Make the environment unless it is there, and keep other asv processes out of it."""
        hold(Path(f"{self._path}.lock"), what=f"environment {self.name}")
        super().create()

    def install_project(self, conf: Config, repo: Repo, commit_hash: str) -> None:
        """Build a commit and install it in place of the one before.

        Parameters
        ----------
        conf
            asv's configuration.
        repo
            asv's repository.
        commit_hash
            The commit to install.
        """
        hold(Path(f"{self._path}.lock"), what=f"environment {self.name}")
        super().install_project(conf, repo, commit_hash)

    def run(self, args: Sequence[str], **kwargs: object) -> object:
        """Run the environment's Python.

        Parameters
        ----------
        args
            Arguments after ``python``.
        **kwargs
            As for ``asv.util.check_output``.

        Returns
        -------
        object
            As from ``asv.util.check_output``.
        """
        hold(Path(f"{self._path}.lock"), what=f"environment {self.name}")
        log.debug(f"Running '{' '.join(args)}' in {self.name}")
        return self.run_executable("python", args, **kwargs)

    def save_info_file(self, path: str) -> None:
        """Write down what the environment was made from.

        Parameters
        ----------
        path
            Folder of the environment.
        """
        util.write_json(str(Path(path, "asv-env-info.json")), self._info())

    def _info(self) -> dict[str, object]:
        return {
            "tool_name": self.tool_name,
            "python": self._python,
            "requirements": self._wanted(),
            "build_env_vars": self.build_env_vars,
        }

    def _chosen_companions(self, companions: Mapping[str, Sequence[str]]) -> list[str]:
        keys = {_EVERY, *(requirement(*item) for item in self._requirements.items())}
        return [text for key, texts in companions.items() if key in keys for text in texts]

    def _wanted(self) -> list[str]:
        entries = {**self._base_requirements, **self._requirements}
        return sorted([requirement(*item) for item in entries.items()] + self._companions)

    def _setup(self) -> None:
        log.info(f"Creating environment for {self.name}")
        options = {"timeout": self._install_timeout, "env": self.build_env_vars}
        call_uv(["venv", "--quiet", "--no-project", "--clear", "--python", self._interpreter, self._path], **options)
        log.info(f"Installing requirements for {self.name}")
        # The project's own dependencies come along, so that installing a commit later finds them all in place.
        project = ["--requirement", "pyproject.toml"] if Path("pyproject.toml").exists() else []
        call_uv(["pip", "install", "--quiet", "--python", self._path, *project, *self._wanted()], **options)

    def _set_default_commands(self, uv: str) -> None:
        # asv splits these like a shell and fills in the braces afterwards, so folders with spaces stay whole.
        prefix = f"UV_PYTHON_DOWNLOADS=never {shlex.quote(uv)}"
        # Never quiet: asv shows what uv printed when a command fails, and nothing otherwise.
        into = "--python {env_dir}"
        pins = shlex.join(self._wanted())
        if self._build_command is None:
            self._build_command = [
                f"{prefix} build --wheel --no-build-isolation {into} --out-dir {{build_cache_dir}} {{build_dir}}"
            ]
        if self._install_command is None:
            # The second line is for a commit with new dependencies. When nothing is missing uv sees that without asking
            # the network; and with the pins in it, a commit that cannot live with them fails instead of moving them.
            install = f"in-dir={{env_dir}} {prefix} pip install {into}"
            self._install_command = [f"{install} --no-deps {{wheel_file}}", f"{install} {{wheel_file}} {pins}"]
        if self._uninstall_command is None:
            self._uninstall_command = [f"return-code=any {prefix} pip uninstall {into} {{project}}"]
