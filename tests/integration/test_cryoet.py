"""``zbench cryoet`` as a user runs it: real engines in real processes, really killed, on a disk that is really full."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from zbench.cli.main import main
from zbench.datasets.portal import Wanted, kept
from zbench.errors import DataError, ResultsError
from zbench.harness import cryoet as use_case
from zbench.harness.cryoet.folder import opened
from zbench.harness.cryoet.source import find_volume
from zbench.model import voxel_digest
from zbench.results import read_table
from zbench.runner.disk import used_bytes

DATASET = "cryoet-phantom-128"
WORK = ".zbench-work"
PRESET = """
title = "Tiny"
datasets = ["cryoet-phantom-128"]
engines = ["zarr-python"]

[[sweeps]]
name = "codec"
question = "Which codec?"
layouts = ["v2-c32"]
chains = {chains}
patterns = ["full_read", "train_patch-48"]
"""
# Each costs some seconds; ZBENCH_KILLS=30 looks longer.
KILLS = int(os.environ.get("ZBENCH_KILLS", "5"))
COLUMNS = ("engine", "layout", "chain", "pattern", "metric", "value")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """Path of a preset of some chains, one cell each; a crop of 32 voxels is too small for its second pattern."""

    def write(*chains):
        path = tmp_path_factory.mktemp("preset") / "tiny.toml"
        path.write_text(PRESET.format(chains=json.dumps(chains)), encoding="utf-8")
        return str(path)

    return write


def run(*words, status=0):
    done = CliRunner().invoke(main, ["cryoet", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    assert done.exit_code == status, done.output
    return done


def refusal(*words):
    """Run what cannot be; give the one line that says why."""
    done = run(*words, status=2)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("zbench: ")
    return lines[0]


def request_of(output, preset, *, size=32, **other):
    selection = use_case.Selection(test_configs=preset, workloads=other.pop("workloads", ("write", "full_read")))
    volume = use_case.VolumeRequest(source=other.pop("source", DATASET), volume_size=size)
    return use_case.CryoetRequest(volume=volume, selection=selection, output=output, **({"budget_s": 1.0} | other))


def lines_of(output, kind):
    data = (output / "run.jsonl").read_bytes()
    entries = map(json.loads, data[: data.rfind(b"\n") + 1].splitlines())
    return [entry for entry in entries if entry["kind"] == kind]


def values_of(output):
    return [(entry["task"], entry["round"]) for entry in lines_of(output, "value")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, preset, corpus):
    """A run on a real volume to which nothing happened, with what it printed."""
    output = tmp_path_factory.mktemp("finished") / "re sults"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZBENCH_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setenv("ZBENCH_DATA_MIRROR", str(corpus))
        done = run(
            "empiar11658-tomo171", "--volume-size", 64, "--at", "32,100,200", "--budget", "2s", "--test-configs",
            preset("none", "zstd-1"), "--output-dir", output,
        )  # fmt: skip
    return output, done.output


def test_a_run_leaves_everything_that_it_promises_and_nothing_else(finished):
    output, told = finished
    names = {path.name for path in output.iterdir()}
    assert {"run.jsonl", "results.json", "results.csv", "environment.json", "rerun.sh", "report.html", "report.md"} <= (
        names
    )
    assert {path.suffix for path in output.iterdir()} <= {".jsonl", ".json", ".csv", ".parquet", ".sh", ".html", ".md",
                                                          ".png", ".svg"}  # fmt: skip
    assert not [name for name in names if name.startswith(".")]
    for path in output.iterdir():
        assert path.name == "run.jsonl" or str(path) in told


def test_every_cell_is_verified_counted_and_timed_in_three_processes_at_least(finished):
    output, _ = finished
    rows = read_table(output / "results.json").rows
    assert {(row.dataset, row.shape, row.dtype) for row in rows} == {("empiar11658-tomo171", (64, 64, 64), "|u1")}
    assert all(row.verified for row in rows)
    assert {row.chain for row in rows} == {"none", "zstd-1"}
    times = [row for row in rows if row.metric == "wall_time"]
    assert Counter((row.chain, row.pattern) for row in times) == {
        (chain, pattern): 1 for chain in ("none", "zstd-1") for pattern in ("write", "full_read", "train_patch-48")
    }
    for row in times:
        assert row.processes == len(row.samples) >= 3
        assert row.low <= row.value <= row.high
    ratios = {row.chain: row.value for row in rows if row.metric == "compression_ratio"}
    assert ratios["none"] < 1 < ratios["zstd-1"]
    assert {row.value for row in rows if row.metric == "bytes_needed" and row.pattern == "full_read"} == {64**3}
    assert {row.metric for row in rows} >= {"cpu_time", "peak_memory", "amplification", "objects"}


def test_the_environment_says_which_voxels_were_measured(finished):
    output, _ = finished
    told = json.loads((output / "environment.json").read_text(encoding="utf-8"))
    assert told["volume"]["whole_shape"] == [128, 256, 256]
    assert told["volume"]["box"] == {"start": [0, 68, 168], "stop": [64, 132, 232]}
    assert {row.voxel_digest for row in read_table(output / "results.json").rows} == {told["volume"]["voxel_digest"]}
    assert told["environment"]["packages"]["zarr"] == zarr.__version__


def test_what_the_budget_cut_short_is_told(finished):
    output, told = finished
    rows = [row for row in read_table(output / "results.json").rows if row.metric == "wall_time"]
    short = [row for row in rows if "budget ended" in row.note]
    assert re.search(rf"times: {len(rows) - len(short)} of {len(rows)} known", told)
    assert bool(short) == ("The budget of 2 s ended" in told)
    for row in rows:
        known = (row.high - row.low) / 2 <= 0.05 * row.value
        assert known or row in short


def test_the_script_measures_the_same_again(finished, tmp_path):
    output, _ = finished
    script = output / "rerun.sh"
    assert script.stat().st_mode & stat.S_IXUSR
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZBENCH_")}
    subprocess.run([script, tmp_path / "again"], check=True, cwd=tmp_path, env=environment, capture_output=True)

    def exact(folder):
        rows = read_table(folder / "results.json").rows
        return {tuple(getattr(row, name) for name in COLUMNS) for row in rows if row.exact}

    assert exact(tmp_path / "again") == exact(output)
    digests = [
        json.loads((folder / "environment.json").read_text())["volume"] for folder in (output, tmp_path / "again")
    ]
    assert digests[0] == digests[1]


def test_a_dry_run_tells_what_it_would_take_and_writes_nothing(tmp_path, preset):
    told = run(
        "--volume-size", 128, "--test-configs", preset("none", "zstd-1"), "--output-dir", tmp_path / "r", "--dry-run"
    ).output
    assert "embedded phantom cryoet-phantom-256" in told
    assert "128 voxels (z, y, x), 8.0 MiB, from (64, 64, 64) of 256" in told
    assert "cells: 2, with 6 times" in told
    assert re.search(r"time: \d+ s at least, 2.0 h at most", told)
    assert re.search(r"disk: \d+\.\d MiB at most", told)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["no-such-volume"], "Unknown dataset 'no-such-volume'.* Known datasets", id="unknown dataset"),
        pytest.param([DATASET, "--at", "64,64,200"], "A crop lies inside its volume.*x 32 to 96", id="outside"),
        pytest.param([DATASET, "--at", "64,64"], "place is three whole numbers.*'64,64'", id="two numbers"),
        pytest.param([DATASET, "--dataset", "emd-1832"], "One volume is measured", id="two volumes"),
        pytest.param([DATASET, "--volume-size", "0"], "volume size is a whole number.*'0'", id="no voxels"),
        pytest.param([DATASET, "--budget", "soon"], "duration is a number.*'soon'", id="budget"),
        pytest.param([DATASET, "--max-disk", "much"], "size is a number.*'much'", id="size"),
        pytest.param([DATASET, "--max-disk", "1MiB"], "--max-disk holds the crop.*1.0 MiB", id="no room"),
        pytest.param([DATASET, "--engines", "zar"], "Unknown engine 'zar'", id="engine"),
        pytest.param([DATASET, "--formats", "3,4"], "Zarr format is 2 or 3.*'3,4'", id="format"),
        pytest.param([DATASET, "--workloads", "all"], "Unknown workload 'all'", id="workload"),
        pytest.param([DATASET, "--test-configs", "slow"], "Unknown test configuration 'slow'", id="configs"),
        pytest.param([DATASET, "--run", "TS_1"], "dataset of the portal.*got run", id="run without portal"),
        pytest.param(["/work/nowhere.mrc"], "there is no '/work/nowhere.mrc'", id="no file"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(tmp_path, words, says):
    told = refusal("--volume-size", 64, "--output-dir", tmp_path / "r", *words)
    assert re.search(says, told), told
    assert not (tmp_path / "r").exists()


def test_a_portal_that_cannot_be_asked_is_told(tmp_path, monkeypatch):
    pytest.importorskip("cryoet_data_portal", reason="the portal group is not installed")
    monkeypatch.setenv("ZBENCH_PORTAL_URL", "http://127.0.0.1:9/graphql")
    told = refusal("10445", "--output-dir", tmp_path / "r")
    assert "http://127.0.0.1:9/graphql did not" in told
    assert not (tmp_path / "r").exists()


def test_a_crop_of_the_portal_that_is_in_the_cache_is_measured_without_asking(tmp_path, monkeypatch):
    pytest.importorskip("cryoet_data_portal", reason="the portal group is not installed")
    monkeypatch.setenv("ZBENCH_PORTAL_URL", "http://127.0.0.1:9/graphql")
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "cache"))
    wanted = Wanted(dataset=10445, tomogram=17, size=8)
    target = kept.place((10445, 17, "omezarr0"))
    record = {
        "axes": "zyx",
        "spacing": [10.0] * 3,
        "spacing_unit": "angstrom",
        "provenance": {"source": "s3://bucket/tomo.zarr", "licence": "CC0 1.0", "citation": "Ada"},
        "box": {"start": [4, 8, 8], "stop": [12, 16, 16]},
        "portal": {"tomogram": {"id": 17, "run_name": "TS_1", "shape": [16, 24, 24]}},
    }
    with kept.locked(target):
        kept.keep(
            target, shape=(8, 8, 8), dtype=np.dtype("<f4"), record=record,
            fill=lambda out: np.copyto(out, np.arange(512).reshape(out.shape)),
        )  # fmt: skip
        kept.point(wanted, target)
    crop = find_volume(use_case.VolumeRequest(source="10445", tomogram=17, volume_size=8))
    volume, path = crop.keep(tmp_path, lambda _: False, lambda *_: None)
    assert (crop.name, volume.name, path) == ("portal-10445-17", "portal-10445-17", target)
    assert (crop.whole, crop.box.start) == ((16, 24, 24), (4, 8, 8))
    assert "TS_1" in crop.title
    assert volume.spacing == (10.0, 10.0, 10.0)


def planes(folder, values):
    from PIL import Image

    folder.mkdir()
    for number, plane in enumerate(values):
        Image.fromarray(plane).save(folder / f"plane{number}.png")


def ome_zarr(folder, values):
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    group.create_array("0", data=values)
    group.create_array("1", data=values[::2, ::2, ::2])
    level = [{"type": "scale", "scale": [2.0, 1.0, 1.0]}]
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    datasets = [{"path": path, "coordinateTransformations": level} for path in "01"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


@pytest.mark.parametrize(
    ("name", "make", "seen"),
    [
        pytest.param("my tomo \u00e9.npy", np.save, lambda v: v, id="file with spaces"),
        pytest.param("slices", planes, lambda v: v, id="folder of slices"),
        pytest.param("tomo.zarr", zarr.save_array, lambda v: v, id="Zarr array"),
        pytest.param("tomo.ome.zarr", ome_zarr, lambda v: v, id="OME-Zarr group"),
        pytest.param("picture.npy", lambda path, v: np.save(path, v[3]), lambda v: v[3:4], id="two axes"),
        pytest.param("series.npy", lambda path, v: np.save(path, np.stack([v, v + 1, v])), lambda v: v + 1, id="four"),
    ],
)
def test_the_crop_of_a_volume_of_the_user_has_its_voxels(tmp_path, rng, name, make, seen):
    values = rng.integers(0, 200, (9, 20, 24), dtype=np.uint8)
    make(tmp_path / name, values)
    crop = find_volume(use_case.VolumeRequest(source=use_case.located(str(tmp_path / name)), volume_size=8))
    told = []
    volume, path = crop.keep(tmp_path, lambda _: True, lambda *bytes_: told.append(bytes_))
    expected = seen(values)[crop.box.slices]
    assert voxel_digest(np.load(path)) == voxel_digest(expected)
    assert volume.shape == expected.shape == crop.box.shape
    assert volume.axes[-2:] == "yx"
    assert told[-1] == (expected.nbytes, expected.nbytes)
    assert re.fullmatch(r"[\w.-]+", crop.name)


def test_of_a_volume_larger_than_the_memory_only_the_crop_is_read(tmp_path):
    # Chunks that are not stored are zeros: this one has 64 TiB.
    array = zarr.create_array(tmp_path / "huge.zarr", shape=(2**15, 2**15, 2**16), chunks=(16, 16, 16), dtype="u1")
    array[2**14 - 8 : 2**14 + 8, 2**14 - 8 : 2**14 + 8, 2**15 - 8 : 2**15 + 8] = 7
    source = str(tmp_path / "huge.zarr")
    crop = find_volume(use_case.VolumeRequest(source=source, volume_size=16))
    _, path = crop.keep(tmp_path, lambda _: True, lambda *_: None)
    assert (np.load(path) == 7).all()
    with pytest.raises(DataError, match=r"stored and verified in memory.*64\.0 TiB.*--volume-size"):
        use_case.prepare(use_case.CryoetRequest(volume=use_case.VolumeRequest(source=source, volume_size=None)))


def start(output, preset, *words):
    """Start a run in a process of its own, with the library of this one."""
    command = [
        sys.executable, "-m", "zbench", "cryoet", DATASET, "--volume-size", "32", "--test-configs", preset,
        "--budget", "1s", "--output-dir", str(output), *words,
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them, and what they start, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here yet
    )


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def entries(output):
    record = output / "run.jsonl"
    return record.read_bytes().count(b"\n") if record.exists() else 0


def workers_of(output):
    """Workers of any process that work in a folder, dead ones that nobody has waited for left out."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if b"zbench.runner.worker" in command and str(output).encode() in command:
            found.append(int(place.name))
    return found


