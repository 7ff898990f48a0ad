"""What the leader does for all pools together, samples and messages: beside the passes, and nobody else."""

from collections.abc import Callable, Iterator
from threading import Event, Thread
from time import monotonic

import pytest

from tests.unit.poller.world import HANGING, World, lasting
from tests.waiting import LONG, until

Run = Callable[[World, Callable[[], None]], None]
"""Makes this the job of a world."""


def _sample(world: World, work: Callable[[], None]) -> None:
    world.sample = work


def _deliver(world: World, work: Callable[[], None]) -> None:
    world.deliver = work


each_job = pytest.mark.parametrize("given", [_sample, _deliver], ids=["samples", "messages"])


@pytest.fixture
def fast() -> Iterator[World]:
    """A poller for which time goes twenty times as fast."""
    world = World(time=lambda: 20 * monotonic())
    yield world
    world.close()


@each_job
def test_a_leader_does_it_again_and_again(fast: World, given: Run) -> None:
    rounds: list[float] = []
    given(fast, lambda: rounds.append(monotonic()))

    fast.poller.start()

    until(lambda: len(rounds) >= 3)


@each_job
def test_who_does_not_lead_does_not(fast: World, given: Run) -> None:
    rounds: list[float] = []
    given(fast, lambda: rounds.append(monotonic()))
    fast.another_leads(seconds=3600)

    fast.poller.start()

    until(lasting(1))
    assert rounds == []


@each_job
def test_one_that_hangs_delays_no_pass_and_not_the_end(fast: World, given: Run) -> None:
    hanging, free = Event(), Event()

    def hang() -> None:
        hanging.set()
        free.wait(HANGING)

    given(fast, hang)
    fast.poller.start()
    try:
        assert hanging.wait(LONG)
        fast.passes.until_finished(1)
        fast.run_another_pass()
        stopping = Thread(target=fast.poller.stop, daemon=True)
        stopping.start()
        stopping.join(LONG)
        assert not stopping.is_alive()
    finally:
        free.set()


@each_job
def test_a_pass_that_hangs_delays_none(fast: World, given: Run) -> None:
    rounds: list[float] = []
    given(fast, lambda: rounds.append(monotonic()))
    with fast.passes.held():
        fast.poller.start()
        until(lambda: fast.passes.started == 1)
        before = len(rounds)

        until(lambda: len(rounds) > before + 1)
