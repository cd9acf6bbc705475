"""``zbench calibrate``: what a gate can see on this machine, and how often it is wrong, by measuring one side twice."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zbench.environment import environment
from zbench.errors import InsufficientSamplesError, ResultsError
from zbench.harness.gate.judge import judge
from zbench.harness.gate.prepare import GateStatus, prepared
from zbench.results import read_json, write_atomically
from zbench.runner.pairs import Kind
from zbench.runner.pairs.lock import alone
from zbench.runner.pairs.rounds import Measured
from zbench.stats.paired import block_ratio, spread
from zbench.stats.power import detectable_effect
from zbench.stats.rates import rate_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zbench.harness.gate.question import GateQuestion
    from zbench.harness.gate.settings import GateSettings
    from zbench.runner.pairs import Item

__all__ = ["CALIBRATION", "BenchmarkNoise", "Calibration", "calibrate", "noise_of", "read_calibration"]

CALIBRATION = "calibration.json"
_SCHEMA = 1
# A/A gates that are made anew from the rounds, sides swapped at random round by round, which changes nothing if the
# sides are alike.
_GATES = 400
_TICKS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkNoise:
    """How noisy one benchmark is.

    Attributes
    ----------
    cell, environment
        The benchmark.
    metric
        What was measured.
    block_sd
        Standard deviation of the logarithm of one pair of processes.
    detectable
        Smallest change that a gate of so many rounds finds in 95 of 100 cases.
    visit_s
        Seconds that one visit takes.
    """

    cell: str
    environment: str
    metric: str
    block_sd: float
    detectable: float
    visit_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What one side measured against itself shows.

    Attributes
    ----------
    day
        ISO 8601.
    machine
        Name of the machine.
    commit
        Full hash.
    rounds, seconds
        That were measured.
    noise
        Of each benchmark, the noisiest first.
    middle_sd
        Median of the standard deviations.
    false_alarms, gates
        A/A gates that failed, of so many made from the rounds.
    rate_low, rate_high
        Clopper-Pearson interval of the share.
    detectable_by_minutes
        From minutes of budget to the smallest change that the middle benchmark shows; by the number of rounds alone.
    causes
        What made noise: share of stolen time, of waiting for disks, load, lowest and highest clock in MHz.
    """

    day: str
    machine: str
    commit: str
    rounds: int
    seconds: float
    noise: tuple[BenchmarkNoise, ...]
    middle_sd: float
    false_alarms: int
    gates: int
    rate_low: float
    rate_high: float
    detectable_by_minutes: dict[str, float]
    causes: dict[str, float]


def calibrate(
    question: GateQuestion,
    settings: GateSettings,
    *,
    work: Path,
    report: Callable[[GateStatus], None] = lambda _: None,
) -> Calibration:
    """Measure a commit against itself until the budget ends.

    Parameters
    ----------
    question
        Both sides are the same; the budget is the time that is measured.
    settings
        What counts as a regression.
    work
        Folder for environments, records and the calibration.
    report
        Told of each step.

    Returns
    -------
    Calibration
        Also written to ``calibration.json`` in the work folder, where gates look for it.

    Raises
    ------
    ResultsError
        If nothing can be measured, or another run measures on this machine.
    """
    with alone(f"zbench calibrate of {question.repository.resolve()}"):
        # A record of its own, anew each time: a calibration is of the machine as it is now.
        run = prepared(
            replace(question, metrics=("time",)), settings, work=work / "calibrate", fresh=True, report=report
        )
        rounds = run.rounds(_teller(report, question, len(run.items)))
        before, clocks = _ticks(), [*_megahertz()]
        while rounds.measured.seconds < question.budget_s:
            known = rounds.measured
            wanted = [item for item in run.items if item.key not in {**known.failed, **known.skipped}]
            if not wanted:
                msg = f"A calibration measures times: none of {len(run.items)} benchmarks could be. {_first(known)}"
                raise ResultsError(msg)
            rounds.round(wanted)
            clocks += _megahertz()
        causes = _causes(before, _ticks(), clocks)
        run.tidy()
        found = _calibrated(run.items, rounds.measured, settings, run.built.commits[0], causes, run.folder)
    write_atomically(work / CALIBRATION, json.dumps({"schema": _SCHEMA, **asdict(found)}, indent=2) + "\n")
    return found


def read_calibration(work: Path) -> Calibration | None:
    """Read what the last calibration found.

    Parameters
    ----------
    work
        Folder of the gate.

    Returns
    -------
    Calibration or None
        ``None`` without one, or of another version of zbench.
    """
    path = work / CALIBRATION
    if not path.is_file():
        return None
    fields = read_json(path)
    if fields.pop("schema", None) != _SCHEMA:
        return None
    noise = tuple(BenchmarkNoise(**entry) for entry in fields.pop("noise"))
    return Calibration(noise=noise, **fields)