def kill(process, output, more, pause_s):
    """Kill a run when its record has grown by some entries and a little later; tell whether it was still running."""
    target = entries(output) + more
    while entries(output) < target and process.poll() is None:
        time.sleep(0.005)
    time.sleep(pause_s)
    is_running = process.poll() is None
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while workers_of(output):
        assert time.monotonic() < end, "a worker lives on without its run"
        time.sleep(0.01)
    return is_running


def test_a_run_that_is_killed_goes_on_without_losing_or_doubling_a_value(tmp_path, preset, rng):
    output, configs = tmp_path / "r", preset("none", "zstd-1", "gzip-1")
    # Three cells of two operations in three rounds make 18 values, after five other entries.
    moments = [(int(rng.integers(1, 5)), float(rng.uniform(0, 0.3))) for _ in range(KILLS)]
    before, killed = b"", 0
    for more, pause_s in moments:
        killed += kill(start(output, configs, "--resume"), output, more, pause_s)
        after = (output / "run.jsonl").read_bytes()
        # What stood in whole lines still stands there.
        assert after.startswith(before[: before.rfind(b"\n") + 1])
        before = after
    assert killed >= min(KILLS, 3)
    run("--output-dir", output, "--budget", "1s", "--resume")
    after = (output / "run.jsonl").read_bytes()
    assert after.startswith(before[: before.rfind(b"\n") + 1])
    values = Counter(values_of(output))
    assert set(values.values()) == {1}
    tasks = {task for task, _ in values}
    assert len(tasks) == 6
    assert all((task, place) in values for task in tasks for place in range(3))
    assert len(lines_of(output, "stored")) == len({entry["cell"] for entry in lines_of(output, "stored")}) == 3
    assert not (output / WORK).exists()
    assert not [path for path in output.rglob("*") if path.name.startswith(".")]


