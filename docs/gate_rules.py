"""How the statistics of the gate were chosen: simulates the choices and writes docs/results/gate-rules.md.

Run it in the folder of the repository: `.venv/bin/python docs/gate_rules.py`. It takes a minute or two on one core.
"""

from __future__ import annotations

import math
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from zbench.stats.paired import block_ratio, p_values
from zbench.stats.sequential import SequentialRule
from zbench.stats.spending import Spending, bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

PAGE = Path("docs/results/gate-rules.md")
ERRORS = (0.05, 0.01, 1e-3, 1e-4)
# Samples without a change; a rate of one in ten thousand is then known to a fifth of itself.
QUIET = 200_000
CHANGED = 10_000
AT_ONCE = 10_000


def noises() -> dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]]:
    """How the values of blocks may scatter when nothing changed."""
    return {
        "normal": lambda rng, shape: rng.normal(size=shape),
        "heavy tails (t, 3 degrees)": lambda rng, shape: rng.standard_t(3, size=shape),
        "bursts (1 in 10, 5 times)": lambda rng, shape: (
            rng.normal(size=shape) * np.where(rng.random(shape) < 0.1, 5, 1)
        ),
        "drift of the noise": lambda rng, shape: (
            rng.normal(size=shape) * np.exp(np.cumsum(rng.normal(size=shape) * 0.25, axis=1))
        ),
        "two layouts": lambda rng, shape: (
            rng.integers(0, 2, shape) - rng.integers(0, 2, shape) + rng.normal(size=shape) / 4
        ),
        "four layouts": lambda rng, shape: (
            rng.integers(0, 4, shape) - rng.integers(0, 4, shape) + rng.normal(size=shape) / 10
        ),
    }


def student(rows: Array) -> Array:
    """Student's test of the mean."""
    means, errors = rows.mean(axis=1), rows.std(axis=1, ddof=1) / math.sqrt(rows.shape[1])
    return np.asarray(2 * special.stdtr(rows.shape[1] - 1, -np.abs(means) / errors))


