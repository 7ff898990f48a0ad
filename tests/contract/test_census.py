"""The Census contract on SQLite and on real PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.domain.controls import Change, Controls
from app.domain.counting import Count, counted
from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    Group,
    InstanceId,
    InstanceState,
    Limit,
    Notice,
    PoolName,
    PoolView,
    ProjectId,
)
from app.ports import Census
from app.registry.census import SqlCensus
from app.registry.controls import SqlControls
from app.registry.database import open_database
from app.registry.leases import SqlLeases
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.contract.two_pools import GPU, a_registry
from tests.fake_clock import FakeClock


@pytest.fixture
def registry(engine: Engine) -> SqlRegistry:
    return a_registry(engine)


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


def counts(census: Census) -> Mapping[PoolName, Count]:
    return census.survey(now=NOW).counts


def launches(census: Census) -> Mapping[PoolName, Sequence[timedelta]]:
    return census.survey(now=NOW).launches


def hold(registry: SqlRegistry, instance: InstanceId) -> None:
    registry.hold(instance, actor="tester", now=NOW)


def test_the_launch_times_of_each_pool_are_told(engine: Engine, census: Census) -> None:
    clock = FakeClock()
    registry = SqlRegistry(Transactions(engine, clock=lambda _: clock.now()))
    for pool, took in ((DEFAULT_POOL, 40), (GPU, 90), (DEFAULT_POOL, 50)):
        look = a_look(launched_at=clock.now())
        registry.discover(pool, look, now=clock.now())
        clock.advance(took)
        registry.mark_idle(look.id, "10.0.0.1", 8080, now=clock.now())

    seconds = {pool: [one.total_seconds() for one in those] for pool, those in launches(census).items()}
    assert seconds == {DEFAULT_POOL: [40, 50], GPU: [90]}


def test_pools_without_instances_are_left_out(census: Census) -> None:
    assert counts(census) == {}


def test_each_pool_is_counted_by_state(registry: SqlRegistry, census: Census) -> None:
    idle(registry)
    idle(registry)
    booting(registry)
    idle(registry, GPU)
    registry.claim(GPU, ProjectId("alice"), actor="tester", now=NOW)
    registry.destroy(booting(registry, GPU), actor="tester", now=NOW)

    assert counts(census) == {
        DEFAULT_POOL: Count({InstanceState.IDLE: 2, InstanceState.BOOTING: 1}),
        GPU: Count({InstanceState.ALLOCATED: 1, InstanceState.TERMINATING: 1}),
    }


def test_terminated_instances_are_not_counted(registry: SqlRegistry, census: Census) -> None:
    gone = booting(registry)
    registry.end(
        gone, expect=InstanceState.BOOTING, to=InstanceState.TERMINATED, reason=EndReason.VANISHED, now=NOW
    )

    assert counts(census) == {}


def test_what_a_hold_keeps_from_projects_is_counted_as_held_alone(
    registry: SqlRegistry, census: Census
) -> None:
    for instance in (idle(registry), booting(registry), idle(registry, GPU)):
        hold(registry, instance)
    idle(registry)

    assert counts(census) == {DEFAULT_POOL: Count({InstanceState.IDLE: 1}, held=2), GPU: Count({}, held=1)}


def test_what_a_project_has_and_what_is_going_is_counted_by_its_state_on_hold_too(
    registry: SqlRegistry, census: Census
) -> None:
    idle(registry)
    claimed = registry.claim(DEFAULT_POOL, ProjectId("alice"), actor="tester", now=NOW)
    hold(registry, claimed.allocation.instance)
    going = idle(registry)
    hold(registry, going)
    registry.destroy(going, actor="tester", now=NOW)

    assert counts(census) == {DEFAULT_POOL: Count({InstanceState.ALLOCATED: 1, InstanceState.TERMINATING: 1})}


def test_the_database_counts_as_we_do(registry: SqlRegistry, census: Census) -> None:
    for make in (booting, idle):
        hold(registry, make(registry))
        make(registry)

    assert counts(census) == {DEFAULT_POOL: counted(registry.instances(DEFAULT_POOL).values())}


def test_a_pool_that_nobody_names_any_more_is_counted(registry: SqlRegistry, census: Census) -> None:
    booting(registry, GPU)

    assert set(counts(census)) == {GPU}


def test_who_waits_is_counted_for_each_pool(registry: SqlRegistry, census: Census) -> None:
    for pool, project in ((DEFAULT_POOL, "one"), (DEFAULT_POOL, "two"), (GPU, "three")):
        with pytest.raises(PoolExhausted):
            registry.claim(pool, ProjectId(project), actor="tester", now=NOW)

    assert census.survey(now=NOW).waiting == {DEFAULT_POOL: 2, GPU: 1}
    assert census.survey(now=NOW + timedelta(hours=1)).waiting == {}


def test_who_got_an_instance_meanwhile_waits_no_more(registry: SqlRegistry, census: Census) -> None:
    project = ProjectId("one")
    with pytest.raises(PoolExhausted):
        registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW)
    idle(registry)
    registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW)

    assert census.survey(now=NOW).waiting == {}


def test_what_the_last_passes_learnt_is_told_of_every_pool(registry: SqlRegistry, census: Census) -> None:
    view = PoolView(
        pool=GPU,
        group=Group(desired=7, min_size=1, max_size=20),
        limited_by=Limit.MAX_SIZE,
        notices=(Notice(code="dark", detail="No moon."),),
        last_pass_at=NOW,
        last_attempt_at=NOW + timedelta(seconds=1),
    )
    registry.record_view(view)

    assert census.survey(now=NOW).views == {DEFAULT_POOL: PoolView(pool=DEFAULT_POOL), GPU: view}


def test_what_operators_said_is_told_of_every_pool(registry: SqlRegistry, census: Census) -> None:
    panel = SqlControls(registry._transactions)
    changed = panel.change(
        GPU, Change(paused=True, buffer=9), configured=5, expect=None, actor="ann", now=NOW
    )

    assert census.survey(now=NOW).controls == {DEFAULT_POOL: Controls(pool=DEFAULT_POOL), GPU: changed}


def test_who_leads_is_told(registry: SqlRegistry, census: Census) -> None:
    assert census.survey(now=NOW).leader is None

    lease = SqlLeases(registry._transactions).take("one", timedelta(minutes=1))

    assert census.survey(now=NOW).leader == lease


def test_a_term_that_is_over_is_nobodys(registry: SqlRegistry, census: Census) -> None:
    SqlLeases(registry._transactions).take("one", timedelta())

    assert census.survey(now=NOW).leader is None


def test_many_pools_are_read_in_as_many_statements_as_one(engine: Engine) -> None:
    transactions = Transactions(engine)
    census, begun, said = SqlCensus(transactions), list[object](), list[str]()
    event.listen(engine, "begin", lambda _connection: begun.append(object()))
    event.listen(engine, "before_cursor_execute", lambda *heard: said.append(heard[2]))

    def cost(pools: int) -> tuple[int, int]:
        belong_to(
            transactions,
            {PoolName(f"p{number}"): Owner(f"g{number}", "eu-west-1") for number in range(pools)},
        )
        begun.clear()
        said.clear()
        assert len(census.survey(now=NOW).views) == pools
        return len(begun), len(said)

    assert cost(1) == cost(20) == (1, 7)


def test_what_changes_meanwhile_is_not_told_by_halves(registry: SqlRegistry, engine: Engine) -> None:
    """A pool that was paused and filled while it is read is told as it was when the reading began."""
    transactions = registry._transactions
    panel = SqlControls(transactions)

    def happens() -> None:
        idle(registry)
        panel.change(DEFAULT_POOL, Change(paused=True), configured=5, expect=None, actor="ann", now=NOW)

    said: list[str] = []

    def meanwhile(*heard: Any) -> None:
        said.append(heard[2])
        if len(said) == 1:
            thread = Thread(target=happens)
            thread.start()
            thread.join()

    other = open_database(engine.url.render_as_string(hide_password=False))
    event.listen(other, "after_cursor_execute", meanwhile)
    found = SqlCensus(Transactions(other)).survey(now=NOW)
    other.dispose()

    assert (found.counts, found.controls[DEFAULT_POOL].paused) == ({}, False)
    assert panel.controls(DEFAULT_POOL).paused


def test_a_database_that_does_not_answer_is_told_in_our_words(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE waiting")

    with pytest.raises(RegistryUnavailable):
        SqlCensus(Transactions(engine)).survey(now=NOW)