def test_what_a_killed_run_left_half_written_is_removed_and_nothing_else(tmp_path, preset):
    output = tmp_path / "r"
    output.mkdir()
    (output / ".report.html.zbench-abc12345").write_bytes(b"half")
    (output / ".gitignore").write_text("*", encoding="utf-8")
    with opened(output, resume=True):
        assert sorted(path.name for path in output.iterdir()) == [".gitignore", WORK, "run.jsonl"]


def test_ctrl_c_clears_up_and_says_how_to_go_on(tmp_path, preset):
    output = tmp_path / "r"
    process = start(output, preset("none", "zstd-1"))
    wait_for(lambda: entries(output) >= 5, process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert told.splitlines()[-1].startswith("zbench: ")
    assert "--resume" in told
    assert "Traceback" not in told
    assert not (output / WORK).exists()
    assert workers_of(output) == []
    assert entries(output) >= 5


def test_a_folder_with_a_run_goes_on_only_when_told_and_only_with_the_same(finished, preset, corpus, monkeypatch):
    output, _ = finished
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(corpus))
    before = (output / "run.jsonl").read_bytes()
    assert "Give --resume" in refusal("empiar11658-tomo171", "--volume-size", 64, "--output-dir", output)
    assert "--volume-size was 64 and is 32" in refusal("--resume", "--volume-size", 32, "--output-dir", output)
    assert (output / "run.jsonl").read_bytes() == before


