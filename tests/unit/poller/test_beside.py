"""What keeps the time, and what watches the use of allocations, runs beside the passes, too."""

from collections.abc import Callable, Iterator
from threading import Event
from time import monotonic

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from tests.unit.poller.world import HANGING, World
from tests.waiting import LONG, until

JOBS = ("keep_time", "watch")
CRASHED = {"keep_time": "limits.crashed", "watch": "activity.crashed"}


@pytest.fixture(params=JOBS)
def job(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def running() -> Iterator[World]:
    """A poller whose first pass is over, and for which time goes twenty times as fast."""
    world = World(time=lambda: 20 * monotonic())
    world.poller.start()
    world.passes.until_finished(1)
    yield world
    world.close()


def test_one_that_hangs_delays_no_pass(running: World, job: str) -> None:
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return not free.wait(HANGING)

    setattr(running, job, hang)
    try:
        assert hanging.wait(LONG)
        running.run_another_pass()
    finally:
        free.set()


def test_its_news_start_a_pass(running: World, job: str) -> None:
    answers = [True]
    setattr(running, job, lambda: bool(answers and answers.pop()))

    running.passes.until_finished(2)


def failing(tried: list[Exception], fault: Exception) -> Callable[[], bool]:
    def fail() -> bool:
        tried.append(fault)
        raise fault

    return fail


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_one_that_fails_is_tried_again(running: World, job: str, fault: Exception) -> None:
    tried: list[Exception] = []

    setattr(running, job, failing(tried, fault))

    until(lambda: len(tried) >= 2)


def test_a_bug_is_told_once(running: World, job: str) -> None:
    tried: list[Exception] = []

    structlog.reset_defaults()
    with capture_logs() as logs:
        setattr(running, job, failing(tried, ZeroDivisionError("a bug")))
        until(lambda: len(tried) >= 3)

    assert [line["event"] for line in logs].count(CRASHED[job]) == 1


def test_who_does_not_lead_does_neither(job: str) -> None:
    world = World()
    tried: list[Exception] = []
    setattr(world, job, failing(tried, ZeroDivisionError("a bug")))
    world.another_leads()
    world.poller.start()
    try:
        until(lambda: world.leases.asked > 2)
    finally:
        world.close()

    assert tried == []
