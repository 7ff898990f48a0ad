"""Waiting in line: who is served when, and what it costs."""

from collections.abc import Collection
from datetime import timedelta

import pytest

from app.domain.errors import AllocatedElsewhere, PoolExhausted
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import Claimed
from app.service.waiting import INSIST
from tests.unit.service.allocating import A_MINUTE, ALICE, BOB, GPU, World, wait


def count_claims(world: World) -> list[ProjectId]:
    """Collect who claims from now on: each is a transaction that writes."""
    claims: list[ProjectId] = []
    claim = world.registry.claim

    def counted(pool: object, project: ProjectId, **rest: object) -> Claimed:
        claims.append(project)
        return claim(pool, project, **rest)  # type: ignore[arg-type]

    world.registry.claim = counted  # type: ignore[method-assign]
    return claims


def test_where_something_is_idle_nobody_waits(world: World) -> None:
    world.idle()

    assert wait(world).created
    assert world.slept == 0


def test_who_waits_is_served_within_a_second_of_an_instance_becoming_idle(world: World) -> None:
    began = world.watch()
    made: list[InstanceId] = []
    world.after(7.3, lambda: made.append(world.idle()))

    claimed = wait(world)

    assert [claimed.allocation.instance] == made
    assert 7.3 <= world.watch() - began < 8.3


def test_the_allocation_counts_from_when_it_was_made(world: World) -> None:
    world.after(10, world.idle)

    claimed = world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, ttl=A_MINUTE)

    assert claimed.allocation.allocated_at == world.clock.now()
    assert claimed.allocation.expires_at == world.clock.now() + A_MINUTE


def test_who_waits_in_vain_learns_it_when_his_time_is_over(world: World) -> None:
    began = world.watch()

    with pytest.raises(PoolExhausted) as refused:
        wait(world, wait=timedelta(seconds=12.5))

    assert world.watch() - began == pytest.approx(12.5)
    assert refused.value.retry_after > timedelta()


def test_who_waits_counts_as_demand_all_the_while(world: World) -> None:
    counted: list[int] = []
    for second in range(1, 60):
        world.after(
            second, lambda: counted.append(world.registry.waiting(DEFAULT_POOL, now=world.clock.now()))
        )

    with pytest.raises(PoolExhausted):
        wait(world)

    assert counted == [1] * 59


def test_a_pass_is_asked_for_when_somebody_gets_in_line(world: World) -> None:
    world.after(1, lambda: woken.extend(world.waker.pools))
    woken: list[object] = []

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=2))

    assert woken == [DEFAULT_POOL]


def test_while_nothing_is_idle_a_waiter_hardly_writes(world: World) -> None:
    claims = count_claims(world)

    with pytest.raises(PoolExhausted):
        wait(world)

    assert len(claims) <= 2 + 60 / INSIST


def test_one_look_at_the_registry_serves_all_in_line(world: World) -> None:
    looks: list[object] = []
    instances = world.registry.instances

    def counted(pool: PoolName, states: Collection[InstanceState]) -> object:
        looks.append(states)
        return instances(pool, states)

    world.registry.instances = counted  # type: ignore[assignment, method-assign]
    world.after(0, lambda: wait(world, BOB, timedelta(seconds=2)))

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=4))

    assert len(looks) <= 4 / 0.1


def test_what_is_idle_and_does_not_answer_is_not_asked_without_pause(world: World) -> None:
    world.idle()
    world.prober.ready = set()
    world.clock.advance(60)

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=20))

    assert 5 <= len(world.prober.probed) <= 20 / 2 + 2


def test_what_is_idle_and_answers_again_is_given_to_who_waits(world: World) -> None:
    instance = world.idle()
    world.prober.ready = set()
    world.clock.advance(60)
    world.after(3, lambda: setattr(world.prober, "ready", None))

    assert wait(world).allocation.instance == instance


def test_a_held_instance_is_nothing_to_wait_for(world: World) -> None:
    held = world.idle()
    world.allocator.hold(held, actor="tester")
    claims = count_claims(world)

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=4))

    assert len(claims) == 2  # the first and the last


# Order


def test_the_longest_waiting_is_served_first(world: World) -> None:
    served: dict[ProjectId, InstanceId] = {}

    def bob_comes() -> None:
        world.after(2, world.idle)
        world.after(4, world.idle)
        try:
            served[BOB] = wait(world, BOB, timedelta(seconds=3)).allocation.instance
        except PoolExhausted:
            return

    world.after(1, bob_comes)
    served[ALICE] = wait(world).allocation.instance

    assert BOB not in served  # the first instance is not for him, though she sleeps while he looks


def test_two_instances_serve_two_who_wait(world: World) -> None:
    served: list[Claimed] = []

    def bob_comes() -> None:
        world.after(2, lambda: (world.idle(), world.idle()))
        served.append(wait(world, BOB))

    world.after(1, bob_comes)
    served.append(wait(world))

    assert [one.allocation.project for one in served] == [BOB, ALICE]
    assert all(one.created for one in served)


def test_what_a_project_got_elsewhere_it_gets_here_too(world: World) -> None:
    elsewhere: list[Claimed] = []

    def another_replica_serves() -> None:
        world.idle()
        claimed = world.registry.claim(DEFAULT_POOL, ALICE, actor="other", now=world.clock.now())
        elsewhere.append(claimed)

    world.after(3, another_replica_serves)
    began = world.watch()

    assert wait(world).allocation == elsewhere[0].allocation
    assert world.watch() - began <= 3 + INSIST + 1


def test_each_pool_has_a_line_of_its_own(world: World) -> None:
    served: list[Claimed] = []

    def bob_comes() -> None:
        world.after(2, lambda: world.idle(GPU))
        served.append(world.allocator.allocate(BOB, actor="tester", pool=GPU, wait=A_MINUTE))

    world.after(1, bob_comes)
    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=10))

    assert [one.allocation.pool for one in served] == [GPU]


def test_who_waits_for_another_pool_than_he_gets_one_of_is_told_so(world: World) -> None:
    world.after(1, lambda: world.allocate_from(GPU))

    with pytest.raises(AllocatedElsewhere):
        world.allocator.allocate(ALICE, actor="tester", pool=DEFAULT_POOL, wait=A_MINUTE)
