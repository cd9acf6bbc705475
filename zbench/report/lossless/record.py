"""A run's record, read: what was stored, what was refused, and one time a round for each task."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from zbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.units import Shape

__all__ = ["Cell", "Column", "Machine", "Record", "Refusal", "Stored", "Times", "read_record"]

_ENGINES = ("zarr-python", "zarr-python-fused", "zarrs", "tensorstore")


class Column(NamedTuple):
    """An engine in an environment: one column of a table."""

    environment: str
    engine: str


class Cell(NamedTuple):
    """One way to store one dataset with one engine in one environment, by name."""

    environment: str
    dataset: str
    engine: str
    layout: str
    chain: str

    @property
    def column(self) -> Column:
        """The engine and its environment."""
        return Column(self.environment, self.engine)


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What the times of one environment hold for.

    Attributes
    ----------
    facts
        Machine, operating system, processor, cores, memory, Python, filesystem, as recorded.
    packages
        Version of each package.
    """

    facts: dict[str, Any]
    packages: dict[str, str]

    @property
    def zarr(self) -> str:
        """Version of zarr-python, empty if there is none."""
        return self.packages.get("zarr", "")

    @property
    def release(self) -> tuple[int, ...]:
        """Version of zarr-python as numbers, to sort by."""
        return tuple(int(part) for part in self.zarr.split(".") if part.isdigit())


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A cell that was stored and proved to come back.

    Attributes
    ----------
    config
        Layout in numbers and chain.
    shape, dtype
        Extent in voxels, ``(z, y, x)``, and type of a voxel.
    logical_bytes, stored_bytes
        Bytes of the voxels and of all objects.
    objects
        Number of objects, metadata included.
    counts
        Exact costs by access pattern.
    """

    config: str
    shape: Shape
    dtype: str
    logical_bytes: int
    stored_bytes: int
    objects: int
    counts: dict[str, dict[str, int]]

    @property
    def compression_ratio(self) -> float:
        """Logical bytes ÷ stored bytes."""
        return self.logical_bytes / self.stored_bytes

    def amplification(self, pattern: str) -> float | None:
        """Divide the bytes decoded by the bytes needed.

        Parameters
        ----------
        pattern
            Name of an access pattern.

        Returns
        -------
        float or None
            ``None`` if the pattern was not counted.
        """
        counts = self.counts.get(pattern)
        return counts["bytes_decoded"] / counts["bytes_needed"] if counts else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no number.

    Attributes
    ----------
    error
        Class of the error.
    message
        Its text.
    """

    error: str
    message: str

    @property
    def deliberate(self) -> bool:
        """Whether the configuration was refused, as against failed."""
        return self.error == "RefusedError"


