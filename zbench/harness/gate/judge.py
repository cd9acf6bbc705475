"""From what was measured to verdicts: exact numbers, times, peaks, and the factor levels that they share."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zbench.harness.gate.factors import levels_of
from zbench.model import Comparison, Verdict
from zbench.report.gate import GateCell, GateContrast
from zbench.runner.pairs import Item, Kind
from zbench.stats.compare import compare_exact
from zbench.stats.contrasts import contrasts
from zbench.stats.family import error_share, judge_family, verdict_of
from zbench.stats.paired import block_ratio, paired_test
from zbench.stats.sequential import Outcome, SequentialRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbench.harness.gate.settings import GateSettings
    from zbench.runner.pairs import Turn
    from zbench.runner.pairs.rounds import Measured
    from zbench.stats.contrasts import Contrast
    from zbench.stats.family import Finding
    from zbench.stats.sequential import Stage

__all__ = ["MOST_BLOCKS", "Judged", "judge"]

MOST_BLOCKS = 60
_CELLS, _CONTRASTS = "cells", "contrasts"
_CLOCKS = ("wall", "cpu")
_TOLD = 0.01
_NS = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What is known by now.

    Attributes
    ----------
    cells
        Every metric of every benchmark that has numbers.
    contrasts
        Of the deciding times, pooled.
    undecided
        Keys of the items that more rounds could decide, by themselves or as part of a contrast.
    """

    cells: tuple[GateCell, ...]
    contrasts: tuple[GateContrast, ...]
    undecided: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Series:
    """One noisy metric of one item: one value a block."""

    item: Item
    metric: str
    unit: str
    logs: tuple[float, ...]
    medians: tuple[float, float]
    min_effect: float

    @property
    def name(self) -> str:
        return f"{self.item.key}|{self.metric}"


def judge(items: Iterable[Item], measured: Measured, settings: GateSettings, *, blocks_left: int) -> Judged:
    """Judge all that was measured, as one family.

    Parameters
    ----------
    items
        All benchmarks.
    measured
        What is known of them.
    settings
        Smallest effects, clocks, accepted changes.
    blocks_left
        Rounds that can still be measured; with 0 the last of the error is spent.

    Returns
    -------
    Judged
        Verdicts, corrected together.
    """
    items = list(items)
    series = [one for item in items for one in _series(item, measured, settings)]
    deciding = {one.name: one for one in series if _decides(one, settings)}
    pooled = _pooled(deciding)
    groups = 2 if pooled else 1
    stages = {
        name: _rule(settings, one.min_effect, count=len(deciding), groups=groups).decide(
            one.logs, blocks_left=blocks_left
        )
        for name, one in deciding.items()
    }
    effect = settings.min_effects["contrast"]
    stages |= {
        _contrast_name(one): _rule(settings, effect, count=len(pooled), groups=groups).decide(
            one.logs, blocks_left=blocks_left
        )
        for one in pooled
    }
    effects = {name: one.min_effect for name, one in deciding.items()} | dict.fromkeys(
        map(_contrast_name, pooled), effect
    )
    findings = judge_family(
        {name: stage.test for name, stage in stages.items()},
        min_effects=effects,
        groups={name: _CELLS if name in deciding else _CONTRASTS for name in stages},
        alarm_rate=settings.error_rate,
    )
    exact = [cell for item in items for cell in _exact_cells(item, measured)]
    noisy = [_noisy_cell(one, stages.get(one.name), findings.get(one.name)) for one in series]
    return Judged(
        cells=tuple(_accepting(cell, settings) for cell in (*exact, *noisy)),
        contrasts=tuple(_contrast(one, stages[_contrast_name(one)], findings[_contrast_name(one)]) for one in pooled),
        undecided=_undecided(deciding, pooled, stages),
    )


def _series(item: Item, measured: Measured, settings: GateSettings) -> list[_Series]:
    if item.kind is Kind.PEAK and item.key in measured.peaks:
        peaks = measured.peaks[item.key]
        logs = [math.log(peaks[place][1] / peaks[place][0]) if place in peaks else math.nan for place in _all(measured)]
        medians = tuple(statistics.median(pair[side] for pair in peaks.values()) for side in (0, 1))
        return [_one(item, "peak_memory", item.unit, logs, medians, settings.min_effects["peakmemory"])]
    turns = measured.turns.get(item.key, {}) if item.kind is Kind.TIME else {}
    found = []
    for clock in _CLOCKS:
        samples = {place: _samples(turn, clock) for place, turn in turns.items()}
        if not samples or any(pair is None or not min(map(min, pair)) for pair in samples.values()):
            continue
        logs = [block_ratio(*samples[place]) if place in samples else math.nan for place in _all(measured)]
        medians = tuple(
            statistics.median(value for pair in samples.values() for value in pair[side]) / _NS for side in (0, 1)
        )
        effect = settings.min_effects["time" if clock == "wall" else "cpu"]
        found.append(_one(item, f"{clock}_time", "s", logs, medians, effect))
    return found