def test_a_volume_that_has_changed_is_not_measured_on(tmp_path, preset):
    np.save(tmp_path / "a.npy", np.arange(512, dtype="u2").reshape(8, 8, 8))
    prepared = use_case.prepare(request_of(tmp_path / "r", preset("none"), source=str(tmp_path / "a.npy")))

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use_case.cryoet(prepared, use_case.Listener(step=stop))
    np.save(tmp_path / "a.npy", np.zeros((8, 8, 8), "u2"))
    told = refusal("--resume", "--output-dir", tmp_path / "r")
    assert "another volume is recorded" in told


@contextmanager
def small_disk(place, size):
    if os.geteuid() != 0:
        pytest.skip("Only root can mount a small file system.")
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"A small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk):
    """Take all room but for some lines of the record."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            file.truncate(file.tell() - 2 * 65536)


@pytest.mark.parametrize(
    ("stage", "kept"),
    [pytest.param("store", ["stored"], id="storing"), pytest.param("sample", ["stored", "value"], id="sampling")],
)
def test_a_full_disk_ends_the_run_with_all_that_was_measured(tmp_path, preset, stage, kept):
    with small_disk(tmp_path / "disk", "48M") as disk:
        output, configs = disk / "r", preset("none", "zstd-1")
        prepared = use_case.prepare(request_of(output, configs, size=96, workloads=("write",)))
        seen = []

        def step(status):
            if status.standing.stage == stage and not (disk / "filler").exists():
                fill(disk)
            seen.append(status.standing)

        with pytest.raises(ResultsError, match=r"disk is full.*--resume"):
            use_case.cryoet(prepared, use_case.Listener(step=step))
        for kind in kept:
            assert lines_of(output, kind)
        assert len(lines_of(output, "value")) == sum(standing.stage == "sample" for standing in seen)
        assert lines_of(output, "refused") == lines_of(output, "failed") == []
        assert not (output / WORK).exists()
        (disk / "filler").unlink()
        words = ["--output-dir", output, "--resume", "--budget", "1s"]
        if stage == "sample":
            run(*words)
            assert {place for _, place in values_of(output)} >= {0, 1, 2}
            assert max(Counter(values_of(output)).values()) == 1


def test_a_disk_that_is_too_small_from_the_start_is_refused_with_what_it_takes(tmp_path, preset):
    with small_disk(tmp_path / "disk", "2M") as disk:
        told = refusal(
            DATASET, "--volume-size", 64, "--test-configs", preset("none"), "--output-dir", disk / "r"
        )  # fmt: skip
        assert re.search(r"needs room for the crop.* has 2\.0 MiB free", told)
        assert list(disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, preset):
    with small_disk(tmp_path / "disk", "2M") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        told = refusal(DATASET, "--volume-size", 16, "--test-configs", preset("none"), "--output-dir", disk / "r")
    assert "folder that can be written" in told
    assert "Read-only" in told


def test_batches_keep_the_disk_within_its_bound(tmp_path, preset):
    size, chains = 64, ("none", "zstd-1", "gzip-1")
    output, configs = tmp_path / "r", preset(*chains)
    a_cell = max(plan.most_bytes for plan in use_case.prepare(request_of(output, configs, size=size)).selected.plans)
    # The crop, two cells, and one that is being written.
    bound = size**3 * 4 + 3 * a_cell + 2**16
    prepared = use_case.prepare(request_of(output, configs, size=size, max_disk_bytes=bound, budget_s=1e-3))
    stages, seen, over = [], [], threading.Event()

    def step(status):
        stages.append(status.standing.stage)
        # Three cells of two times in three rounds: what follows does not matter here.
        if stages.count("sample") == 18:
            raise KeyboardInterrupt

    def watch():
        while not over.is_set():
            seen.append(used_bytes(output / WORK))
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            use_case.cryoet(prepared, use_case.Listener(step=step))
    finally:
        over.set()
        watcher.join()
    assert len(lines_of(output, "stored")) == len(chains)
    # One cell or two at a time, so storing began again at least once after times were taken.
    assert re.fullmatch(r"(s{1,2}t+){2,3}", "".join("s" if stage == "store" else "t" for stage in stages))
    assert len(seen) > 100
    assert 2 * size**3 * 4 < max(seen) <= bound


# Each Python begins by loading this: gzip gives back one bit that was not written, lz4 ends the process.
SPOILED = """
import numcodecs.gzip, numcodecs.lz4, os
decode = numcodecs.gzip.GZip.decode

