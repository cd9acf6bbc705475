"""A run as it happens: real workers, really killed, and a record that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zbench.datasets import prepared
from zbench.errors import ResultsError
from zbench.grid import Preset, Sweep
from zbench.runner import Place, RunLog, Session, WorkerProcess, tasks_of

DATASET = "cryoet-phantom-128"
SIZE = 32
ROUNDS = 2
HEAD = {"study": "test"}
ENGINES = ("zarr-python",)
CHAINS = ("none", "gzip-1", "zstd-1")
# The second layout is for pictures: every engine refuses it for a volume.
PRESET = Preset(
    name="tiny",
    title="Tiny",
    datasets=(DATASET,),
    engines=ENGINES,
    sweeps=(
        Sweep(
            name="chunk",
            question="Which chunk?",
            layouts=("v2-c16", "v2-c16x16"),
            chains=CHAINS,
            patterns=("full_read", "train_patch-8"),
        ),
    ),
)
PROGRAM = """
    import sys
    from pathlib import Path
    from zbench.grid import Preset, Sweep
    from zbench.runner import Place, RunLog, Session
    folder, preset = Path(sys.argv[1]), eval(sys.argv[2])
    def report(progress):
        print(progress.stage, progress.done, progress.total, flush=True)
    places = {name: Place(Path(sys.executable), preset.engines) for name in ("old", "new")}
    log = RunLog(folder / "run.jsonl", head={"study": "test"})
    Session(preset=preset, environments=places, log=log, folder=folder / "stores", rounds=2, volume_size=32,
            report=report).run()
"""


def run(folder, *, preset=PRESET, python=sys.executable, seed=0, rounds=ROUNDS, report=lambda _: None):
    """Measure what is missing in two environments that are one interpreter."""
    places = {name: Place(Path(python), preset.engines) for name in ("old", "new")}
    log = RunLog(folder / "run.jsonl", head=HEAD)
    session = Session(
        preset=preset, environments=places, log=log, folder=folder / "stores", rounds=rounds, volume_size=SIZE,
        seed=seed, report=report,
    )  # fmt: skip
    session.run()
    return log


def lines_of(folder, kind):
    lines = (folder / "run.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def order_of(folder, *, place=0):
    return [entry["task"] for entry in lines_of(folder, "samples") if entry["round"] == place]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nothing happened to, with what it reported."""
    folder = tmp_path_factory.mktemp("whole")
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZBENCH_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        run(folder, report=told.append)
    return folder, told


def test_every_task_is_sampled_once_a_round(whole):
    folder, _ = whole
    tasks = {
        task.key for task in tasks_of(PRESET, DATASET, {"old": ENGINES, "new": ENGINES}) if task.cell.layout == "v2-c16"
    }
    samples = lines_of(folder, "samples")
    assert Counter((entry["task"], entry["round"]) for entry in samples) == {
        (task, place): 1 for task in tasks for place in range(ROUNDS)
    }
    assert all(entry["samples"] for entry in samples)
    assert all(wall > 0 and cpu >= 0 for entry in samples for wall, cpu in entry["samples"])


def test_every_cell_is_counted_and_told_where_it_was_stored(whole):
    folder, _ = whole
    stored = lines_of(folder, "stored")
    assert len(stored) == len(CHAINS) * 2
    for entry in stored:
        assert set(entry["counts"]) == {"full_read", "train_patch-8"}
        assert entry["fields"]["shape"] == [SIZE] * 3
        # 2 x 2 x 2 chunks, and one or two documents of metadata.
        assert 8 < entry["fields"]["objects"] <= 10
    assert [entry["name"] for entry in lines_of(folder, "environment")] == ["old", "new"]


def test_refused_cells_keep_their_reason_and_get_no_samples(whole):
    folder, _ = whole
    refused = lines_of(folder, "refused")
    assert len(refused) == len(CHAINS) * 2
    assert {entry["error"] for entry in refused} == {"RefusedError"}
    assert all("v2-c16x16" in entry["cell"] and "axes" in entry["message"] for entry in refused)
    assert not [task for task in order_of(folder) if "v2-c16x16" in task]


def test_tasks_of_all_environments_come_in_one_shuffled_order(whole):
    folder, _ = whole
    tasks = [task.key for task in tasks_of(PRESET, DATASET, {"old": ENGINES, "new": ENGINES})]
    first, second = order_of(folder), order_of(folder, place=1)
    assert sorted(first) == sorted(second)
    assert first not in (second, [task for task in tasks if task in first])
    environments = [task.split("|")[0] for task in first]
    assert sorted(environments) not in (environments, environments[::-1])


