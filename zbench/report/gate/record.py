"""``gate.json``: what a gate found, for programs, and back."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.model import Comparison, Verdict
from zbench.report.gate.forms import (
    BOOLEAN,
    NUMBER,
    TEXT,
    WHOLE,
    by_name,
    choice,
    exactly,
    many,
    optional,
    record,
)
from zbench.report.gate.nouns import GateCell, GateContrast, GateReport, NotMeasured
from zbench.report.gate.words import headline
from zbench.results import read_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GATE_SCHEMA_VERSION", "gate_json", "gate_schema", "read_gate"]

GATE_SCHEMA_VERSION = 1

_STATUSES = (0, 1, 2)
_OUTER = ("schema_version", "status", "headline")


def _comparison(*, ratio: float, low: float, high: float, p_value: float | None, verdict: Verdict) -> Comparison:
    """Tell a ratio without bound from one that is not known: null is both."""
    if math.isnan(ratio) and verdict in (Verdict.SLOWER, Verdict.FASTER):
        ratio = low = high = math.inf
    if math.isfinite(ratio) and math.isnan(high):
        high = math.inf
    return Comparison(ratio=ratio, low=low, high=high, p_value=p_value, verdict=verdict)


_PLAIN = {
    "str": TEXT,
    "int": WHOLE,
    "bool": BOOLEAN,
    "float": NUMBER,
    "int | None": optional(WHOLE),
    "float | None": optional(NUMBER),
    "tuple[str, str]": exactly(2, TEXT),
    "tuple[str, ...]": many(TEXT),
    "Mapping[str, str]": by_name(TEXT),
    "Mapping[str, float]": by_name(NUMBER),
    "Mapping[str, tuple[tuple[str, str, str], ...]]": by_name(many(exactly(3, TEXT))),
    "Verdict": choice(Verdict),
}
_ENTRIES = _PLAIN | {"Comparison": record(Comparison, _PLAIN, make=_comparison)}
_REPORT = record(
    GateReport,
    _ENTRIES
    | {f"tuple[{kind.__name__}, ...]": many(record(kind, _ENTRIES)) for kind in (GateCell, GateContrast, NotMeasured)},
)


def gate_json(report: GateReport) -> str:
    """Write what a gate found.

    Parameters
    ----------
    report
        What was found.

    Returns
    -------
    str
        JSON as `gate_schema` describes it; numbers that are none, or without bound, are null.
    """
    outer = {"schema_version": GATE_SCHEMA_VERSION, "status": report.status, "headline": headline(report)}
    return json.dumps(outer | _REPORT.write(report), indent=1, allow_nan=False) + "\n"


def gate_schema() -> dict[str, Any]:
    """Write the JSON Schema of ``gate.json``.

    Returns
    -------
    dict
        Draft 2020-12; docs/schema/gate.schema.json holds it.
    """
    own = _REPORT.schema
    outer = {
        "schema_version": {"const": GATE_SCHEMA_VERSION},
        "status": {
            "enum": list(_STATUSES),
            "description": "Exit status: 0 passed, 1 a regression, 2 could not answer.",
        },
        "headline": {"type": "string", "description": "What was found, in one sentence."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "zbench gate",
        "description": "What a gate found. A number that is none, or is without bound, is null.",
        **own,
        "properties": outer | own["properties"],
        "required": [*_OUTER, *own["required"]],
    }


def read_gate(path: Path) -> GateReport:
    """Read what `gate_json` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    GateReport
        What was found.

    Raises
    ------
    ResultsError
        If it cannot be read, or is not whole, of another origin or of a newer zbench.
    """
    raw = read_json(path)
    problem = _problem(raw)
    if problem:
        msg = f"A gate.json is as zbench gate wrote it: in {str(path)!r} {problem}. It is kept; run the gate again."
        raise ResultsError(msg)
    report: GateReport = _REPORT.read(_inner(raw))
    if report.status != raw["status"]:
        msg = (
            f"The status of a gate follows from its cells: {str(path)!r} says {raw['status']}, and its cells say "
            f"{report.status}. It was changed; run the gate again."
        )
        raise ResultsError(msg)
    return report


def _problem(raw: Any) -> str | None:
    if not isinstance(raw, dict):
        return "there is no object"
    version = raw.get("schema_version")
    if isinstance(version, int) and version > GATE_SCHEMA_VERSION:
        return f"the version is {version}, and this zbench reads {GATE_SCHEMA_VERSION}: update zbench"
    missing = [name for name in _OUTER if name not in raw]
    if missing:
        return f"{', '.join(missing)} is missing"
    if isinstance(version, bool) or version != GATE_SCHEMA_VERSION:
        return f"schema_version is {version!r}, not {GATE_SCHEMA_VERSION}"
    status = raw["status"]
    if isinstance(status, bool) or status not in _STATUSES or not isinstance(raw["headline"], str):
        return f"status and headline are {status!r} and {raw['headline']!r}"
    return _REPORT.problem(_inner(raw), "gate")


def _inner(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in _OUTER}
