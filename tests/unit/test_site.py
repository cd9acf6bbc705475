"""What the dashboard is made of: numbers as text, columns side by side, steps of many cells, changes told as one."""

from __future__ import annotations

import numpy as np
import pytest

from zbench.model import Environment
from zbench.report.site.encode import from_script, pack, read_values, to_script, unpack, unpack_rows
from zbench.report.site.index import MOST_CHANGES, group_fields, index_of, read_group
from zbench.report.site.lines import gather, joined
from zbench.report.site.metrics import measure_of, measure_of_asv
from zbench.report.site.nouns import Batch, Position, Step
from zbench.report.site.pages import Page, PageLine, groups_of, page_name
from zbench.report.site.registry import Catalogue
from zbench.report.site.steps import family_of, find_steps, limits_for, may_have_changed, may_have_changed_at_the_end
from zbench.stats.step_limits import limits_of
from zbench.stats.steps import series_steps

NAN = float("nan")


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize(
    "matrix",
    [
        pytest.param([[1.0, 1.0, 1.0, 2.0], [NAN, NAN, 5.0, 5.0]], id="few-changes"),
        pytest.param([[1.5, 2.5], [3.5, 4.5]], id="many-changes"),
        pytest.param([[np.inf, -np.inf, NAN, 0.0, -0.0]], id="marks"),
        pytest.param([[7.0]], id="one"),
        pytest.param(np.zeros((0, 3)), id="none"),
    ],
)
def test_numbers_come_back(matrix, single):
    packed = pack(np.array(matrix), single=single)
    np.testing.assert_array_equal(unpack(packed), matrix)


def test_counts_keep_every_digit_and_times_seven():
    number = np.array([[123456789012.0]])
    assert unpack(pack(number, single=False))[0, 0] == 123456789012
    assert unpack(pack(number, single=True))[0, 0] == pytest.approx(123456789012, rel=1e-7)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize("rows", [[], [0], [3], [0, 1, 4], [1, 2, 4], [2, 5, 6], [7]])
def test_some_rows_come_back_as_they_do_with_the_others(rng, rows, still, single):
    # Rows of seven columns end in the middle of what four letters of base64 stand for.
    matrix = np.repeat(rng.normal(size=(5, 1)), 7, axis=1) if still else rng.normal(size=(5, 7))
    packed = pack(matrix, single=single)
    assert ("at" in packed) == still
    behind = np.full((3, 7), np.nan)
    np.testing.assert_array_equal(unpack_rows(packed, rows), np.concatenate([unpack(packed), behind])[rows])


def test_values_of_one_line_are_read_as_with_the_whole_file(rng):
    lines = {
        str(at): {"v": pack(rng.normal(size=(3, 5)), single=True), "lo": pack(np.zeros((3, 5)), single=True)}
        for at in (1, 11, 2)
    }
    script = to_script("b/x.0", {"lines": lines})
    assert [read_values(script, at) for at in (1, 2, 11)] == [lines[str(at)]["v"] for at in (1, 2, 11)]
    for wrong, line in ((script, 3), (script[: script.index(b'"data"') + 20], 1), (script[:-1], 1)):
        with pytest.raises(ValueError, match=r"not found|it is not whole"):
            read_values(wrong, line)


def test_numbers_that_stay_cost_little():
    still = np.repeat(np.arange(50.0)[:, None], 128, axis=1)
    moving = np.arange(50.0 * 128).reshape(50, 128)
    assert len(str(pack(still, single=False))) < len(str(pack(moving, single=False))) / 50


def test_no_text_of_a_result_ends_the_script():
    content = {"a": "</script><script>", "b": "\u2028 ünï", "c": [1, None]}
    script = to_script("b/x", content)
    assert b"</" not in script
    assert script.isascii()
    assert from_script(script) == content


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_script_that_is_cut_is_not_read(cut):
    with pytest.raises(ValueError, match=r"it is not whole|substring not found"):
        from_script(to_script("index", {"a": [1, 2, 3]})[:-cut])


def environment(machine="box", cpu="a cpu", python="3.11"):
    return Environment(
        machine=machine, os="Linux", cpu=cpu, cores=8, memory_bytes=1, python=python, packages=(), threads=(),
        filesystem="",
    )  # fmt: skip


