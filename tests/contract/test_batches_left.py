"""Batches of claims on SQLite and on real PostgreSQL: what they leave to others, and leave as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, text

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, ProjectId
from app.domain.terms import Terms
from app.registry.database import open_database
from tests.builders import NOW
from tests.contract.batches_world import ALICE, BOB, CAROL, GPU, World, a_claim
from tests.databases import a_registry_in

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_where_somebody_waits_nobody_is_given_anything(world: World) -> None:
    world.idle()
    with_gpu = world.idle(pool=GPU)
    world.enter(CAROL)

    assert world.given(a_claim(ALICE), a_claim(BOB, pool=GPU)) == [None, with_gpu]


def test_who_stands_in_a_line_is_left_to_its_own_claim(world: World) -> None:
    world.idle()
    world.enter(ALICE, GPU)

    assert world.given(a_claim(ALICE)) == [None]


def test_who_holds_an_instance_and_stands_in_a_line_is_left_to_its_own_claim(world: World) -> None:
    world.idle()
    world.holds(ALICE)
    world.enter(ALICE, GPU)

    assert world.given(a_claim(ALICE)) == [None]


@pytest.mark.parametrize("terms", [Terms(ttl=MINUTE), Terms(confirm_within=MINUTE)])
def test_what_is_due_for_an_allocation_is_left_to_its_own_claim(world: World, terms: Terms) -> None:
    world.idle()
    world.idle()
    world.settle(a_claim(ALICE, terms=terms))
    world.clock.advance(MINUTE)
    before = world.everything()

    assert world.given(a_claim(ALICE)) == [None]
    assert world.everything() == before


def test_who_gets_nothing_is_not_counted_here(world: World) -> None:
    assert world.given(a_claim(ALICE)) == [None]

    assert world.registry.waiting(DEFAULT_POOL, now=NOW) == 0
    assert world.registry.events(limit=10) == []


def test_where_somebody_hung_up_nothing_of_the_batch_counts(world: World) -> None:
    world.idle()
    world.idle()
    before = world.everything()

    assert world.given(a_claim(ALICE), a_claim(BOB, wanted=lambda: False)) == [None, None]
    assert world.everything() == before


def test_whether_somebody_hung_up_matters_to_what_is_new_alone(world: World) -> None:
    held = world.idle()
    world.holds(ALICE)

    assert world.given(a_claim(ALICE, wanted=lambda: False)) == [held]


def test_what_the_schema_refuses_leaves_nothing_half_and_each_to_itself(world: World, engine: Engine) -> None:
    world.idle()
    broken = world.idle()
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO allocations (project, pool, instance_id, allocated_at, ended_at, tagged) "
                f"VALUES ('carol', 'default', '{broken}', '{NOW:%F %T}', '{NOW:%F %T}', false)"
            )
        )
    before = world.everything()

    assert world.given(a_claim(ALICE), a_claim(BOB)) == [None, None]
    assert world.everything() == before


def test_an_error_in_the_middle_leaves_nothing_half(world: World, engine: Engine) -> None:
    world.idle()
    world.idle()
    before = world.everything()

    with renamed(engine, "events"), pytest.raises(RegistryUnavailable):
        world.settle(a_claim(ALICE), a_claim(BOB))

    assert world.everything() == before
    assert None not in world.given(a_claim(ALICE), a_claim(BOB))


@contextmanager
def renamed(engine: Engine, table: str) -> Iterator[None]:
    """Have a table missing while the block runs."""
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO away"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE away RENAME TO {table}"))


def test_sqlite_is_asked_as_often_for_eight_as_for_one(tmp_path: Path) -> None:
    engine = open_database(a_registry_in(tmp_path))
    executed: list[str] = []
    event.listen(engine, "connect", lambda driver, _: driver.set_trace_callback(executed.append))
    world = World(engine)
    for _ in range(9):
        world.idle()
    executed.clear()

    world.settle(a_claim(ALICE))
    alone = [statement.split()[0] for statement in executed]
    executed.clear()
    world.settle(*(a_claim(ProjectId(f"project-{number}")) for number in range(8)))

    assert [statement.split()[0] for statement in executed] == alone
    assert alone == ["BEGIN", "SELECT", "UPDATE", "INSERT", "INSERT", "COMMIT"]
    world.registry.close()


# PostgreSQL: whom a batch does not wait for


@pytest.fixture
def url(a_postgres_registry: Callable[[], str]) -> str:
    return a_postgres_registry()


@pytest.fixture
def executed() -> list[str]:
    """Every statement that PostgreSQL is sent, but BEGIN and COMMIT."""
    return []


@pytest.fixture
def on_postgresql(url: str, executed: list[str]) -> Iterator[World]:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **named: Any) -> "Cursor":
            executed.append(query)
            return super().execute(query, *arguments, **named)

    engine = open_database(url)
    event.listen(engine, "connect", lambda driver, _: setattr(driver, "cursor_factory", Cursor))
    world = World(engine)
    yield world
    world.registry.close()


def test_a_project_that_another_transaction_is_concerned_with_keeps_nobody_waiting(
    on_postgresql: World, url: str
) -> None:
    on_postgresql.idle()
    on_postgresql.idle()
    with psycopg.connect(url.replace("+psycopg", "")) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('alice', 0))")

        alices, bobs = on_postgresql.settle(a_claim(ALICE), a_claim(BOB))

    assert alices is None
    assert bobs is not None


def test_an_instance_that_another_transaction_has_locked_is_passed_over(
    on_postgresql: World, url: str
) -> None:
    locked, free = on_postgresql.idle(), on_postgresql.idle(since=MINUTE)
    with psycopg.connect(url.replace("+psycopg", "")) as other:
        other.execute("SELECT FROM instances WHERE id = %s FOR UPDATE", [locked])

        assert on_postgresql.given(a_claim(ALICE), a_claim(BOB)) == [free, None]


def test_a_batch_takes_two_statements_however_many_they_are(
    on_postgresql: World, executed: list[str]
) -> None:
    for _ in range(9):
        on_postgresql.idle()
    executed.clear()

    on_postgresql.settle(a_claim(ALICE))
    alone = len(executed)
    on_postgresql.settle(*(a_claim(ProjectId(f"project-{number}")) for number in range(8)))

    assert (alone, len(executed) - alone) == (2, 2)


def test_however_many_they_are_they_are_committed_once(on_postgresql: World) -> None:
    for _ in range(8):
        on_postgresql.idle()

    on_postgresql.settle(*(a_claim(ProjectId(f"project-{number}")) for number in range(8)))

    with on_postgresql.transactions.looking() as tx:
        transactions = tx.execute(text("SELECT count(DISTINCT xmin::text) FROM allocations")).scalar_one()
    assert transactions == 1


def test_who_holds_what_it_asks_for_takes_one_look(on_postgresql: World, executed: list[str]) -> None:
    on_postgresql.idle()
    on_postgresql.holds(ALICE)
    executed.clear()

    on_postgresql.settle(a_claim(ALICE))

    assert [statement.split()[0] for statement in executed] == ["SELECT"]
