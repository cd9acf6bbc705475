"""The files of a gate: gate.json for programs, JUnit XML for CI systems, Markdown and a picture for people."""

from __future__ import annotations

import contextlib
from html import escape
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.report.gate.escapes import writable
from zbench.report.gate.figure import draw_gate
from zbench.report.gate.junit import junit, junit_without_answer
from zbench.report.gate.markdown import markdown, markdown_without_answer
from zbench.report.gate.record import gate_json
from zbench.report.volume.drawing import save
from zbench.results import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from zbench.report.gate.nouns import GateReport
    from zbench.report.volume.drawing import Drawn

__all__ = ["clear_reports", "write_no_answer", "write_reports"]

_PICTURE = "gate"
_JSON, _JUNIT, _MARKDOWN = "gate.json", "junit.xml", "gate.md"
_FILES = (_JSON, _JUNIT, _MARKDOWN, f"{_PICTURE}.svg", f"{_PICTURE}.png")


def write_reports(report: GateReport, folder: Path) -> tuple[Path, ...]:
    """Write all files of a gate.

    Parameters
    ----------
    report
        What was found.
    folder
        Where; it is made, and what an earlier gate wrote there is removed.

    Returns
    -------
    tuple of Path
        ``gate.json``, ``junit.xml``, ``gate.md``, and, where something has a ratio, ``gate.svg`` and ``gate.png``.

    Raises
    ------
    ResultsError
        If a file cannot be written.
    """
    clear_reports(folder)
    texts = {_JSON: gate_json(report), _JUNIT: junit(report), _MARKDOWN: markdown(report)}
    for name, text in texts.items():
        write_atomically(folder / name, text)
    drawn = draw_gate(report, name=_PICTURE)
    pictures = () if drawn is None else _drawn(drawn, folder)
    return (*(folder / name for name in texts), *pictures)


def write_no_answer(project: str, reason: str, folder: Path) -> tuple[Path, ...]:
    """Write that a gate could not answer at all, lest the files of an earlier one be taken for its answer.

    Parameters
    ----------
    project
        Whose gate.
    reason
        Why.
    folder
        Where; it is made, and what an earlier gate wrote there is removed.

    Returns
    -------
    tuple of Path
        ``junit.xml`` and ``gate.md``.

    Raises
    ------
    ResultsError
        If a file cannot be written.
    """
    clear_reports(folder)
    write_atomically(folder / _JUNIT, junit_without_answer(project, reason))
    write_atomically(folder / _MARKDOWN, markdown_without_answer(project, reason))
    return folder / _JUNIT, folder / _MARKDOWN


def clear_reports(folder: Path) -> None:
    """Remove what an earlier gate wrote.

    Parameters
    ----------
    folder
        Where; other files in it stay.

    Raises
    ------
    ResultsError
        If a file cannot be removed.
    """
    try:
        for name in _FILES:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (folder / name).unlink()
    except OSError as error:
        msg = f"Reports of a gate replace those before: {str(folder)!r} keeps them ({error}). Choose another folder."
        raise ResultsError(msg) from error


def _drawn(drawn: Drawn, folder: Path) -> tuple[Path, Path]:
    svg, (png_path, svg_path) = save(drawn, folder)
    head, inside = svg.split(">\n <metadata>", 1)
    alternative = escape(writable(drawn.picture.alternative))
    told = f"<title>Ratio and interval of each benchmark</title>\n <desc>{alternative}</desc>"
    write_atomically(svg_path, f'{head} role="img">\n {told}\n <metadata>{inside}')
    return svg_path, png_path
