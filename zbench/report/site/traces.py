"""Traces as files of the site."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zbench.report.site.encode import to_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.results.traces import StoredTrace

__all__ = ["trace_files"]

_TITLE = ("pattern", "dataset", "engine", "layout", "chain")


def trace_files(traces: Iterable[StoredTrace]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Write traces down.

    Parameters
    ----------
    traces
        Any number of them.

    Returns
    -------
    summaries : list of dict
        What the index tells of each.
    files : dict
        Content of the files by key.
    """
    summaries: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for stored in traces:
        cell = dict(stored.cell)
        title = ", ".join([cell[name] for name in _TITLE if cell.get(name)]) or "a trace"
        facts = {"title": title, "cell": cell, "machine": stored.machine, "position": stored.position}
        requests = [asdict(request) for request in stored.trace.requests]
        # Two traces of one cell differ in what was asked for.
        digest = hashlib.sha256(repr((sorted(cell.items()), stored.machine, requests)).encode()).hexdigest()
        name = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', title)[:80].strip('-.')}-{digest[:8]}"
        content = to_script(f"t/{name}", {"name": name, **facts, "requests": requests})
        files[f"t/{name}"] = content
        version = hashlib.sha256(content).hexdigest()[:8]
        summaries.append({"name": name, **facts, "requests": len(requests), "version": version})
    return summaries, files
