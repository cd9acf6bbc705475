"""The first file that the page loads: what there is, and what changed last."""

from __future__ import annotations

import math
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from zbench.report.site.nouns import Group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zbench.report.site.registry import Catalogue

__all__ = ["MOST_CHANGES", "group_fields", "index_of", "read_group"]

# The overview stays small; a page tells all of its own.
MOST_CHANGES = 600
_FIELDS = tuple(entry.name for entry in fields(Group))
_values = attrgetter(*_FIELDS)


def group_fields(group: Group) -> list[Any]:
    """Write a group down.

    Parameters
    ----------
    group
        The group.

    Returns
    -------
    list
        Its fields in order; JSON has no infinity.
    """
    return [_plain(value) for value in _values(group)]


def read_group(raw: list[Any]) -> Group:
    """Read what `group_fields` wrote.

    Parameters
    ----------
    raw
        What JSON held.

    Returns
    -------
    Group
        The group.
    """
    given: dict[str, Any] = dict(zip(_FIELDS, raw, strict=True))
    return Group(**given | {name: math.inf for name, value in given.items() if value is None})


def _plain(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def index_of(
    catalogue: Catalogue,
    *,
    title: str,
    made: str,
    version: str,
    pages: Iterable[Mapping[str, Any]],
    groups: Iterable[Group],
    traces: Iterable[Mapping[str, Any]],
    problems: Iterable[str],
) -> dict[str, Any]:
    """Write the index.

    Parameters
    ----------
    catalogue
        Machines, environments, positions.
    title, made, version
        Name of the site, when it was published, and by which zbench.
    pages
        As `summary_of` writes them.
    groups
        All changes; the newest are told.
    traces
        What traces there are.
    problems
        Files that were skipped, with the reason.

    Returns
    -------
    dict
        As JSON can hold it.
    """
    everything = list(groups)
    newest = sorted(everything, key=lambda group: (*_when(catalogue, group), _weight(group)), reverse=True)
    told = newest[:MOST_CHANGES]
    return {
        "title": title,
        "made": made,
        "version": version,
        **catalogue.written(),
        "pages": sorted(pages, key=lambda page: page["name"]),
        "changeFields": _FIELDS,
        "changes": [group_fields(group) for group in told],
        "changesTotal": len(everything),
        "traces": list(traces),
        "problems": sorted(set(problems)),
    }


def _when(catalogue: Catalogue, group: Group) -> tuple[float, tuple[float, ...]]:
    position = catalogue.positions[group.position]
    return position.date_ms, position.order


def _weight(group: Group) -> float:
    moved = abs(math.log(group.ratio)) if 0 < group.ratio < math.inf else math.inf
    return moved * (group.worse + group.better)
