"""How far a run of ``zbench cryoet`` is: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from zbench.cli.progress import Display, Seldom
from zbench.units import format_bytes

if TYPE_CHECKING:
    from zbench.harness.cryoet import CryoetStatus

__all__ = ["shown"]

_SECONDS_A_LINE = 15.0


def shown(*, err: bool = False) -> _Bars | _Lines:
    """Choose how to show a run.

    Parameters
    ----------
    err
        Write to standard error, where standard output is for programs.

    Returns
    -------
    context manager
        With ``volume``, told of bytes, and ``step``, told of every step.
    """
    console = Console(stderr=err)
    return _Bars(console) if console.is_terminal else _Lines(err=err)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "not known yet"
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes} min {rest:02d} s" if minutes else f"about {rest} s"


class _Lines(Display):
    """A line when something new begins, and one now and then."""

    def __init__(self, *, err: bool) -> None:
        self._seldom, self._err = Seldom(_SECONDS_A_LINE), err

    def volume(self, done: int, total: int) -> None:
        if self._seldom.is_due("volume", is_last=done == total):
            click.echo(f"volume: {format_bytes(done)} of {format_bytes(total)}", err=self._err)

    def step(self, status: CryoetStatus) -> None:
        now = status.standing
        if not self._seldom.is_due(now.stage):
            return
        best = [f"smallest {status.smallest}"] if status.smallest else []
        best += [f"fastest {status.fastest}"] if status.fastest else []
        parts = (
            f"{now.stage}: {now.cells_done} of {now.cells_total} cells",
            f"{now.tasks_done} of {now.tasks_total} times known",
            now.note,
            *best,
            f"{format_bytes(now.disk_bytes)} on disk",
            f"{_left(now.left_s)} left",
        )
        click.echo("; ".join(parts), err=self._err)


class _Bars(Display):
    """Two bars and what is best so far."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console)
        self._cells = self._bars.add_task("cells", total=None)
        self._times = self._bars.add_task("times known", total=None)
        self._facts: dict[str, str] = {}
        self._live = Live(get_renderable=self._drawn, console=console, refresh_per_second=4, transient=True)

    def start(self) -> None:
        self._live.start()

    def stop(self) -> None:
        self._live.stop()

    def volume(self, done: int, total: int) -> None:
        self._facts = {"volume": f"{format_bytes(done)} of {format_bytes(total)}"}

    def step(self, status: CryoetStatus) -> None:
        now = status.standing
        self._bars.update(self._cells, completed=now.cells_done, total=now.cells_total)
        self._bars.update(self._times, completed=now.tasks_done, total=now.tasks_total)
        self._facts = {
            now.stage: now.note,
            "smallest": status.smallest,
            "fastest whole read": status.fastest,
            "on disk": format_bytes(now.disk_bytes),
            "left": _left(now.left_s),
        }

    def _drawn(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, text in self._facts.items():
            if text:
                table.add_row(name, text)
        return Group(self._bars, table)
