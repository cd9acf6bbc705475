"""Rounds of fresh pairs of processes, until everything is decided or the time is over; each round is kept."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.runner.pairs.nouns import BenchmarkError, Item, Kind, Skipped, Turn, Way
from zbench.runner.pairs.workers import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from zbench.runner.log import RunLog
    from zbench.runner.pairs.nouns import Side

__all__ = ["Measured", "Rounds"]


@dataclass(slots=True)
class Measured:
    """What is known so far, by the key of each item.

    Attributes
    ----------
    values
        Pairs of tracked values, one for each time that they were asked for.
    turns
        By round, what time benchmarks gave.
    peaks
        By round, bytes of baseline and candidate.
    failed
        What could not be measured, with the reason.
    skipped
        What a side says that it cannot do, with the reason.
    rounds
        Number of rounds.
    seconds
        That measuring took.
    last_round_s
        That the last round took.
    """

    values: dict[str, list[tuple[float | None, float | None]]] = field(default_factory=dict)
    turns: dict[str, dict[int, Turn]] = field(default_factory=dict)
    peaks: dict[str, dict[int, tuple[float, float]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    seconds: float = 0.0
    last_round_s: float = 0.0


class Rounds:
    """The measuring of a gate, which goes on from what its record holds.

    Parameters
    ----------
    sides
        Gives, from the name of each environment, baseline and candidate, with their caches; called when the first is
        needed.
    suite
        Folder of the benchmarks.
    log
        The record.
    seed
        Of all orders.
    one_core
        Whether a benchmark that keeps one core busy is to be kept on one.
    report
        Told of each thing that was learnt: what it is, and what is known by now.
    """

    def __init__(
        self,
        sides: Callable[[], Mapping[str, tuple[Side, Side]]],
        *,
        suite: Path,
        log: RunLog,
        seed: int,
        one_core: bool = True,
        report: Callable[[str, Measured], None],
    ) -> None:
        self._sides, self._suite, self._log, self._seed, self._report = sides, suite, log, seed, report
        self._one_core = one_core
        self._ways: dict[str, Way] = {}
        self._round_s = 0.0
        self.measured = Measured()
        for kind in ("value", "round"):
            for entry in log.of(kind):
                self._learn(entry)

    def values(self, items: Iterable[Item]) -> None:
        """Ask for what benchmarks track; a second time, in fresh processes, where the sides differ.

        Parameters
        ----------
        items
            Benchmarks that track a value; those that are known are left out.
        """
        wanted = [item for item in items if item.kind is Kind.VALUE and not self._settled(item.key)]
        new = [item for item in wanted if item.key not in self.measured.values]
        self._ask_values(new, "values")
        again = [item for item in wanted if _differs(self.measured.values.get(item.key, [])) == 1]
        self._ask_values(again, "values again")

    def _ask_values(self, items: list[Item], what: str) -> None:
        for environment, own in _by_environment(items).items():
            begin, pair = time.monotonic(), None
            try:
                for item in own:
                    pair = pair or self._pair(environment, f"{what}/{environment}")
                    fields: dict[str, Any] = {}
                    if not self._attempt(item, fields, lambda pair=pair, item=item: pair.value(item)):  # type: ignore[misc]
                        pair.close()
                        pair = None
                    now = time.monotonic()
                    self._add("value", item=item.key, seconds=now - begin, **fields)
                    begin = now
                    self._report(f"{what}: {item.key}", self.measured)
            finally:
                if pair is not None:
                    pair.close()

    def round(self, items: Iterable[Item]) -> None:
        """Visit benchmarks once in one fresh pair of processes an environment, in random order.

        Parameters
        ----------
        items
            Time and memory benchmarks that are not decided.
        """
        place = self.measured.rounds
        wanted = [item for item in items if item.kind is not Kind.VALUE and not self._settled(item.key)]
        environments = list(_by_environment(wanted).items())
        self._shuffler(f"{place}/environments").shuffle(environments)
        for environment, own in environments:
            self._shuffler(f"{place}/{environment}").shuffle(own)
            begin = time.monotonic()
            fields: dict[str, Any] = {}
            # Children are forked from processes that have done nothing else yet.
            peaks = [item for item in own if item.kind is Kind.PEAK]
            self._visit(peaks, environment, place, fields)
            self._visit([item for item in own if item.kind is Kind.TIME], environment, place, fields)
            last = environment == environments[-1][0]
            self._add("round", round=place, seconds=time.monotonic() - begin, whole=last, **fields)

    def _visit(self, items: list[Item], environment: str, place: int, fields: dict[str, Any]) -> None:
        pair = None
        try:
            for item in items:
                pair = pair or self._pair(environment, f"{place}/{environment}/{item.key}")
                if not self._attempt(item, fields, lambda pair=pair, item=item: self._turn(pair, item)):  # type: ignore[misc]
                    pair.close()
                    pair = None
                self._report(f"round {place + 1}: {item.key}", self.measured)
        finally:
            if pair is not None:
                pair.close()

    def _turn(self, pair: Pair, item: Item) -> Any:
        if item.kind is Kind.PEAK:
            return pair.peak(item)
        turn, way = pair.time(item, way=self._ways.get(item.key), one_core=self._one_core)
        self._ways[item.key] = way
        return {"wall": turn.wall_ns, "cpu": turn.cpu_ns, **asdict(way)}

    def _attempt(self, item: Item, fields: dict[str, Any], measure: Callable[[], Any]) -> bool:
        """Measure, or note why not; false means that the processes are not to be used again."""
        try:
            fields.setdefault("found", {})[item.key] = measure()
        except Skipped as reason:
            fields.setdefault("skipped", {})[item.key] = str(reason)
        except BenchmarkError as error:
            fields.setdefault("failed", {})[item.key] = str(error)
        except ResultsError as error:
            fields.setdefault("failed", {})[item.key] = str(error)
            return False
        return True

    def _pair(self, environment: str, name: str) -> Pair:
        baseline, candidate = self._sides()[environment]
        return Pair(baseline, candidate, self._suite, seed=f"{self._seed}/{name}")

    def _shuffler(self, name: str) -> random.Random:
        return random.Random(f"{self._seed}/{name}")  # noqa: S311 - an order, not a secret

    def _settled(self, key: str) -> bool:
        return key in self.measured.failed or key in self.measured.skipped

    def _add(self, kind: str, **fields: Any) -> None:
        self._log.add(kind, **fields)
        self._learn({"kind": kind, **fields})

    def _learn(self, entry: Mapping[str, Any]) -> None:
        known = self.measured
        known.seconds += entry["seconds"]
        if entry["kind"] == "round":
            self._round_s += entry["seconds"]
        known.failed |= entry.get("failed", {})
        known.skipped |= entry.get("skipped", {})
        for key, found in entry.get("found", {}).items():
            if entry["kind"] == "value":
                known.values.setdefault(key, []).append((found[0], found[1]))
            elif isinstance(found, dict):
                self._ways[key] = Way(number=found["number"], one_core=found.get("one_core", False))
                known.turns.setdefault(key, {})[entry["round"]] = _turn_of(found)
            elif None not in found:
                known.peaks.setdefault(key, {})[entry["round"]] = (found[0], found[1])
        if entry.get("whole"):
            known.rounds = entry["round"] + 1
            known.last_round_s, self._round_s = self._round_s, 0.0


def _turn_of(found: Mapping[str, Any]) -> Turn:
    base, other = found["wall"]
    cpu = found["cpu"] and (tuple(found["cpu"][0]), tuple(found["cpu"][1]))
    return Turn(wall_ns=(tuple(base), tuple(other)), cpu_ns=cpu)


def _differs(values: list[tuple[float | None, float | None]]) -> int:
    """Count how often the sides were asked if they differ, and zero if they do not."""
    return len(values) if any(base != other for base, other in values) else 0


def _by_environment(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.environment, []).append(item)
    return found
