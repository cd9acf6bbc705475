"""The rounds that gates of the study recorded: read again, put together, and judged anew."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zbench.harness.gate.judge import judge
from zbench.harness.gate.settings import GateSettings
from zbench.harness.gate_study.plan import LEVELS, SIZES
from zbench.report.gate_study import GATE, Resampled
from zbench.runner.log import RunLog
from zbench.runner.pairs import Item, Kind, Turn
from zbench.runner.pairs.rounds import Measured, Rounds
from zbench.stats import Interval
from zbench.stats.paired import block_ratio, paired_test, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["CODEC", "Round", "cell_of", "clock_spreads", "pooled_ratios", "read_rounds", "resampled", "rounds_path"]

# One round of one gate: what each cell gave, by the name of the cell.
Round = dict[str, Turn]
CODEC = "codec"
_BENCHMARK = "decode.Decode.time_decode"
_ENVIRONMENT = "study"
_ITEMS = {
    f"{codec}-{size}": Item(
        environment=_ENVIRONMENT,
        name=_BENCHMARK,
        index=place,
        parameters=((CODEC, codec), ("size", str(size))),
        kind=Kind.TIME,
        unit="seconds",
        cache_key=None,
        timeout_s=60.0,
    )
    for place, (codec, size) in enumerate((codec, size) for codec in LEVELS for size in SIZES)
}


def cell_of(parameters: Mapping[str, str]) -> str:
    """Name a cell of the suite.

    Parameters
    ----------
    parameters
        As the gate tells them.

    Returns
    -------
    str
        Such as ``zlib-1024``.
    """
    return f"{parameters[CODEC]}-{parameters['size']}"


def rounds_path(folder: Path, repetition: int, program: str) -> Path:
    """Tell where the rounds of a gate are kept.

    Parameters
    ----------
    folder
        Folder of all.
    repetition
        Number.
    program
        Which of the gates of that repetition.

    Returns
    -------
    Path
        The file.
    """
    return folder / f"{repetition}{'' if program == GATE else '-one'}.jsonl"


def read_rounds(path: Path) -> tuple[list[Round], float]:
    """Read what a gate recorded.

    Parameters
    ----------
    path
        Its record.

    Returns
    -------
    rounds : list of Round
        In their order.
    seconds : float
        That they took.
    """
    with path.open(encoding="utf-8") as file:
        head = json.loads(file.readline())
    log = RunLog(path, head={name: value for name, value in head.items() if name not in ("kind", "schema")})
    known = Rounds(dict, suite=path.parent, log=log, seed=0, report=lambda *_: None).measured
    by_cell = {item.cell: name for name, item in _ITEMS.items()}
    found: list[Round] = [{} for _ in range(known.rounds)]
    for key, turns in known.turns.items():
        name = by_cell[key.split("|", 1)[1]]
        for place, turn in turns.items():
            if place < known.rounds:
                found[place][name] = turn
    return found, known.seconds


def resampled(
    recorded: Sequence[Round],
    *,
    clock: str,
    rounds: int,
    seconds: float,
    gates: int,
    injected: bool,
    busy: bool,
    alone: bool = False,
) -> Resampled:
    """Make gates anew from recorded rounds, drawn at random without putting back; of alike sides each is also turned.

    Parameters
    ----------
    recorded
        Rounds of one kind.
    clock
        Which time decides, ``wall`` or ``cpu``.
    rounds
        Of each gate.
    seconds
        Time that one round takes.
    gates
        How many.
    injected
        Whether the candidate was slower. If not, the sides of each round are swapped at random, which changes nothing.
    busy
        Whether another load kept a core busy.
    alone
        Whether one codec alone was slower.

    Returns
    -------
    Resampled
        How many failed, and by what.
    """
    rng = np.random.default_rng(rounds)
    # One clock alone is judged: the other would not decide, and takes as long.
    own = [_of_clock(one, clock) for one in recorded]
    settings = GateSettings(clock="wall")
    count = min(rounds, len(recorded))
    cells = dict.fromkeys(_ITEMS, 0)
    codecs = dict.fromkeys(LEVELS, 0)
    alarms = 0
    for _ in range(gates):
        drawn = [own[place] for place in rng.permutation(len(own))[:count]]
        turned = rng.random(count) < 0.5 if not injected else np.zeros(count, dtype=bool)
        made = _measured([_turned(one) if turn else one for one, turn in zip(drawn, turned, strict=True)])
        judged = judge(_ITEMS.values(), made, settings, most_blocks=count, blocks_left=0)
        for cell in judged.cells:
            cells[cell_of(cell.parameters)] += cell.alarm
        for one in judged.explanation:
            if one.what.removeprefix(f"{CODEC} = ") in codecs:
                codecs[one.what.removeprefix(f"{CODEC} = ")] += one.alarm
        alarms += any(cell.alarm for cell in judged.cells) or any(one.alarm for one in judged.explanation)
    return Resampled(
        busy=busy,
        rounds=count,
        seconds=seconds * count,
        gates=gates,
        recorded=len(recorded),
        alarms=alarms,
        cell_alarms=cells,
        contrast_alarms=codecs,
        injected=injected,
        clock=clock,
        alone=alone,
    )


def _measured(rounds: Sequence[Round]) -> Measured:
    made = Measured(rounds=len(rounds))
    for place, one in enumerate(rounds):
        for name, turn in one.items():
            made.turns.setdefault(_ITEMS[name].key, {})[place] = turn
    return made


def _of_clock(one: Round, clock: str) -> Round:
    chosen = {name: turn.wall_ns if clock == "wall" else turn.cpu_ns for name, turn in one.items()}
    return {name: Turn(wall_ns=taken, cpu_ns=None) for name, taken in chosen.items() if taken is not None}


def _turned(one: Round) -> Round:
    return {name: replace(turn, wall_ns=turn.wall_ns[::-1]) for name, turn in one.items()}


def pooled_ratios(rounds: Sequence[Round], *, clock: str) -> dict[str, Interval]:
    """Estimate each cell's ratio from all rounds together, at whatever repetition they were measured.

    Parameters
    ----------
    rounds
        Of slow candidates.
    clock
        ``wall`` or ``cpu``.

    Returns
    -------
    dict of str to Interval
        By cell, those with three rounds.
    """
    found = {}
    for name, logs in _logs(rounds, clock):
        test = paired_test(logs)
        found[name] = Interval(test.ratio, test.low, test.high, len(logs))
    return found


def clock_spreads(rounds: Sequence[Round], *, clock: str) -> float:
    """Tell how far the ratio of one pair of processes lies from that of others.

    Parameters
    ----------
    rounds
        Of one kind.
    clock
        ``wall`` or ``cpu``.

    Returns
    -------
    float
        Standard deviation of its logarithm, the middle of the cells; NaN without three rounds.
    """
    found = [spread(logs) for _, logs in _logs(rounds, clock)]
    return statistics.median(found) if found else math.nan


def _logs(rounds: Sequence[Round], clock: str) -> Iterator[tuple[str, list[float]]]:
    for name in _ITEMS:
        samples = [one[name].wall_ns if clock == "wall" else one[name].cpu_ns for one in rounds if name in one]
        logs = [block_ratio(*pair) for pair in samples if pair is not None and min(map(min, pair)) > 0]
        if len(logs) >= 3:
            yield name, logs