def trimmed(share: float) -> Callable[[Array], Array]:
    """Yuen's test of the mean without a share of the values at either end."""

    def test(rows: Array) -> Array:
        count = rows.shape[1]
        cut = int(share * count)
        kept = count - 2 * cut
        ordered = np.sort(rows, axis=1)
        drawn = np.clip(ordered, ordered[:, cut : cut + 1], ordered[:, count - cut - 1 : count - cut])
        sums = ((drawn - drawn.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        errors = np.sqrt(sums / (kept * (kept - 1)))
        distances = np.abs(ordered[:, cut : count - cut].mean(axis=1)) / errors
        return np.asarray(2 * special.stdtr(kept - 1, -distances))

    return test


def wilcoxon(rows: Array) -> Array:
    """Wilcoxon's signed rank test, exact."""
    count = rows.shape[1]
    ranks = np.argsort(np.argsort(np.abs(rows), axis=1), axis=1) + 1
    sums = (ranks * (rows > 0)).sum(axis=1)
    whole = count * (count + 1) // 2
    chances = np.zeros(whole + 1)
    chances[0] = 1.0
    for rank in range(1, count + 1):
        chances[rank:] += chances[:-rank].copy()
    below = np.cumsum(chances) / 2.0**count
    return np.minimum(1.0, 2 * below[np.minimum(sums, whole - sums)])


def flips(rows: Array) -> Array:
    """Sign flips of the mean, all of them: for few blocks only."""
    count = rows.shape[1]
    signs = np.array(list(product((1, -1), repeat=count - 1)), dtype=float)
    sums = np.abs(rows[:, :1] + rows[:, 1:] @ signs.T)
    return np.asarray((sums >= np.abs(rows.sum(axis=1, keepdims=True)) - 1e-12).mean(axis=1))


TESTS: dict[str, Callable[[Array], Array]] = {
    "Student": student,
    "trimmed 10 % (Yuen)": trimmed(0.1),
    "trimmed 20 % (Yuen)": trimmed(0.2),
    "sign flips of the mean": flips,
    "signed ranks (Wilcoxon)": wilcoxon,
    "**ranks, then Student**": p_values,
}


def rates(draw: Callable[..., Array], count: int, *, shift: float, trials: int) -> dict[str, list[float]]:
    """How often each test rejects at each error."""
    rng = np.random.default_rng([count, 7])
    found = {name: np.zeros(len(ERRORS)) for name in TESTS if count <= 10 or TESTS[name] is not flips}
    for _ in range(trials // AT_ONCE):
        rows = draw(rng, (AT_ONCE, count)) + shift / math.sqrt(count)
        for name in found:
            chances = TESTS[name](rows)
            found[name] += [(chances <= error).sum() for error in ERRORS]
    return {name: (hits / trials).tolist() for name, hits in found.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table of which all but the first column are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def errors_table(count: int) -> str:
    """How often nothing was taken for something, in units of the error that was allowed."""
    rows = []
    for noise, draw in noises().items():
        for name, found in rates(draw, count, shift=0.0, trials=QUIET).items():
            rows.append([noise, name, *(f"{rate / error:.2f}" for rate, error in zip(found, ERRORS, strict=True))])
    return table([f"{count} blocks", "test", *(f"{error:g}" for error in ERRORS)], rows)


def power_table(counts: Sequence[int], *, shift: float, error: float) -> str:
    """How often a change was found."""
    place = ERRORS.index(error)
    rows = []
    for noise, draw in noises().items():
        found = {count: rates(draw, count, shift=shift, trials=CHANGED) for count in counts}
        for name in TESTS:
            shares = [f"{found[count][name][place]:.2f}" if name in found[count] else "" for count in counts]
            rows.append([noise, name, *shares])
    return table(["noise", "test", *(f"{count} blocks" for count in counts)], rows)


def middles_table() -> str:
    """How far the value of one visit lies from the truth, by how its pairs are summed up."""
    rng = np.random.default_rng(3)
    kinds = {
        "normal": lambda shape: rng.normal(0, 0.1, shape),
        "1 in 20 pairs disturbed": lambda shape: (
            rng.normal(0, 0.1, shape) + np.where(rng.random(shape) < 0.05, rng.exponential(0.5, shape), 0.0)
        ),
    }
    rows = []
    for kind, draw in kinds.items():
        for pairs in (4, 8, 16):
            logs = draw((5000, pairs))
            middle = np.array([block_ratio([1.0] * pairs, np.exp(row)) for row in logs])
            found = (logs.mean(axis=1), np.median(logs, axis=1), middle)
            rows.append([kind, str(pairs), *(f"{100 * np.sqrt((one**2).mean()):.2f} %" for one in found)])
    return table(["noise of one pair: 10 %", "pairs", "mean", "median", "**middle half**"], rows)


def level(limit: float) -> float:
    """Tell the two-sided error that a bound stands for."""
    return 2 * float(special.ndtr(-limit))


def mixture(error: float, blocks: Sequence[int], *, best: float) -> list[float]:
    """Bounds of a normal mixture, valid at every block (Robbins); narrowest at the best number of blocks."""
    prior = (-2 * math.log(error) + math.log(-2 * math.log(error)) + 1) / best
    return [math.sqrt(2 * (n * prior + 1) / (n * prior) * math.log(math.sqrt(n * prior + 1) / error)) for n in blocks]


def plans(most: int, *, error: float, confidence: float) -> dict[str, tuple[list[int], list[float], list[float]]]:
    """By name: looks, and for each look the error of a difference and that of the interval."""
    looks = list(SequentialRule(error_rate=error, min_effect=0.03, most_blocks=most).looks)
    shares = tuple(look / most for look in looks)

    def spent(total: float, spending: Spending) -> list[float]:
        return [level(limit) for limit in bounds(shares, error_rate=total, spending=spending)]

    found = {
        f"{spending.value} for both": (looks, spent(error, spending), spent(1 - confidence, spending))
        for spending in Spending
    }
    both = (spent(error, Spending.SQUARE), spent(1 - confidence, Spending.POCOCK))
    even = ([error / len(looks)] * len(looks), [(1 - confidence) / len(looks)] * len(looks))
    all_blocks = list(range(looks[0], most + 1))
    always = [[level(b) for b in mixture(e, all_blocks, best=most / 2)] for e in (error, 1 - confidence)]
    return found | {
        "**square; Pocock for the interval**": (looks, *both),
        "Bonferroni over the looks": (looks, *even),
        "always valid, at every block": (all_blocks, *always),
        "one look at the end": ([most], [error], [1 - confidence]),
    }


def looked(values: Array, plan: tuple[list[int], list[float], list[float]], *, min_effect: float) -> list[str]:
    """Tell what a plan finds: share slower, share same, blocks on average."""
    counts = np.arange(1, values.shape[1] + 1)
    means = values.cumsum(axis=1) / counts
    squares = (values**2).cumsum(axis=1) - counts * means**2
    slower = same = np.zeros(len(values), dtype=bool)
    ends = np.full(len(values), plan[0][-1])
    edge = math.log1p(min_effect)
    for look, difference, interval in zip(*plan, strict=True):
        mean = means[:, look - 1]
        error = np.sqrt(squares[:, look - 1] / (look - 1) / look)
        going = ~(slower | same)
        inside = going & (np.abs(mean) + stats.t.isf(interval / 2, look - 1) * error < edge)
        told = going & ~inside & (mean > stats.t.isf(difference / 2, look - 1) * error)
        ends[inside | told] = look
        slower, same = slower | told, same | inside
    return [f"{slower.mean():.3f}", f"{same.mean():.3f}", f"{ends.mean():.1f}"]


def looks_table(sd: float, most: int, *, error: float) -> str:
    """Tell what each way to look again and again finds, and after how many blocks."""
    rng = np.random.default_rng(3)
    noise = sd * rng.normal(size=(CHANGED, most))
    effects = (0.0, 0.03, 0.06)
    rows = []
    for name, plan in plans(most, error=error, confidence=0.95).items():
        found = [looked(noise + math.log1p(effect), plan, min_effect=0.03) for effect in effects]
        rows.append([name, found[0][1], found[0][2], found[1][0], found[1][1], found[1][2], found[2][2]])
    columns = ["0 %: same", "blocks", "3 %: slower", "same", "blocks", "6 %: blocks"]
    return table([f"noise {100 * sd:g} %, {most} blocks", *columns], rows)


def page() -> str:
    """Write everything down."""
    return f"""# How the gate's statistics were chosen

This page is generated; edit neither numbers nor sentences.

A block is a fresh pair of processes and gives one value, the logarithm of candidate ÷ baseline. Without a change both
sides may be exchanged, so the values are symmetric around 0: normal, heavy-tailed, with bursts, with noise that grows
and falls, or lumpy because each process falls into one of a few memory layouts. The truths below are known because the
values were simulated; seeds are fixed.

## The value of a visit

Root mean square error of one visit. The mean of the middle half of the pairs follows neither a disturbed pair, as the
mean does, nor chance as much as the median.

{middles_table()}

## The test

False alarms ÷ the error that was allowed, {QUIET:,} samples each; 1 is right, more is too many. At an error of 0.0001
chance alone moves them by 0.2. Ranks and sign flips of n blocks give no p value below 2¹⁻ⁿ: nothing among 8 blocks is
ever significant at 0.001. Without a fifth of the values at either end a test of lumpy noise is far too sure; without a
tenth it is now and then, by up to the double. Student's test is never far off, but bursts cost it half of what it could
find, as the last of these tables shows. zbench takes ranks where they are fine enough, and below that Student's test
among the samples that ranks find extreme; n blocks that agree count for no more than 4⁻ⁿ on each side.

{errors_table(8)}

{errors_table(24)}

Found at an error of 0.001, of a shift of 5.5 standard errors of normal noise:

{power_table((8, 16, 24, 48), shift=5.5, error=1e-3)}

## Looking again and again

Simulated with an error of 0.0002 for a difference (as of fifty benchmarks in a run) and an interval of 95 %; *same* is
an interval within ±3 %, *slower* is told apart from 1 and not *same*. Of 60 blocks there are looks at
{", ".join(map(str, _looks(60)))}.

What is valid at every block whatever happens pays for looks that nobody takes: where the blocks just suffice it finds
less. O'Brien and Fleming's spending finds most at the end and stops late; Pocock's the other way round. Most runs have
nothing to find, so the interval, which tells *same*, spends early (Pocock); a difference spends the square of the share
of blocks.

{looks_table(0.03, 60, error=2e-4)}

{looks_table(0.05, 120, error=2e-4)}

{looks_table(0.05, 70, error=2e-4)}

## Make this page again

```
python docs/gate_rules.py
```
"""


def _looks(most: int) -> tuple[int, ...]:
    return SequentialRule(error_rate=0.01, min_effect=0.03, most_blocks=most).looks


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"Wrote {PAGE}.\n")
