"""How often are outliers found that are there, and how often some that are not?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from zbench.probes import Counters
from zbench.stats.outliers import Cause, mark_outliers

TRIALS = 1500
MS = 1_000_000
NAMES = (
    "user_ns", "system_ns", "minor_faults", "major_faults", "voluntary_switches", "involuntary_switches",
    "disk_read_bytes", "disk_write_bytes", "call_read_bytes", "call_write_bytes", "waited_ns", "steal_ns",
    "throttled_ns", "collections", "collection_ns", "reading_ns",
)  # fmt: skip
USUAL = Counters(**dict.fromkeys(NAMES, 0))


def counted(**more):
    return Counters(**dict.fromkeys(NAMES, 0) | more)


@pytest.mark.parametrize(("count", "most"), [(10, 0.03), (30, 0.01), (100, 0.005)])
def test_few_samples_of_a_calm_machine_are_marked(count, most):
    rng = np.random.default_rng(21)
    found = sum(len(mark_outliers(rng.lognormal(16, 0.1, count), [USUAL] * count)) for _ in range(TRIALS))
    share = found / TRIALS / count
    assert share + 3.5 * math.sqrt(share * (1 - share) / TRIALS / count) < most


def test_samples_that_took_twice_as_long_are_marked():
    rng = np.random.default_rng(22)
    found = 0
    for _ in range(TRIALS):
        times = rng.lognormal(16, 0.05, 30)
        times[rng.integers(30)] *= 2
        found += any(outlier.ratio > 1.5 for outlier in mark_outliers(times, [USUAL] * 30))
    assert found / TRIALS > 0.99


def test_the_planted_cause_is_told_and_no_other():
    rng = np.random.default_rng(23)
    right = wrong = 0
    for _ in range(TRIALS):
        # Every sample has some of everything; one had its core taken, and only that made it slow.
        noise = [
            counted(minor_faults=int(rng.poisson(50)), involuntary_switches=int(rng.poisson(2)),
                    waited_ns=int(rng.exponential(0.2 * MS)), steal_ns=10 * MS * int(rng.random() < 0.01))
            for _ in range(30)
        ]  # fmt: skip
        times = 10 * MS * rng.lognormal(0, 0.03, 30)
        times[7] += 10 * MS
        noise[7] = counted(minor_faults=50, involuntary_switches=6, waited_ns=10 * MS)
        causes = next(outlier.causes for outlier in mark_outliers(times, noise) if outlier.index == 7)
        right += Cause.SWITCHES in causes
        wrong += len(causes) > 1
    assert right / TRIALS > 0.99
    assert wrong / TRIALS < 0.02
