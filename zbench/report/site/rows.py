"""The table of results as batches: runs of zbench, sweeps over releases, and what was imported."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.report.site.metrics import measure_of
from zbench.report.site.nouns import Batch, Position
from zbench.results import environment_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zbench.model import Environment
    from zbench.results import Row, Table

__all__ = ["release_position", "table_batches"]

_PARAMETERS = ("dataset", "engine", "store", "layout", "chain", "cache_state")
# Where the notes of releases are, for those that zbench compares.
_NOTES = {
    "zarr": "https://github.com/zarr-developers/zarr-python/releases/tag/v{version}",
    "numcodecs": "https://github.com/zarr-developers/numcodecs/releases/tag/v{version}",
    "tensorstore": "https://github.com/google/tensorstore/releases/tag/v{version}",
    "zarrs": "https://github.com/zarrs/zarrs-python/releases/tag/v{version}",
}


def release_position(package: str, version: str, *, rank: int) -> Position:
    """Make the position of a release.

    Parameters
    ----------
    package, version
        Of the release.
    rank
        Its place among the others.

    Returns
    -------
    Position
        With the address of its notes, where that is known.
    """
    return Position(
        axis="release",
        key=f"{package}=={version}",
        order=(*map(float, re.findall(r"\d+", version)[:4]), float(rank)),
        label=version,
        subject=f"{package} {version}",
        url=_NOTES.get(package, "").format(version=version),
    )


def table_batches(
    table: Table,
    position_of: Callable[[Row], Position],
    *,
    prefix: str = "zbench",
    line_of: Callable[[Environment], str] = environment_id,
    interleaved: bool = False,
) -> Iterator[Batch]:
    """Sort the rows of a table into batches.

    Parameters
    ----------
    table
        Rows of any source.
    position_of
        Tells where a row stands.
    prefix
        Begin of the title of pages of rows that are of no benchmark.
    line_of
        What of an environment must be the same along a line.
    interleaved
        Whether samples were taken in rounds over all positions.

    Yields
    ------
    Batch
        One for each page, environment and position.
    """
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in table.rows:
        title, others = _title(row, prefix)
        names = (*(name for name in _PARAMETERS if getattr(row, name)), *others)
        position = position_of(row)
        groups[title, row.metric, row.unit, row.environment, position, names].append(row)
    lines = {name: line_of(environment) for name, environment in table.environments.items()}
    for (title, metric, unit, environment, position, names), rows in groups.items():
        cells = tuple(tuple(_cell(row, names)) for row in rows)
        yield Batch(
            benchmark=title,
            measure=measure_of(metric, unit),
            environment=table.environments[environment],
            line=lines[environment],
            position=position,
            names=names,
            cells=cells,
            values=np.array([_value(row) for row in rows]),
            low=np.array([np.nan if row.low is None else row.low for row in rows]),
            high=np.array([np.nan if row.high is None else row.high for row in rows]),
            note="; ".join(dict.fromkeys(row.note for row in rows if row.value is None))[:300],
            samples=tuple(row.samples for row in rows) if interleaved else (),
        )


def _title(row: Row, prefix: str) -> tuple[str, Mapping[str, str]]:
    name, _, told = row.benchmark.partition("[")
    if name:
        others = dict(pair.split("=", 1) for pair in told.removesuffix("]").split(",") if "=" in pair)
        # In asv's suite the pattern is a parameter or stands in the name already.
        pattern = row.pattern if row.pattern and row.pattern not in name else ""
        return name, others | ({"pattern": pattern} if pattern else {})
    return f"{prefix}.{row.pattern or 'stored'}.{row.metric}", {}


def _cell(row: Row, names: tuple[str, ...]) -> Iterator[str]:
    _, others = _title(row, "")
    for name in names:
        yield others[name] if name in others else str(getattr(row, name))


def _value(row: Row) -> float:
    if row.value is not None:
        return row.value
    return -np.inf if row.failed else np.inf
