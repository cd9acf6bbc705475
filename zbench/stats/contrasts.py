"""Cells that share a level of a factor, pooled: what one codec, chunk shape or format does to all of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zbench.errors import InsufficientSamplesError
from zbench.stats.paired import p_values, paired_test

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zbench.stats.compare import RatioTest

__all__ = ["Contrast", "Grid", "contrasts", "level_sets"]

# Iglewicz and Hoaglin's limit for a robust standard score, and what makes the median deviation a standard deviation.
_LIMIT = 3.5
_NORMAL = 1.4826
# With fewer blocks a cell's usual range is not known.
_FEWEST = 8
# A cell's own noise is known from few blocks: it is drawn towards that of all cells with this many degrees of freedom.
_PRIOR = 4
# Of a cell's noise, the part that is its own at least: what cells share is an estimate, too.
_OWN = 0.1
# A cell that differs from the others of its level with so small a p value is news of its own.
_WILD = 1e-4
# Of the weight of a pool, the part that a block must have for its value to stand for the pool.
_PRESENT = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """What all cells of one level do together.

    Attributes
    ----------
    levels
        Factor and level; more than one where several levels have the same cells, and none for all cells.
    cells
        The cells, in their order.
    apart
        Those of them that were left out because they differ from the rest too much for one number to stand for all.
    logs
        One value a block, the pooled logarithm of candidate ÷ baseline; NaN where too few cells were measured.
    against
        The same less what all cells of the block share, as far as the other cells show it: the luck of a process with
        its layout in memory falls out, so that smaller changes of this level are seen, if the others did not change.
    """

    levels: tuple[tuple[str, str], ...]
    cells: tuple[str, ...]
    apart: tuple[str, ...]
    logs: tuple[float, ...]
    against: tuple[float, ...]

    @property
    def name(self) -> str:
        """Its levels in one line, for example ``"chain=zstd-3"``."""
        return " = ".join(f"{factor}={level}" for factor, level in self.levels) or "all cells"

    def test(self, *, confidence: float = 0.95) -> RatioTest:
        """Test the pooled ratio, blocks being the sample.

        Parameters
        ----------
        confidence
            Of the interval.

        Returns
        -------
        RatioTest
            As `paired_test` gives it.
        """
        return paired_test(self.logs, confidence=confidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Blocks of all cells, made ready for pooling.

    Attributes
    ----------
    cells
        Names of the rows.
    values
        A row for each cell, a column for each block; NaN where there is none, and bursts drawn in to the edge of what
        is usual for their cell.
    variances
        Mean square of a value of each cell, without what it shares with the others.
    shared
        Mean square of what all cells of a block have in common.
    """

    cells: tuple[str, ...]
    values: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]
    shared: float

    @classmethod
    def of(cls, values: Mapping[str, Sequence[float]]) -> Grid:
        """Line up the blocks of all cells.

        Parameters
        ----------
        values
            By cell, one logarithm of candidate ÷ baseline for each block; the blocks of all cells are the same.

        Returns
        -------
        Grid
            With bursts drawn in; none is removed.

        Raises
        ------
        InsufficientSamplesError
            If cells have different numbers of blocks.
        """
        counts = {len(logs) for logs in values.values()}
        if len(counts) != 1:
            msg = (
                f"Contrasts need the same blocks of every cell: got {sorted(counts)} blocks. Put NaN where one is "
                "missing."
            )
            raise InsufficientSamplesError(msg)
        rows = np.array([np.asarray(logs, dtype=float) for logs in values.values()])
        rows[~np.isfinite(rows)] = np.nan
        usual = _NORMAL * _medians(np.abs(rows))
        known = (np.isfinite(rows).sum(axis=1, keepdims=True) >= _FEWEST) & (usual > 0)
        reach = np.where(known, _LIMIT * usual, np.inf)
        drawn = np.clip(rows, -reach, reach)
        squares = _squares(drawn)
        shared = _shared(drawn, squares)
        own = np.maximum(squares - shared, _OWN * squares)
        return cls(cells=tuple(values), values=drawn, variances=own, shared=shared)

    def pool(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Average some cells in each block, each with the weight that its noise deserves.

        Parameters
        ----------
        rows
            Which cells.

        Returns
        -------
        numpy.ndarray
            One value a block.
        """
        values, weights = self.values[rows], 1 / self.variances[rows, None]
        there = np.isfinite(values)
        present = (weights * there).sum(axis=0)
        sums = (weights * np.where(there, values, 0.0)).sum(axis=0)
        return np.where(present >= _PRESENT * weights.sum(), sums / np.where(present > 0, present, 1.0), np.nan)

    def apart(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Find the cells that one number for all cannot stand for.

        Parameters
        ----------
        rows
            Which cells.

        Returns
        -------
        numpy.ndarray
            True for cells far from the middle one of the same block; never half of them or more.
        """
        if rows.size < 4:
            return np.zeros(rows.size, dtype=bool)
        wild = _chances(self.values[rows] - _medians(self.values[rows].T).T) < _WILD
        return wild if 2 * wild.sum() < rows.size else np.zeros(rows.size, dtype=bool)


def contrasts(
    values: Mapping[str, Sequence[float]], levels: Mapping[str, Mapping[str, str]], *, fewest_cells: int = 2
) -> tuple[Contrast, ...]:
    """Pool the cells of every level of every factor.

    Parameters
    ----------
    values
        By cell, one logarithm of candidate ÷ baseline for each block; NaN where there is none. The blocks of all cells
        are the same.
    levels
        By cell, the level of each factor that it has.
    fewest_cells
        Levels with fewer cells say no more than the cells do.

    Returns
    -------
    tuple of Contrast
        All cells first, then factor by factor.

    Raises
    ------
    InsufficientSamplesError
        If cells have different numbers of blocks.
    """
    if not values:
        return ()
    grid = Grid.of(values)
    return tuple(
        _contrast(grid, np.array(rows), names)
        for rows, names in level_sets(grid.cells, levels).items()
        if len(rows) >= fewest_cells
    )


def level_sets(
    cells: Sequence[str], levels: Mapping[str, Mapping[str, str]]
) -> dict[tuple[int, ...], tuple[tuple[str, str], ...]]:
    """Find which cells each level has.

    Parameters
    ----------
    cells
        Names of the cells.
    levels
        By cell, the level of each factor that it has.

    Returns
    -------
    dict of tuple of int to tuple of tuple of str
        Places of the cells, and the factors and levels that have just these; none stand for all cells.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for row, cell in enumerate(cells):
        for factor, level in levels.get(cell, {}).items():
            members.setdefault((factor, level), []).append(row)
    factors = list(dict.fromkeys(factor for factor, _ in members))
    sets: dict[tuple[int, ...], tuple[tuple[str, str], ...]] = {tuple(range(len(cells))): ()}
    for name, rows in sorted(members.items(), key=lambda member: factors.index(member[0][0])):
        if len(rows) < len(cells):
            sets[tuple(rows)] = (*sets.get(tuple(rows), ()), name)
    return sets


def _contrast(grid: Grid, rows: npt.NDArray[np.intp], names: tuple[tuple[str, str], ...]) -> Contrast:
    apart = grid.apart(rows)
    rest = np.setdiff1d(np.arange(len(grid.cells)), rows)
    logs = grid.pool(rows[~apart])
    return Contrast(
        levels=names,
        cells=tuple(grid.cells[row] for row in rows),
        apart=tuple(grid.cells[row] for row in rows[apart]),
        logs=tuple(logs.tolist()),
        against=tuple((logs - _foreseen(grid, rest)).tolist()),
    )


def _foreseen(grid: Grid, rest: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Tell from other cells what all cells of a block share: the less, the noisier they are."""
    if not rest.size or not grid.shared:
        return np.zeros(grid.values.shape[1])
    kept = rest[~grid.apart(rest)]
    own = 1 / (1 / grid.variances[kept]).sum()
    return np.asarray(np.nan_to_num(grid.pool(kept)) * (grid.shared / (grid.shared + own)))


def _chances(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Test each row for no change; rows with as many values go together."""
    there = np.isfinite(rows)
    counts = there.sum(axis=1)
    chances = np.ones(rows.shape[0])
    for count in np.unique(counts[counts > 2]).tolist():
        same = counts == count
        chances[same] = p_values(rows[same][there[same]].reshape(-1, count))
    return chances


def _medians(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median of each row, as a column; NaN where a row has nothing. NumPy's own is slow for many short rows."""
    counts = np.isfinite(rows).sum(axis=1, keepdims=True)
    ordered = np.sort(rows, axis=1)
    middles = [np.take_along_axis(ordered, np.maximum(place, 0), axis=1) for place in ((counts - 1) // 2, counts // 2)]
    return np.asarray(np.where(counts > 0, (middles[0] + middles[1]) / 2, np.nan))


# What follows is measured from 0 and not from the mean. It is then the same if both sides of any block are exchanged,
# so that without a change pools are as symmetric as their cells. Measured from the mean, cells that scatter little by
# chance weigh more and pools look surer than they are: in simulation, up to six times the false alarms of eight blocks.


def _squares(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean square of each cell, drawn towards the middle one of all where there are few blocks."""
    there = np.isfinite(rows)
    counts = there.sum(axis=1)
    sums = np.where(there, rows**2, 0.0).sum(axis=1)
    known = counts > 0
    usual = float(np.median(sums[known] / counts[known])) if known.any() else 1.0
    return np.asarray(np.maximum((sums + _PRIOR * usual) / (counts + _PRIOR), usual * 1e-4 or 1e-12))


def _shared(rows: npt.NDArray[np.float64], squares: npt.NDArray[np.float64]) -> float:
    """Estimate the mean square of what all cells of a block have in common: how much two cells move together."""
    there = np.isfinite(rows)
    weights = there / squares[:, None]
    moved = weights * np.where(there, rows, 0.0)
    couples = float((weights.sum(axis=0) ** 2 - (weights**2).sum(axis=0)).sum())
    if not couples:
        return 0.0
    return max(0.0, float((moved.sum(axis=0) ** 2 - (moved**2).sum(axis=0)).sum()) / couples)
