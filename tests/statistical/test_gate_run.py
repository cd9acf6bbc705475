"""Whole runs of the gate, simulated from the first block to the exit status."""

from __future__ import annotations

import itertools
import math

import pytest

from zbench.stats.causes import explain
from zbench.stats.contrasts import contrasts
from zbench.stats.family import error_share, judge_family
from zbench.stats.sequential import Outcome, SequentialRule

MOST = 30
LEVELS = {
    f"{chain}|{layout}|{engine}": {"chain": chain, "layout": layout, "engine": engine}
    for chain, layout, engine in itertools.product(("zstd-3", "lz4-1"), ("64", "128"), ("zarr", "tensorstore"))
}


def at_most_by_chance(share, trials):
    # 3.5 standard deviations: a sound gate goes beyond once in about four thousand seeds.
    return share + 3.5 * math.sqrt(share * (1 - share) / trials)


def blocks_of(rng, changed, sd):
    """Heavy-tailed noise of each cell, and the luck of a block's two processes that its cells share."""
    noise = sd / 2 * rng.normal(size=MOST) + sd * rng.standard_t(4, (len(LEVELS), MOST)) / math.sqrt(2)
    return {cell: math.log1p(changed(LEVELS[cell])) + row for cell, row in zip(LEVELS, noise, strict=True)}


def ends(values, rules):
    """Measure till all cells and contrasts are decided; the number of blocks that it took."""
    for look in rules["cells"].looks:
        part = {cell: row[:look].tolist() for cell, row in values.items()}
        stages = [rules["cells"].decide(logs, blocks_left=MOST - look) for logs in part.values()]
        if any(stage.outcome is Outcome.UNDECIDED for stage in stages):
            continue
        pools = [rules["contrasts"].decide(one.logs, blocks_left=MOST - look) for one in contrasts(part, LEVELS)]
        if all(stage.outcome is not Outcome.UNDECIDED for stage in pools):
            return look
    return MOST


def gate(rng, *, changed=lambda levels: 0.0, sd=0.015, alarm_rate=0.01):
    """What alarms, and the causes that are named."""
    effects = {"cells": 0.03, "contrasts": 0.01}
    counts = {"cells": len(LEVELS), "contrasts": 7}
    rules = {
        group: SequentialRule(
            error_rate=error_share(counts[group], groups=3, alarm_rate=alarm_rate), min_effect=effect, most_blocks=MOST
        )
        for group, effect in effects.items()
    }
    values = blocks_of(rng, changed, sd)
    end = ends(values, rules)
    seen = {cell: row[:end].tolist() for cell, row in values.items()}
    left = MOST - end
    causes = explain(seen, LEVELS, error_rate=2 * alarm_rate, rule=rules["contrasts"], blocks_left=left)
    tests = {("cells", cell): rules["cells"].decide(logs, blocks_left=left).test for cell, logs in seen.items()}
    for one in contrasts(seen, LEVELS):
        tests["contrasts", one.name] = rules["contrasts"].decide(one.logs, blocks_left=left).test
    tests |= {("causes", cause.name): cause.test for cause in causes}
    found = judge_family(
        tests,
        min_effects={key: effects.get(key[0], 1e-9) for key in tests},
        groups={key: key[0] for key in tests},
        alarm_rate=alarm_rate,
    )
    return {name for (_, name), one in found.items() if one.alarm}, [cause.name for cause in causes]


@pytest.mark.slow
def test_runs_without_a_change_alarm_no_more_often_than_was_allowed(rng):
    # An error of one in ten, so that fifty runs can tell whether it is kept.
    trials, allowed = 50, 0.1
    alarms = sum(bool(gate(rng, alarm_rate=allowed)[0]) for _ in range(trials))
    assert alarms / trials <= at_most_by_chance(allowed, trials)


@pytest.mark.slow
def test_three_per_cent_of_one_cell_raise_the_alarm_and_are_named(rng):
    cell = "zstd-3|64|zarr"
    runs = [gate(rng, changed=lambda levels: 0.03 * (levels == LEVELS[cell])) for _ in range(12)]
    assert sum(cell in alarms for alarms, _ in runs) >= 10


@pytest.mark.slow
def test_two_per_cent_of_one_codec_raise_the_alarm_and_name_the_codec(rng):
    runs = [gate(rng, changed=lambda levels: 0.02 * (levels["chain"] == "zstd-3")) for _ in range(12)]
    assert sum(bool(alarms) and causes[:1] == ["chain=zstd-3"] for alarms, causes in runs) >= 10


@pytest.mark.slow
def test_a_codec_that_gets_faster_raises_no_alarm(rng):
    runs = [gate(rng, changed=lambda levels: -0.05 * (levels["chain"] == "zstd-3")) for _ in range(6)]
    assert not any(alarms for alarms, _ in runs)
