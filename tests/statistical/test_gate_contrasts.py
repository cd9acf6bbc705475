"""Cells pooled by what they share: is a change found that no cell shows, and is its cause named?"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from zbench.errors import InsufficientSamplesError
from zbench.stats.causes import explain
from zbench.stats.contrasts import Grid, contrasts
from zbench.stats.paired import p_values, paired_test
from zbench.stats.sequential import SequentialRule

FACTORS = {"chain": ("zstd-3", "lz4-1", "none"), "layout": ("64", "128", "shards"), "zarr_format": ("2", "3")}
# Format 2 has no shards, so the grid has holes, as real ones do.
LEVELS = {
    "|".join(place): dict(zip(FACTORS, place, strict=True))
    for place in itertools.product(*FACTORS.values())
    if place[1:] != ("shards", "2")
}


def at_most_by_chance(share, trials):
    # 3.5 standard deviations: a sound rule goes beyond once in about four thousand seeds.
    return share + 3.5 * math.sqrt(share * (1 - share) / trials)


def measured(rng, blocks, *, changed=lambda levels: 0.0, sd=0.04, shared=0.02):
    """Blocks of all cells: noise with bursts that differs from cell to cell, and some that a block's cells share."""
    common = shared * rng.normal(size=blocks)
    bursts = np.where(rng.random((len(LEVELS), blocks)) < 0.05, 4.0, 1.0)
    sds = sd * np.exp(0.3 * rng.normal(size=(len(LEVELS), 1)))
    noise = common + sds * bursts * rng.normal(size=(len(LEVELS), blocks))
    return {cell: (math.log1p(changed(LEVELS[cell])) + row).tolist() for cell, row in zip(LEVELS, noise, strict=True)}


def named(contrasts_found):
    return {contrast.name: contrast for contrast in contrasts_found}


def of_chain(name, size):
    return lambda levels: size if levels["chain"] == name else 0.0


def causes_of(values, **how):
    return [cause.name for cause in explain(values, LEVELS, **how)]


def test_every_level_with_more_than_one_cell_is_a_contrast(rng):
    found = contrasts(measured(rng, 8), LEVELS)
    assert next(contrast.name for contrast in found) == "all cells"
    assert set(named(found)) == {"all cells"} | {f"{factor}={level}" for factor in FACTORS for level in FACTORS[factor]}
    assert len(named(found)["layout=shards"].cells) == 3


def test_levels_that_have_the_same_cells_are_one_contrast(rng):
    levels = {cell: {**place, "codec": place["chain"].split("-")[0]} for cell, place in LEVELS.items()}
    found = named(contrasts(measured(rng, 8), levels))
    assert "chain=zstd-3 = codec=zstd" in found
    assert not {"chain=zstd-3", "codec=zstd"} & set(found)


def test_a_level_that_all_cells_have_is_no_contrast_of_its_own(rng):
    found = contrasts(measured(rng, 8), {cell: {**place, "store": "local"} for cell, place in LEVELS.items()})
    assert not any("store" in contrast.name for contrast in found)


def test_without_cells_there_are_neither_contrasts_nor_causes():
    assert contrasts({}, {}) == ()
    assert explain({}, {}) == ()


@pytest.mark.parametrize("ask", [contrasts, explain])
def test_cells_with_other_blocks_are_refused(ask):
    with pytest.raises(InsufficientSamplesError, match=r"same blocks of every cell: got \[2, 3\]"):
        ask({"a": [0.0, 0.1], "b": [0.0, 0.1, 0.2]}, {})


def test_the_pool_of_cells_that_are_alike_is_their_mean():
    row = [0.01, 0.02, 0.03, -0.01, 0.0, 0.02, 0.01, 0.03, 0.02]
    pool = contrasts({"a": row, "b": row[::-1]}, {})[0]
    assert pool.logs == pytest.approx([(a + b) / 2 for a, b in zip(row, row[::-1], strict=True)])
    assert pool.test() == paired_test(pool.logs)


def test_exchanging_the_sides_of_a_block_turns_its_pool_round_and_no_other(rng):
    values = measured(rng, 12)
    turned = {
        cell: [-log if place in (2, 7) else log for place, log in enumerate(logs)] for cell, logs in values.items()
    }
    for before, after in zip(contrasts(values, LEVELS), contrasts(turned, LEVELS), strict=True):
        for kind in ("logs", "against"):
            signs = np.where(np.isin(np.arange(12), (2, 7)), -1.0, 1.0)
            assert getattr(after, kind) == pytest.approx(signs * getattr(before, kind))


