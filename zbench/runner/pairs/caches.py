"""What ``setup_cache`` makes: once for each side, in a process of its own, as asv does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.runner.pairs.workers import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from zbench.runner.pairs.nouns import Item, Side

__all__ = ["with_caches"]

_DONE = "cache.pickle"


def with_caches(
    sides: tuple[Side, Side],
    items: Iterable[Item],
    *,
    suite: Path,
    folder: Path,
    timeouts_s: Mapping[str, float],
    report: Callable[[str], None],
) -> tuple[Side, Side]:
    """Make what is missing of what benchmarks of both sides share; both sides at once.

    Parameters
    ----------
    sides
        Baseline and candidate of one environment.
    items
        Benchmarks of this environment.
    suite
        Folder of the benchmarks.
    folder
        Where the outcomes are kept; what lies there whole is not made again.
    timeouts_s
        Longest time of each.
    report
        Told of each.

    Returns
    -------
    tuple of Side
        With their caches, and why there is none where one could not be made.
    """
    first = {item.cache_key: item for item in items if item.cache_key is not None}
    failed: dict[str, str] = {}
    found: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    for number, (key, item) in enumerate(first.items()):
        report(f"setup_cache of {key} in {item.environment}")
        places = [folder / ("base", "head")[place] / str(number) for place in (0, 1)]
        missing = [place for place in (0, 1) if not (places[place] / _DONE).is_file()]
        try:
            _make([(sides[place], places[place]) for place in missing], item, suite, timeouts_s[key])
        except ResultsError as error:
            failed[key] = str(error)
            continue
        for place in (0, 1):
            found[place][key] = places[place]
    return (
        replace(sides[0], caches=found[0], failures=failed),
        replace(sides[1], caches=found[1], failures=failed),
    )


def _make(wanted: list[tuple[Side, Path]], item: Item, suite: Path, timeout_s: float) -> None:
    processes = []
    try:
        for side, place in wanted:
            # What a killed run left is not whole.
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            processes.append((worker(side, suite), side, place))
        for process, _, place in processes:
            process.receive()
            process.send(do="setup_cache", name=item.asv_id, folder=str(place))
        for process, side, _ in processes:
            answer = process.receive(timeout_s=timeout_s)
            if "made" not in answer:
                said = f"{answer.get('error', 'skipped')}: {answer.get('message', answer.get('skipped'))}"
                msg = f"A setup_cache runs on both sides: that of {item.name} failed on the {side.name}: {said}"
                raise ResultsError(msg)
    finally:
        for process, _, _ in processes:
            process.close()
