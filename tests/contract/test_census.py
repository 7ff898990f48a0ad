"""The Census contract on SQLite and on real PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from app.domain.counting import Count, counted
from app.domain.errors import PoolExhausted
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import Census
from app.registry.census import SqlCensus
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look

GPU = PoolName("gpu")


@pytest.fixture
def registry(engine: Engine) -> SqlRegistry:
    transactions = Transactions(engine)
    belong_to(transactions, {pool: Owner(pool, "eu-west-1") for pool in (DEFAULT_POOL, GPU)})
    return SqlRegistry(transactions)


@pytest.fixture
def census(registry: SqlRegistry) -> Census:
    return SqlCensus(registry._transactions)


def booting(registry: SqlRegistry, pool: PoolName = DEFAULT_POOL) -> InstanceId:
    look = a_look()
    registry.discover(pool, look, now=NOW)
    return look.id


def idle(registry: SqlRegistry, pool: PoolName = DEFAULT_POOL) -> InstanceId:
    instance = booting(registry, pool)
    registry.mark_idle(instance, "10.0.0.1", 8080, now=NOW)
    return instance


def hold(registry: SqlRegistry, instance: InstanceId) -> None:
    registry.hold(instance, until=None, reason=None, actor="tester", now=NOW)


def test_pools_without_instances_are_left_out(census: Census) -> None:
    assert census.count() == {}


def test_each_pool_is_counted_by_state(registry: SqlRegistry, census: Census) -> None:
    idle(registry)
    idle(registry)
    booting(registry)
    idle(registry, GPU)
    registry.claim(GPU, ProjectId("alice"), actor="tester", now=NOW)
    registry.destroy(booting(registry, GPU), actor="tester", now=NOW)

    assert census.count() == {
        DEFAULT_POOL: Count({InstanceState.IDLE: 2, InstanceState.BOOTING: 1}),
        GPU: Count({InstanceState.ALLOCATED: 1, InstanceState.TERMINATING: 1}),
    }


def test_terminated_instances_are_not_counted(registry: SqlRegistry, census: Census) -> None:
    gone = booting(registry)
    registry.end(
        gone, expect=InstanceState.BOOTING, to=InstanceState.TERMINATED, reason=EndReason.VANISHED, now=NOW
    )

    assert census.count() == {}


def test_what_a_hold_keeps_from_projects_is_counted_as_held_alone(
    registry: SqlRegistry, census: Census
) -> None:
    for instance in (idle(registry), booting(registry), idle(registry, GPU)):
        hold(registry, instance)
    idle(registry)

    assert census.count() == {DEFAULT_POOL: Count({InstanceState.IDLE: 1}, held=2), GPU: Count({}, held=1)}


def test_what_a_project_has_and_what_is_going_is_counted_by_its_state_on_hold_too(
    registry: SqlRegistry, census: Census
) -> None:
    idle(registry)
    claimed = registry.claim(DEFAULT_POOL, ProjectId("alice"), actor="tester", now=NOW)
    hold(registry, claimed.allocation.instance)
    going = idle(registry)
    hold(registry, going)
    registry.destroy(going, actor="tester", now=NOW)

    assert census.count() == {DEFAULT_POOL: Count({InstanceState.ALLOCATED: 1, InstanceState.TERMINATING: 1})}


def test_the_database_counts_as_we_do(registry: SqlRegistry, census: Census) -> None:
    for make in (booting, idle):
        hold(registry, make(registry))
        make(registry)

    assert census.count() == {DEFAULT_POOL: counted(registry.instances(DEFAULT_POOL).values())}


def test_a_pool_that_nobody_names_any_more_is_counted(registry: SqlRegistry, census: Census) -> None:
    booting(registry, GPU)

    assert set(census.count()) == {GPU}


def test_who_waits_is_counted_for_each_pool(registry: SqlRegistry, census: Census) -> None:
    for pool, project in ((DEFAULT_POOL, "one"), (DEFAULT_POOL, "two"), (GPU, "three")):
        with pytest.raises(PoolExhausted):
            registry.claim(pool, ProjectId(project), actor="tester", now=NOW)

    assert census.waiting(now=NOW) == {DEFAULT_POOL: 2, GPU: 1}
    assert census.waiting(now=NOW + timedelta(hours=1)) == {}


def test_who_got_an_instance_meanwhile_waits_no_more(registry: SqlRegistry, census: Census) -> None:
    project = ProjectId("one")
    with pytest.raises(PoolExhausted):
        registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW)
    idle(registry)
    registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW)

    assert census.waiting(now=NOW) == {}
