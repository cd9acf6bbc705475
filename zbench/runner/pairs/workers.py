"""One pair of processes, a baseline and a candidate, that live for one block."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from zbench.errors import ResultsError
from zbench.runner.pairs.draws import Draw, cores, same_addresses
from zbench.runner.pairs.nouns import BenchmarkError, Skipped, Turn, Way
from zbench.runner.process import AnsweringProcess

if TYPE_CHECKING:
    from types import TracebackType

    from zbench.runner.pairs.nouns import Item, Side

__all__ = ["PYTHON", "SCRIPT", "Pair", "worker"]

SCRIPT = Path(__file__).with_name("asv_worker.py")

_START_S = 300.0
# What a sample takes at least if the benchmark does not say: asv's own.
_SAMPLE_S = 0.01
# A turn goes on until each side had so much time, within these numbers of samples.
_SIDE_S = 0.04
_FEWEST, _MOST = 2, 12
# Shares of a core that a benchmark keeps busy if it computes by itself: less waits for something, more is parallel.
_ONE_CORE = (0.5, 1.1)
PYTHON = "python"
# With it every pair of processes would compile what it imports.
_NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE",)


def worker(side: Side, suite: Path, *, draw: Draw | None = None) -> AnsweringProcess:
    """Start one process of a side.

    Parameters
    ----------
    side
        The side.
    suite
        Folder of the benchmarks.
    draw
        What it shares with the other side.

    Returns
    -------
    AnsweringProcess
        It ends with this process, whatever way that ends.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    with same_addresses():
        process = AnsweringProcess(
            [str(side.python), str(SCRIPT), str(suite)],
            side.scratch,
            timeout_s=_START_S,
            variables={**inherited, **side.variables, **(draw.variables if draw else {})},
        )
    process.send(do="follow", parent=os.getpid(), blocks_bytes=draw.blocks_bytes if draw else ())
    return process


