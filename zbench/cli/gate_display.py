"""How far a gate, a search or a calibration is: a line when something new begins, and one now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from zbench.harness.gate import GateStatus

__all__ = ["GateLines"]

_SECONDS_A_LINE = 10.0


class GateLines:
    """Lines on standard error, so that standard output holds the answer alone."""

    def __init__(self) -> None:
        self._begun, self._last = "", 0.0

    def step(self, status: GateStatus) -> None:
        """Tell of a step.

        Parameters
        ----------
        status
            How far it is.
        """
        begun = status.stage.split(":")[0]
        now = time.monotonic()
        # Each round is called after its number; a new one is no news.
        is_same = begun == self._begun or begun.startswith("round")
        if is_same and now < self._last + _SECONDS_A_LINE:
            return
        self._begun, self._last = begun, now
        told = ""
        if status.items:
            told = f"; {status.open_items} of {status.items} open; {status.spent_s:.0f} of {status.budget_s:.0f} s"
        click.echo(f"{status.stage}{told}", err=True)
