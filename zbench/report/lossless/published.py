"""Figures that others published, with their sources: data in ``published.toml``, nothing of it measured here."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["HEFTIE_ENGINES", "Published", "published"]

# The published columns, and which of ours stand beside them: engine and begin of the zarr-python release.
HEFTIE_ENGINES: dict[str, tuple[str, tuple[int, ...]]] = {
    "zarr2": ("zarr-python", (2,)),
    "zarr3": ("zarr-python", (3,)),
    "tensorstore": ("tensorstore", ()),
}


@dataclass(frozen=True, slots=True)
class Published:
    """The file of published figures.

    Attributes
    ----------
    tables
        Its tables by name.
    """

    tables: dict[str, Any]

    def __getitem__(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.tables[name]
        return found

    def cited(self, name: str) -> str:
        """Cite the source of a table.

        Parameters
        ----------
        name
            Name of the table.

        Returns
        -------
        str
            Markdown link.
        """
        source = self.tables["sources"][self.tables[name]["source"]]
        return f"[{source['name']}]({source['url']})"


@cache
def published() -> Published:
    """Read the published figures.

    Returns
    -------
    Published
        The same each time.
    """
    text = resources.files("zbench.report.lossless").joinpath("published.toml").read_text(encoding="utf-8")
    return Published(tomllib.loads(text))