class Pair:
    """A fresh baseline and a fresh candidate, alike in all that a process draws at its start.

    Parameters
    ----------
    baseline, candidate
        The sides.
    suite
        Folder of the benchmarks.
    seed
        Of everything that is drawn.
    """

    def __init__(self, baseline: Side, candidate: Side, suite: Path, *, seed: str) -> None:
        self._sides = (baseline, candidate)
        self._random = random.Random(seed)  # noqa: S311 - an order, not a secret
        self._draw = Draw.of(self._random)
        self._cores = self._staying = cores()
        started: dict[int, AnsweringProcess] = {}
        for place in self._order():
            started[place] = worker(self._sides[place], suite, draw=self._draw)
        self._workers = (started[0], started[1])
        try:
            for process in self._workers:
                process.receive()
        except ResultsError:
            self.close()
            raise

    def _order(self) -> list[int]:
        return self._random.sample((0, 1), 2)

    def time(self, item: Item, *, way: Way | None, one_core: bool = True) -> tuple[Turn, Way]:
        """Take turns at one benchmark: baseline, candidate, candidate, baseline, or the other way round.

        Parameters
        ----------
        item
            The benchmark.
        way
            How its samples are taken; ``None`` lets the baseline choose the calls, and both sides the core.
        one_core
            Whether a benchmark that keeps one core busy on both sides is to be kept on one, the same for both.

        Returns
        -------
        turn : Turn
            What it gave.
        way : Way
            How its samples were taken.

        Raises
        ------
        BenchmarkError
            If it fails on a side.
        Skipped
            If a side says that it cannot do it.
        """
        self._stay(item, self._cores)
        self._ready(item)
        if way is None:
            number = int(self._ask(0, item, do="number", seconds=_SAMPLE_S)["number"])
            way = Way(number=number, one_core=one_core and self._draw.core is not None and self._alone(item, number))
        if way.one_core and self._draw.core is not None:
            self._stay(item, [self._draw.core])
        return self._turn(item, way.number), way

    def _stay(self, item: Item, wanted: list[int]) -> None:
        if wanted != self._staying:
            self._both(item, do="stay", cores=wanted)
            self._staying = wanted

    def _alone(self, item: Item, number: int) -> bool:
        """Tell whether a benchmark keeps one core busy on both sides, once the first sample has paid for imports."""
        for place in (0, 1):
            self._ask(place, item, do="sample", number=number)
            sample = self._ask(place, item, do="sample", number=number)
            least, most = _ONE_CORE
            if sample["cpu_ns"] is None or not least <= sample["cpu_ns"] / sample["wall_ns"] <= most:
                return False
        return True

    def _turn(self, item: Item, number: int) -> Turn:
        # The first sample pays for imports, thread pools and caches that the others find ready.
        whole_ns = max(self._ask(place, item, do="sample", number=number)["whole_ns"] for place in self._order())
        count = max(_FEWEST, min(_MOST, round(_SIDE_S * 1e9 / max(whole_ns, 1))))
        taken: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
        for _ in range((count + 1) // 2):
            first = self._random.randrange(2)
            for place in (first, 1 - first, 1 - first, first):
                taken[place].append(self._ask(place, item, do="sample", number=number))
        self._both(item, do="done")
        base, other = taken
        has_cpu = all(sample["cpu_ns"] is not None for sample in (*base, *other))
        return Turn(
            wall_ns=(tuple(one["wall_ns"] for one in base), tuple(one["wall_ns"] for one in other)),
            cpu_ns=(tuple(one["cpu_ns"] for one in base), tuple(one["cpu_ns"] for one in other)) if has_cpu else None,
        )

    def value(self, item: Item) -> tuple[float | None, float | None]:
        """Ask both sides for what a benchmark tracks.

        Parameters
        ----------
        item
            The benchmark.

        Returns
        -------
        tuple
            Of the baseline and of the candidate; ``None`` for what is no number.

        Raises
        ------
        BenchmarkError
            If it fails on a side.
        Skipped
            If a side says that it cannot do it.
        """
        self._ready(item)
        answers = self._both(item, do="value")
        self._both(item, do="done")
        return answers[0]["value"], answers[1]["value"]

    def peak(self, item: Item) -> tuple[float | None, float | None]:
        """Ask children of both processes for the peak of their memory.

        Parameters
        ----------
        item
            The benchmark.

        Returns
        -------
        tuple
            Bytes, of the baseline and of the candidate.

        Raises
        ------
        BenchmarkError
            If it fails on a side.
        Skipped
            If a side says that it cannot do it.
        """
        folders = [str(side.folder(item)) for side in self._sides]
        self._both(item, do="imported", name=item.asv_id)
        for process, folder in zip(self._workers, folders, strict=True):
            process.send(do="forked_value", name=item.asv_id, folder=folder)
        answers = self._answers(item)
        return answers[0]["value"], answers[1]["value"]

    def packages(self) -> tuple[dict[str, str], dict[str, str]]:
        """Ask both sides what is installed.

        Returns
        -------
        tuple
            Versions by name, of the baseline and of the candidate; ``python`` is the interpreter.
        """
        for process in self._workers:
            process.send(do="packages")
        base, other = (process.receive() for process in self._workers)
        return {**base["packages"], PYTHON: base["python"]}, {**other["packages"], PYTHON: other["python"]}

    def _ready(self, item: Item) -> None:
        folders = [str(side.folder(item)) for side in self._sides]
        for process, folder in zip(self._workers, folders, strict=True):
            process.send(do="ready", name=item.asv_id, folder=folder)
        self._answers(item)

    def _both(self, item: Item, **message: Any) -> list[dict[str, Any]]:
        for process in self._workers:
            process.send(**message)
        return self._answers(item)

    def _answers(self, item: Item) -> list[dict[str, Any]]:
        """Take the answers of both before either is looked at, so that none is left for the next question."""
        answers = [process.receive(timeout_s=item.timeout_s) for process in self._workers]
        # A failure says more than a skip of the other side.
        for answer, side in sorted(zip(answers, self._sides, strict=True), key=lambda pair: "error" not in pair[0]):
            _look(answer, side, item)
        return answers

    def _ask(self, place: int, item: Item, **message: Any) -> dict[str, Any]:
        self._workers[place].send(**message)
        answer = self._workers[place].receive(timeout_s=item.timeout_s)
        _look(answer, self._sides[place], item)
        return answer

    def close(self) -> None:
        """End both processes."""
        for process in self._workers:
            # The other one is to be ended too.
            with suppress(OSError):
                process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _look(answer: dict[str, Any], side: Side, item: Item) -> None:
    if "error" in answer:
        said = f"{answer['error']}: {answer['message']}"
        msg = f"A benchmark runs on both sides: {item.key!r} failed on the {side.name}: {said}"
        raise BenchmarkError(msg)
    if "skipped" in answer:
        msg = f"skipped by the {side.name}: {answer['skipped']}"
        raise Skipped(msg)
