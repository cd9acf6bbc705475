"""What cells have in common: the factors over which they are pooled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.errors import LayoutError
from zbench.model import ArrayLayout
from zbench.units import format_shape

if TYPE_CHECKING:
    from zbench.runner.pairs import Item

__all__ = ["levels_of"]

_LAYOUT = "layout"
_NO_SHARDS = "none"


def levels_of(item: Item) -> dict[str, str]:
    """Tell the level of each factor of a benchmark.

    Parameters
    ----------
    item
        The benchmark with its parameters.

    Returns
    -------
    dict
        ``all`` (everything), ``environment``, ``benchmark``, every parameter by its name, and of a parameter
        ``layout`` its ``format``, ``chunks`` and ``shards``.
    """
    levels = {"all": "all", "environment": item.environment, "benchmark": item.name, **dict(item.parameters)}
    return levels | _of_layout(levels.get(_LAYOUT, ""))


def _of_layout(text: str) -> dict[str, str]:
    try:
        layout = ArrayLayout.parse(text)
    except LayoutError:
        # A parameter of another project that happens to be called so.
        return {}
    shards = _NO_SHARDS if layout.shards is None else format_shape(layout.shards)
    return {"format": str(layout.zarr_format), "chunks": format_shape(layout.chunks), "shards": shards}
