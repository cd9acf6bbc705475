"""Instructions of the measured region on both sides: they tell what time is too noisy to tell."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from zbench.errors import RefusedError, ResultsError
from zbench.harness.gate.judge import NOTHING
from zbench.model import Comparison, Verdict
from zbench.probes.callgrind import count_instructions
from zbench.report.gate import GateCell
from zbench.runner.pairs.workers import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from zbench.harness.gate.settings import GateSettings
    from zbench.runner.log import RunLog
    from zbench.runner.pairs import Item, Side

__all__ = ["count_both"]

_METRIC = "instructions"


def count_both(
    items: Iterable[Item],
    sides: Callable[[], Mapping[str, tuple[Side, Side]]],
    *,
    suite: Path,
    log: RunLog,
    cache: Path,
    settings: GateSettings,
    report: Callable[[str], None],
) -> list[GateCell]:
    """Count the instructions of benchmarks on both sides under callgrind, with one thread.

    Parameters
    ----------
    items
        Time benchmarks.
    sides
        Gives both sides by environment, with their caches; called when something is to be counted.
    suite
        Folder of the benchmarks.
    log
        The record; what it holds is not counted again.
    cache
        Folder for the compiled part.
    settings
        Smallest effect.
    report
        Told of each.

    Returns
    -------
    list of GateCell
        One for each that could be counted.

    Raises
    ------
    RefusedError
        If valgrind or a compiler is missing.
    """
    known = {entry["item"]: entry for entry in log.of(_METRIC)}
    found = []
    for item in items:
        if item.key not in known:
            report(f"instructions: {item.key}")
            entry = {"item": item.key, **_counted(item, sides()[item.environment], suite, cache)}
            log.add(_METRIC, **entry)
            known[item.key] = entry
        found.append(_cell(item, known[item.key], settings.min_effects[_METRIC]))
    return found


def _counted(item: Item, sides: tuple[Side, Side], suite: Path, cache: Path) -> dict[str, object]:
    values = []
    for side in sides:
        message = {"root": str(suite), "name": item.asv_id, "folder": str(side.folder(item))}
        try:
            counted = count_instructions(
                [str(SCRIPT), "--count", json.dumps(message)],
                cache=cache,
                python=side.python,
                settings=dict(side.variables),
            )
        except (ResultsError, RefusedError) as error:
            if "needs" in str(error):
                raise
            return {"note": f"{side.name}: {error}"}
        values.append(counted.instructions)
    return {"values": values}


def _cell(item: Item, entry: Mapping[str, object], min_effect: float) -> GateCell:
    values = entry.get("values")
    if not isinstance(values, list):
        return _made(item, (math.nan, math.nan), NOTHING, note=str(entry["note"]))
    base, other = values
    ratio = other / base
    limit = 1 + min_effect
    verdict = Verdict.SLOWER if ratio >= limit else Verdict.FASTER if ratio <= 1 / limit else Verdict.SAME
    comparison = Comparison(ratio=ratio, low=ratio, high=ratio, p_value=None, verdict=verdict)
    return _made(item, (base, other), comparison)


def _made(item: Item, numbers: tuple[float, float], comparison: Comparison, *, note: str = "") -> GateCell:
    return GateCell(
        environment=item.environment,
        benchmark=item.name,
        parameters=dict(item.parameters),
        metric=_METRIC,
        unit="instructions",
        baseline=numbers[0],
        candidate=numbers[1],
        comparison=comparison,
        alarm=comparison.verdict is Verdict.SLOWER,
        note=note,
    )
