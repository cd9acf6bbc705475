"""How far a campaign is, and how long it still takes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace", "Standing"]

# A cell is written, read and counted when it is stored: about what four of its values take.
_VALUES_A_CELL = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How far a campaign is.

    Attributes
    ----------
    stage
        ``store`` or ``sample``.
    cells_done, cells_total
        Cells that are stored, refused or wrong, and all.
    tasks_done, tasks_total
        Times that are known well enough, and all that can be.
    values
        Values that were taken, those of earlier sessions included.
    disk_bytes
        On the disk now.
    left_s
        Estimate of the seconds that are left; ``None`` before anything is known.
    note
        What was done last.
    """

    stage: str
    cells_done: int
    cells_total: int
    tasks_done: int
    tasks_total: int
    values: int
    disk_bytes: int
    left_s: float | None
    note: str


@dataclass
class Pace:
    """How long storing a cell and taking a value have taken in this session.

    Attributes
    ----------
    stored_s, cells
        Seconds for so many cells.
    sampled_s, values
        Seconds for so many values.
    """

    stored_s: float = 0.0
    cells: int = 0
    sampled_s: float = 0.0
    values: int = 0

    def store(self, seconds: float) -> None:
        """Count a cell.

        Parameters
        ----------
        seconds
            What storing it has taken.
        """
        self.stored_s += seconds
        self.cells += 1

    def sample(self, seconds: float) -> None:
        """Count a value.

        Parameters
        ----------
        seconds
            What taking it has taken.
        """
        self.sampled_s += seconds
        self.values += 1

    def left_s(self, *, cells: int, least: int, likely: int, budget_s: float) -> float | None:
        """Estimate what is left.

        Parameters
        ----------
        cells
            Cells to be stored.
        least, likely
            Values that are taken whatever the budget, and those that it takes till all is known well enough.
        budget_s
            Seconds that are left of the budget.

        Returns
        -------
        float or None
            Seconds; ``None`` before anything is known.
        """
        if not self.cells:
            return None
        a_cell = self.stored_s / self.cells
        a_value = self.sampled_s / self.values if self.values else a_cell / _VALUES_A_CELL
        storing = cells * a_cell
        return max(storing + least * a_value, min(storing + likely * a_value, budget_s))
