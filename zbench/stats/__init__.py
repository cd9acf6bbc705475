"""Statistics of measurements, pure, on scipy."""

from __future__ import annotations

from zbench.stats.intervals import Interval, mean_interval, ratio_interval

__all__ = ["Interval", "mean_interval", "ratio_interval"]