def test_a_noisy_cell_weighs_less(rng):
    quiet, noisy = rng.normal(0, 0.01, (2, 40)), rng.normal(0, 0.2, 40)
    pool = contrasts({"a": quiet[0].tolist(), "b": quiet[1].tolist(), "c": noisy.tolist()}, {})[0]
    assert np.std(pool.logs) < 0.02


def test_a_burst_is_drawn_in_and_not_removed(rng):
    values = rng.normal(0, 0.01, (2, 20))
    values[0, 7] = 2.0
    grid = Grid.of({"a": values[0].tolist(), "b": values[1].tolist()})
    assert np.isfinite(grid.values).all()
    assert values[0, np.arange(20) != 7].max() < grid.values[0, 7] < 0.1


def test_among_few_blocks_nothing_counts_as_a_burst():
    grid = Grid.of({"a": [0.0, 0.01, 0.02, 2.0]})
    assert grid.values[0, 3] == 2.0


def test_a_wild_cell_stands_apart_and_does_not_move_the_others(rng):
    cell = "zstd-3|64|3"
    values = measured(rng, 30, changed=lambda levels: 0.3 * (levels == LEVELS[cell]))
    found = named(contrasts(values, LEVELS))
    assert found["chain=zstd-3"].apart == (cell,)
    assert abs(math.log(found["chain=zstd-3"].test().ratio)) < 0.02


def test_a_block_in_which_most_cells_are_missing_has_no_value(rng):
    values = measured(rng, 10)
    for place, cell in enumerate(values):
        values[cell][3] = math.nan
        if place:
            values[cell][4] = math.nan
        else:
            values[cell][5] = math.nan
    logs = contrasts(values, LEVELS)[0].logs
    assert [place for place, log in enumerate(logs) if math.isnan(log)] == [3, 4]


@pytest.mark.slow
def test_contrasts_keep_their_error_without_a_change(rng):
    # Few blocks: weights that follow chance would show here first.
    pools = [contrasts(measured(rng, 8), LEVELS) for _ in range(200)]
    for kind in ("logs", "against"):
        rows = np.array([getattr(contrast, kind) for found in pools for contrast in found])
        # Contrasts of one run share cells: they count as three trials.
        assert np.mean(p_values(rows) <= 0.01) <= at_most_by_chance(0.01, 200 * 3)


@pytest.mark.slow
def test_one_per_cent_of_eight_cells_is_found(rng):
    """Eight cells of which none could show it alone."""
    levels = {f"cell {place}": {"half": "first" if place < 8 else "second"} for place in range(16)}
    pooled, single = [], []
    for _ in range(100):
        values = 0.035 * rng.standard_t(4, (16, 60)) / math.sqrt(2)
        values[:8] += math.log1p(0.01)
        found = named(contrasts({cell: row.tolist() for cell, row in zip(levels, values, strict=True)}, levels))
        pooled.append(found["half=first"].logs)
        single.extend(values[:8])
    assert np.mean(p_values(np.array(pooled)) <= 1e-4) >= 0.95
    assert np.mean(p_values(np.array(single)) <= 1e-4) <= 0.2


@pytest.mark.slow
def test_what_cells_share_is_taken_off_by_the_other_cells(rng):
    rows = {"logs": [], "against": []}
    for _ in range(50):
        values = measured(rng, 60, changed=of_chain("zstd-3", 0.01), sd=0.02, shared=0.03)
        contrast = named(contrasts(values, LEVELS))["chain=zstd-3"]
        rows["logs"].append(contrast.logs)
        rows["against"].append(contrast.against)
    found = {kind: np.mean(p_values(np.array(row)) <= 1e-3) for kind, row in rows.items()}
    assert found["against"] >= 0.8
    assert found["logs"] <= 0.4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        pytest.param(of_chain("zstd-3", 0.03), "chain=zstd-3", id="one codec"),
        pytest.param(of_chain("lz4-1", -0.03), "chain=lz4-1", id="one codec faster"),
        pytest.param(lambda levels: 0.03 * (levels["layout"] == "shards"), "layout=shards", id="one layout"),
        pytest.param(lambda levels: 0.03, "all cells", id="all cells"),
        pytest.param(
            lambda levels: 0.06 * (levels["chain"] == "none" and levels["zarr_format"] == "3"),
            "chain=none and zarr_format=3",
            id="where two levels meet",
        ),
        pytest.param(lambda levels: 0.1 * (levels == LEVELS["zstd-3|64|2"]), "zstd-3|64|2", id="one cell"),
    ],
)
def test_the_first_cause_is_the_one_that_was_planted(changed, cause):
    rng = np.random.default_rng(5)
    firsts = [causes_of(measured(rng, 40, changed=changed))[:1] for _ in range(40)]
    assert firsts.count([cause]) >= 37


