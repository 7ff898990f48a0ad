"""What is noted of allocations and of instances that become ready."""

from datetime import timedelta

import pytest

from app.domain.errors import AllocatedElsewhere, PoolExhausted, PoolNotFound
from app.domain.model import DEFAULT_POOL, InstanceState, PoolName
from app.ports import AllocationOutcome
from tests.unit.service.allocating import ALICE, BOB, GPU, World, wait
from tests.unit.service.pools import Pool


def test_an_instance_that_was_there_is_noted_as_warm(world: World) -> None:
    world.idle()

    world.allocator.allocate(ALICE, actor="tester")

    assert world.meter.allocations == [(DEFAULT_POOL, AllocationOutcome.WARM)]


def test_the_same_project_again_is_noted_as_repeated(world: World) -> None:
    world.idle()

    world.allocator.allocate(ALICE, actor="tester")
    world.allocator.allocate(ALICE, actor="tester")

    assert world.meter.allocations[1:] == [(DEFAULT_POOL, AllocationOutcome.REPEATED)]


def test_where_nothing_is_idle_that_is_noted_of_the_pool_that_was_asked(world: World) -> None:
    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester", pool=GPU)

    assert world.meter.allocations == [(GPU, AllocationOutcome.EMPTY)]


def test_who_waited_is_noted_with_the_time_that_it_took(world: World) -> None:
    world.after(7.3, world.idle)

    wait(world)

    assert world.meter.allocations == [(DEFAULT_POOL, AllocationOutcome.WAITED)]
    assert 7.3 <= world.meter.times[0] < 8


def test_who_waited_in_vain_is_noted_once_and_with_the_time_that_it_took(world: World) -> None:
    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=20))

    assert world.meter.allocations == [(DEFAULT_POOL, AllocationOutcome.EMPTY)]
    assert 20 <= world.meter.times[0] < 21


def test_a_pool_that_somebody_made_up_is_noted_nowhere(world: World) -> None:
    with pytest.raises(PoolNotFound):
        world.allocator.allocate(ALICE, actor="tester", pool=PoolName("made-up"))

    assert world.meter.allocations == []


def test_a_request_that_does_not_fit_is_noted_nowhere(world: World) -> None:
    world.allocate_from(GPU)

    with pytest.raises(AllocatedElsewhere):
        world.allocator.allocate(ALICE, actor="tester", pool=DEFAULT_POOL)

    assert world.meter.allocations == [(GPU, AllocationOutcome.WARM)]


def test_a_database_that_is_away_is_no_outcome(world: World) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    world.registry.claim = fail  # type: ignore[method-assign,assignment]

    with pytest.raises(RuntimeError):
        world.allocator.allocate(BOB, actor="tester")

    assert world.meter.allocations == []


# Instances that become ready


def test_an_instance_that_is_first_ready_is_noted_with_the_time_since_its_launch(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(6)
    assert pool.meter.ready == []

    pool.prober.ready = None
    pool.tick()

    launched = [one.launched_at for one in pool.registry.instances(DEFAULT_POOL).values() if one.launched_at]
    most = (pool.clock.now() - min(launched)).total_seconds()
    assert pool.meter.ready == [DEFAULT_POOL] * 5
    assert [took for took in pool.meter.times if not 0 < took <= most] == []


def test_an_instance_that_comes_back_is_not_noted_again(pool: Pool) -> None:
    pool.tick(6)
    (first, *_) = pool.registry.instances(DEFAULT_POOL)
    pool.registry.withdraw(first, reason="did not answer", now=pool.clock.now())

    pool.tick(2)

    assert pool.count(InstanceState.IDLE) == len(pool.meter.ready) == 5
