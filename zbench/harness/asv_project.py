"""A project that asv measures, as its configuration describes it: ours, or any other."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError, ZbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CONFIGURATION", "asv_project"]

CONFIGURATION = "asv.conf.json"
_SHOWN = 1000


@contextlib.contextmanager
def asv_project(repository: Path, *, purpose: str) -> Iterator[tuple[Any, Any]]:
    """Work with asv's own machinery in the folder of a project.

    Parameters
    ----------
    repository
        Folder with ``asv.conf.json``.
    purpose
        What needs it, as errors say it.

    Yields
    ------
    config : asv.config.Config
        With its plugins loaded; paths in it are read from the folder, which is the working folder meanwhile.
    repo : asv.repo.Repo
        The repository.

    Raises
    ------
    ResultsError
        If the configuration, the repository, an environment or a build is not as asv wants it.
    """
    from asv import util  # noqa: PLC0415 - asv is part of the extra that use cases like this need
    from asv.config import Config  # noqa: PLC0415
    from asv.plugin_manager import plugin_manager  # noqa: PLC0415
    from asv.repo import NoSuchNameError, get_repo  # noqa: PLC0415

    with contextlib.chdir(repository):
        try:
            config = Config.load(CONFIGURATION)
            for plugin in config.plugins:
                plugin_manager.import_plugin(plugin)
            yield config, get_repo(config)
        except NoSuchNameError as error:
            msg = f"{purpose} needs commits of the repository: there is none that {error} names. Look with 'git log'."
            raise ResultsError(msg) from error
        except (util.UserError, util.ProcessError, OSError) as error:
            if isinstance(error, ZbenchError):
                raise
            said = str(getattr(error, "stderr", "")).strip()[-_SHOWN:] or "nothing more"
            msg = f"{purpose} needs the environments of {CONFIGURATION}: one could not be made. {error} It said: {said}"
            raise ResultsError(msg) from error
