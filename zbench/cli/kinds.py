"""Kinds of values that several commands take."""

from __future__ import annotations

from typing import Any

import click

from zbench.errors import PresetError
from zbench.units import parse_duration, parse_share

__all__ = ["Duration", "Percentage"]


class Percentage(click.ParamType[float]):
    """A share, written ``3%`` or ``0.03``."""

    name = "percentage"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        try:
            return parse_share(str(value))
        except PresetError as error:
            self.fail(str(error), param, ctx)


class Duration(click.ParamType[float]):
    """Seconds, written ``90s`` or ``10m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except PresetError as error:
            self.fail(str(error), param, ctx)