def batch(day, values, *, cells=None, line="py3.11", where=None, low=None, names=("engine",), **changes):
    values = np.array(values, dtype=float)
    nothing = np.full(len(values), NAN)
    given = {
        "benchmark": "read.time_x",
        "measure": measure_of("wall_time", "s"),
        "environment": where or environment(),
        "line": line,
        "position": Position(axis="commit", key=f"c{day}", order=(day,), label=f"c{day}", date_ms=day),
        "names": names,
        "cells": cells or tuple((f"e{at}",) for at in range(len(values))),
        "values": values,
        "low": nothing if low is None else np.array(low, dtype=float),
        "high": nothing,
    }
    return Batch(**given | changes)


def lines_of(*batches):
    catalogue = Catalogue()
    pages = gather(batches, catalogue)
    return catalogue, {key: joined(key, columns, catalogue) for page in pages.values()
                       for key, columns in page.lines.items()}  # fmt: skip


def test_columns_are_put_into_the_order_of_their_positions():
    catalogue, lines = lines_of(batch(3, [3, 30]), batch(1, [1, 10]), batch(2, [2, 20]))
    (line,) = lines.values()
    assert [catalogue.positions[number].key for number in line.positions] == ["c1", "c2", "c3"]
    assert line.numbers[0].tolist() == [[1, 2, 3], [10, 20, 30]]


def test_cells_that_come_and_go_keep_their_row():
    _, lines = lines_of(batch(1, [1, 2], cells=(("a",), ("b",))), batch(2, [20, 30], cells=(("b",), ("c",))))
    (line,) = lines.values()
    assert line.cells == [("a",), ("b",), ("c",)]
    np.testing.assert_array_equal(line.numbers[0], [[1, NAN], [2, 20], [NAN, 30]])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({}, {"where": environment("other")}, id="name"),
        pytest.param({}, {"where": environment(cpu="another cpu")}, id="processor"),
        pytest.param({}, {"line": "py3.12"}, id="environment"),
    ],
)
def test_machines_and_environments_are_never_joined(one, other):
    _, lines = lines_of(batch(1, [1], **one), batch(2, [2], **other))
    assert sorted(line.numbers[0].tolist() for line in lines.values()) == [[[1.0]], [[2.0]]]


def test_a_new_kernel_is_no_new_machine():
    later = Environment(
        machine="box", os="Linux 7", cpu="a cpu", cores=8, memory_bytes=2, python="3.11", packages=(), threads=(),
        filesystem="",
    )  # fmt: skip
    catalogue, lines = lines_of(batch(1, [1]), batch(2, [2], where=later))
    (line,) = lines.values()
    assert line.environments == [0, 1]
    assert len(catalogue.machines) == 1


def test_of_two_histories_the_first_keeps_its_numbers_and_the_other_fills():
    first, other = batch(1, [1, -np.inf, NAN], low=[0.5, NAN, NAN]), batch(1, [9, 8, np.inf], low=[7, 6, NAN])
    _, lines = lines_of(first, other)
    (line,) = lines.values()
    assert line.numbers[0, :, 0].tolist() == [1, 8, np.inf]
    assert line.numbers[1, :2, 0].tolist() == [0.5, 6]


def test_a_column_without_numbers_says_why():
    _, lines = lines_of(batch(1, [1]), batch(2, [], cells=(), note="it needs Python 3.12"))
    (line,) = lines.values()
    assert line.notes == {1: "it needs Python 3.12"}


def test_a_parameter_that_comes_later_is_empty_before():
    catalogue = Catalogue()
    late = batch(2, [2.0], names=("engine", "threads"), cells=(("e0", "4"),))
    (page,) = gather([batch(1, [1.0]), late, batch(3, [3.0])], catalogue).values()
    assert page.names == ("engine", "threads")
    (columns,) = page.lines.values()
    assert [column.cells for column in columns] == [(("e0", ""),), (("e0", "4"),), (("e0", ""),)]


