"""How values of each type stand in JSON: the schema, what is wrong with one, and the way there and back."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from enum import StrEnum

__all__ = [
    "BOOLEAN",
    "NUMBER",
    "TEXT",
    "WHOLE",
    "Form",
    "by_name",
    "choice",
    "described",
    "exactly",
    "many",
    "optional",
    "record",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One type of value.

    Attributes
    ----------
    schema
        JSON Schema of it.
    problem
        From a value, as JSON holds it, and its place to what is wrong with it; ``None`` for nothing.
    write, read
        Value to what JSON can hold, and back.
    """

    schema: dict[str, Any]
    problem: Callable[[Any, str], str | None]
    write: Callable[[Any], Any] = lambda value: value
    read: Callable[[Any], Any] = lambda raw: raw


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return value is None or _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _refusing(fits: Callable[[Any], bool], what: str) -> Callable[[Any, str], str | None]:
    return lambda value, place: None if fits(value) else f"{place} is {_shown(value)}, which is no {what}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


TEXT = Form(schema={"type": "string"}, problem=_refusing(lambda value: isinstance(value, str), "text"))
WHOLE = Form(schema={"type": "integer"}, problem=_refusing(_is_whole, "whole number"))
BOOLEAN = Form(schema={"type": "boolean"}, problem=_refusing(lambda value: isinstance(value, bool), "truth value"))
# JSON has no number for what is none, nor for what is without bound.
NUMBER = Form(
    schema={"type": ["number", "null"]},
    problem=_refusing(_is_number, "number"),
    write=lambda value: value if math.isfinite(value) else None,
    read=lambda raw: math.nan if raw is None else float(raw),
)


def optional(form: Form) -> Form:
    """Let a value be missing.

    Parameters
    ----------
    form
        Of the value.

    Returns
    -------
    Form
        Null stands for ``None``.
    """
    kinds = form.schema["type"]
    return Form(
        schema=form.schema | {"type": kinds if isinstance(kinds, list) else [kinds, "null"]},
        problem=lambda value, place: None if value is None else form.problem(value, place),
        write=lambda value: None if value is None else form.write(value),
        read=lambda raw: None if raw is None else form.read(raw),
    )


def choice(names: type[StrEnum]) -> Form:
    """Allow one of a few words.

    Parameters
    ----------
    names
        The words.

    Returns
    -------
    Form
        Of such a word.
    """
    known = [str(name) for name in names]
    return Form(
        schema={"type": "string", "enum": known},
        problem=_refusing(lambda value: isinstance(value, str) and value in known, f"one of {', '.join(known)}"),
        write=str,
        read=names,
    )


def many(form: Form) -> Form:
    """List values of one type.

    Parameters
    ----------
    form
        Of each.

    Returns
    -------
    Form
        Of a tuple.
    """
    return _listed({"type": "array", "items": form.schema}, form, _refusing(lambda v: isinstance(v, list), "list"))


def exactly(count: int, form: Form) -> Form:
    """List so many values of one type.

    Parameters
    ----------
    count
        How many.
    form
        Of each.

    Returns
    -------
    Form
        Of a tuple.
    """
    return _listed(
        {"type": "array", "items": form.schema, "minItems": count, "maxItems": count},
        form,
        _refusing(lambda value: isinstance(value, list) and len(value) == count, f"list of {count}"),
    )


def _listed(schema: dict[str, Any], form: Form, whole: Callable[[Any, str], str | None]) -> Form:
    def problem(value: Any, place: str) -> str | None:
        return whole(value, place) or _first(
            form.problem(entry, f"{place}[{number}]") for number, entry in enumerate(value)
        )

    return Form(
        schema=schema,
        problem=problem,
        write=lambda values: [form.write(value) for value in values],
        read=lambda raw: tuple(form.read(entry) for entry in raw),
    )


def by_name(form: Form) -> Form:
    """Map names to values of one type.

    Parameters
    ----------
    form
        Of each value.

    Returns
    -------
    Form
        Of a dictionary.
    """
    whole = _refusing(lambda value: isinstance(value, dict), "object")

    def problem(value: Any, place: str) -> str | None:
        return whole(value, place) or _first(form.problem(entry, f"{place}.{name}") for name, entry in value.items())

    return Form(
        schema={"type": "object", "additionalProperties": form.schema},
        problem=problem,
        write=lambda values: {str(name): form.write(value) for name, value in values.items()},
        read=lambda raw: {name: form.read(value) for name, value in raw.items()},
    )


def record(kind: type[Any], forms: Mapping[str, Form], *, make: Callable[..., Any] | None = None) -> Form:
    """Write a dataclass as an object with its fields.

    Parameters
    ----------
    kind
        The dataclass.
    forms
        By the text of a field's type.
    make
        What makes a value from the fields; the class itself unless given.

    Returns
    -------
    Form
        Of a value of the class. The schema tells of each field what the docstring of the class does.
    """
    own = {entry.name: forms[str(entry.type)] for entry in fields(kind)}
    told = described(kind)
    whole = _refusing(lambda value: isinstance(value, dict), "object")

    def problem(value: Any, place: str) -> str | None:
        differing = None if whole(value, place) else sorted(set(value) ^ set(own))
        return (
            whole(value, place)
            or (f"{place} differs in {', '.join(differing)}" if differing else None)
            or _first(form.problem(value[name], f"{place}.{name}") for name, form in own.items())
        )

    return Form(
        schema={
            "type": "object",
            "properties": {name: form.schema | {"description": told[name]} for name, form in own.items()},
            "required": list(own),
            "additionalProperties": False,
        },
        problem=problem,
        write=lambda value: {name: form.write(getattr(value, name)) for name, form in own.items()},
        read=lambda raw: (make or kind)(**{name: form.read(raw[name]) for name, form in own.items()}),
    )


def _first(problems: Iterable[str | None]) -> str | None:
    return next((problem for problem in problems if problem), None)


def described(kind: type[Any]) -> dict[str, str]:
    """Take what the docstring of a class says of each attribute.

    Parameters
    ----------
    kind
        The class.

    Returns
    -------
    dict
        By name.
    """
    section = (kind.__doc__ or "").split("Attributes\n    ----------\n", 1)[-1].split("\n\n", 1)[0]
    told: dict[str, str] = {}
    for names, text in re.findall(r"^ {4}(\w[\w, ]*)\n((?: {8}.*\n?)+)", section, re.MULTILINE):
        told |= dict.fromkeys(names.split(", "), " ".join(text.replace("``", "").split()))
    return told
