"""The connection that is kept to settle batches on PostgreSQL: also where the server ends it meanwhile."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from app.registry import straight
from app.registry.database import open_database
from app.registry.writer import Writer
from tests.waiting import until

_ADD = "INSERT INTO waiting (project, pool, until) VALUES (%s, 'default', '2026-01-01')"


def add(tx: Connection, name: str) -> None:
    straight.execute(tx, _ADD, (name,))


@pytest.fixture
def url(a_postgres_registry: Callable[[], str]) -> str:
    return a_postgres_registry()


@pytest.fixture
def on_postgresql(url: str) -> Iterator[Engine]:
    opened = open_database(url)
    yield opened
    opened.dispose()


@pytest.fixture
def outside(url: str) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """Somebody else in the same database."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def server_process(tx: Connection) -> int:
    found: int = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return found


def test_it_is_kept_and_each_transaction_counts(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})
    used, seen = [], []

    for name in ("a", "b"):
        with writer.begin() as tx:
            used.append(server_process(tx))
            add(tx, name)
        seen.append(outside.execute("SELECT count(*) FROM waiting").fetchone())

    assert used[0] == used[1]
    assert seen == [(1,), (2,)]


def test_a_plan_made_for_a_small_table_does_not_outlive_its_growth(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})

    def plan() -> str:
        with writer.begin() as tx:
            return "\n".join(tx.execute(text("EXPLAIN EXECUTE held ('p')")).scalars())

    with writer.begin() as tx:
        tx.execute(text("SET plan_cache_mode = force_generic_plan"))
        tx.execute(text("CREATE TABLE small (project text)"))
        tx.execute(text("CREATE INDEX ON small (project)"))
        tx.execute(text("INSERT INTO small VALUES ('p')"))
        tx.execute(text("ALTER TABLE small SET (autovacuum_enabled = off)"))
        tx.execute(text("ANALYZE small"))
        tx.execute(text("PREPARE held (text) AS SELECT project FROM small WHERE project = $1"))
    assert "Seq Scan" in plan()
    outside.execute("INSERT INTO small SELECT 'q' || n FROM generate_series(1, 20000) AS n")
    assert "Seq Scan" in plan()

    plans = [plan() for _ in range(2)]

    assert "Seq Scan" not in plans[-1]


def test_one_whose_server_ended_it_meanwhile_is_replaced_and_nobody_notices(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})
    with writer.begin() as tx:
        before = server_process(tx)
    outside.execute("SELECT pg_terminate_backend(%s, 10000)", [before])

    with writer.begin() as tx:
        assert server_process(tx) != before


def test_where_it_is_found_dead_no_other_of_its_age_is_used_either(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})
    with writer.begin() as tx, on_postgresql.connect() as other:
        kept, lent = server_process(tx), server_process(other)
    outside.execute("SELECT pg_terminate_backend(%s, 10000)", [kept])

    with writer.begin() as tx, on_postgresql.connect() as other:
        assert {server_process(tx), server_process(other)}.isdisjoint({kept, lent})


def test_where_another_is_found_dead_it_is_replaced_as_well(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})
    with writer.begin() as tx, on_postgresql.connect() as other:
        kept, lent = server_process(tx), server_process(other)
    outside.execute("SELECT pg_terminate_backend(%s, 10000)", [lent])
    with on_postgresql.connect():
        pass

    with writer.begin() as tx:
        assert server_process(tx) != kept


def test_one_that_is_lost_in_the_middle_is_an_error_and_then_it_goes_on(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})

    with pytest.raises(OperationalError) as lost, writer.begin() as tx:
        end(tx, outside)

    assert lost.value.connection_invalidated
    with writer.begin() as tx:
        add(tx, "a")
    assert outside.execute("SELECT project FROM waiting").fetchall() == [("a",)]


def end(tx: Connection, outside: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Have the server end this connection in the middle of its transaction."""
    straight.execute(tx, "SELECT 1", ())
    outside.execute("SELECT pg_terminate_backend(%s, 10000)", [server_process(tx)])


def test_none_that_is_lost_is_replaced_in_the_middle(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})

    with pytest.raises(SQLAlchemyError), writer.begin() as tx:
        go_on_without_it(tx, outside)

    assert outside.execute("SELECT project FROM waiting").fetchall() == []


def go_on_without_it(tx: Connection, outside: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Lose the connection, and write the other half all the same."""
    (process,) = straight.execute(tx, "SELECT pg_backend_pid()", ()).fetchone()
    outside.execute("SELECT pg_terminate_backend(%s, 10000)", [process])
    with suppress(OperationalError):
        add(tx, "one half")
    add(tx, "other half")


def test_what_the_database_refuses_left_nothing_and_the_next_one_counts(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})

    with pytest.raises(IntegrityError), writer.begin() as tx:
        add_twice(tx)
    with writer.begin() as tx:
        add(tx, "b")

    assert outside.execute("SELECT project FROM waiting").fetchall() == [("b",)]


def add_twice(tx: Connection) -> None:
    add(tx, "a")
    add(tx, "a")


def test_two_that_write_at_a_time_leave_one_connection(on_postgresql: Engine) -> None:
    writer = Writer(on_postgresql, {})

    with writer.begin() as tx, writer.begin() as other:
        assert server_process(tx) != server_process(other)

    assert on_postgresql.pool.checkedout() == 1  # type: ignore[attr-defined]


def test_it_ends_with_its_engine(
    on_postgresql: Engine, outside: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    writer = Writer(on_postgresql, {})
    with writer.begin() as tx:
        kept = server_process(tx)

    on_postgresql.dispose()

    ended = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
    until(lambda: outside.execute(ended, [kept]).fetchone() == (True,))


def test_a_forked_child_shares_no_connection_with_its_parent(on_postgresql: Engine) -> None:
    writer = Writer(on_postgresql, {})
    of_parent = two_connections(writer, on_postgresql)
    child = os.fork()
    if not child:
        shared = -1
        try:
            for _ in range(2):
                of_child = two_connections(writer, on_postgresql)
            shared = len(of_parent & of_child)
        finally:
            os._exit(shared)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert two_connections(writer, on_postgresql) == of_parent


def two_connections(writer: Writer, engine: Engine) -> set[int]:
    """Use the one that is kept, and one beside it."""
    with writer.begin() as tx, engine.connect() as other:
        return {server_process(tx), server_process(other)}
