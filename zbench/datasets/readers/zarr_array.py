"""Zarr arrays and groups on a local disk, of either format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbench.datasets.readers.member import Member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["members"]


def members(path: Path) -> list[Member]:
    """List the arrays of a Zarr hierarchy.

    Parameters
    ----------
    path
        Its folder.

    Returns
    -------
    list of Member
        One for each array of two axes or more, named by its path; read box by box.
    """
    import zarr  # noqa: PLC0415 - importing zbench stays light

    root = zarr.open(str(path), mode="r")
    if hasattr(root, "chunks"):
        return [Member(name="data", open=lambda: root)]
    return [Member(name=name, open=lambda node=node: node) for name, node in _arrays(root, "")]  # type: ignore[misc]


def _arrays(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, node in group.arrays():
        if len(node.shape) >= 2:
            yield f"{prefix}{name}", node
    for name, node in group.groups():
        yield from _arrays(node, f"{prefix}{name}/")
