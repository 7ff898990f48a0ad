"""Status and readiness: what is counted, and what is said when something is missing."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from app.domain.controls import Change
from app.domain.errors import PoolNotFound
from app.domain.model import (
    DEFAULT_POOL,
    Group,
    InstanceState,
    Limit,
    Notice,
    PoolName,
    PoolView,
)
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.status import Check, Duty, StatusReader
from tests.builders import NOW, a_pool
from tests.property.quick_database import open_quickly
from tests.unit.service.reading import INTERVAL, World

GPU = PoolName("gpu")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    registry = SqlRegistry(Transactions(open_quickly(tmp_path)))
    yield registry
    registry.close()


def read_through(reader: StatusReader) -> None:
    with reader.status() as now:
        for _ in now.parts:
            pass


@pytest.fixture
def world(registry: SqlRegistry) -> World:
    return World(registry)


@pytest.fixture
def two(registry: SqlRegistry) -> World:
    """Two pools, `default` and `gpu`."""
    return World(registry, a_pool(), a_pool(GPU, buffer=2))


@pytest.mark.parametrize(
    ("state", "count"),
    [
        (InstanceState.BOOTING, 1),
        (InstanceState.IDLE, 2),
        (InstanceState.ALLOCATED, 3),
        (InstanceState.TERMINATING, 1),
        (InstanceState.TERMINATED, 0),
    ],
)
def test_each_state_is_counted(world: World, state: InstanceState, count: int) -> None:
    for project in ("alice", "bob", "carol"):
        world.allocated(project)
    world.idle()
    world.idle()
    world.booting()
    world.terminating()

    assert world.reader.summary().default.count.of(state) == count


def test_the_oldest_state_comes_first(world: World) -> None:
    first = world.idle()
    world.clock.advance(1)
    second = world.idle()
    world.clock.advance(1)
    world.registry.withdraw(first, reason="a reason", now=world.clock.now())

    assert world.listed() == [second, first]


def test_what_is_gone_is_not_listed(world: World) -> None:
    gone = world.terminating()
    found = world.registry.instances(DEFAULT_POOL)[gone]
    assert found.end_reason is not None
    world.registry.end(
        gone,
        expect=InstanceState.TERMINATING,
        to=InstanceState.TERMINATED,
        reason=found.end_reason,
        now=NOW,
    )

    assert world.listed() == []


def test_the_groups_figures_are_those_of_the_last_pass(world: World) -> None:
    group = Group(desired=7, min_size=1, max_size=20)
    world.registry.record_view(PoolView(pool=DEFAULT_POOL, group=group))

    assert world.reader.summary().default.view.group == group


def test_the_buffer_is_told(world: World) -> None:
    assert world.reader.summary().default.buffer == 5


def test_before_the_first_pass_the_service_is_not_ready(world: World) -> None:
    assert world.check("pass") == Check("pass", passed=False, detail="no pass has succeeded yet")


def test_a_pass_six_intervals_ago_is_recent_enough(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(6 * INTERVAL)

    assert world.check("pass") == Check("pass", passed=True, detail="last success 60 s ago")


def test_a_pass_longer_ago_is_too_old(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(6 * INTERVAL + timedelta(seconds=1))

    assert world.check("pass") == Check("pass", passed=False, detail="last success 61 s ago")


def test_a_failed_attempt_does_not_count_as_a_pass(world: World) -> None:
    world.registry.record_view(PoolView(pool=DEFAULT_POOL, last_attempt_at=NOW))

    assert not world.check("pass").passed


def test_a_registry_that_answers_is_told(world: World) -> None:
    assert world.check("registry") == Check("registry", passed=True, detail="answers")


def test_a_registry_that_does_not_answer_is_all_that_is_told(world: World) -> None:
    with world.transactions.exclusively() as tx:
        tx.execute(text("DROP TABLE leases"))

    assert world.reader.health().checks == (
        Check("registry", passed=False, detail="The database did not answer as it should. Try again."),
    )


def test_the_leader_is_named_with_its_term(world: World) -> None:
    lease = world.leases.take("another", timedelta(seconds=60))

    assert world.reader.summary().duty.leader == lease
    assert world.reader.health().duty.leader == lease


def test_while_nobody_leads_nobody_is_named(world: World) -> None:
    assert world.reader.health().duty == Duty(replica="ours", leader=None, pass_age=None)


def test_the_age_of_the_last_pass_is_told(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(7)

    assert world.reader.summary().duty.pass_age == timedelta(seconds=7)


def test_a_pass_by_a_replica_whose_clock_is_ahead_is_not_from_the_future(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(-3)

    assert world.reader.health().duty.pass_age == timedelta()


# Several pools


def test_default_comes_first_and_the_others_by_name(registry: SqlRegistry) -> None:
    world = World(registry, a_pool("b"), a_pool("a"), a_pool())

    assert [pool.config.name for pool in world.reader.summary().pools] == [DEFAULT_POOL, "a", "b"]


@pytest.mark.parametrize(
    ("read", "transactions"),
    [
        (StatusReader.pools, 1),
        (StatusReader.summary, 1),
        (StatusReader.health, 1),
        (lambda reader: reader.pool(DEFAULT_POOL), 1),
        (lambda reader: reader.beneath(DEFAULT_POOL), 1),
        (read_through, 1),
    ],
    ids=["pools", "summary", "health", "pool", "beneath", "status"],
)
def test_many_pools_are_read_at_once(
    registry: SqlRegistry, read: Callable[[StatusReader], object], transactions: int
) -> None:
    world = World(registry, a_pool(), *(a_pool(PoolName(f"p{number}")) for number in range(20)))
    begun: list[object] = []
    event.listen(world.transactions.engine, "begin", begun.append)

    read(world.reader)

    assert len(begun) == transactions


def test_the_instances_told_are_those_of_the_default_pool(two: World) -> None:
    ours = two.idle()
    two.idle(GPU)

    assert two.listed() == [ours]


def test_each_pool_has_figures_of_its_own(two: World) -> None:
    two.idle()
    two.idle(GPU)
    two.booting(GPU)

    default, gpu = two.reader.summary().pools

    assert (default.count.states, default.buffer) == ({InstanceState.IDLE: 1}, 5)
    assert (gpu.count.states, gpu.buffer) == ({InstanceState.IDLE: 1, InstanceState.BOOTING: 1}, 2)


def test_what_a_hold_keeps_from_projects_is_counted_as_held_alone(two: World) -> None:
    for instance in (two.idle(), two.booting(), two.idle(GPU)):
        two.hold(instance)
    two.idle()

    pools = two.reader.pools()
    assert [pool.count.held for pool in pools] == [2, 1]
    assert [sum(pool.count.states.values()) for pool in pools] == [1, 0]


def test_what_a_project_has_is_counted_as_its_own_on_hold_too(two: World) -> None:
    two.hold(two.allocated("alice"))

    for pool in (two.reader.summary().default, two.reader.pool(DEFAULT_POOL)):
        assert (pool.count.states, pool.count.held) == ({InstanceState.ALLOCATED: 1}, 0)


def test_a_pool_that_is_not_there_is_not_found(two: World) -> None:
    with pytest.raises(PoolNotFound, match="There are: default, gpu"):
        two.reader.pool(PoolName("another"))


def test_a_pool_without_a_pass_is_told_by_itself(two: World) -> None:
    two.pass_succeeded()

    assert (two.codes(), two.codes(GPU)) == ([], ["no-pass"])


def test_the_age_of_the_last_pass_is_that_of_the_default_pool(two: World) -> None:
    two.pass_succeeded()
    two.clock.advance(7)
    two.pass_succeeded(GPU)

    assert two.reader.summary().duty.pass_age == timedelta(seconds=7)
    assert two.reader.health().duty.pass_age == timedelta()


def test_a_service_is_ready_while_one_pool_is_looked_after(two: World) -> None:
    two.pass_succeeded(GPU)

    health = two.reader.health()

    assert health.ready
    assert [(check.name, check.passed) for check in health.checks] == [
        ("registry", True),
        ("pass of default", False),
        ("pass of gpu", True),
    ]


def test_a_service_whose_pools_nobody_looks_after_is_not_ready(two: World) -> None:
    for pool in (DEFAULT_POOL, GPU):
        two.pass_succeeded(pool)
    two.clock.advance(7 * INTERVAL)

    assert not two.reader.health().ready


# Paused, and set anew by an operator


def test_a_paused_pool_says_so_at_once_and_before_all_else(two: World) -> None:
    two.change(Change(paused=True))

    pool = two.reader.pool(DEFAULT_POOL)

    assert pool.view.limited_by is Limit.PAUSED
    assert pool.controls.paused
    assert pool.view.notices[0] == Notice(
        code="paused",
        detail="Paused by token:ops since 2026-11-22 12:00:00 UTC: nothing is changed at AWS. "
        "To go on: ec2-orchestrator resume",
    )
    assert two.codes() == ["paused", "no-pass"]
    assert two.codes(GPU) == ["no-pass"]


def test_a_paused_pool_says_how_to_resume_that_one(two: World) -> None:
    two.change(Change(paused=True), GPU)

    assert two.reader.pool(GPU).view.notices[0].detail.endswith("ec2-orchestrator resume --pool gpu")


def test_a_pool_that_was_resumed_is_not_called_paused_though_its_last_pass_found_it_so(two: World) -> None:
    two.registry.record_view(PoolView(pool=DEFAULT_POOL, limited_by=Limit.PAUSED, last_pass_at=NOW))

    assert two.reader.pool(DEFAULT_POOL).view.limited_by is None


def test_a_buffer_that_an_operator_set_is_told(two: World) -> None:
    two.change(Change(buffer=12), GPU)

    assert two.reader.pool(GPU).buffer == 12


# Pools that the settings name no more


def test_a_pool_of_the_database_that_the_settings_do_not_name_is_a_warning_while_it_has_instances(
    two: World,
) -> None:
    two.idle(GPU)
    two.pools = {DEFAULT_POOL: two.pools[DEFAULT_POOL]}
    two.reader = two.reading()
    two.pass_succeeded()

    (notice,) = two.reader.summary().default.view.notices

    assert notice.code == "pool-unknown"
    assert "no pool 'gpu' any more, and nobody looks after its instances (1)" in notice.detail


def test_a_pool_without_instances_may_leave_the_settings_without_a_word(two: World) -> None:
    two.pools = {DEFAULT_POOL: two.pools[DEFAULT_POOL]}
    two.reader = two.reading()
    two.pass_succeeded()

    assert two.codes() == []
