"""What a connection costs beside its statements: who is lent, who is asked before, and what is sent."""

import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.domain.model import DEFAULT_POOL
from app.registry.database import open_database
from app.registry.postgresql import LIMITS, BoundedConnection, Limits
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests import postgres
from tests.builders import NOW, a_look
from tests.databases import as_owner
from tests.postgres import Server
from tests.waiting import until

ALWAYS, NEVER = replace(LIMITS, unused=0.0), replace(LIMITS, unused=3600.0)
"""A connection is asked before each use, or only where something came on it."""

SELECT = text("SELECT 1")


@pytest.fixture
def url(a_postgres_registry: Callable[[], str]) -> str:
    return a_postgres_registry()


@contextmanager
def transactions(url: str, limits: Limits = NEVER, connections: int = 1) -> Iterator[Transactions]:
    opened = Transactions(open_database(url, connections=connections, limits=limits))
    try:
        yield opened
    finally:
        opened.close()


def answers(engine: Engine, file: Path, use: Callable[[], object]) -> int:
    """How many answers the use waits for, on an engine of one connection."""
    use()  # whatever is done for the first time only
    driver = driver_of(engine)
    with file.open("wb") as trace:
        driver.pgconn.trace(trace.fileno())
        use()
        driver.pgconn.untrace()
    return file.read_text(errors="replace").count("ReadyForQuery")


def driver_of(engine: Engine) -> psycopg.Connection[Any]:
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        return driver


def backend(tx: Connection) -> int:
    driver = tx.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver.info.backend_pid


def backend_of(opened: Transactions) -> int:
    with opened.looking() as tx:
        return backend(tx)


# What is sent


def test_a_change_waits_for_its_begin_its_statements_and_its_commit(url: str, tmp_path: Path) -> None:
    with transactions(url) as opened:

        def change() -> None:
            with opened.exclusively() as tx:
                tx.execute(SELECT)
                tx.execute(SELECT)

        assert answers(opened.engine, tmp_path / "trace", change) == 1 + 2 + 1


def test_a_look_waits_for_its_statements_alone(url: str, tmp_path: Path) -> None:
    with transactions(url) as opened:

        def look() -> None:
            with opened.looking() as tx:
                tx.execute(SELECT)
                tx.execute(SELECT)

        assert answers(opened.engine, tmp_path / "trace", look) == 2


def test_what_is_changed_after_a_look_on_the_same_connection_is_changed_whole_or_not_at_all(url: str) -> None:
    with transactions(url) as opened:
        registry = SqlRegistry(opened)
        registry.view(DEFAULT_POOL)
        with pytest.raises(RuntimeError, match="in the middle"):
            _fail_in_the_middle(opened)

        with opened.looking() as tx:
            assert tx.execute(text("SELECT count(*) FROM pools")).scalar_one() == 0


def _fail_in_the_middle(opened: Transactions) -> None:
    with opened.exclusively() as tx:
        tx.execute(text("INSERT INTO pools (name, notices) VALUES ('half', '[]')"))
        raise RuntimeError("in the middle")


def test_a_look_at_one_moment_sees_one_after_a_look_that_does_not(url: str) -> None:
    with transactions(url, connections=2) as opened:
        registry = SqlRegistry(opened)
        registry.view(DEFAULT_POOL)
        count = text("SELECT count(*) FROM instances")
        with opened.looking(at_one_moment=True) as tx:
            before = tx.execute(count).scalar_one()
            registry.discover(DEFAULT_POOL, a_look(), now=NOW)

            assert tx.execute(count).scalar_one() == before


# Who is asked before it is lent


def test_a_connection_that_lay_unused_is_asked_before_it_is_lent(url: str, tmp_path: Path) -> None:
    with transactions(url, ALWAYS) as opened:

        def look() -> None:
            with opened.looking() as tx:
                tx.execute(SELECT)

        assert answers(opened.engine, tmp_path / "trace", look) == 1 + 1


def test_a_connection_that_was_told_something_is_kept(url: str) -> None:
    with transactions(url) as opened:
        before = backend_of(opened)
        driver = driver_of(opened.engine)
        driver.execute("LISTEN something")
        driver.commit()
        with transactions(url) as other, other.exclusively() as tx:
            tx.execute(text("NOTIFY something"))
        until(lambda: _is_readable(driver))

        assert backend_of(opened) == before
        assert not _is_readable(driver)


def _is_readable(driver: psycopg.Connection[Any]) -> bool:
    with socket.socket(fileno=socket.dup(driver.fileno())) as view:
        view.setblocking(False)
        try:
            return bool(view.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that the tests here stop; each leaves it running."""
    with postgres.a_server_of_ones_own() as running:
        yield running


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in good order", "in a crash"])
def test_connections_whose_server_ended_are_replaced_without_a_failure_though_none_is_asked(
    server: Server, how: signal.Signals
) -> None:
    url = server.new_database(f"test_{secrets.token_hex(6)}")
    with transactions(url, NEVER, connections=3) as opened:
        before = _backends(opened.engine, 3)

        server.restart(how)

        assert not before & _backends(opened.engine, 3)


def test_a_connection_that_was_ended_by_itself_is_replaced_without_a_failure(url: str) -> None:
    with transactions(url) as opened:
        before = backend_of(opened)
        driver = driver_of(opened.engine)
        with as_owner(url) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", (before,))
        until(lambda: _is_readable(driver))

        assert backend_of(opened) != before


def _backends(engine: Engine, count: int) -> set[int]:
    """Lend so many connections at once, and say who serves them."""
    lent = [engine.connect() for _ in range(count)]
    try:
        return {connection.execute(text("SELECT pg_backend_pid()")).scalar_one() for connection in lent}
    finally:
        for connection in lent:
            connection.close()


def test_a_connection_that_does_not_answer_when_it_is_asked_is_an_error_of_the_pool(server: Server) -> None:
    url = server.new_database(f"test_{secrets.token_hex(6)}")
    with transactions(url, ALWAYS) as opened:
        backend_of(opened)
        driver = driver_of(opened.engine)
        assert isinstance(driver, BoundedConnection)
        driver.silence = 0.2  # not sooner, so that all before may take its time
        with server.frozen(), pytest.raises(SQLAlchemyError):
            opened.engine.connect()


# Who is lent


def test_the_connection_that_was_used_last_is_lent_again(registry_url: str) -> None:
    engine = open_database(registry_url, connections=3)
    try:
        lent = [engine.connect() for _ in range(3)]
        last = lent[1].connection.driver_connection
        for connection in (lent[0], lent[2], lent[1]):
            connection.close()

        with engine.connect() as again:
            assert again.connection.driver_connection is last
    finally:
        engine.dispose()
