"""The page on how well steps are found in histories."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

from zbench.report.text import NOTHING, listed, number, table
from zbench.report.volume.palette import series as look_of
from zbench.stats.step_series import NEAR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Detected", "DetectorScore", "SweepScore", "draw_recall", "steps_page"]

_AIM_GROUP = "one step of 5 %"
_PRECISION, _RECALL = 0.95, 0.90
_BINS = (0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.10, 0.13, 0.20)


@dataclass(frozen=True, kw_only=True, slots=True)
class Detected:
    """What a detector told of one series.

    Attributes
    ----------
    sizes
        Size of each true step.
    found
        Number of steps that were told.
    errors
        From the number of each true step that was found to how many points the told place is off.
    held
        Number of told intervals of a place that hold the true one; ``None`` of a detector without intervals.
    """

    sizes: tuple[float, ...]
    found: int
    errors: Mapping[int, int]
    held: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorScore:
    """One detector on one group of series.

    Attributes
    ----------
    group, detector
        Names.
    series
        What was told of each series.
    """

    group: str
    detector: str
    series: tuple[Detected, ...]

    @property
    def true(self) -> int:
        """Number of true steps."""
        return sum(len(one.sizes) for one in self.series)

    @property
    def told(self) -> int:
        """Number of steps that were told."""
        return sum(one.found for one in self.series)

    @property
    def hits(self) -> int:
        """Number of true steps that were found."""
        return sum(len(one.errors) for one in self.series)

    @property
    def precision(self) -> float | None:
        """Share of what was told that is true; ``None`` if nothing was."""
        return self.hits / self.told if self.told else None

    @property
    def recall(self) -> float | None:
        """Share of true steps that were found; ``None`` if there is none."""
        return self.hits / self.true if self.true else None


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepScore:
    """What detectors told of the times of stored sweeps.

    Attributes
    ----------
    series
        Number of series.
    ours, asv
        Number of steps of each.
    both
        Steps of ours at whose place asv tells one too.
    """

    series: int
    ours: int
    asv: int
    both: int


def steps_page(
    scores: Sequence[DetectorScore],
    *,
    quiet: tuple[int, int],
    error: float,
    sweep: SweepScore | None,
    date: str,
    figure: str,
) -> str:
    """Write the page.

    Parameters
    ----------
    scores
        Each detector on each group.
    quiet
        Number of further series without a step that were searched together, and of those with a false one.
    error
        Chance of any false step that was asked for.
    sweep
        What was told of stored sweeps, if there are any.
    date
        Day of the study.
    figure
        Name of the figure.

    Returns
    -------
    str
        Markdown.
    """
    groups = list(dict.fromkeys(score.group for score in scores))
    count = sum(len(next(score for score in scores if score.group == group).series) for group in groups)
    parts = (
        "# How well steps are found",
        "This page is generated; edit neither numbers nor sentences.",
        _verdict(scores),
        (
            f"{count:,} generated series of 60 to 300 points with noise of 3 %, half of them normal, the others with "
            "heavy tails (Student's t with three degrees of freedom) or skewed as times are (log-normal). In half of "
            "them 2 % of the points are outliers, 1.3 to 3 times as large; in half of them a tenth of the points is "
            "missing, some in one stretch. Steps go up or down by 2 to 20 %, all sizes alike on a logarithmic scale, "
            "at least 15 points apart and from the ends; a drift is a straight line of up to 15 %. The generator is "
            f"`zbench.stats.step_series`. A step is found if it is told within {NEAR} points of where it is, half of "
            f"the way to the next one; what is told elsewhere is false. Made on {date}."
        ),
        (
            f"`each series alone` permits a false step in {100 * error:g} % of the series; `all series together` in "
            f"{100 * error:g} % of all runs over the {count:,} series, which is what `zbench history` promises. `asv` "
            "is `asv.step_detect.detect_steps`, of which `asv publish` makes its list of regressions."
        ),
        table(
            [
                "series",
                "detector",
                "steps",
                "told",
                "precision",
                "recall",
                "series with a false step",
                "points off",
                "interval holds the place",
            ],
            [_row(score) for score in (*scores, *_all_groups(scores))],
            texts=2,
        ),
        f"![Recall by size of the step]({figure})",
        "## False steps over thousands of series",
        (
            f"Of {quiet[0]:,} further series without a step, searched together with a chance of {100 * error:g} % of "
            f"any false step in all of them, {quiet[1] or 'none'} had one."
        ),
        *_on_sweeps(sweep),
        "## How",
        (
            "`zbench.stats.steps` draws outliers towards a running median of nine, estimates the noise from "
            "differences of neighbours, and searches a fixed set of intervals of all lengths for changes of the mean "
            "(seeded binary segmentation, Kovács, Bühlmann, Li and Munk, Biometrika 110, 2023), the narrowest beyond "
            "the threshold first (Baranowski, Chen and Fryzlewicz, J. R. Stat. Soc. B 81, 2019). Ranks must agree "
            "(Mann and Whitney) unless a step is large beside the noise. A drift that all levels share is taken out "
            "where it explains a series with less. The interval of a place holds what is nearly as likely (Siegmund, "
            "Ann. Stat. 16, 1988); that of a size is Student's. Exact numbers need no search: they step where they "
            "change."
        ),
        "## Make this page again\n\n```\nmake study-steps\n```",
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(scores: Sequence[DetectorScore]) -> str:
    aimed = [score for score in scores if score.group == _AIM_GROUP]
    if not aimed:
        return ""
    ours, *others = aimed
    held = (ours.precision or 0) >= _PRECISION and (ours.recall or 0) >= _RECALL
    verb = "reaches" if held else "does NOT reach"
    beside = listed([f"{score.detector}: {_share(score.precision)} and {_share(score.recall)}" for score in others])
    return (
        f"**Of steps of 5 % in noise of 3 % {ours.detector}, finds {_share(ours.recall)} with a precision of "
        f"{_share(ours.precision)}, which {verb} the aim of {_RECALL:.2f} at {_PRECISION:.2f}.** Precision and recall "
        f"beside it: {beside}."
    )


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _all_groups(scores: Sequence[DetectorScore]) -> list[DetectorScore]:
    return [
        DetectorScore(
            group="all",
            detector=detector,
            series=tuple(one for score in scores if score.detector == detector for one in score.series),
        )
        for detector in dict.fromkeys(score.detector for score in scores)
    ]


def _row(score: DetectorScore) -> list[str]:
    off = [error for one in score.series for error in one.errors.values()]
    false = sum(one.found > len(one.errors) for one in score.series)
    holds = [one.held for one in score.series if one.held is not None]
    return [
        score.group,
        score.detector,
        f"{score.true:,}",
        f"{score.told:,}",
        _share(score.precision),
        _share(score.recall),
        f"{100 * false / len(score.series):.1f} %",
        f"{median(off):g}, mean {number(fmean(off))}" if off else NOTHING,
        f"{100 * sum(holds) / score.hits:.0f} %" if holds and score.hits else NOTHING,
    ]


def _on_sweeps(sweep: SweepScore | None) -> list[str]:
    if sweep is None:
        return []
    return [
        "## On stored sweeps",
        (
            f"In {sweep.series} series of times over releases, {sweep.ours} steps are told by zbench, which knows the "
            f"noise of each from its rounds, and {sweep.asv} by asv, which sees one value a release; {sweep.both} of "
            "those of zbench are told by asv too. Nobody knows the truth about these."
        ),
    ]


def draw_recall(scores: Sequence[DetectorScore]) -> dict[str, bytes]:
    """Draw the share of steps that is found by the size of the step.

    Parameters
    ----------
    scores
        Each detector on each group; groups with a drift are left out.

    Returns
    -------
    dict
        The figure by the ending of its file, ``svg`` and ``png``.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only drawing needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    for place, detector in enumerate(dict.fromkeys(score.detector for score in scores)):
        pairs = [
            (size, number in one.errors)
            for score in scores
            if score.detector == detector and "drift" not in score.group
            for one in score.series
            for number, size in enumerate(one.sizes)
        ]
        look = look_of(place)
        middles, shares = _by_size(pairs)
        axis.plot(
            middles, shares, label=detector, color=look.colour, marker=look.marker, linestyle=look.line, markersize=4
        )
    axis.set_xscale("log")
    axis.set_xticks([0.02, 0.03, 0.05, 0.1, 0.2], ["2", "3", "5", "10", "20"])
    axis.set_xticks([], minor=True)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("size of the step / %")
    axis.set_ylabel("share of steps found")
    axis.grid(color="#d5d9de", linewidth=0.6)
    axis.legend(frameon=False, fontsize=8)
    drawn = {}
    with mpl.rc_context({"svg.hashsalt": "zbench"}):
        for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 150})):
            stream = io.BytesIO()
            figure.savefig(stream, format=ending, **options)
            drawn[ending] = stream.getvalue()
    return drawn


def _by_size(pairs: Sequence[tuple[float, bool]]) -> tuple[list[float], list[float]]:
    middles, shares = [], []
    for low, high in pairwise(_BINS):
        inside = [(size, found) for size, found in pairs if low <= size < high]
        if inside:
            middles.append(fmean(size for size, _ in inside))
            shares.append(fmean(found for _, found in inside))
    return middles, shares
