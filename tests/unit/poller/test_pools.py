"""Several pools under one leadership: none waits for another."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread

import pytest

from app.domain.errors import RegistryUnavailable
from app.domain.model import PoolName
from app.poller.poller import STUCK
from app.service.reconcile import PassReport
from tests.unit.poller.beats import Beats
from tests.unit.poller.world import CHANGED, HANGING, World, lasting
from tests.waiting import LONG, until

GPU = PoolName("gpu")
FAILED = PassReport(failed=True)
THROTTLED = PassReport(throttled=True)


@pytest.fixture
def world() -> Iterator[World]:
    made = World(others=(GPU,))
    yield made
    made.close()


@pytest.fixture
def running(world: World) -> World:
    """A poller whose first passes are over, and which has nothing to do."""
    world.poller.start()
    for passes in world.passes_of.values():
        passes.until_finished(1)
    return world


# Each on its own


def test_a_pool_whose_pass_hangs_delays_no_other() -> None:
    world = World(interval=timedelta(seconds=0.3), others=(GPU,))
    try:
        with world.passes_of[GPU].held():
            world.poller.start()
            until(lambda: world.passes_of[GPU].started == 1)
            world.passes.until_finished(4)
            assert world.passes_of[GPU].finished == 0
    finally:
        world.close()


def test_many_pools_whose_passes_hang_delay_no_other() -> None:
    others = [PoolName(f"pool-{number}") for number in range(20)]
    world = World(interval=timedelta(seconds=0.3), others=others)
    try:
        for pool in others:
            world.passes_of[pool].free.clear()
        world.poller.start()
        until(lambda: all(world.passes_of[pool].started == 1 for pool in others))

        world.passes.until_finished(4)
    finally:
        world.close()


def test_probes_that_hang_in_one_pool_delay_no_pass_of_another(running: World) -> None:
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return free.wait(HANGING)

    running.probe = hang
    try:
        assert hanging.wait(LONG)
        running.poller.wake(GPU)
        running.passes_of[GPU].until_finished(2)
    finally:
        free.set()


def test_a_pool_that_is_throttled_slows_no_other_down() -> None:
    beats = Beats(PassReport(), others={GPU: THROTTLED})

    beats.beat_for(60)

    assert beats.ran_in == {GPU: [0, 20], "default": [0, 10, 20, 30, 40, 50]}


def test_a_pool_that_changes_much_runs_no_pass_of_another() -> None:
    beats = Beats(PassReport(), interval=300, others={GPU: CHANGED})

    beats.beat_for(10)

    assert beats.ran == [0]


@pytest.mark.parametrize("report", [FAILED, ZeroDivisionError("a bug"), RegistryUnavailable("no answer")])
def test_a_pool_that_fails_is_tried_again_and_the_others_go_on(report: PassReport | Exception) -> None:
    beats = Beats(PassReport(), others={GPU: report})

    beats.beat_for(60)

    assert len(beats.ran_in[GPU]) >= 6
    assert beats.ran == [0, 10, 20, 30, 40, 50]


# Wishes


def test_a_wish_is_for_one_pool(running: World) -> None:
    running.poller.wake(GPU)

    running.passes_of[GPU].until_finished(2)
    until(lasting(1))
    assert running.passes.started == 1


def test_a_wish_without_a_pool_is_for_all(running: World) -> None:
    running.poller.wake()

    for passes in running.passes_of.values():
        passes.until_finished(2)


def test_a_wish_for_a_pool_that_is_not_here_does_nothing(running: World) -> None:
    running.poller.wake(PoolName("another"))

    until(lasting(1))
    assert [passes.started for passes in running.passes_of.values()] == [1, 1]


def test_word_of_one_pool_starts_a_pass_of_that_alone(running: World) -> None:
    running.bell.news = frozenset({GPU})

    running.passes_of[GPU].until_finished(2)
    until(lasting(1))
    assert running.passes.started == 1


def test_word_of_a_pool_that_is_not_here_is_no_trouble(running: World) -> None:
    running.bell.news = frozenset({GPU, PoolName("another")})

    running.passes_of[GPU].until_finished(2)


def test_a_replica_that_does_not_lead_passes_on_which_pool_is_meant(world: World) -> None:
    world.poller.wake(GPU)

    assert world.bell.rings == [GPU]


# Leading


def test_a_leader_goes_on_while_one_pool_has_good_passes_though_another_fails_for_long() -> None:
    beats = Beats(PassReport(), others={GPU: FAILED})

    beats.beat_for(3 * int(STUCK))

    assert beats.leases.term == 1
    assert beats.leadership.mandate is not None


def test_a_leader_lets_another_try_where_every_pool_fails_for_long() -> None:
    beats = Beats(FAILED, others={GPU: ZeroDivisionError("a bug")})
    beats.beat_for(int(STUCK) - 1)
    assert beats.leadership.mandate is not None

    beats.beat_for(2)

    assert beats.leadership.mandate is None


def test_a_leader_goes_on_where_one_pool_began_to_fail_only_lately() -> None:
    beats = Beats(PassReport(), others={GPU: FAILED})
    beats.beat_for(int(STUCK))
    beats.report = FAILED

    beats.beat_for(int(STUCK) - 10)

    assert beats.leadership.mandate is not None


# The end


def test_stop_waits_for_the_pass_in_hand_of_every_pool_and_leads_until_then(world: World) -> None:
    with world.passes_of[GPU].held():
        world.poller.start()
        until(lambda: world.passes_of[GPU].started == 1)
        stopping = Thread(target=world.poller.stop)
        stopping.start()
        stopping.join(timeout=0.3)
        assert stopping.is_alive()
        assert world.leases.leader() is not None

    stopping.join(LONG)
    assert not stopping.is_alive()
    assert world.leases.leader() is None