def _one(
    item: Item, metric: str, unit: str, logs: list[float], medians: tuple[float, ...], min_effect: float
) -> _Series:
    return _Series(
        item=item, metric=metric, unit=unit, logs=tuple(logs), medians=(medians[0], medians[1]), min_effect=min_effect
    )


def _all(measured: Measured) -> range:
    return range(measured.rounds)


def _samples(turn: Turn, clock: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    return turn.wall_ns if clock == "wall" else turn.cpu_ns


def _decides(series: _Series, settings: GateSettings) -> bool:
    return series.item.kind is Kind.PEAK or series.metric == f"{settings.clock_of(series.item.name)}_time"


def _rule(settings: GateSettings, min_effect: float, *, count: int, groups: int) -> SequentialRule:
    share = error_share(count, groups=groups, alarm_rate=settings.error_rate)
    return SequentialRule(error_rate=share, min_effect=min_effect, most_blocks=MOST_BLOCKS)


def _pooled(deciding: Mapping[str, _Series]) -> tuple[Contrast, ...]:
    """Pool the times; memory has reasons of its own."""
    times = {name: one for name, one in deciding.items() if one.item.kind is Kind.TIME}
    if len(times) < 2:
        return ()
    levels = {name: levels_of(one.item) for name, one in times.items()}
    return contrasts({name: one.logs for name, one in times.items()}, levels)


def _contrast_name(contrast: Contrast) -> str:
    return f"contrast|{contrast.name}"


def _undecided(
    deciding: Mapping[str, _Series], pooled: Sequence[Contrast], stages: Mapping[str, Stage]
) -> frozenset[str]:
    names = {name for name in deciding if stages[name].outcome is Outcome.UNDECIDED}
    for one in pooled:
        if stages[_contrast_name(one)].outcome is Outcome.UNDECIDED:
            names |= set(one.cells)
    return frozenset(deciding[name].item.key for name in names)


def _exact_cells(item: Item, measured: Measured) -> list[GateCell]:
    values = measured.values.get(item.key, [])
    if item.kind is not Kind.VALUE or not values:
        return []
    base, other = values[0]
    numbers = base is not None and other is not None
    if not numbers or len(set(values)) > 1:
        nothing = Comparison(ratio=math.nan, low=math.nan, high=math.nan, p_value=None, verdict=Verdict.INCONCLUSIVE)
        note = "asked again, it was another number: it is not exact" if numbers else "it is no number on both sides"
        return [_cell(item, "value", item.unit, (base or math.nan, other or math.nan), nothing, note=note)]
    comparison = compare_exact(base or 0, other or 0, larger_is_worse=not item.larger_is_better)
    alarm = comparison.verdict is Verdict.SLOWER
    return [_cell(item, "value", item.unit, (base or 0, other or 0), comparison, alarm=alarm)]


def _noisy_cell(series: _Series, stage: Stage | None, finding: Finding | None) -> GateCell:
    if stage is None or finding is None:
        return _cell(series.item, series.metric, series.unit, series.medians, _beside(series), decides=False)
    return _cell(
        series.item,
        series.metric,
        series.unit,
        series.medians,
        finding.comparison,
        blocks=stage.blocks,
        alarm=finding.alarm,
        detectable=stage.detectable if math.isfinite(stage.detectable) else None,
        needed=stage.needed,
    )


def _beside(series: _Series) -> Comparison:
    """Say what the clock that does not decide shows."""
    if sum(map(math.isfinite, series.logs)) < 3:
        return Comparison(ratio=math.nan, low=math.nan, high=math.nan, p_value=1.0, verdict=Verdict.INCONCLUSIVE)
    test = paired_test(series.logs)
    verdict = verdict_of(test, told=test.p_value <= _TOLD, min_effect=series.min_effect)
    return Comparison(ratio=test.ratio, low=test.low, high=test.high, p_value=test.p_value, verdict=verdict)


def _cell(
    item: Item,
    metric: str,
    unit: str,
    numbers: tuple[float, float],
    comparison: Comparison,
    **more: object,
) -> GateCell:
    return GateCell(
        environment=item.environment,
        benchmark=item.name,
        parameters=dict(item.parameters),
        metric=metric,
        unit=unit,
        baseline=numbers[0],
        candidate=numbers[1],
        comparison=comparison,
        **more,  # type: ignore[arg-type]
    )


def _accepting(cell: GateCell, settings: GateSettings) -> GateCell:
    today = dt.datetime.now(tz=dt.UTC).date()
    reasons = [one.reason for one in settings.accepted if one.covers(cell.cell, today=today)]
    if not reasons or not cell.alarm:
        return cell
    return replace(cell, accepted=reasons[0])


def _contrast(contrast: Contrast, stage: Stage, finding: Finding) -> GateContrast:
    factor = " = ".join(name for name, _ in contrast.levels) or "all"
    level = contrast.levels[0][1] if contrast.levels else "all"
    return GateContrast(
        factor=factor,
        level=level,
        metric="time",
        cells=len(contrast.cells),
        blocks=stage.blocks,
        comparison=finding.comparison,
        alarm=finding.alarm,
    )
