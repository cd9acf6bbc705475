"""Engines by name; the library behind one is imported when it is asked for."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module, metadata
from typing import TYPE_CHECKING, cast

from zbench.errors import RefusedError, UnknownNameError

if TYPE_CHECKING:
    from zbench.engines.protocol import Engine

__all__ = ["ENGINE_NAMES", "engine"]

ENGINE_NAMES = ("zarr-python", "zarr-python-fused", "zarrs", "tensorstore")


@lru_cache
def engine(name: str) -> Engine:
    """Get an engine.

    Parameters
    ----------
    name
        One of `ENGINE_NAMES`.

    Returns
    -------
    Engine
        Ready to use.

    Raises
    ------
    RefusedError
        If its package is not installed, or the installed release has no such pipeline.
    UnknownNameError
        If there is none of that name.
    """
    if name not in ENGINE_NAMES:
        raise UnknownNameError.of(kind="engine", name=name, known=ENGINE_NAMES)
    if name == "tensorstore":
        _require("tensorstore", name)
        return cast("Engine", import_module("zbench.engines.tensorstore").TensorStore())
    if _major("zarr") < 3:
        if name != "zarr-python":
            msg = (
                f"Engine {name!r} is a codec pipeline of zarr 3: zarr {metadata.version('zarr')} is installed. "
                "Use an environment with zarr 3."
            )
            raise RefusedError(msg)
        return cast("Engine", import_module("zbench.engines.zarr2").Zarr2())
    if name == "zarrs":
        _require("zarrs", name)
    return cast("Engine", import_module("zbench.engines.zarr3").zarr3_engine(name))


def _major(package: str) -> int:
    return int(metadata.version(package).split(".", 1)[0])


def _require(package: str, name: str) -> None:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        msg = f"Engine {name!r} needs the package {package}: it is not installed. Run: pip install {package}"
        raise RefusedError(msg) from None