def _teller(
    report: Callable[[GateStatus], None], question: GateQuestion, items: int
) -> Callable[[str, Measured], None]:
    def tell(text: str, measured: Measured) -> None:
        report(
            GateStatus(
                stage=text,
                rounds=measured.rounds,
                open_items=items,
                items=items,
                spent_s=measured.seconds,
                budget_s=question.budget_s,
            )
        )

    return tell


def _first(measured: Measured) -> str:
    return next(iter({**measured.failed, **measured.skipped}.values()), "")


def _calibrated(
    items: Sequence[Item],
    measured: Measured,
    settings: GateSettings,
    commit: str,
    causes: dict[str, float],
    folder: Path,
) -> Calibration:
    noise = sorted(noise_of(items, measured, settings), key=lambda one: -one.block_sd)
    if not noise:
        msg = f"A calibration needs three rounds at least: got {measured.rounds}. Give a larger --budget."
        raise InsufficientSamplesError(msg)
    middle = statistics.median(one.block_sd for one in noise)
    alarms = _false_alarms(items, measured, settings)
    rate = rate_interval(alarms, _GATES)
    facts = environment(folder)
    pace = measured.seconds / measured.rounds
    by_minutes = {
        str(minutes): detectable_effect(sd=middle, blocks=max(3, int(60 * minutes / pace)), error_rate=0.01)
        for minutes in (1, 2, 5, 10, 20, 60)
    }
    return Calibration(
        day=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=facts.machine,
        commit=commit,
        rounds=measured.rounds,
        seconds=measured.seconds,
        noise=tuple(noise),
        middle_sd=middle,
        false_alarms=alarms,
        gates=_GATES,
        rate_low=rate.low,
        rate_high=rate.high,
        detectable_by_minutes=by_minutes,
        causes=causes,
    )


def noise_of(items: Sequence[Item], measured: Measured, settings: GateSettings) -> Iterator[BenchmarkNoise]:
    """Tell how noisy each benchmark was.

    Parameters
    ----------
    items
        Time benchmarks.
    measured
        What is known of them.
    settings
        Which clock decides.

    Yields
    ------
    BenchmarkNoise
        Of those with three blocks or more.
    """
    for item in items:
        turns = measured.turns.get(item.key, {})
        clock = settings.clock_of(item.name)
        samples = [turn.wall_ns if clock == "wall" else turn.cpu_ns for turn in turns.values()]
        logs = [block_ratio(*pair) for pair in samples if pair is not None and min(map(min, pair)) > 0]
        if len(logs) < 3 or not spread(logs):
            continue
        sd = spread(logs)
        seconds = statistics.median(sum(map(sum, turn.wall_ns)) for turn in turns.values()) / 1e9
        yield BenchmarkNoise(
            cell=item.cell,
            environment=item.environment,
            metric=f"{clock}_time",
            block_sd=sd,
            detectable=detectable_effect(sd=sd, blocks=len(logs), error_rate=0.01),
            visit_s=seconds,
        )


def _false_alarms(items: Sequence[Item], measured: Measured, settings: GateSettings) -> int:
    """Judge gates whose sides were swapped at random in each round: of alike sides each is as good as what was seen."""
    rng = np.random.default_rng(0)
    timed = [item for item in items if item.kind is Kind.TIME]
    alarms = 0
    for _ in range(_GATES):
        swapped = rng.random(measured.rounds) < 0.5
        made = Measured(rounds=measured.rounds)
        for key, turns in measured.turns.items():
            made.turns[key] = {
                place: replace(
                    turn,
                    wall_ns=turn.wall_ns[::-1] if swapped[place] else turn.wall_ns,
                    cpu_ns=turn.cpu_ns and (turn.cpu_ns[::-1] if swapped[place] else turn.cpu_ns),
                )
                for place, turn in turns.items()
            }
        judged = judge(timed, made, settings, most_blocks=measured.rounds, blocks_left=0)
        alarms += any(cell.alarm for cell in judged.cells) or any(one.alarm for one in judged.explanation)
    return alarms


def _ticks() -> dict[str, int]:
    """Read what the processors did since the machine was started; nothing where the kernel does not tell."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return {}
    return dict(zip(_TICKS, map(int, line.split()[1:]), strict=False))


def _megahertz() -> Iterator[float]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    yield from (float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz"))


def _causes(before: dict[str, int], after: dict[str, int], clocks: Sequence[float]) -> dict[str, float]:
    spent = {name: after[name] - before[name] for name in before if name in after}
    whole = sum(spent.values())
    found = {"load": os.getloadavg()[0]}
    if whole:
        found |= {"steal": spent.get("steal", 0) / whole, "iowait": spent.get("iowait", 0) / whole}
    if clocks:
        found |= {"lowest_mhz": min(clocks), "highest_mhz": max(clocks)}
    return {name: value for name, value in found.items() if math.isfinite(value)}
