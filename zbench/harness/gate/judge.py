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
from zbench.stats.causes import explain
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
    from zbench.stats.causes import Cause
    from zbench.stats.contrasts import Contrast
    from zbench.stats.family import Finding
    from zbench.stats.sequential import Stage

__all__ = ["NOTHING", "Judged", "in_doubt", "judge", "looks"]

NOTHING = Comparison(ratio=math.nan, low=math.nan, high=math.nan, p_value=None, verdict=Verdict.INCONCLUSIVE)

_FEWEST = SequentialRule(error_rate=0.01, min_effect=0.01).fewest
_CELLS, _CONTRASTS, _CAUSES = "cells", "contrasts", "causes"
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
    explanation
        The fewest factor levels and cells that account for what moved, the most telling first.
    undecided
        Keys of the items that more rounds could decide, by themselves or as part of a contrast.
    """

    cells: tuple[GateCell, ...]
    contrasts: tuple[GateContrast, ...]
    explanation: tuple[GateContrast, ...]
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


def looks(most_blocks: int) -> frozenset[int]:
    """Tell after how many rounds a judgement can change.

    Parameters
    ----------
    most_blocks
        Rounds that the plan ends with.

    Returns
    -------
    frozenset of int
        Between them nothing is looked at, and nothing has to be worked out.
    """
    return frozenset(_rule(0.01, 0.01, most_blocks).looks)


def judge(
    items: Iterable[Item],
    measured: Measured,
    settings: GateSettings,
    *,
    most_blocks: int,
    blocks_left: int,
    final: bool = True,
) -> Judged:
    """Judge all that was measured, as one family.

    Parameters
    ----------
    items
        All benchmarks.
    measured
        What is known of them.
    settings
        Smallest effects, clocks, accepted changes.
    most_blocks
        Rounds that the plan ends with.
    blocks_left
        Rounds that can still be measured; with 0 the last of the error is spent.
    final
        Whether no more is measured: what moved is explained then.

    Returns
    -------
    Judged
        Verdicts, corrected together.
    """
    items = list(items)
    series = [one for item in items for one in _series(item, measured, settings)]
    deciding = {one.name: one for one in series if _decides(one, settings)}
    accepted = {name for name, one in deciding.items() if _accepted(one.item.cell, settings)}
    pooled = _pooled({name: one for name, one in deciding.items() if name not in accepted})
    shares = {
        group: error_share(count, groups=2 if pooled else 1, alarm_rate=settings.error_rate)
        for group, count in ((_CELLS, len(deciding)), (_CONTRASTS, len(pooled)))
        if count
    }
    effect = settings.min_effects["contrast"]
    stages = {
        name: _rule(shares[_CELLS], one.min_effect, most_blocks).decide(one.logs, blocks_left=blocks_left)
        for name, one in deciding.items()
    }
    stages |= {
        _contrast_name(one): _rule(shares[_CONTRASTS], effect, most_blocks).decide(one.logs, blocks_left=blocks_left)
        for one in pooled
    }
    looked_at = {name: one for name, one in _times(deciding).items() if name not in accepted}
    causes = _explained(looked_at, settings, most_blocks, blocks_left) if final else ()
    tests = {name: stage.test for name, stage in stages.items()} | {_cause_key(one): one.test for one in causes}
    findings = judge_family(
        tests,
        min_effects={name: deciding[name].min_effect if name in deciding else effect for name in tests},
        groups={name: _group(name, deciding) for name in tests},
        # Contrasts are listed; what they have in common is judged as a cause.
        weights={_CELLS: 1, _CAUSES: 1} if causes or pooled else None,
        alarm_rate=settings.error_rate,
    )
    exact = [cell for item in items for cell in _exact_cells(item, measured)]
    noisy = [_noisy_cell(one, stages.get(one.name), findings.get(one.name)) for one in series]
    unknown = [_unknown_cell(item, settings) for item in items if _is_unknown(item, measured)]
    return Judged(
        cells=tuple(_accepting(cell, settings) for cell in (*exact, *noisy, *unknown)),
        contrasts=tuple(_contrast(one, stages[_contrast_name(one)], findings[_contrast_name(one)]) for one in pooled),
        explanation=tuple(_explanation(one, findings[_cause_key(one)], looked_at) for one in causes),
        undecided=_undecided(deciding, pooled, stages),
    )


def in_doubt(judged: Judged) -> bool:
    """Tell whether something is told slower and nothing is certain enough to fail the gate.

    Parameters
    ----------
    judged
        What is known, explained.

    Returns
    -------
    bool
        Whether more blocks could tell which of the two it is.
    """
    if any(cell.is_regression for cell in judged.cells) or any(one.is_regression for one in judged.explanation):
        return False
    told = [cell.comparison.verdict for cell in judged.cells if cell.decides and not cell.accepted]
    told += [one.comparison.verdict for one in judged.contrasts]
    return Verdict.SLOWER in told


def _series(item: Item, measured: Measured, settings: GateSettings) -> list[_Series]:
    if item.kind is Kind.PEAK and item.key in measured.peaks:
        peaks = measured.peaks[item.key]
        logs = [math.log(peaks[place][1] / peaks[place][0]) if place in peaks else math.nan for place in _all(measured)]
        medians = tuple(statistics.median(pair[side] for pair in peaks.values()) for side in (0, 1))
        return [_one(item, "peak_memory", item.unit, logs, medians, settings.min_effects["peakmemory"])]
    turns = measured.turns.get(item.key, {}) if item.kind is Kind.TIME else {}
    found = []
    for clock in _CLOCKS:
        taken = {place: _samples(turn, clock) for place, turn in turns.items()}
        samples = {place: pair for place, pair in taken.items() if pair is not None and min(map(min, pair)) > 0}
        # Times of zero are those of a clock that is too coarse.
        if not samples or len(samples) < len(taken):
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


def _rule(error_rate: float, min_effect: float, most_blocks: int) -> SequentialRule:
    return SequentialRule(error_rate=error_rate, min_effect=min_effect, most_blocks=max(most_blocks, _FEWEST))


def _times(deciding: Mapping[str, _Series]) -> dict[str, _Series]:
    return {name: one for name, one in deciding.items() if one.item.kind is Kind.TIME}


def _group(name: str, deciding: Mapping[str, _Series]) -> str:
    return _CELLS if name in deciding else _CAUSES if name.startswith(_CAUSES) else _CONTRASTS


def _explained(
    times: Mapping[str, _Series], settings: GateSettings, most_blocks: int, blocks_left: int
) -> tuple[Cause, ...]:
    if len(times) < 2:
        return ()
    return explain(
        {name: one.logs for name, one in times.items()},
        {name: levels_of(one.item) for name, one in times.items()},
        # Two-sided, of which half is on the side of an alarm.
        error_rate=2 * settings.error_rate,
        rule=_rule(settings.error_rate, settings.min_effects["contrast"], most_blocks),
        blocks_left=blocks_left,
    )


def _cause_key(cause: Cause) -> str:
    return f"{_CAUSES}|{cause.name}"


def _explanation(cause: Cause, finding: Finding, times: Mapping[str, _Series]) -> GateContrast:
    return GateContrast(
        what=_cause_name(cause, times),
        metric="time",
        cells=len(cause.cells),
        blocks=sum(map(math.isfinite, cause.logs)),
        comparison=finding.comparison,
        alarm=finding.alarm,
    )


def _cause_name(cause: Cause, deciding: Mapping[str, _Series]) -> str:
    if cause.whole:
        return ""
    levels = " and ".join(f"{factor} = {level}" for factor, level in cause.levels)
    return levels or deciding[cause.cells[0]].item.cell


def _pooled(deciding: Mapping[str, _Series]) -> tuple[Contrast, ...]:
    """Pool the times; memory has reasons of its own."""
    times = _times(deciding)
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
        note = "asked again, it was another number: it is not exact" if numbers else "it is no number on both sides"
        return [_cell(item, "value", item.unit, _numbers(base, other), NOTHING, note=note)]
    comparison = compare_exact(base or 0, other or 0, larger_is_worse=not item.larger_is_better)
    alarm = comparison.verdict is Verdict.SLOWER
    return [_cell(item, "value", item.unit, (base or 0, other or 0), comparison, alarm=alarm)]


def _numbers(base: float | None, other: float | None) -> tuple[float, float]:
    return math.nan if base is None else base, math.nan if other is None else other


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


def _is_unknown(item: Item, measured: Measured) -> bool:
    known = (measured.turns, measured.peaks, measured.failed, measured.skipped)
    return item.kind is not Kind.VALUE and not any(item.key in found for found in known)


def _unknown_cell(item: Item, settings: GateSettings) -> GateCell:
    metric = "peak_memory" if item.kind is Kind.PEAK else f"{settings.clock_of(item.name)}_time"
    unit = item.unit if item.kind is Kind.PEAK else "s"
    return _cell(item, metric, unit, (math.nan, math.nan), NOTHING, note="the budget ended before it was measured")


def _accepted(cell: str, settings: GateSettings) -> str:
    """Give the reason why a change of a benchmark is accepted today; nothing if it is not."""
    today = dt.datetime.now(tz=dt.UTC).date()
    return next((one.reason for one in settings.accepted if one.covers(cell, today=today)), "")


def _accepting(cell: GateCell, settings: GateSettings) -> GateCell:
    reason = _accepted(cell.cell, settings)
    return replace(cell, accepted=reason) if reason and cell.alarm else cell


def _contrast(contrast: Contrast, stage: Stage, finding: Finding) -> GateContrast:
    return GateContrast(
        # Levels with the same cells cannot be told apart.
        what=", ".join(f"{factor} = {level}" for factor, level in contrast.levels),
        metric="time",
        cells=len(contrast.cells),
        blocks=stage.blocks,
        comparison=finding.comparison,
        alarm=finding.alarm,
    )
