"""Messages are sent beside the passes, by the leader alone."""

from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic

import pytest
import structlog
from structlog.testing import capture_logs

from app.poller.poller import GRACE
from tests.unit.poller.world import World, lasting
from tests.waiting import until


@pytest.fixture
def fast() -> Iterator[World]:
    """A poller for which time goes twenty times as fast."""
    world = World(time=lambda: 20 * monotonic())
    yield world
    world.close()


def test_a_leader_sends_again_and_again(fast: World) -> None:
    rounds: list[float] = []
    fast.deliver = lambda: rounds.append(monotonic())

    fast.poller.start()

    until(lambda: len(rounds) >= 3)


def test_who_does_not_lead_sends_nothing(fast: World) -> None:
    rounds: list[float] = []
    fast.deliver = lambda: rounds.append(monotonic())
    fast.another_leads(seconds=3600)

    fast.poller.start()

    until(lasting(1))
    assert rounds == []


def test_a_round_that_hangs_delays_no_pass_and_not_the_end(fast: World) -> None:
    hanging, free = Event(), Event()

    def hang() -> None:
        hanging.set()
        free.wait(30)

    fast.deliver = hang
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


def test_a_bug_is_told_once_and_tried_again(world: World) -> None:
    tried: list[None] = []

    def fail() -> None:
        tried.append(None)
        raise ZeroDivisionError("a bug")

    world.deliver = fail
    world.poller._keep()
    structlog.reset_defaults()
    with capture_logs() as told:
        for _ in range(3):
            world.poller._deliver_messages()

    assert [line["event"] for line in told] == ["webhook.crashed"]
    assert len(tried) == 3
