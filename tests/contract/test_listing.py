"""Census.listing on SQLite and on real PostgreSQL: every instance of a pool, however many."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, text

from app.api.base import iso
from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, Instance, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import Listed
from app.registry.catalogue import SqlCatalogue
from app.registry.census import PART, SqlCensus
from app.registry.schema import instances
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.contract.two_pools import GPU, a_registry


@pytest.fixture
def registry(engine: Engine) -> SqlRegistry:
    return a_registry(engine)


@pytest.fixture
def census(registry: SqlRegistry) -> SqlCensus:
    return SqlCensus(registry._transactions)


def parts_of(census: SqlCensus, pool: PoolName = DEFAULT_POOL) -> list[Sequence[Listed]]:
    with census.listing(pool, now=NOW) as found:
        return list(found.parts)


def listed(census: SqlCensus, pool: PoolName = DEFAULT_POOL) -> list[Listed]:
    return [one for part in parts_of(census, pool) for one in part]


def idle(registry: SqlRegistry, pool: PoolName = DEFAULT_POOL, minutes: int = 0) -> InstanceId:
    now = NOW + timedelta(minutes=minutes)
    look = a_look(launched_at=now, zone="us-east-1b")
    registry.discover(pool, look, now=now)
    registry.mark_idle(look.id, "10.0.0.1", 8080, now=now)
    return look.id


def put(engine: Engine, state: InstanceState, count: int) -> None:
    """Put so many instances there, whatever became of them."""
    rows = [
        {
            "id": f"i-{state}-{number:06}",
            "pool": DEFAULT_POOL,
            "state": state.value,
            "state_since": NOW + timedelta(seconds=number),
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(instances), rows)


def as_listed(one: Instance) -> Listed:
    def written(at: Any) -> str | None:
        return None if at is None else iso(at)

    return Listed(
        id=one.id,
        state=one.state.value,
        state_since=iso(one.state_since),
        address=one.address,
        port=one.port,
        zone=one.zone,
        launched_at=written(one.launched_at),
        ready_at=written(one.ready_at),
        held=one.held,
        project=one.project,
        allocated_at=written(one.allocated_at),
        expires_at=written(one.expires_at),
        last_activity_at=written(one.last_activity_at),
    )


def test_of_a_pool_without_instances_there_is_no_part(census: SqlCensus) -> None:
    assert parts_of(census) == []


def test_all_that_is_shown_of_an_instance_is_as_the_registry_has_it(
    registry: SqlRegistry, census: SqlCensus
) -> None:
    idle(registry)
    registry.claim(DEFAULT_POOL, ProjectId("alice"), actor="tester", now=NOW)
    registry.renew(ProjectId("alice"), timedelta(hours=1), policies={}, actor="tester", now=NOW)
    registry.discover(DEFAULT_POOL, a_look(), now=NOW + timedelta(microseconds=1_234_567))
    registry.hold(idle(registry), actor="tester", now=NOW)
    registry.destroy(idle(registry), actor="tester", now=NOW)

    known = registry.instances(DEFAULT_POOL).values()

    assert sorted(listed(census)) == sorted(as_listed(one) for one in known)


def test_the_oldest_state_comes_first(registry: SqlRegistry, census: SqlCensus) -> None:
    last, first, middle = (idle(registry, minutes=minutes) for minutes in (3, 1, 2))

    assert [one.id for one in listed(census)] == [first, middle, last]


def test_what_is_terminated_or_of_another_pool_is_not_listed(
    registry: SqlRegistry, census: SqlCensus, engine: Engine
) -> None:
    put(engine, InstanceState.TERMINATED, 3)
    ours, theirs = idle(registry), idle(registry, GPU)

    assert [one.id for one in listed(census)] == [ours]
    assert [one.id for one in listed(census, GPU)] == [theirs]


def test_many_come_in_parts_of_which_none_is_long(
    registry: SqlRegistry, census: SqlCensus, engine: Engine
) -> None:
    put(engine, InstanceState.BOOTING, 2 * PART + 1)

    found = parts_of(census)

    assert [len(part) for part in found] == [PART, PART, 1]
    assert len({one.id for part in found for one in part}) == 2 * PART + 1


def test_the_figures_are_of_the_same_moment_as_the_list(
    registry: SqlRegistry, census: SqlCensus, engine: Engine
) -> None:
    idle(registry)

    with census.listing(DEFAULT_POOL, now=NOW) as found:
        thread = Thread(target=idle, args=(registry,))
        thread.start()
        thread.join()
        count = sum(len(part) for part in found.parts)

    assert (found.survey.counts[DEFAULT_POOL].total, count) == (1, 1)
    assert len(listed(census)) == 2


@pytest.fixture
def cut_off(engine: Engine) -> Callable[[], None]:
    """Break the connection of the transaction that has begun last."""
    begun: list[Connection] = []
    event.listen(engine, "begin", begun.append)

    def cut() -> None:
        driver: Any = begun[-1].connection.dbapi_connection
        if engine.dialect.name == "sqlite":
            driver.interrupt()
        else:
            driver.close()

    return cut


def test_a_database_that_fails_in_the_middle_is_told_and_not_taken_for_the_end(
    registry: SqlRegistry, census: SqlCensus, engine: Engine, cut_off: Callable[[], None]
) -> None:
    put(engine, InstanceState.BOOTING, 2 * PART)

    def cut_off_after_the_first_part() -> None:
        with census.listing(DEFAULT_POOL, now=NOW) as found:
            assert len(next(found.parts)) == PART
            cut_off()
            next(found.parts)

    with pytest.raises(RegistryUnavailable):
        cut_off_after_the_first_part()

    assert len(listed(census)) == 2 * PART


@pytest.mark.parametrize(
    "read",
    [
        lambda transactions: SqlCensus(transactions).survey(now=NOW),
        lambda transactions: parts_of(SqlCensus(transactions)),
        lambda transactions: SqlCatalogue(transactions).instances(limit=5),
        lambda transactions: SqlCatalogue(transactions).instances(pool=DEFAULT_POOL, limit=5),
        lambda transactions: SqlCatalogue(transactions).instances(after=InstanceId("i-0"), limit=5),
    ],
    ids=["counts", "list", "page of all pools", "page of one", "page after another"],
)
def test_what_was_terminated_is_not_read(
    registry: SqlRegistry, engine: Engine, read: Callable[[Transactions], object]
) -> None:
    put(engine, InstanceState.TERMINATED, 5_000)
    put(engine, InstanceState.BOOTING, 20)
    if engine.dialect.name == "postgresql":  # which does it by itself; nobody does on SQLite
        with engine.begin() as connection:
            connection.execute(text("ANALYZE"))
    said: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *heard: said.append((heard[2], heard[3])))

    read(registry._transactions)

    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    for statement, values in [one for one in said if "FROM instances" in one[0]]:
        with engine.connect() as connection:
            plan = str(connection.exec_driver_sql(explain + statement, values).all())
        assert "instances_by_state" in plan, plan
        assert not any(whole in plan for whole in ("SCAN instances", "Seq Scan on instances")), plan
