"""The columns of the table: how each is written in JSON, CSV and Parquet, and the JSON Schema that follows."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from zbench.model import Environment
from zbench.results.table import SCHEMA_VERSION, SOURCES, Row
from zbench.units import parse_shape

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COLUMNS", "Column", "environment_fields", "environment_of", "results_schema", "row_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """How values of one type are written and read.

    Attributes
    ----------
    schema
        JSON Schema of a value.
    fits
        Whether a value, as JSON holds it, is of the type.
    arrow
        Name of the type in Parquet, ``list:`` before that of its items.
    to_text, from_text
        Value to the text of a CSV cell, and back.
    """

    schema: dict[str, Any]
    fits: Callable[[Any], bool]
    arrow: str
    to_text: Callable[[Any], str]
    from_text: Callable[[str], Any]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (isinstance(value, float) and math.isfinite(value)) or _is_whole(value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_whole(extent) and extent > 0 for extent in value)


def _optional(column: Column) -> Column:
    """Let a value be missing: null in JSON and Parquet, nothing in CSV."""
    return Column(
        schema=column.schema | {"type": [column.schema["type"], "null"]},
        fits=lambda value: value is None or column.fits(value),
        arrow=column.arrow,
        to_text=lambda value: "" if value is None else column.to_text(value),
        from_text=lambda text: column.from_text(text) if text else None,
    )


def _boolean(text: str) -> bool:
    # A KeyError is no ValueError, which is what a cell that cannot be read is expected to raise.
    if text not in ("true", "false"):
        msg = f"true or false is expected: got {text!r}."
        raise ValueError(msg)
    return text == "true"


_TEXT = Column(
    schema={"type": "string"},
    fits=lambda value: isinstance(value, str),
    arrow="string",
    to_text=str,
    from_text=str,
)
_WHOLE = Column(schema={"type": "integer"}, fits=_is_whole, arrow="int64", to_text=str, from_text=int)
_NUMBER = Column(schema={"type": "number"}, fits=_is_number, arrow="float64", to_text=repr, from_text=float)
_TYPES = {
    "str": _TEXT,
    "int": _WHOLE,
    "int | None": _optional(_WHOLE),
    "float | None": _optional(_NUMBER),
    "bool": Column(
        schema={"type": "boolean"},
        fits=lambda value: isinstance(value, bool),
        arrow="bool",
        to_text=lambda value: "true" if value else "false",
        from_text=_boolean,
    ),
    # One axis keeps an x behind it: a number alone would be read as a cube.
    "tuple[int, ...] | None": _optional(
        Column(
            schema={"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
            fits=_is_shape,
            arrow="list:int64",
            to_text=lambda value: "x".join(map(str, value)) + "x" * (len(value) == 1),
            from_text=parse_shape,
        )
    ),
    "tuple[float, ...]": Column(
        schema={"type": "array", "items": {"type": "number"}},
        fits=lambda value: isinstance(value, list) and all(map(_is_number, value)),
        arrow="list:float64",
        to_text=lambda value: " ".join(map(repr, value)),
        from_text=lambda text: tuple(map(float, text.split())),
    ),
}

COLUMNS = {entry.name: _TYPES[str(entry.type)] for entry in fields(Row)}

_ENVIRONMENT_NUMBERS = ("cores", "memory_bytes")
_ENVIRONMENT_PAIRS = ("packages", "threads")


def environment_fields(environment: Environment) -> dict[str, Any]:
    """Write an environment down as JSON can hold it.

    Parameters
    ----------
    environment
        The environment.

    Returns
    -------
    dict
        For `environment_of`.
    """
    plain = {entry.name: getattr(environment, entry.name) for entry in fields(Environment)}
    return plain | {name: dict(plain[name]) for name in _ENVIRONMENT_PAIRS}


def environment_of(raw: Any) -> Environment:
    """Read what `environment_fields` wrote down.

    Parameters
    ----------
    raw
        What JSON held.

    Returns
    -------
    Environment
        The environment.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    names = {entry.name for entry in fields(Environment)}
    if not isinstance(raw, dict) or set(raw) != names:
        msg = f"An environment has {', '.join(sorted(names))} and nothing else: got {raw!r}."
        raise ValueError(msg)
    for name, value in raw.items():
        if not _fact_fits(name, value):
            msg = f"{name} of an environment cannot be {value!r}."
            raise ValueError(msg)
    return Environment(**raw | {name: tuple(sorted(raw[name].items())) for name in _ENVIRONMENT_PAIRS})


def _fact_fits(name: str, value: Any) -> bool:
    if name in _ENVIRONMENT_NUMBERS:
        return _is_whole(value)
    if name not in _ENVIRONMENT_PAIRS:
        return isinstance(value, str)
    return isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair)


def results_schema() -> dict[str, Any]:
    """Write the JSON Schema of ``results.json``, from the columns of the table.

    Returns
    -------
    dict
        Draft 2020-12; docs/schema/results.schema.json holds it.
    """
    told = _told(Row.__doc__ or "")
    row = {name: column.schema | {"description": told[name]} for name, column in COLUMNS.items()}
    row["source"] |= {"enum": list(SOURCES)}
    row["schema_version"] |= {"const": SCHEMA_VERSION}
    facts = _told(Environment.__doc__ or "")
    environment = {name: _fact_schema(name) | {"description": text} for name, text in facts.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "zbench results",
        "description": "One row for each workload, metric, commit and environment.",
        **_object(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "environments": {
                    "description": "What the numbers hold for, by the id that rows have.",
                    "type": "object",
                    "additionalProperties": _object(environment),
                },
                "rows": {"type": "array", "items": _object(row)},
            }
        ),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _fact_schema(name: str) -> dict[str, Any]:
    if name in _ENVIRONMENT_PAIRS:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    return {"type": "integer" if name in _ENVIRONMENT_NUMBERS else "string"}


def _told(docstring: str) -> dict[str, str]:
    """Take what a docstring says of each attribute."""
    section = docstring.split("Attributes\n    ----------\n", 1)[-1].split("\n\n    Raises", 1)[0]
    told: dict[str, str] = {}
    for names, text in re.findall(r"^ {4}(\w[\w, ]*)\n((?: {8}.*\n?)+)", section, re.MULTILINE):
        told |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return told


def _first_problem(raw: dict[str, Any]) -> str | None:
    wrong = sorted(set(raw) ^ set(COLUMNS))
    if wrong:
        return f"its columns differ in {', '.join(wrong)}"
    for name, value in raw.items():
        if not COLUMNS[name].fits(value):
            return f"{name} is {value!r}, which is not of type {json.dumps(COLUMNS[name].schema['type'])}"
    return None


def row_of(raw: Any) -> Row:
    """Read a row as JSON holds it.

    Parameters
    ----------
    raw
        What JSON held.

    Returns
    -------
    Row
        The row.

    Raises
    ------
    ValueError
        If it is no row; `ResultsError` is one.
    """
    problem = _first_problem(raw) if isinstance(raw, dict) else "it is no object"
    if problem:
        raise ValueError(problem)
    shape = None if raw["shape"] is None else tuple(raw["shape"])
    return Row(**raw | {"shape": shape, "samples": tuple(raw["samples"])})
