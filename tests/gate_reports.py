"""Reports of gates for tests: what a gate could have found, made by hand."""

from __future__ import annotations

import math

from zbench.model import Comparison, Verdict
from zbench.report.gate import GateCell, GateContrast, GateReport

ENVIRONMENT = "py3.12-zarr3.4.2"


def compared(ratio, low=None, high=None, *, p_value=0.001, verdict="slower"):
    """A ratio with its interval, 1 % to both sides unless given."""
    low = ratio / 1.01 if low is None else low
    high = ratio * 1.01 if high is None else high
    return Comparison(ratio=ratio, low=low, high=high, p_value=p_value, verdict=Verdict(verdict))


def timed(ratio=1.05, verdict="slower", **changes):
    """A time that decides; slower ones fail the gate unless told otherwise."""
    common = {
        "environment": ENVIRONMENT, "benchmark": "read.Planes.time_read", "parameters": {"codec": "zstd-5"},
        "metric": "wall_time", "unit": "s", "baseline": 0.012, "candidate": 0.012 * ratio,
        "comparison": compared(ratio, verdict=verdict), "blocks": 8, "alarm": verdict == "slower",
        "detectable": 0.041, "needed": 20,
    }  # fmt: skip
    return GateCell(**common | changes)


def counted(baseline, candidate, verdict="slower", **changes):
    """A number that repeats to the digit."""
    ratio = candidate / baseline if baseline else math.inf
    common = {
        "environment": ENVIRONMENT, "benchmark": "read.Planes.track_requests", "parameters": {"codec": "zstd-5"},
        "metric": "value", "unit": "requests", "baseline": baseline, "candidate": candidate,
        "comparison": compared(ratio, ratio, ratio, p_value=None, verdict=verdict), "alarm": verdict == "slower",
    }  # fmt: skip
    return GateCell(**common | changes)


def pooled_over(what="codec = zstd-5", ratio=1.05, verdict="slower", **changes):
    """A factor level."""
    common = {
        "what": what, "metric": "time", "cells": 24, "blocks": 8, "comparison": compared(ratio, verdict=verdict),
        "alarm": verdict == "slower",
    }  # fmt: skip
    return GateContrast(**common | changes)


def report(*cells, **changes):
    """What a gate found, which passed unless cells or changes say otherwise."""
    common = {
        "project": "tiny", "baseline": "main", "candidate": "HEAD", "commits": ("a" * 40, "b" * 40),
        "machine": {"machine": "box", "cpu": "some cpu"}, "environments": (ENVIRONMENT,),
        "packages": {ENVIRONMENT: ()}, "cells": cells or (timed(1.0, "same"),), "contrasts": (), "explanation": (),
        "failed": (), "skipped": (), "rounds": 8, "spent_s": 120.0, "budget_s": 600.0,
        "min_effects": {"time": 0.03, "cpu": 0.03, "peakmemory": 0.05, "instructions": 0.005, "contrast": 0.01},
        "error_rate": 0.01, "seed": 0, "command": "zbench gate aaa bbb --seed 0",
    }  # fmt: skip
    return GateReport(**common | changes)