def wrong(self, buf, out=None):
    import numpy as np
    values = np.frombuffer(decode(self, buf), dtype="u1").copy()
    values[5] ^= 1
    return numcodecs.compat.ndarray_copy(values, out)

numcodecs.gzip.GZip.decode = wrong
numcodecs.lz4.LZ4.encode = lambda self, buf: os._exit(9)
"""


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory, preset):
    """A run with a wrong cell, one that ends its process, and a pattern that does not fit; warm and cold."""
    folder = tmp_path_factory.mktemp("spoiled")
    (folder / "sitecustomize.py").write_text(SPOILED, encoding="utf-8")
    output = folder / "r"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZBENCH_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setenv("PYTHONPATH", str(folder))
        done = run(
            DATASET, "--volume-size", 32, "--test-configs", preset("none", "gzip-1", "lz4-1"), "--budget", "1ms",
            "--workloads", "full_read,train_patch-48", "--cache-state", "both", "--output-dir", output, status=1,
        )  # fmt: skip
    return output, done


def rows_of(output, **wanted):
    rows = read_table(output / "results.json").rows
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        pytest.param("gzip-1", "What is read must be what was written", id="wrong voxels"),
        pytest.param("lz4-1", "ended with status 9", id="dead worker"),
    ],
)
def test_a_cell_that_fails_gets_no_time_and_makes_the_status_1(spoiled, chain, says):
    output, done = spoiled
    assert re.search(rf"failed: .*\|{chain}: .*{says}", done.stderr)
    rows = rows_of(output, chain=chain)
    assert len(rows) == 4
    assert all(row.failed and not row.verified and not row.samples for row in rows)
    assert {task.split("|")[3] for task, _ in values_of(output)} == {"none"}


def test_a_pattern_that_does_not_fit_is_refused_for_itself_alone(spoiled):
    output, _ = spoiled
    for row in rows_of(output, chain="none", pattern="train_patch-48"):
        assert row.note.startswith("refused: ")
        assert row.value is None
    assert rows_of(output, chain="none", pattern="full_read", cache_state="warm", metric="wall_time")[0].value > 0


def test_reads_from_a_cold_cache_say_how_it_was_made_cold(spoiled):
    output, done = spoiled
    (cold,) = rows_of(output, chain="none", pattern="full_read", cache_state="cold", metric="wall_time")
    if cold.value is None:
        # A file system in memory is never cold.
        assert "A read is cold when" in cold.note
    else:
        assert re.search(r"Cold means here: .*page cache", done.output)
        assert re.search(r"cold: (the|every).*page cache", cold.note)
        assert rows_of(output, metric="open_time", cache_state="cold")


def test_instructions_are_counted_when_asked_for_and_once_each(tmp_path, preset):
    output = tmp_path / "r"
    words = [
        DATASET, "--volume-size", 32, "--test-configs", preset("none"), "--workloads", "full_read", "--budget", "1ms",
        "--output-dir", output, "--instructions",
    ]  # fmt: skip
    if not (shutil.which("valgrind") and shutil.which("gcc")):
        done = run(*words)
        (row,) = rows_of(output, metric="instructions")
        assert re.search("refused: Counting instructions needs (valgrind|gcc)", row.note)
        assert "have no count of instructions" in done.output
        return
    done = run(*words)
    assert re.search(r"Instructions were counted by callgrind \(valgrind-.*\) on one thread", done.output)
    (row,) = rows_of(output, metric="instructions")
    assert (row.unit, row.pattern, row.cache_state, row.processes) == ("instructions", "full_read", "warm", 1)
    # Importing zarr alone would take more than a thousand million.
    assert 10_000 < row.value < 100_000_000
    assert f"{row.value:,.0f} instructions" in (output / "report.md").read_text(encoding="utf-8")
    assert "--instructions" in (output / "rerun.sh").read_text(encoding="utf-8")
    assert len(lines_of(output, "probe")) == 1


def test_the_budget_ends_rounds_but_not_the_first_three(spoiled):
    output, done = spoiled
    rounds = Counter(task for task, _ in values_of(output))
    assert set(rounds.values()) == {3}
    assert "even if that is longer than the budget" in done.output