@dataclass(frozen=True, slots=True)
class Times:
    """One value a round: the median of the round's samples.

    Attributes
    ----------
    wall_ns, cpu_ns
        By round.
    """

    wall_ns: dict[int, float] = field(default_factory=dict)
    cpu_ns: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Record:
    """All that a run has learnt so far.

    Attributes
    ----------
    head
        What the run is.
    machines
        By name of the environment.
    stored, refused
        Cells, each in one of the two.
    times
        By cell and operation.
    failures
        Operations on stored cells that gave no time, by cell and operation.
    """

    head: dict[str, Any]
    machines: dict[str, Machine]
    stored: dict[Cell, Stored]
    refused: dict[Cell, Refusal]
    times: dict[tuple[Cell, str], Times]
    failures: dict[tuple[Cell, str], Refusal]

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """All datasets with at least one stored or refused cell, in the order of the record."""
        return tuple(dict.fromkeys(cell.dataset for cell in (*self.stored, *self.refused)))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All engines in environments that stored something, oldest zarr-python first."""
        found = {cell.column for cell in self.stored}
        return tuple(sorted(found, key=self._place))

    def _place(self, column: Column) -> tuple[tuple[int, ...], int, Column]:
        machine = self.machines.get(column.environment)
        known = column.engine in _ENGINES
        engine = _ENGINES.index(column.engine) if known else len(_ENGINES)
        return machine.release if machine else (), engine, column

    @cached_property
    def labels(self) -> dict[Column, str]:
        """Engine with its release, and with the environment where that alone would be said twice."""
        plain = {column: self._label(column) for column in self.columns}
        twice = {label for label in plain.values() if list(plain.values()).count(label) > 1}
        return {
            column: f"{label} ({column.environment})" if label in twice else label for column, label in plain.items()
        }

    def _label(self, column: Column) -> str:
        machine = self.machines.get(column.environment)
        packages = machine.packages if machine else {}
        if column.engine.startswith("zarr-python"):
            return (
                f"zarr-python {packages.get('zarr', '?')}{column.engine.removeprefix('zarr-python').replace('-', ' ')}"
            )
        return f"{column.engine} {packages.get(column.engine, '?')}"

    def column(self, engine: str, release: tuple[int, ...] = ()) -> Column | None:
        """Find the column of an engine.

        Parameters
        ----------
        engine
            Name of the engine.
        release
            Begin of the zarr-python release in its environment.

        Returns
        -------
        Column or None
            The first that fits.
        """
        return next((column for column in self.columns if self._fits(column, engine, release)), None)

    def _fits(self, column: Column, engine: str, release: tuple[int, ...]) -> bool:
        machine = self.machines.get(column.environment)
        found = machine.release[: len(release)] if machine else ()
        return column.engine == engine and found == release

    def cells(self, dataset: str, column: Column) -> tuple[Cell, ...]:
        """List the stored cells of a dataset in a column.

        Parameters
        ----------
        dataset, column
            Where to look.

        Returns
        -------
        tuple of Cell
            In the order of the record.
        """
        return self._by_place.get((dataset, column), ())

    @cached_property
    def _by_place(self) -> dict[tuple[str, Column], tuple[Cell, ...]]:
        found: dict[tuple[str, Column], list[Cell]] = defaultdict(list)
        for cell in self.stored:
            found[cell.dataset, cell.column].append(cell)
        return {place: tuple(cells) for place, cells in found.items()}

    def of(self, column: Column, dataset: str, layout: str, chain: str) -> Cell:
        """Name a cell.

        Parameters
        ----------
        column, dataset, layout, chain
            Its parts.

        Returns
        -------
        Cell
            Whether or not it was stored.
        """
        return Cell(column.environment, dataset, column.engine, layout, chain)

    def example(self, dataset: str) -> Stored | None:
        """Take any stored cell of a dataset, to learn its shape and type.

        Parameters
        ----------
        dataset
            Name of the dataset.

        Returns
        -------
        Stored or None
            ``None`` if every cell was refused.
        """
        return next((stored for cell, stored in self.stored.items() if cell.dataset == dataset), None)


def read_record(entries: Iterable[dict[str, Any]]) -> Record:
    """Sort the entries of a run's record.

    Parameters
    ----------
    entries
        Lines of the record, the head first.

    Returns
    -------
    Record
        Everything that is there; a run that goes on or was ended early has less of it.

    Raises
    ------
    ResultsError
        If there is no head.
    """
    lines = list(entries)
    if not lines or lines[0].get("kind") != "head":
        msg = "A run's record begins with its head: there is none. Run 'zbench study lossless' first."
        raise ResultsError(msg)
    times: dict[tuple[Cell, str], Times] = defaultdict(Times)
    failures: dict[tuple[Cell, str], Refusal] = {}
    for entry in _of(lines, "samples"):
        _take_samples(entry, times, failures)
    return Record(
        head={name: value for name, value in lines[0].items() if name != "kind"},
        machines={entry["name"]: _machine(entry["environment"]) for entry in _of(lines, "environment")},
        stored={_cell(entry["cell"]): _stored(entry) for entry in _of(lines, "stored")},
        refused={_cell(entry["cell"]): Refusal(entry["error"], entry["message"]) for entry in _of(lines, "refused")},
        times=dict(times),
        failures=failures,
    )


def _of(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line.get("kind") == kind]


def _take_samples(
    entry: dict[str, Any], times: dict[tuple[Cell, str], Times], failures: dict[tuple[Cell, str], Refusal]
) -> None:
    # The name of an environment may hold anything, those of the other parts hold no bar.
    name, operation = entry["task"].rsplit("|", 1)
    key = _cell(name), operation
    if "samples" not in entry:
        failures[key] = Refusal(entry["error"], entry["message"])
        return
    walls, cpus = zip(*entry["samples"], strict=True)
    times[key].wall_ns[entry["round"]] = statistics.median(walls)
    times[key].cpu_ns[entry["round"]] = statistics.median(cpus)


def _cell(text: str) -> Cell:
    return Cell(*text.rsplit("|", 4))


def _machine(fields: dict[str, Any]) -> Machine:
    return Machine(
        facts={name: value for name, value in fields.items() if name != "packages"},
        packages=dict(fields["packages"]),
    )


def _stored(entry: dict[str, Any]) -> Stored:
    fields = entry["fields"]
    return Stored(
        config=fields["config"],
        shape=tuple(fields["shape"]),
        dtype=fields["dtype"],
        logical_bytes=fields["logical_bytes"],
        stored_bytes=fields["stored_bytes"],
        objects=fields["objects"],
        counts=entry["counts"],
    )
