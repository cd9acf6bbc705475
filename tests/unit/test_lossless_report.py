"""The page of the lossless study, from records whose truth is known."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from functools import lru_cache

import numpy as np
import pytest
from click.testing import CliRunner

from zbench.cli.study import _Lines, study
from zbench.codecs import parse_chain
from zbench.errors import RefusedError, ResultsError
from zbench.harness.study import Status, _Meter, report_lossless
from zbench.layouts import resolve_layout
from zbench.model import StorageConfig
from zbench.patterns import access_pattern, plan
from zbench.report.lossless import PageInfo, VolumeNote, draw, page, read_record, written
from zbench.report.lossless.arithmetic import chunk_count, recomputed
from zbench.report.lossless.claims import SWEEP_CHAIN, measured
from zbench.report.lossless.contrast import across, paired, pooled, tied_with_fastest
from zbench.report.lossless.findings import engine_findings, format_findings
from zbench.report.lossless.fit import chunk_cost, cost_ratio
from zbench.report.lossless.record import Column, Times
from zbench.report.lossless.verdict import Judgement, judge_direction, overall
from zbench.report.text import compared, number, table
from zbench.runner import Progress
from zbench.stats import Interval

OLD, NEW = "py3.11-zarr2.18.7", "py3.11-zarr3.1.6"
COLUMNS = (Column(OLD, "zarr-python"), Column(NEW, "zarr-python"), Column(NEW, "tensorstore"))
VOLUMES = {"tomogram": ((128, 128, 128), "<f4"), "embryo": ((128, 96, 128), "<u2"), "cells": ((128, 128, 128), "<i4")}
RATIOS = {
    "none": 1.0,
    "blosc-zstd-1-shuffle": 1.14,
    "blosc-zstd-3-shuffle": 1.16,
    "blosc-zstd-3-bitshuffle": 1.12,
    "blosc-zstd-3-noshuffle": 1.08,
    "blosc-zstd-5-shuffle": 1.175,
    "gzip-5": 1.1,
    "zstd-3": 1.07,
}
CODEC_LAYOUTS = ("v2-c64", "v3-c64")
CHUNK_LAYOUTS = ("v2-c16", "v2-c32", "v2-c128", "v3-c16", "v3-c32", "v3-c128", "v3-c16x128x128", "v3-c32-s128")
PATTERNS = ("full_read", "xy_plane")
BASE_MS = 20.0


def truth_ms(column, layout, chain, *, operation):
    """Milliseconds of a task before noise: a base, the codec's factor, the engine's cost of a chunk."""
    factor = {"none": 1.0, "blosc-zstd-5-shuffle": 1.5, "gzip-5": 4.0}.get(chain, 2.0)
    per_chunk = {"tensorstore": 0.01}.get(column.engine, 0.2 if column.environment == NEW else 0.1)
    chunks = {"c16": 512, "c32": 64, "c64": 8, "c128": 1, "c16x128x128": 8}[layout.split("-")[1]]
    sharded = 3.0 if "-s" in layout and column.engine == "zarr-python" else 1.0
    base = BASE_MS * (2.0 if operation == "write" else 1.0)
    return (base * factor + per_chunk * chunks) * sharded


def entries_of(*, rounds=6, noise=0.05, truth=truth_ms, volumes=VOLUMES, columns=COLUMNS, seed=1):
    """Write the record of a run that measured `truth` with a spread of `noise` between processes."""
    rng = np.random.default_rng(seed)
    lines = [{"kind": "head", "schema": 1, "preset": "full", "rounds": rounds, "volume_size": 128}]
    lines += [environment_entry(OLD, "2.18.7"), environment_entry(NEW, "3.1.6")]
    cells = [
        (column, dataset, layout, chain)
        for dataset in volumes
        for column in columns
        for layout, chains in [*((la, RATIOS) for la in CODEC_LAYOUTS), *((la, [SWEEP_CHAIN]) for la in CHUNK_LAYOUTS)]
        for chain in chains
    ]
    drift = {(dataset, place): rng.normal(0, 0.2) for dataset in volumes for place in range(rounds)}
    for column, dataset, layout, chain in cells:
        name = f"{column.environment}|{dataset}|{column.engine}|{layout}|{chain}"
        try:
            lines.append(stored_entry(name, *volumes[dataset], layout, chain, column))
        except RefusedError as error:
            lines.append({"kind": "refused", "cell": name, "error": "RefusedError", "message": str(error)})
            continue
        for place in range(rounds):
            for operation in ("write", *PATTERNS):
                spread = math.exp(drift[dataset, place] + rng.normal(0, noise)) if noise else 1.0
                wall = truth(column, layout, chain, operation=operation) * 1e6 * spread
                samples = [[round(wall * k), round(wall * k * 0.9)] for k in (0.99, 1.0, 1.02)]
                lines.append({"kind": "samples", "task": f"{name}|{operation}", "round": place, "samples": samples})
    return lines


def environment_entry(name, zarr):
    packages = [["numcodecs", "0.16.6"], ["tensorstore", "0.1.86"], ["zarr", zarr]]
    fields = {
        "machine": "box",
        "os": "Linux 6",
        "cpu": "A processor",
        "cores": 2,
        "memory_bytes": 8 * 2**30,
        "python": "3.11.7",
        "packages": packages,
        "threads": [],
        "filesystem": "ext4",
    }
    return {"kind": "environment", "name": name, "environment": fields}


@lru_cache
def cost_of(pattern, shape, layout, itemsize):
    return plan(access_pattern(pattern, shape), layout, itemsize=itemsize)


def stored_entry(name, shape, dtype, layout, chain, column):
    resolved = resolve_layout(layout, shape)
    if column.environment == OLD and layout.startswith("v3"):
        msg = "zarr 2.18.7 stores format 2 only: got format 3."
        raise RefusedError(msg)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    costs = {pattern: cost_of(pattern, shape, resolved, np.dtype(dtype).itemsize) for pattern in PATTERNS}
    counts = {
        pattern: {
            "requests": cost.requests + 1,
            "bytes_fetched": 1,
            "bytes_decoded": cost.bytes_decoded,
            "bytes_needed": cost.bytes_needed,
        }
        for pattern, cost in costs.items()
    }
    fields = {
        "config": StorageConfig(layout=resolved, chain=parse_chain(chain)).text,
        "shape": list(shape),
        "dtype": dtype,
        "digest": "0",
        "objects": chunk_count(shape, resolved.objects_shape) + 1,
        "stored_bytes": round(size / RATIOS[chain]),
        "logical_bytes": size,
    }
    return {"kind": "stored", "cell": name, "fields": fields, "counts": counts}


def info_of(record, **changes):
    values = sum(len(times.wall_ns) for times in record.times.values())
    return PageInfo(
        **{"date": "2026-01-02", "command": "zbench study lossless", "tasks": values, "volumes": {}} | changes
    )


@pytest.fixture(scope="module")
def record():
    return read_record(entries_of())


@pytest.fixture(scope="module")
def text(record):
    notes = {"tomogram": VolumeNote(title="A tomogram", licence="CC0-1.0", citation="Somebody 2020")}
    return page(record, info_of(record, volumes=notes))


def verdicts(record, part):
    return {entry.judgement for entry in (*measured(record), *recomputed()) if part in entry.claim}


def test_a_round_counts_once_with_the_median_of_its_samples():
    record = read_record(entries_of(noise=0))
    cell = record.of(COLUMNS[1], "tomogram", "v3-c64", "none")
    expected = truth_ms(COLUMNS[1], "v3-c64", "none", operation="write") * 1e6
    assert record.times[cell, "write"].wall_ns == dict.fromkeys(range(6), pytest.approx(expected))


def test_pooled_ratio_finds_a_planted_ratio_within_its_interval(record):
    found = across(
        record,
        "full_read",
        baseline=(COLUMNS[2], "v3-c64", "none"),
        candidate=(COLUMNS[2], "v3-c64", "blosc-zstd-5-shuffle"),
    )
    true = 30.08 / 20.08
    assert found.pairs == 3
    assert found.interval.low < true < found.interval.high
    assert found.interval.estimate == pytest.approx(true, rel=0.06)
    assert found.interval.excludes_one


def test_drift_of_the_machine_does_not_widen_ratios(record):
    pair = [
        record.times[record.of(COLUMNS[1], "tomogram", "v3-c64", chain), "full_read"]
        for chain in ("none", "blosc-zstd-5-shuffle")
    ]
    ratio, alone = paired(*pair), pair[0]
    width = math.log(ratio.high / ratio.low)
    spread = np.std(np.log(list(alone.wall_ns.values())))
    assert width < 4 * spread


def test_the_same_code_on_both_sides_cannot_be_told_apart():
    told = 0
    for seed in range(40):
        record = read_record(
            entries_of(truth=lambda *_, **__: BASE_MS, seed=seed, volumes={"tomogram": VOLUMES["tomogram"]})
        )
        found = across(
            record, "full_read", baseline=(COLUMNS[0], "v2-c64", "none"), candidate=(COLUMNS[1], "v2-c64", "none")
        )
        told += found.interval.excludes_one
    # Binomial(40, 0.05): more than 7 has a chance below 0.2 %.
    assert told <= 7


def test_a_run_in_which_nothing_differs_says_so(record):
    same = read_record(entries_of(truth=lambda *_, **__: BASE_MS, noise=0))
    text = page(same, info_of(same))
    assert "cannot be told apart" in text
    assert "times as long as" not in text
    assert all(
        entry.judgement in {Judgement.CANNOT_TELL, Judgement.NOT_MEASURED}
        for entry in measured(same)
        if "ratio of times" in entry.claim
    )


def test_sentence_about_times_needs_an_interval_without_one():
    slower, same = Interval(1.5, 1.4, 1.6, 6), Interval(1.5, 0.9, 2.5, 6)
    assert compared("A", slower, "B") == "A takes 1.50 [1.40, 1.60] times as long as B"
    assert "cannot be told apart" in compared("A", same, "B")
    assert "fewer than three" in compared("A", None, "B")


def test_chains_tied_with_the_fastest_are_named():
    def truth(column, layout, chain, *, operation):
        return {"blosc-zstd-5-shuffle": 10.0, "zstd-3": 10.0}.get(chain, 30.0)

    record = read_record(entries_of(truth=truth, noise=0.02))
    cells = [cell for cell in record.cells("cells", COLUMNS[1]) if cell.layout == "v3-c64"]
    assert {cell.chain for cell in tied_with_fastest(record, cells, "full_read")} <= {"blosc-zstd-5-shuffle", "zstd-3"}


@pytest.mark.parametrize(
    ("column", "zarr_format", "true"),
    [(COLUMNS[0], 2, 0.1), (COLUMNS[1], 2, 0.2), (COLUMNS[1], 3, 0.2), (COLUMNS[2], 3, 0.01)],
)
def test_cost_of_a_chunk_is_found_exactly_without_noise(column, zarr_format, true):
    record = read_record(entries_of(noise=0, volumes={"tomogram": VOLUMES["tomogram"]}))
    cost = chunk_cost(record, column, zarr_format=zarr_format, chain=SWEEP_CHAIN)
    assert cost.interval.estimate == pytest.approx(true, rel=1e-6)
    assert cost.departure == pytest.approx(0, abs=1e-6)


def test_cost_of_a_chunk_is_found_within_its_interval_under_noise(record):
    old, new = (chunk_cost(record, column, zarr_format=2, chain=SWEEP_CHAIN) for column in COLUMNS[:2])
    assert old.interval.low < 0.1 * 1.3
    assert old.interval.high > 0.1 * 0.7
    ratio = cost_ratio(old, new)
    assert ratio.low < 2.0 < ratio.high


def test_padded_chunks_are_left_out_of_the_fit():
    shape = {"odd": ((130, 130, 130), "<u2")}
    record = read_record(entries_of(noise=0, volumes=shape))
    cost = chunk_cost(record, COLUMNS[1], zarr_format=3, chain=SWEEP_CHAIN)
    # 16 pads to 144; every larger chunk pads more, so one point is left and there is no slope.
    assert cost is None


def test_a_slope_through_zero_gives_no_ratio():
    record = read_record(entries_of(truth=lambda *_, **__: BASE_MS, noise=0))
    old, new = (chunk_cost(record, column, zarr_format=2, chain=SWEEP_CHAIN) for column in COLUMNS[:2])
    assert old.interval.low <= 1e-9
    assert cost_ratio(old, new) is None or not cost_ratio(old, new).low > 1


def test_published_statements_that_hold_are_found_to_agree(record):
    # Planted: zarr-python 3 spends twice what zarr-python 2 does on a chunk, tensorstore a tenth.
    assert verdicts(record, "A chunk costs more in zarr-python 3 than in zarr-python 2") == {Judgement.AGREES}
    assert verdicts(record, "A chunk costs more in zarr-python 2 than in tensorstore") == {Judgement.AGREES}
    assert Judgement.AGREES in verdicts(record, "takes longer than tensorstore with shards")
    assert verdicts(record, "Compression ratio of blosc-zstd-5-shuffle") == {Judgement.AGREES}


def test_published_statements_that_fail_are_found_to_disagree(record):
    # Planted: zstd-1 is read slower than zstd-5 (as published), zarr-python 3 no faster than 2 at chunks of 128.
    assert verdicts(record, "tensorstore reads blosc-zstd-1-shuffle slower") == {Judgement.AGREES}
    turned = read_record(
        entries_of(truth=lambda c, layout, chain, **_: 10.0 if chain == "blosc-zstd-1-shuffle" else 20.0)
    )
    assert verdicts(turned, "tensorstore reads blosc-zstd-1-shuffle slower") == {Judgement.DISAGREES}
    assert verdicts(record, "The study measured Zarr format 3") == {Judgement.DISAGREES}


def test_shuffle_ranking_is_judged_volume_by_volume(record):
    assert verdicts(record, "for images") == {Judgement.AGREES}
    # The planted ratios put byte shuffle first on labels too, where the published best is none, and bit shuffle.
    assert verdicts(record, "for dense segmentations") == {Judgement.DISAGREES}
    assert verdicts(record, "for sparse segmentations") == {Judgement.DISAGREES}


def test_byte_shuffle_of_one_byte_voxels_decides_nothing():
    record = read_record(entries_of(volumes={"small": ((128, 128, 128), "|u1")}))
    assert verdicts(record, "for images") == {Judgement.CANNOT_TELL}


@pytest.mark.parametrize(
    ("claim", "judgement", "said"),
    [
        ("at chunks of 16", Judgement.DISAGREES, "19,200"),
        ("Files of a volume of 184x630x630 at chunks of 128", Judgement.DISAGREES, "50 chunks"),
        ("Factor between the two", Judgement.DISAGREES, "384"),
        ("A million whole reads".lower(), Judgement.DISAGREES, "7,680 against 20"),
        ("Megabytes read for a region", Judgement.DISAGREES, "1.05"),
        ("Reduction of files", Judgement.AGREES, "99.6"),
        ("Compression ratio of no compression", Judgement.AGREES, "0.869"),
        ("16x128x128 are for visualization", Judgement.IN_PART, "16.5"),
        ("128x128x128 are best for the cloud", Judgement.IN_PART, "132"),
        ("entropy", Judgement.DISAGREES, "1.17"),
        ("Number of tomograms", Judgement.DISAGREES, "20,000"),
    ],
)
def test_published_arithmetic_is_worked_out_again(claim, judgement, said):
    found = [entry for entry in recomputed() if claim in entry.claim]
    assert found
    assert any(entry.judgement is judgement and said in entry.ours for entry in found)


def test_direction_of_a_ratio_decides_and_not_its_size():
    assert judge_direction(Interval(9, 8, 10, 6), 1.2) is Judgement.AGREES
    assert judge_direction(Interval(0.5, 0.4, 0.6, 6), 1.2) is Judgement.DISAGREES
    assert judge_direction(Interval(1.2, 0.9, 1.5, 6), 1.2) is Judgement.CANNOT_TELL
    assert judge_direction(None, 1.2) is Judgement.NOT_MEASURED


def test_contradicting_volumes_agree_in_part():
    assert overall([Judgement.AGREES, Judgement.DISAGREES]) is Judgement.IN_PART
    assert overall([Judgement.AGREES, Judgement.CANNOT_TELL]) is Judgement.AGREES
    assert overall([Judgement.CANNOT_TELL, Judgement.NOT_MEASURED]) is Judgement.CANNOT_TELL
    assert overall([]) is Judgement.NOT_MEASURED


def test_page_says_what_was_run(text):
    for part in ("A tomogram", "CC0-1.0", "Somebody 2020", "128x96x128", "A processor", "zarr 2.18.7", "ext4", "95 %"):
        assert part in text
    assert "6 rounds" in text
    assert "2026-01-02" in text
    assert "zbench study lossless" in text
    assert "The run is complete" in text


def test_every_table_of_the_page_is_whole(text):
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) > 20
    for found in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in found.splitlines()}
        assert len(widths) == 1, found[:200]


def test_refused_cells_are_shown_with_their_reason(text):
    refused = text.split("## Refused and failed")[1]
    assert "zarr 2.18.7 stores format 2 only" in refused
    assert "0 failed" in refused
    row = next(line for line in text.splitlines() if line.startswith("| v3-c64 | gzip-5 |"))
    assert "refused" in row


def test_a_cell_that_failed_is_not_called_refused():
    lines = entries_of(rounds=3)
    name = f"{NEW}|tomogram|zarr-python|v3-c64|pcodec-8"
    lines.append({"kind": "refused", "cell": name, "error": "VerificationError", "message": "Voxel (0, 0, 0) differs."})
    record = read_record(lines)
    text = page(record, info_of(record))
    assert "1 failed" in text
    assert "VerificationError: Voxel (0, 0, 0) differs." in text
    assert "FAILED" in text


def test_an_operation_that_failed_later_is_reported():
    lines = entries_of(rounds=3)
    task = f"{NEW}|tomogram|zarr-python|v3-c64|none|train_patch-32"
    lines.append({"kind": "samples", "task": task, "round": 0, "error": "RefusedError", "message": "Too small."})
    record = read_record(lines)
    assert "RefusedError: Too small." in page(record, info_of(record))
    assert "RefusedError: Too small." in written(record)


def test_a_run_that_was_ended_early_says_how_much_is_there(record):
    text = page(record, info_of(record, tasks=100_000))
    assert "**The run is not complete:**" in text
    assert "of 100,000 values" in text


@pytest.mark.parametrize("keep", [1, 3, 40, 500])
def test_a_page_can_be_made_of_any_beginning_of_a_record(keep, tmp_path):
    record = read_record(entries_of(rounds=3)[:keep])
    assert "## Refused and failed" in page(record, info_of(record, tasks=9999, figures=draw(record, tmp_path)))


def test_two_rounds_give_no_interval_and_no_verdict():
    record = read_record(entries_of(rounds=2))
    assert all(
        entry.judgement is Judgement.NOT_MEASURED for entry in measured(record) if "ratio of times" in entry.claim
    )
    assert "n/a" in page(record, info_of(record))


def test_a_volume_with_fewer_rounds_does_not_take_those_of_the_others():
    long = Times(dict.fromkeys(range(6), 10.0)), Times(dict.fromkeys(range(6), 15.0))
    short = Times(dict.fromkeys(range(3), 10.0)), Times(dict.fromkeys(range(3), 90.0))
    found = pooled([long, short])
    assert (found.pairs, found.interval.count) == (1, 6)
    assert found.interval.estimate == pytest.approx(1.5)


def test_a_record_without_its_head_is_refused():
    with pytest.raises(ResultsError, match="head"):
        read_record([])
    with pytest.raises(ResultsError, match="head"):
        read_record(entries_of()[1:])


def test_table_is_tidy_and_holds_every_number(record):
    rows = list(csv.DictReader(io.StringIO(written(record))))
    columns = "dataset environment engine layout chain operation metric estimate low high rounds unit note"
    assert list(rows[0]) == columns.split()
    times = [row for row in rows if row["metric"] == "wall_time"]
    assert len(times) == len(record.times)
    assert all(float(row["low"]) <= float(row["estimate"]) <= float(row["high"]) for row in times)
    key = [tuple(row[name] for name in columns.split()[:7]) for row in rows]
    assert len(key) == len(set(key))
    speed = next(row for row in rows if row["metric"] == "throughput" and row["operation"] == "full_read")
    assert speed["unit"] == "GiB/s"
    assert {row["metric"] for row in rows} >= {"compression_ratio", "objects", "requests", "amplification", "refused"}


def test_throughput_is_logical_bytes_over_time():
    record = read_record(entries_of(noise=0))
    rows = csv.DictReader(io.StringIO(written(record)))
    wanted = {"metric": "throughput", "dataset": "tomogram", "layout": "v3-c64", "chain": "none", "operation": "write"}
    row = next(row for row in rows if wanted.items() <= row.items() and row["engine"] == "tensorstore")
    seconds = truth_ms(COLUMNS[2], "v3-c64", "none", operation="write") / 1e3
    assert float(row["estimate"]) == pytest.approx(128**3 * 4 / 2**30 / seconds, rel=1e-5)


def test_figures_are_drawn_twice_alike_and_told_in_words(tmp_path):
    record = read_record(entries_of(volumes={"tomogram": VOLUMES["tomogram"]}))
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        figures = draw(record, folder)
    assert [figure.name for figure in figures] == ["lossless-pareto", "lossless-chunks", "lossless-shards"]
    for figure in figures:
        assert (first / f"{figure.name}.png").stat().st_size > 10_000
        assert (first / f"{figure.name}.svg").read_bytes() == (second / f"{figure.name}.svg").read_bytes()
    text = page(record, info_of(record, figures=figures))
    assert all(f"![{figure.alternative}]({figure.name}.svg)" in text for figure in figures)


def test_numbers_have_three_figures():
    assert [number(value) for value in (0.0123456, 1.0, 12.345, 999.4, 999.6, 19200)] == [
        "0.0123",
        "1.00",
        "12.3",
        "999",
        "1,000",
        "19,200",
    ]


def test_table_keeps_bars_out_of_the_way():
    assert table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"
    assert table(["a"], []) == ""


def test_engines_and_formats_are_compared_with_the_oldest_that_has_them(record):
    found = list(engine_findings(record, ("v2-c64", "v3-c64")))
    assert sum("as zarr-python 2.18.7" in sentence or "and zarr-python 2.18.7" in sentence for sentence in found) == 4
    # zarr-python 2 has no format 3, so tensorstore is held against zarr-python 3 there.
    assert sum("v3-c64" in sentence and "zarr-python 3.1.6" in sentence for sentence in found) == 2
    # Planted: formats do not differ.
    told = [sentence for sentence in format_findings(record) if "cannot be told apart" in sentence]
    assert len(list(format_findings(record))) == 4
    assert len(told) >= 3


def write_record(path, lines, *, preset=None):
    head = {**lines[0], "environments": {OLD: ["zarr-python"], NEW: ["zarr-python", "tensorstore"]}}
    entries = [head, *([{"kind": "preset", "preset": preset}] if preset else []), *lines[1:]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in entries), encoding="utf-8")


PRESET = {
    "name": "full",
    "title": "A grid",
    "datasets": list(VOLUMES),
    "engines": ["zarr-python", "tensorstore"],
    "sweeps": [
        {
            "name": "codec",
            "question": "?",
            "layouts": list(CODEC_LAYOUTS),
            "chains": list(RATIOS),
            "patterns": list(PATTERNS),
        },
        {
            "name": "chunk",
            "question": "?",
            "layouts": list(CHUNK_LAYOUTS),
            "chains": [SWEEP_CHAIN],
            "patterns": list(PATTERNS),
        },
    ],
}


def test_a_whole_record_is_found_complete_by_the_grid_that_it_holds(tmp_path):
    write_record(tmp_path / "work" / "run.jsonl", entries_of(rounds=6), preset=PRESET)
    first, *others = report_lossless(tmp_path / "out", tmp_path / "work")
    assert first.name == "lossless.md"
    assert "The run is complete" in first.read_text(encoding="utf-8")
    assert {path.name for path in others} >= {"lossless.csv", "lossless-pareto.svg", "lossless-chunks.png"}
    assert all(path.is_file() for path in others)


def test_a_record_that_is_being_written_is_read_and_left_alone(tmp_path):
    path = tmp_path / "work" / "run.jsonl"
    write_record(path, entries_of(rounds=6)[:200], preset=PRESET)
    before = path.read_bytes() + b'{"kind": "samples", "ta'
    path.write_bytes(before)
    done = CliRunner().invoke(
        study, ["lossless", "--report-only", "--work", str(path.parent), "--output", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert path.read_bytes() == before
    text = (tmp_path / "out" / "lossless.md").read_text(encoding="utf-8")
    assert "**The run is not complete:**" in text


def test_there_is_no_page_without_a_record(tmp_path):
    with pytest.raises(ResultsError, match="head"):
        report_lossless(tmp_path / "out", tmp_path / "work")


def test_values_done_and_left_follow_the_record(tmp_path):
    path = tmp_path / "run.jsonl"
    lines = entries_of(rounds=6)
    write_record(path, lines, preset=PRESET)
    whole = [line for line in path.read_text(encoding="utf-8").splitlines() if '"samples"' not in line]
    samples = [json.dumps(line) for line in lines if line["kind"] == "samples"]
    told = []
    meter = _Meter(path, told.append)
    for done in range(1, 6):
        path.write_text("\n".join([*whole, *samples[:done]]) + "\n", encoding="utf-8")
        meter.step(Progress(stage="sample", dataset="tomogram", done=done, total=9, note="round 1 of 6"))
    meter.step(Progress(stage="store", dataset="embryo", done=1, total=9, note="a cell"))
    assert [status.values_done for status in told] == [1, 2, 3, 4, 5, 5]
    assert {status.values_total for status in told} == {len(samples)}
    assert all(status.left_s > 0 for status in told)


def test_planes_from_slabs_stand_beside_those_from_cubes(text):
    part = text.split("### Planes from cubes")[1].split("\n## ")[0]
    assert "| published | 64 | 1.94 |" in part
    cube = next(line for line in part.splitlines() if line.startswith("| tomogram | v3-c64 |"))
    slab = next(line for line in part.splitlines() if line.startswith("| tomogram | v3-c16x128x128 |"))
    assert "; 64.0 (5)" in cube
    assert "; 16.0 (2)" in slab


def test_plain_progress_says_stage_done_total_and_time_left():
    lines = []
    shown = _Lines(lines.append)
    for done in range(1, 101):
        shown.step(
            Status(
                stage="sample", what="tomogram", done=done, total=100, note="round 1 of 6", values_done=done,
                values_total=600, left_s=3 * 3600.0,
            )
        )  # fmt: skip
    assert lines == [
        "sample tomogram: 1 of 100, 1 of 600 values; round 1 of 6; about 3 h 00 min left",
        "sample tomogram: 100 of 100, 100 of 600 values; round 1 of 6; about 3 h 00 min left",
    ]