def test_every_step_is_reported_up_to_its_total(whole):
    _, told = whole
    steps = [(progress.stage, progress.done, progress.total) for progress in told]
    stored, sampled = len(CHAINS) * 2 * 2, len(CHAINS) * 3 * 2
    assert steps == [
        *(("store", done, stored) for done in range(1, stored + 1)),
        *(("sample", done, sampled) for done in range(1, sampled + 1)) ,
        *(("sample", done, sampled) for done in range(1, sampled + 1)),
    ]  # fmt: skip


def test_what_was_stored_is_removed(whole):
    folder, _ = whole
    assert list((folder / "stores").iterdir()) == []


def test_a_run_that_is_whole_starts_no_worker(whole):
    folder, _ = whole
    before = (folder / "run.jsonl").read_bytes()
    run(folder, python="/nowhere/python")
    assert (folder / "run.jsonl").read_bytes() == before


def test_another_seed_gives_another_order(whole, tmp_path):
    run(tmp_path, seed=1, rounds=1)
    folder, _ = whole
    assert sorted(order_of(tmp_path)) == sorted(order_of(folder))
    assert order_of(tmp_path) != order_of(folder)


def test_a_killed_run_keeps_every_value_that_it_told_of_and_goes_on(whole, tmp_path):
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path), repr(PRESET)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        told = []
        for line in process.stdout:
            told.append(line.split()[0])
            if told.count("sample") == 5:
                process.send_signal(signal.SIGKILL)
                break
    record = tmp_path / "run.jsonl"
    before = record.read_bytes()
    kept = order_of_whole_lines(before)
    # The value that was running when the signal came may have been written down and not yet told of.
    assert len(kept) in (5, 6)
    assert kept == order_of(whole[0])[: len(kept)]
    # The kill came in the middle of a line, as it may.
    record.write_bytes(before + b'{"kind": "samples", "task": "old|cry')
    run(tmp_path)
    after = record.read_bytes()
    assert after.startswith(before)
    assert Counter(order_of(tmp_path)) == Counter(order_of(whole[0]))
    assert Counter(order_of(tmp_path, place=1)) == Counter(order_of(whole[0], place=1))
    for kind in ("environment", "stored", "refused"):
        assert len(lines_of(tmp_path, kind)) == len(lines_of(whole[0], kind))
    assert list((tmp_path / "stores").iterdir()) == []


def order_of_whole_lines(record):
    entries = (json.loads(line) for line in record[: record.rfind(b"\n") + 1].splitlines())
    return [entry["task"] for entry in entries if entry["kind"] == "samples"]


def test_the_record_of_another_run_is_refused_before_anything_starts(whole):
    folder, _ = whole
    with pytest.raises(ResultsError, match="goes on only as it began"):
        RunLog(folder / "run.jsonl", head={"study": "another"})


def test_a_wrong_cell_is_recorded_as_such_and_gets_no_samples(tmp_path, monkeypatch):
    # Each Python begins by loading this: gzip gives back one bit that was not written.
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent("""
            import numcodecs.gzip
            decode = numcodecs.gzip.GZip.decode

            def wrong(self, buf, out=None):
                import numpy as np
                values = np.frombuffer(decode(self, buf), dtype="u1").copy()
                values[5] ^= 1
                return numcodecs.compat.ndarray_copy(values, out)

            numcodecs.gzip.GZip.decode = wrong
            """),
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    sweep = replace(PRESET.sweeps[0], layouts=("v2-c16",), chains=("none", "gzip-1"), patterns=("full_read",))
    own = tmp_path / "data" / "own.npy"
    own.parent.mkdir()
    np.save(own, np.arange(32**3, dtype="u2").reshape(32, 32, 32))
    run(tmp_path, preset=replace(PRESET, datasets=(str(own),), sweeps=(sweep,)), rounds=1)
    assert list(own.parent.iterdir()) == [own]
    wrong = lines_of(tmp_path, "refused")
    assert [(entry["cell"].split("|")[-1], entry["error"]) for entry in wrong] == [("gzip-1", "VerificationError")] * 2
    assert {task.split("|")[-2] for task in order_of(tmp_path)} == {"none"}