@pytest.mark.slow
def test_the_luck_that_all_cells_share_does_not_hide_a_cause(rng):
    changed = of_chain("zstd-3", 0.02)
    firsts = [causes_of(measured(rng, 30, changed=changed, sd=0.012, shared=0.06))[:1] for _ in range(20)]
    assert firsts.count(["chain=zstd-3"]) >= 17


@pytest.mark.slow
def test_two_causes_are_both_named_and_measured(rng):
    right, sizes = 0, []
    for _ in range(30):
        values = measured(
            rng, 40, changed=lambda at: 0.04 * (at["chain"] == "zstd-3") - 0.05 * (at["zarr_format"] == "3")
        )
        found = explain(values, LEVELS)
        # With two formats, one faster cannot be told from the other slower but by what cells share.
        right += {"chain=zstd-3"} < {cause.name for cause in found} and len(found) == 2
        sizes.extend(cause.test.ratio - 1 for cause in found if cause.name == "chain=zstd-3")
    assert right >= 20
    assert np.median(sizes) == pytest.approx(0.04, abs=0.01)


@pytest.mark.slow
def test_without_a_change_hardly_ever_a_cause_is_named(rng):
    trials = 150
    found = sum(bool(explain(measured(rng, 20), LEVELS, error_rate=0.05)) for _ in range(trials))
    assert found / trials <= at_most_by_chance(0.05, trials)


@pytest.mark.slow
def test_stopping_when_a_cause_shows_alarms_no_more_often():
    """Whoever looks after every few blocks and stops at the first cause must pay for the looks."""
    rng = np.random.default_rng(11)
    trials, error = 60, 0.05
    rule = SequentialRule(error_rate=error, min_effect=0.01, fewest=8, most_blocks=24)
    alarms = 0
    for _ in range(trials):
        values = measured(rng, 24)
        alarms += any(
            explain(
                {cell: logs[:look] for cell, logs in values.items()},
                LEVELS,
                error_rate=error,
                rule=rule,
                blocks_left=24 - look,
            )
            for look in rule.looks
        )
    assert alarms / trials <= at_most_by_chance(error, trials)


def test_a_change_too_small_to_matter_is_no_cause(rng):
    values = measured(rng, 60, changed=of_chain("zstd-3", 0.02), sd=0.01)
    assert causes_of(values) == ["chain=zstd-3"]
    assert causes_of(values, min_effect=0.04) == []


def test_a_cause_tells_its_cells_and_its_size(rng):
    cause = explain(measured(rng, 60, changed=of_chain("lz4-1", 0.05)), LEVELS)[0]
    assert cause.levels == (("chain", "lz4-1"),)
    assert set(cause.cells) == {cell for cell in LEVELS if cell.startswith("lz4-1")}
    assert cause.test.low < 1.05 < cause.test.high
    assert len(cause.logs) == 60


def test_levels_that_cannot_be_told_apart_are_told_with_the_cause(rng):
    levels = {cell: {**place, "codec": place["chain"].split("-")[0]} for cell, place in LEVELS.items()}
    cause = explain(measured(rng, 40, changed=of_chain("zstd-3", 0.05)), levels)[0]
    assert (cause.name, cause.aliases) == ("chain=zstd-3", ((("codec", "zstd"),),))


def test_cells_that_were_decided_early_do_not_hide_the_cause(rng):
    values = measured(rng, 40, changed=of_chain("zstd-3", 0.04))
    for place, cell in enumerate(cell for cell in values if not cell.startswith("zstd")):
        values[cell][20 + place :] = [math.nan] * (20 - place)
    assert causes_of(values)[:1] == ["chain=zstd-3"]


def test_the_number_of_causes_is_bounded(rng):
    values = measured(
        rng, 40, changed=lambda at: 0.2 * (at["chain"] == "zstd-3") + 0.1 * (at["layout"] == "64"), sd=0.01
    )
    assert len(causes_of(values, most=1)) == 1


def test_two_blocks_explain_nothing(rng):
    assert causes_of(measured(rng, 2, changed=of_chain("zstd-3", 0.5))) == []
