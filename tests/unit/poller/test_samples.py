"""Samples are taken beside the passes, by the leader alone."""

from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from app.poller.poller import GRACE
from tests.unit.poller.world import World, lasting
from tests.waiting import until


@pytest.fixture
def fast() -> Iterator[World]:
    """A poller for which time goes twenty times as fast."""
    world = World(time=lambda: 20 * monotonic())
    yield world
    world.close()


def test_a_leader_takes_samples_again_and_again(fast: World) -> None:
    taken: list[float] = []
    fast.sample = lambda: taken.append(monotonic())

    fast.poller.start()

    until(lambda: len(taken) >= 3)


def test_who_does_not_lead_takes_none(fast: World) -> None:
    taken: list[float] = []
    fast.sample = lambda: taken.append(monotonic())
    fast.another_leads(seconds=3600)

    fast.poller.start()

    until(lasting(1))
    assert taken == []


def test_samples_that_hang_delay_no_pass_and_not_the_end(fast: World) -> None:
    hanging, free = Event(), Event()

    def hang() -> None:
        hanging.set()
        free.wait(30)

    fast.sample = hang
    fast.poller.start()
    try:
        assert hanging.wait(5)
        fast.passes.until_finished(1)
        fast.poller.wake()
        fast.passes.until_finished(2)
        stopping = Thread(target=fast.poller.stop, daemon=True)
        stopping.start()
        stopping.join(timeout=GRACE + 2)
        assert not stopping.is_alive()
    finally:
        free.set()


def test_a_pass_that_hangs_delays_no_samples(fast: World) -> None:
    taken: list[float] = []
    fast.sample = lambda: taken.append(monotonic())
    with fast.passes.held():
        fast.poller.start()
        until(lambda: fast.passes.started == 1)
        before = len(taken)

        until(lambda: len(taken) > before + 1)


def told_of(world: World, *faults: Exception | None) -> list[str]:
    """Have samples end like this one after the other, and return what was logged of them."""
    left = list(faults)

    def sample() -> None:
        if left and (fault := left.pop(0)) is not None:
            raise fault

    world.sample = sample
    world.poller._keep()
    structlog.reset_defaults()
    with capture_logs() as told:
        for _ in faults:
            world.poller._take_samples()
    return [line["event"] for line in told]


def test_a_bug_is_told_once_and_tried_again(world: World) -> None:
    bug = ZeroDivisionError("a bug")

    assert told_of(world, bug, bug, bug) == ["samples.crashed"]


def test_a_bug_that_comes_back_is_told_again(world: World) -> None:
    bug = ZeroDivisionError("a bug")

    assert told_of(world, bug, None, bug) == ["samples.crashed"] * 2


def test_a_database_that_is_away_is_told_by_the_passes(world: World) -> None:
    assert told_of(world, RegistryUnavailable("no answer")) == []
