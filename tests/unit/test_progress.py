"""When a line of a long command is due."""

from __future__ import annotations

import pytest

from zbench.cli.progress import Display, Seldom


@pytest.fixture
def seldom():
    times = iter(range(100))
    return Seldom(3.0, clock=lambda: float(next(times)))


def test_a_line_is_due_when_something_begins_and_then_now_and_then(seldom):
    # One second passes between two questions.
    assert [seldom.is_due("a") for _ in range(7)] == [True, False, False, True, False, False, True]
    assert seldom.is_due("b")
    assert not seldom.is_due("b")


def test_the_last_line_about_something_is_always_due(seldom):
    assert seldom.is_due("a")
    assert seldom.is_due("a", is_last=True)


def test_a_display_begins_and_ends_with_its_block():
    seen = []

    class Told(Display):
        def start(self):
            seen.append("start")

        def stop(self):
            seen.append("stop")

    with Told():
        seen.append("in")
    assert seen == ["start", "in", "stop"]
