"""From the record of the study to what its page tells."""

from __future__ import annotations

import datetime as dt
import statistics
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from zbench.errors import ResultsError
from zbench.harness.gate_study.plan import cells
from zbench.harness.gate_study.rounds import Round, clock_spreads, pooled_ratios, read_rounds, resampled, rounds_path
from zbench.model import Environment
from zbench.report.gate_study import GATE, GATE_ALONE, GateStudy, Pooled, Resampled, ToolRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zbench.runner.log import RunLog

__all__ = ["study_of"]

# Tool, whether the candidate was slower, whether a core was kept busy.
_Kind: TypeAlias = tuple[str, bool, bool]
_GATES = 400
_FEWEST = 8
# Gates of so many times the rounds of the recorded ones, as far as there are rounds to draw.
_LONGER = (1, 2, 4)
_CLOCKS = ("cpu", "wall")
# A rate of 1 in 100 wants more gates than a power does.
_MORE = 3


def study_of(log: RunLog, folder: Path, *, gates: int = _GATES) -> GateStudy:
    """Read the record, and judge anew what its gates measured.

    Parameters
    ----------
    log
        The record.
    folder
        Folder with the rounds of each gate.
    gates
        How many gates of each kind are made from the rounds.

    Returns
    -------
    GateStudy
        All that is known.

    Raises
    ------
    ResultsError
        If no program has run yet.
    """
    entries = list(log.of("run"))
    if not entries:
        msg = "A page needs one repetition at least: the record has none. Measure first."
        raise ResultsError(msg)
    runs = tuple(run for entry in entries for run in _runs(entry))
    pools = {kind: _pool(runs, folder, kind) for kind in product((GATE, GATE_ALONE), (True, False), (False, True))}
    head = next(log.of("head"))
    counted: dict[str, Any] = next(log.of("instructions"), {"ratios": {}, "note": ""})
    machine = {name: value for name, value in next(log.of("machine")).items() if name != "kind"}
    return GateStudy(
        runs=runs,
        levels=cells(),
        instructions=counted["ratios"],
        pooled=pooled_ratios(pools[GATE, True, False][0], clock="cpu"),
        spreads={
            f"{'busy' if busy else 'quiet'} {clock}": clock_spreads(
                pools[GATE, True, busy][0] + pools[GATE, False, busy][0], clock=clock
            )
            for busy in (False, True)
            for clock in _CLOCKS
        },
        resampled=tuple(_all_resampled(runs, pools, gates)),
        budget_s=head["budget_s"],
        machine=Environment(**machine),
        versions=_versions(head["pins"], dict(machine["packages"])),
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        note=counted["note"],
    )


def _versions(pins: list[str], packages: dict[str, str]) -> dict[str, str]:
    own = {name: packages[name] for name in ("zbench", "asv") if name in packages}
    return own | {name: version for name, _, version in (pin.partition("==") for pin in pins)}


def _runs(entry: dict[str, Any]) -> Iterator[ToolRun]:
    for tool, said in entry["tools"].items():
        yield ToolRun(
            tool=tool,
            repetition=entry["repetition"],
            injected=entry["injected"],
            busy=entry["busy"],
            seconds=said["seconds"],
            alarm=said["alarm"],
            slower=said["slower"],
            ratios=said["ratios"],
            contrasts={codec: Pooled(**one) for codec, one in said.get("contrasts", {}).items()},
            causes=tuple(said.get("causes", ())),
            rounds=said.get("rounds", 0),
            load=entry["load"],
        )


def _pool(runs: tuple[ToolRun, ...], folder: Path, kind: _Kind) -> tuple[list[Round], float]:
    """Put the rounds of all gates of one kind together; tell how long one takes."""
    pool: list[Round] = []
    seconds = 0.0
    for run in runs:
        if (run.tool, run.injected, run.busy) == kind:
            rounds, taken = read_rounds(rounds_path(folder, run.repetition, run.tool))
            pool += rounds
            seconds += taken
    return pool, seconds / max(len(pool), 1)


def _all_resampled(
    runs: tuple[ToolRun, ...], pools: dict[_Kind, tuple[list[Round], float]], gates: int
) -> Iterator[Resampled]:
    for kind, (pool, pace_s) in pools.items():
        tool, injected, busy = kind
        own = [run.rounds for run in runs if (run.tool, run.injected, run.busy) == kind]
        if not own or len(pool) < _FEWEST:
            continue
        usual = max(_FEWEST, round(statistics.median(own)))
        for times in _LONGER if injected else (1,):
            # Fewer than twice as many as are drawn would all be nearly the same gate.
            if times > 1 and 2 * times * usual > len(pool):
                continue
            for clock in _CLOCKS if times == 1 else _CLOCKS[:1]:
                yield resampled(
                    pool,
                    clock=clock,
                    rounds=min(usual * times, len(pool)),
                    seconds=pace_s,
                    gates=gates if injected else _MORE * gates,
                    injected=injected,
                    busy=busy,
                    alone=tool == GATE_ALONE,
                )
