"""What there is to do: which operations of which cells in which environments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbench.grid import CellSpec, Preset

__all__ = ["WRITE", "Task", "operations_of", "tasks_of"]

WRITE = "write"


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """One operation on one cell in one environment: what one value of a round is taken of.

    Attributes
    ----------
    environment
        Name of the environment.
    cell
        The cell, by name.
    operation
        `WRITE`, or the name of an access pattern.
    """

    environment: str
    cell: CellSpec
    operation: str

    @property
    def key(self) -> str:
        """The task in one line, the key of its records."""
        return f"{self.environment}|{self.cell.text}|{self.operation}"


def operations_of(preset: Preset, cell: CellSpec) -> tuple[str, ...]:
    """List what is done with a cell.

    Parameters
    ----------
    preset
        The grid.
    cell
        One of its cells.

    Returns
    -------
    tuple of str
        `WRITE`, then the patterns of every question that the cell belongs to, each once.
    """
    patterns = (
        pattern
        for sweep in preset.sweeps
        if cell.layout in sweep.layouts and cell.chain in sweep.chains
        for pattern in sweep.patterns
    )
    return tuple(dict.fromkeys((WRITE, *patterns)))


def tasks_of(preset: Preset, dataset: str, engines: Mapping[str, tuple[str, ...]]) -> tuple[Task, ...]:
    """List every task of one dataset.

    Parameters
    ----------
    preset
        The grid.
    dataset
        One of its datasets.
    engines
        Name of each environment, with the engines that are measured in it.

    Returns
    -------
    tuple of Task
        In the order of the preset.
    """
    return tuple(
        Task(environment, cell, operation)
        for environment, chosen in engines.items()
        for cell in preset.cells()
        if cell.dataset == dataset and cell.engine in chosen
        for operation in operations_of(preset, cell)
    )
