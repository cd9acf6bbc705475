"""What counts as a regression: the table ``[tool.zbench.gate]`` of a project's pyproject.toml."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zbench.errors import PresetError, ResultsError
from zbench.units import parse_share

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Accepted", "GateSettings", "read_settings"]

_METRICS = ("time", "cpu", "peakmemory", "instructions", "contrast")
_EFFECTS = {"time": 0.03, "cpu": 0.03, "peakmemory": 0.05, "instructions": 0.005, "contrast": 0.01}
_CLOCKS = ("wall", "cpu")
_ERROR_RATE = 0.01
# Units and names of which more is better; asv itself knows none.
_MORE_IS_BETTER = ("compression_ratio", "throughput", r"\bhits\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """A change for the worse that was looked at and taken.

    Attributes
    ----------
    benchmark
        Regular expression of the benchmarks with their parameters.
    reason
        Why it was taken.
    until
        Last day on which it is; ``None`` for good.
    """

    benchmark: str
    reason: str
    until: dt.date | None = None

    def covers(self, cell: str, *, today: dt.date) -> bool:
        """Say whether a change of a benchmark is accepted.

        Parameters
        ----------
        cell
            The benchmark with its parameters.
        today
            The day.

        Returns
        -------
        bool
            False after the last day.
        """
        return bool(re.search(self.benchmark, cell)) and (self.until is None or today <= self.until)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSettings:
    """How a gate decides.

    Attributes
    ----------
    min_effects
        Smallest change that counts, by metric: 0.03 is 3 %.
    clock
        Which time decides, ``wall`` or ``cpu``; the other is told beside it.
    cpu_benchmarks
        Regular expressions of benchmarks for which CPU time decides whatever the clock: they compute and do not wait.
    better
        Regular expressions of benchmarks, by name, of which a larger value is an improvement.
    accepted
        Changes that do not fail the gate.
    error_rate
        Chance that a gate of two alike sides fails.
    one_core
        Whether both sides of a benchmark that keeps one core busy are kept on one and the same.
    """

    min_effects: Mapping[str, float] = field(default_factory=lambda: dict(_EFFECTS))
    clock: str = "wall"
    cpu_benchmarks: tuple[str, ...] = ()
    better: tuple[str, ...] = _MORE_IS_BETTER
    accepted: tuple[Accepted, ...] = ()
    error_rate: float = _ERROR_RATE
    one_core: bool = True

    def larger_is_better(self, name: str, unit: str) -> bool:
        """Say whether more of what a benchmark tracks is better.

        Parameters
        ----------
        name
            Of the benchmark.
        unit
            Of what it tracks.

        Returns
        -------
        bool
            False unless the settings say so.
        """
        return any(re.search(wanted, f"{name} {unit}") for wanted in self.better)

    def clock_of(self, name: str) -> str:
        """Say which time decides for a benchmark.

        Parameters
        ----------
        name
            Of the benchmark.

        Returns
        -------
        str
            ``wall`` or ``cpu``.
        """
        return "cpu" if any(re.search(wanted, name) for wanted in self.cpu_benchmarks) else self.clock


def read_settings(repository: Path, *, min_effects: Mapping[str, float] | None = None) -> GateSettings:
    """Read how a project's gate decides.

    Parameters
    ----------
    repository
        Folder with ``pyproject.toml``; without the file or the table everything is as it is by default.
    min_effects
        Smallest changes by metric that were given with the command.

    Returns
    -------
    GateSettings
        What the command says before what the table says.

    Raises
    ------
    ResultsError
        If the table has a key or a value that means nothing.
    """
    table = _table(repository / "pyproject.toml")
    known = {"min_effect", "clock", "cpu_benchmarks", "larger_is_better", "accepted", "error_rate", "one_core"}
    _refuse_others("key", table, known)
    effects = table.get("min_effect", {})
    effects = effects if isinstance(effects, dict) else {"time": effects}
    _refuse_others("min_effect", effects, set(_METRICS))
    if table.get("clock", "wall") not in _CLOCKS:
        msg = f"[tool.zbench.gate] clock is wall or cpu: got {table['clock']!r}."
        raise ResultsError(msg)
    if not isinstance(table.get("one_core", True), bool):
        msg = f"[tool.zbench.gate] one_core is true or false: got {table['one_core']!r}."
        raise ResultsError(msg)
    return GateSettings(
        min_effects={**_EFFECTS, **{name: _share(value) for name, value in effects.items()}, **(min_effects or {})},
        clock=table.get("clock", "wall"),
        cpu_benchmarks=tuple(_expression(text) for text in table.get("cpu_benchmarks", ())),
        better=(*_MORE_IS_BETTER, *(_expression(text) for text in table.get("larger_is_better", ()))),
        accepted=tuple(_accepted(entry) for entry in table.get("accepted", ())),
        error_rate=_share(table.get("error_rate", _ERROR_RATE)),
        one_core=table.get("one_core", True),
    )


def _table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            found = tomllib.load(file).get("tool", {}).get("zbench", {}).get("gate", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"The settings of a gate are TOML: {str(path)!r} is not ({error}). Mend it."
        raise ResultsError(msg) from error
    if not isinstance(found, dict):
        msg = f"[tool.zbench.gate] in {str(path)!r} is a table: got {found!r}."
        raise ResultsError(msg)
    return found


def _refuse_others(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            msg = f"[tool.zbench.gate] has no {what} {name!r}. There are {', '.join(sorted(known))}."
            raise ResultsError(msg)


def _share(value: Any) -> float:
    try:
        return parse_share(str(value))
    except PresetError as error:
        msg = f"[tool.zbench.gate]: {error}"
        raise ResultsError(msg) from error


def _expression(text: Any) -> str:
    try:
        re.compile(text)
    except (re.error, TypeError) as error:
        msg = f"[tool.zbench.gate] names benchmarks by regular expressions: {text!r} is none ({error})."
        raise ResultsError(msg) from error
    return str(text)


def _accepted(entry: Any) -> Accepted:
    if not isinstance(entry, dict) or not {"benchmark", "reason"} <= set(entry) <= {"benchmark", "reason", "until"}:
        msg = f"An accepted change has benchmark and reason, and may have until: got {entry!r}."
        raise ResultsError(msg)
    until = entry.get("until")
    if until is not None and not isinstance(until, dt.date):
        msg = f"An accepted change ends on a day, written without quotes, such as until = 2027-01-31: got {until!r}."
        raise ResultsError(msg)
    return Accepted(benchmark=_expression(entry["benchmark"]), reason=str(entry["reason"]), until=until)
