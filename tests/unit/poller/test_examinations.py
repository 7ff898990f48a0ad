"""Examinations run beside the passes."""

from collections.abc import Iterator
from threading import Event
from time import monotonic

import pytest

from app.domain.errors import RegistryUnavailable
from tests.unit.poller.world import HANGING, World
from tests.waiting import LONG, until


@pytest.fixture
def running() -> Iterator[World]:
    """A poller whose first pass is over, and for which time goes twenty times as fast."""
    world = World(time=lambda: 20 * monotonic())
    world.poller.start()
    world.passes.until_finished(1)
    yield world
    world.close()


def test_an_examination_that_hangs_delays_no_pass(running: World) -> None:
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return not free.wait(HANGING)

    running.examine = hang
    try:
        assert hanging.wait(LONG)
        running.run_another_pass()
    finally:
        free.set()


def test_news_of_an_examination_start_a_pass(running: World) -> None:
    answers = [True]
    running.examine = lambda: bool(answers and answers.pop())

    running.passes.until_finished(2)


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_an_examination_that_fails_is_tried_again(running: World, fault: Exception) -> None:
    tried: list[Exception] = []

    def fail() -> bool:
        tried.append(fault)
        raise fault

    running.examine = fail

    until(lambda: len(tried) >= 2)
