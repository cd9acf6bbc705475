"""What a metric is: its family, and which way is worse."""

from __future__ import annotations

from zbench.report.site.nouns import Measure
from zbench.results import EXACT_METRICS

__all__ = ["measure_of", "measure_of_asv"]

_UNITS = {"seconds": "s", "ratio": "1"}
_TRAFFIC = frozenset(
    {"amplification", "bytes_decoded", "bytes_fetched", "bytes_needed", "bytes_written", "objects", "reads", "requests",
     "writes"}
)  # fmt: skip
_SIZE = frozenset({"compression_ratio", "encoded_bytes", "stored_bytes"})
_MORE_IS_BETTER = ("compression_ratio", "throughput")
_ASV_KINDS = {"time": "wall_time", "peakmemory": "peak_memory", "memory": "memory"}


def measure_of(metric: str, unit: str) -> Measure:
    """Tell what a metric of the table of results is.

    Parameters
    ----------
    metric, unit
        As the table has them.

    Returns
    -------
    Measure
        Its family and direction; of a metric that is not known, more is worse, as asv takes it.
    """
    return Measure(
        metric=metric,
        unit=unit,
        family=_family(metric, unit),
        lower_is_better=not metric.endswith(_MORE_IS_BETTER),
        exact=metric in EXACT_METRICS,
    )


def measure_of_asv(benchmark: str, *, kind: str, unit: str) -> Measure:
    """Tell what a benchmark of an asv suite measures.

    Parameters
    ----------
    benchmark
        Full name; what it tracks stands in its last part.
    kind, unit
        As ``benchmarks.json`` has them.

    Returns
    -------
    Measure
        As of `measure_of`.
    """
    method = benchmark.rpartition(".")[-1]
    return measure_of(_ASV_KINDS.get(kind) or method.removeprefix("track_"), _UNITS.get(unit, unit))


def _family(metric: str, unit: str) -> str:
    if metric in _SIZE:
        return "size"
    if metric in _TRAFFIC:
        return "traffic"
    if "memory" in metric:
        return "memory"
    return "time" if unit in ("s", "ns", "ms", "GiB/s") else "other"
