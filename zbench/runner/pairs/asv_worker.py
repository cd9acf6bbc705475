"""One process of one side that runs benchmarks of an asv suite as it is told: a line of JSON in, a line of JSON out.

It is started by its path with the interpreter of an asv environment, so it imports only the standard library and
``asv_runner``, which asv puts into every environment: the suite may be of any project.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import json
import os
import pickle
import signal
import sys
import time
import traceback
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asv_runner.discovery import get_benchmark_from_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_CACHE = "cache.pickle"
_PR_SET_PDEATHSIG = 1
_NS = 1_000_000_000
_GROWTH = 10.0
_WARM_UPS = 2


class _Clock:
    """The timer of a benchmark, which notes the CPU time of the process beside it, inside what is timed."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._marks: list[int] = []

    def __call__(self) -> float:
        if len(self._marks) % 2:
            now = self._timer()
            self._marks.append(time.process_time_ns())
            return now
        self._marks.append(time.process_time_ns())
        return self._timer()

    def taken(self) -> int:
        marks, self._marks = self._marks, []
        return sum(marks[1::2]) - sum(marks[0::2])


class _Current:
    """The benchmark that is set up."""

    def __init__(self, root: str, name: str, folder: str) -> None:
        self.benchmark = get_benchmark_from_name(root, name)
        os.chdir(folder)
        self._give_cache()
        self.said = io.StringIO()
        self._timer: Any = None
        self._clock: _Clock | None = None
        with contextlib.redirect_stdout(self.said):
            self.skipped = self.benchmark.do_setup()

    def _give_cache(self) -> None:
        if self.benchmark.setup_cache_key is None:
            return
        with Path(_CACHE).open("rb") as file:
            cache = pickle.load(file)
        if hasattr(self.benchmark, "set_cache"):
            self.benchmark.set_cache(cache)
        elif cache is not None:
            self.benchmark.insert_param(cache)

    def reason(self) -> str:
        """Give what asv printed of a skip."""
        lines = [line.strip() for line in self.said.getvalue().splitlines() if line.strip()]
        return lines[-1].removeprefix("asv: skipped: ") if lines else "it was skipped"

    def end(self) -> None:
        self.benchmark.do_teardown()

    def sample(self, number: int) -> dict[str, Any]:
        timer = self._prepared(number)
        begin = time.perf_counter_ns()
        taken = timer.timeit(number)
        whole = time.perf_counter_ns() - begin
        cpu = None if self._clock is None else self._clock.taken() / number
        return {"wall_ns": taken * _NS / number, "cpu_ns": cpu, "whole_ns": whole}

    def _prepared(self, number: int) -> Any:
        benchmark = self.benchmark
        if self._timer is None:
            own = getattr(benchmark, "timer", None)
            if own is not None:
                # What a timer is given is fixed when it is made; setting up sets the benchmark's attribute anew.
                self._clock = benchmark.timer = _Clock(own)
            apart = number > 1 and self._isolates() and hasattr(benchmark, "_get_interleaved_timer")
            make = benchmark._get_interleaved_timer if apart else benchmark._get_timer
            self._timer = make(*self._arguments())
        return self._timer

    def _arguments(self) -> tuple[Any, ...]:
        if hasattr(self.benchmark, "_build_params"):
            return tuple(self.benchmark._build_params())
        return tuple(self.benchmark._current_params)

    def _isolates(self) -> bool:
        benchmark = self.benchmark
        return bool(benchmark._setups) and getattr(benchmark, "_setup_isolates_timed_calls", False)

    def number(self, seconds: float) -> int:
        """Choose how many calls a sample takes, as asv does: the benchmark's own number, one, or a sample's time."""
        own = int(getattr(self.benchmark, "number", 0))
        if own or self._isolates():
            return own or 1
        number = 1
        while True:
            taken = self.sample(number)["wall_ns"] * number / _NS
            if taken >= seconds:
                return number
            number = max(number + 1, int(number * min(_GROWTH, max(1.1, seconds / max(taken, 1e-9)))))

    def value(self) -> dict[str, Any]:
        found = self.benchmark.do_run()
        return {"value": found} if isinstance(found, int | float) else {"value": None, "text": repr(found)[:200]}

    def count(self, library: str) -> None:
        """Execute twice to warm up and once counted, set up anew before each as for a sample."""
        function, arguments = self.benchmark.func, self._arguments()
        region = ctypes.CDLL(library)
        for _ in range(_WARM_UPS):
            function(*arguments)
            self.benchmark.do_teardown()
            self.benchmark.do_setup()
        gc.collect()
        gc.disable()
        try:
            region.zbench_region_begin()
            function(*arguments)
            region.zbench_region_end()
        finally:
            gc.enable()