def test_a_folder_of_the_user_that_is_a_dataset_is_not_touched(tmp_path):
    own = tmp_path / "my volume"
    own.mkdir()
    (own / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ResultsError, match="every volume"):
        run(tmp_path, preset=replace(PRESET, datasets=(str(own),)))
    assert (own / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("change", [{"datasets": ("no-such-volume",)}, {"engines": ("zar-python",)}])
def test_a_volume_or_engine_that_is_not_there_ends_the_run_and_leaves_no_refusal(tmp_path, change):
    with pytest.raises(ResultsError, match=r"every volume and engine .* Unknown"):
        run(tmp_path, preset=replace(PRESET, **change))
    assert lines_of(tmp_path, "refused") == []
    assert list((tmp_path / "stores").iterdir()) == []


@pytest.fixture
def interpreter(tmp_path):
    """A stand-in for an interpreter that behaves as the lines of shell say."""

    def of(*lines):
        path = tmp_path / "python"
        path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return of


def living_workers(folder):
    """Processes that work in a folder, dead ones that nobody has waited for left out."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if b"zbench.runner.worker" in command and str(folder).encode() in command:
            found.append(int(place.name))
    return found


def test_workers_end_with_a_run_that_is_killed_whatever_they_are_doing(tmp_path):
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path), repr(PRESET)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        next(line for line in process.stdout if line.startswith("sample"))
        workers = living_workers(tmp_path)
        # One that stands still does not see the end of its messages.
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        process.send_signal(signal.SIGKILL)
    assert len(workers) == 2
    end = time.monotonic() + 20
    try:
        while living_workers(tmp_path):
            assert time.monotonic() < end, "a worker lives on without its run"
            time.sleep(0.01)
    finally:
        for worker in living_workers(tmp_path):
            os.kill(worker, signal.SIGKILL)


def test_a_worker_that_cannot_start_is_named_with_its_last_words(tmp_path, interpreter):
    python = interpreter("echo 'No module named zbench' >&2", "exit 3")
    with pytest.raises(ResultsError, match=r"python did not answer .* status 3\..* No module named zbench"):
        run(tmp_path, python=python)
    assert [entry["kind"] for entry in map(json.loads, (tmp_path / "run.jsonl").read_text().splitlines())] == ["head"]


def test_a_worker_that_is_killed_is_told_from_one_that_fails(tmp_path):
    with WorkerProcess(Path(sys.executable), tmp_path) as worker:
        assert worker.ask(do="environment")["environment"]["cores"] >= 1
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
        with pytest.raises(ResultsError, match="did not answer 'versions' and ended with status -9"):
            worker.ask(do="versions", engine="zarr-python")


def test_a_worker_that_fails_says_why(tmp_path):
    with (
        pytest.raises(ResultsError, match="KeyError: 'dance'"),
        WorkerProcess(Path(sys.executable), tmp_path) as worker,
    ):
        worker.ask(do="dance")


def test_a_worker_that_hangs_is_ended(tmp_path, interpreter):
    python = interpreter("trap '' TERM", "exec sleep 600")
    begin = time.monotonic()
    with pytest.raises(ResultsError, match="within 0 s"), WorkerProcess(python, tmp_path, timeout_s=0.2) as worker:
        worker.ask(do="environment")
    assert worker._process.returncode == -signal.SIGKILL
    # Far from the ten minutes that it would have slept.
    assert time.monotonic() - begin < 60


def test_a_worker_answers_with_what_zbench_refuses(tmp_path):
    with WorkerProcess(Path(sys.executable), tmp_path) as worker:
        answer = worker.ask(do="store", spec=[DATASET, "zarr-python", "v2-c16x16", "none"], volume_size=SIZE)
    assert answer["error"] == "RefusedError"
    assert "axes" in answer["message"]


def test_what_libraries_print_does_not_mix_with_the_answers(tmp_path):
    program = textwrap.dedent("""
        import json, subprocess, sys
        from zbench.runner.worker import _ACTIONS, main
        _ACTIONS["print"] = lambda folder, message: print("loud") or subprocess.run(["echo", "louder"]) and {"said": 1}
        main()
        """)
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], input='{"do": "print"}\n', capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert json.loads(ran.stdout) == {"said": 1}
    assert "loud" in ran.stderr
    assert "louder" in ran.stderr


def test_the_volume_is_prepared_for_workers_in_the_cache(whole):
    assert prepared(DATASET, volume_size=SIZE).is_file()