def test_every_page_has_a_name_of_its_own_that_is_fit_for_a_file():
    taken = {}
    keys = [("read.X.time_y", "commit", "m", "s"), ("read.X.time_Y", "commit", "m", "s"),
            ("read.X.time_y", "commit", "other", "s"), ("read.X.time_y", "release", "m", "s"),
            ("../é/ <b>", "commit", "m", "s")]  # fmt: skip
    for key in keys:
        taken[page_name(key, taken)] = key
    assert len({name.lower() for name in taken}) == 5
    assert next(iter(taken)) == "read.X.time_y"
    assert all(name.strip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" for name in taken)


def test_a_metric_knows_its_family_and_direction():
    assert measure_of("compression_ratio", "1").lower_is_better is False
    assert [measure_of(metric, unit).family for metric, unit in [
        ("wall_time", "s"), ("peak_memory", "bytes"), ("stored_bytes", "bytes"), ("requests", "requests"), ("x", "y"),
    ]] == ["time", "memory", "size", "traffic", "other"]  # fmt: skip
    asv = measure_of_asv("layout.Size.track_stored_bytes", kind="track", unit="bytes")
    assert (asv.metric, asv.exact) == ("stored_bytes", True)
    assert measure_of_asv("read.X.time_read", kind="time", unit="seconds").unit == "s"


def noisy(rng, count, *, steps=(), noise=0.02):
    values = np.exp(noise * rng.normal(size=count))
    for place, factor in steps:
        values[place:] *= factor
    return values


def test_exact_numbers_step_wherever_they_differ():
    values = np.array([[5, 5, 6, NAN, 6, 5], [1, 1, 1, np.inf, 1, 1]], dtype=float)
    steps = find_steps(values, exact=True, limits=limits_for(10))
    assert [(s.row, s.before_column, s.column, s.before, s.after) for s in steps] == [(0, 1, 2, 5, 6), (0, 4, 5, 6, 5)]
    assert {(s.low, s.high) for s in steps} == {(1.2, 1.2), (5 / 6, 5 / 6)}


def test_times_step_where_noise_does_not_explain_it(rng):
    still = np.stack([noisy(rng, 200) for _ in range(20)])
    moved = noisy(rng, 200, steps=[(120, 1.1)])
    steps = find_steps(np.vstack([still, moved]), exact=False, limits=limits_for(100))
    assert [step.row for step in steps] == [20]
    assert abs(steps[0].column - 120) <= 1
    assert steps[0].low < 1.1 < steps[0].high
    assert steps[0].ratio == pytest.approx(1.1, abs=0.02)


def test_a_gap_in_front_of_a_step_belongs_to_neither_level(rng):
    values = noisy(rng, 60, steps=[(30, 1.3)])
    values[28:30] = NAN
    (step,) = find_steps(values[None], exact=False, limits=limits_for(1))
    assert (step.before_column, step.column) == (27, 30)


def test_what_is_not_looked_at_has_no_step_that_the_search_would_find(rng):
    overlooked = found = 0
    for _ in range(150):
        count = int(rng.integers(24, 300))
        begin = int(rng.integers(4, count - 4))
        end = min(count, begin + int(rng.integers(4, count)))
        values = noisy(rng, count)
        values[begin:end] *= 1 + rng.uniform(0.01, 0.12)
        searched = series_steps(values.tolist(), error=0.01, family=100, min_effect=0.01)
        found += bool(searched)
        overlooked += bool(searched) and not may_have_changed(values[None], exact=False, family=100)[0]
    assert found > 80
    assert overlooked == 0


def test_a_step_at_the_end_is_seen_while_it_grows(rng):
    seen = 0
    for _ in range(40):
        values = noisy(rng, 190, steps=[(170, 1.08)])
        looked = [may_have_changed_at_the_end(values[None, :count], added=1, exact=False, family=1000)[0]
                  for count in range(171, 191)]  # fmt: skip
        seen += any(looked)
    assert seen == 40


def test_an_end_without_a_step_is_seldom_searched(rng):
    values = np.stack([noisy(rng, 200) for _ in range(2000)])
    assert may_have_changed_at_the_end(values, added=1, exact=False, family=1000).mean() < 0.01
    assert may_have_changed_at_the_end(values[:, :9], added=5, exact=False, family=1).shape == (2000,)


def test_few_lines_without_a_step_are_searched(rng):
    values = np.stack([noisy(rng, 300) for _ in range(300)])
    assert may_have_changed(values, exact=False, family=1000).mean() < 0.2


def test_rounds_of_a_sweep_step_at_a_single_release(rng):
    level = np.array([1.0, 1.0, 3.0])
    rounds = {0: [tuple(level[at] * np.exp(0.02 * rng.normal(size=6))) for at in range(3)]}
    values = np.array([[np.median(samples) for samples in rounds[0]]])
    (step,) = find_steps(values, exact=False, limits=limits_for(10), samples=rounds)
    assert (step.row, step.column) == (0, 2)
    assert find_steps(values, exact=False, limits=limits_for(10)) == []


def test_limits_that_were_kept_are_those_that_would_be_made(rng):
    made, values = limits_for(100), noisy(rng, 300, steps=[(150, 1.1)])
    found = find_steps(values[None], exact=False, limits=made)
    assert len(found) == 1
    kept = limits_for(100, unpack(pack(made.table, single=False)))
    assert kept.of(300) == made.of(300) == limits_of(0.01 / 100, 300, 200.0)
    assert find_steps(values[None], exact=False, limits=kept) == found
    assert kept.of(1000) == limits_of(0.01 / 100, 1000, 2000 / 3)


def test_a_family_grows_in_tens():
    assert [family_of(cells) for cells in (0, 1, 2, 10, 11, 9999)] == [1, 1, 10, 10, 100, 10000]


def page_with(steps, *, metric="wall_time", unit="s", rows=4):
    _, lines = lines_of(*(batch(day, [1.0] * rows) for day in range(6)))
    (line,) = lines.values()
    page = Page("p", "p", "commit", measure_of(metric, unit), ("engine",))
    page.lines.append(PageLine(line, 0, line.numbers[:, :, -1], steps))
    return page


def step(row, column, ratio):
    return Step(row=row, column=column, before_column=column - 1, before=1.0, after=ratio, low=ratio, high=ratio)


def test_steps_at_one_position_are_told_as_one_change():
    steps = [step(0, 3, 1.2), step(1, 3, 1.1), step(2, 3, 1.4), step(3, 3, 0.9), step(0, 5, 0.8)]
    first, second = groups_of(page_with(steps))
    assert (first.worse, first.better, first.cells, first.position, first.before) == (3, 1, 4, 3, 2)
    assert (first.smallest, first.ratio, first.largest, first.row) == (1.1, 1.2, 1.4, 0)
    assert (second.worse, second.better, second.ratio) == (0, 1, 0.8)


def test_a_ratio_that_shrinks_is_worse():
    (group,) = groups_of(page_with([step(0, 3, 0.9)], metric="compression_ratio", unit="1"))
    assert (group.worse, group.better) == (1, 0)


def test_a_change_from_nothing_comes_back():
    nothing = Step(row=0, column=1, before_column=0, before=0.0, after=5.0, low=float("inf"), high=float("inf"))
    (group,) = groups_of(page_with([nothing]))
    assert read_group(group_fields(group)) == group


def test_the_overview_holds_the_newest_changes():
    page = page_with([step(row, column, 1.1 + row / 10) for row in range(4) for column in range(1, 6)])
    catalogue, _ = lines_of(*(batch(day, [1.0]) for day in range(6)))
    groups = groups_of(page) * (MOST_CHANGES // 4)
    index = index_of(
        catalogue, title="t", made="m", version="v", pages=[], groups=groups, traces=[], problems=["b", "a", "b"]
    )
    places = [dict(zip(index["changeFields"], told, strict=True))["position"] for told in index["changes"]]
    assert len(places) == MOST_CHANGES
    assert places == sorted(places, reverse=True)
    assert index["changesTotal"] == len(groups)
    assert index["problems"] == ["a", "b"]


def test_the_catalogue_comes_back_with_the_same_numbers():
    catalogue, _ = lines_of(batch(2, [1]), batch(1, [1], where=environment("other")))
    again = Catalogue.read(catalogue.written())
    assert (again.machines, again.environments, again.positions) == (
        catalogue.machines, catalogue.environments, catalogue.positions,
    )  # fmt: skip
    assert again.position(catalogue.positions[1]) == 1