class _Worker:
    def __init__(self, root: str) -> None:
        self._root = root
        self._current: _Current | None = None
        self._blocks: list[bytearray] = []

    def follow(self, message: dict[str, Any]) -> dict[str, Any]:
        """End with the process that asks, even if killed, but not before it at a Ctrl-C, which is sent to both."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != message["parent"]:
                os.kill(os.getpid(), signal.SIGKILL)
        # What is imported from now on lies behind these.
        self._blocks = [bytearray(size) for size in message["blocks_bytes"]]
        return {"pid": os.getpid()}

    def stay(self, message: dict[str, Any]) -> dict[str, Any]:
        """Keep all threads on some cores; what they start later stays there, too."""
        for thread in Path("/proc/self/task").iterdir():
            # A thread that has ended meanwhile needs no core.
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), message["cores"])
        return {"cores": message["cores"]}

    def setup_cache(self, message: dict[str, Any]) -> dict[str, Any]:
        """Make what the benchmarks of one key share, in its own folder, as asv does."""
        benchmark = get_benchmark_from_name(self._root, message["name"])
        os.chdir(message["folder"])
        cache = benchmark.do_setup_cache()
        with Path(_CACHE).open("wb") as file:
            pickle.dump(cache, file)
        return {"made": True}

    def ready(self, message: dict[str, Any]) -> dict[str, Any]:
        self.done({})
        self._current = _Current(self._root, message["name"], message["folder"])
        if self._current.skipped:
            answer = {"skipped": self._current.reason()}
            self.done({})
            return answer
        return {"ready": True}

    def number(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"number": self._now().number(message["seconds"])}

    def sample(self, message: dict[str, Any]) -> dict[str, Any]:
        return self._now().sample(message["number"])

    def value(self, _message: dict[str, Any]) -> dict[str, Any]:
        return self._now().value()

    def _now(self) -> _Current:
        assert self._current is not None
        return self._current

    def forked_value(self, message: dict[str, Any]) -> dict[str, Any]:
        """Ask a child of this process for the value, so that the peak of one benchmark is not that of those before."""
        inlet, outlet = os.pipe()
        child = os.fork()
        if not child:
            os.close(inlet)
            with os.fdopen(outlet, "w", encoding="utf-8") as answers:
                answer = _answer(self, {**message, "do": "ready"})
                if "ready" in answer:
                    answer = _answer(self, {"do": "value"})
                    self.done({})
                json.dump(answer, answers)
            os._exit(0)
        os.close(outlet)
        with os.fdopen(inlet, encoding="utf-8") as answers:
            text = answers.read()
        os.waitpid(child, 0)
        return json.loads(text) if text else {"error": "Ended", "message": "its process ended without an answer"}

    def imported(self, message: dict[str, Any]) -> dict[str, Any]:
        """Import the suite's module of a benchmark, before children are forked."""
        get_benchmark_from_name(self._root, message["name"])
        return {"imported": True}

    def packages(self, _message: dict[str, Any]) -> dict[str, Any]:
        """Tell what is installed beside the interpreter."""
        found = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]}
        return {"packages": found, "python": sys.version.split()[0]}

    def done(self, _message: dict[str, Any]) -> dict[str, Any]:
        current, self._current = self._current, None
        if current is not None:
            current.end()
        return {"done": True}


def _answer(worker: _Worker, message: dict[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = getattr(worker, message["do"])(message)
    except NotImplementedError as error:
        return {"skipped": repr(error)}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
    return answer


def _count(arguments: list[str]) -> None:
    """Count one benchmark under callgrind: the message and the library are the arguments."""
    message, library = json.loads(arguments[0]), arguments[1]
    current = _Current(message["root"], message["name"], message["folder"])
    if current.skipped:
        sys.exit(f"it was skipped: {current.reason()}")
    current.count(library)
    current.end()


def main() -> None:
    """Answer messages from standard input until it ends; the folder of the suite is the first argument."""
    if not sys.flags.safe_path:
        # The folder of this program is not part of the project that is measured, and its names would hide others.
        del sys.path[0]
    if sys.argv[1] == "--count":
        _count(sys.argv[2:])
        return
    worker = _Worker(sys.argv[1])
    # Benchmarks print now and then; the answers go through a copy that only they have.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            answers.write(json.dumps(_answer(worker, json.loads(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
