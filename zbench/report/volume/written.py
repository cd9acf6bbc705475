"""The files of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbench.report.volume.document import compose
from zbench.report.volume.drawing import SETTINGS, save
from zbench.report.volume.evidence import gathered
from zbench.report.volume.figure_chunks import draw_chunks, draw_shards
from zbench.report.volume.figure_engines import draw_engines
from zbench.report.volume.figure_front import draw_front
from zbench.report.volume.figure_volume import draw_volume
from zbench.report.volume.markdown import markdown
from zbench.report.volume.page import html
from zbench.report.volume.sweeps import chunk_sweeps, shard_pairs
from zbench.results import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zbench.report.volume.drawing import Drawn
    from zbench.report.volume.evidence import Evidence
    from zbench.report.volume.facts import ReportInfo, VolumeFacts
    from zbench.results import Table

__all__ = ["write_report"]


def write_report(folder: Path, table: Table, *, volume: VolumeFacts, info: ReportInfo) -> tuple[Path, ...]:
    """Write ``report.html``, ``report.md`` and the figures.

    Parameters
    ----------
    folder
        Where they go; it is made.
    table
        Results; only rows of the volume are used.
    volume
        The volume.
    info
        How the run was made.

    Returns
    -------
    tuple of Path
        What was written, the page first.

    Raises
    ------
    ResultsError
        If the table has rows, but none of this volume, or the folder cannot be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only drawing needs it

    evidence = gathered(table.rows, volume.name)
    pictures, drawings = {}, {}
    figures: list[Path] = []
    # Saving reads the settings too: the salt that makes the same figure the same file.
    with mpl.rc_context(SETTINGS):
        for drawn in _figures(evidence, volume):
            name = drawn.picture.name
            drawings[name], paths = save(drawn, folder)
            pictures[name] = drawn.picture
            figures += paths
    document = compose(evidence, volume, info, environments=table.environments, pictures=pictures)
    page, text = folder / "report.html", folder / "report.md"
    write_atomically(page, html(document, drawings))
    write_atomically(text, markdown(document))
    return (page, text, *figures)


def _figures(evidence: Evidence, volume: VolumeFacts) -> Iterator[Drawn]:
    found = [draw_volume(volume, name="volume")]
    for place, condition in enumerate(evidence.conditions):
        end = "" if place == 0 else f"-{place + 1}"
        sweeps = chunk_sweeps(evidence, condition, volume.shape)
        pairs = shard_pairs(evidence, condition, volume.shape)
        found.append(draw_front(evidence, condition, volume, name=f"front{end}"))
        found.append(draw_chunks(evidence, condition, sweeps[0], name=f"chunks{end}") if sweeps else None)
        found.append(draw_shards(evidence, condition, volume, pairs, name=f"shards{end}"))
        found.append(draw_engines(evidence, condition, name=f"engines{end}"))
    yield from (drawn for drawn in found if drawn is not None)
