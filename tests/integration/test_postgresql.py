"""The limits of PostgreSQL's connections: each wait has an end, and a migration has none."""

import itertools
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.errors import RegistryUnavailable, RegistryUnusable
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState
from app.registry.database import open_database
from app.registry.postgresql import LIMITS, Limits, unreachable
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.databases import line, plainly, python
from tests.waiting import until

IMPATIENT = Limits(pool=0.2, statement=1.0, lock=0.5, silence=2.0)
"""Short, so that no test waits long, and in the same order as those that serve; but for a busy machine."""
PATIENT = LIMITS.without_hurry()


@pytest.fixture
def url(a_postgres_registry: Callable[[], str]) -> str:
    return a_postgres_registry()


@contextmanager
def opened(url: str, limits: Limits = LIMITS, connections: int = 2) -> Iterator[Engine]:
    engine = open_database(url, connections=connections, limits=limits)
    try:
        yield engine
    finally:
        engine.dispose()


def setting(engine: Engine, name: str) -> tuple[str, str]:
    with engine.connect() as connection:
        query = text("SELECT setting, source FROM pg_settings WHERE name = :name")
        value, source = connection.execute(query, {"name": name}).one()
        return value, source


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "3000"),
        ("lock_timeout", "2000"),
        ("idle_in_transaction_session_timeout", "5000"),
        ("TimeZone", "UTC"),
        ("tcp_keepalives_idle", "30"),
    ],
)
def test_what_a_connection_keeps_is_set_by_a_statement_and_not_by_a_startup_option(
    url: str, name: str, value: str
) -> None:
    with opened(url) as engine:
        assert setting(engine, name) == (value, "session")
        assert setting(engine, name) == (value, "session")  # the first was rolled back


def test_the_answer_to_a_statement_is_waited_for_longer_than_the_statement_may_take() -> None:
    assert LIMITS.statement is not None
    assert LIMITS.lock is not None
    assert LIMITS.silence is not None
    assert LIMITS.lock < LIMITS.statement < LIMITS.silence


# Rows that somebody sits on


@contextmanager
def held(url: str, instance: InstanceId) -> Iterator[None]:
    """Somebody else has locked the row of an instance while the block runs."""
    with plainly(url) as other:
        other.execute(text("SELECT 1 FROM instances WHERE id = :id FOR UPDATE"), {"id": instance})
        yield


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(replace(IMPATIENT, statement=None, silence=None), id="lock"),
        pytest.param(replace(IMPATIENT, lock=None, silence=None), id="statement"),
        pytest.param(replace(IMPATIENT, statement=None, lock=None), id="silence"),
    ],
)
def test_a_wait_for_a_row_that_somebody_holds_ends_and_nothing_has_changed(url: str, limits: Limits) -> None:
    look = a_look()
    with opened(url, PATIENT) as engine, opened(url, limits) as impatient:
        registry = SqlRegistry(Transactions(engine))
        registry.discover(DEFAULT_POOL, look, now=NOW)

        with held(url, look.id), pytest.raises(RegistryUnavailable):
            SqlRegistry(Transactions(impatient)).destroy(look.id, actor="tester", now=NOW)

        assert registry.instances(DEFAULT_POOL)[look.id].state is InstanceState.BOOTING
        registry.destroy(look.id, actor="tester", now=NOW)


def test_who_sits_on_a_row_is_no_reason_to_spare_the_database(url: str) -> None:
    look = a_look()
    with opened(url, replace(PATIENT, lock=0.2)) as engine:
        registry = SqlRegistry(Transactions(engine))
        registry.discover(DEFAULT_POOL, look, now=NOW)
        with held(url, look.id), pytest.raises(RegistryUnavailable):
            registry.destroy(look.id, actor="tester", now=NOW)

        registry.view(DEFAULT_POOL)


def test_a_client_that_was_cut_off_in_a_transaction_holds_its_rows_for_a_short_time_only(url: str) -> None:
    look = a_look()
    with opened(url, replace(PATIENT, idle_in_transaction=1.0)) as cut_off, opened(url, PATIENT) as engine:
        registry = SqlRegistry(Transactions(engine))
        registry.discover(DEFAULT_POOL, look, now=NOW)
        with pytest.raises(RegistryUnavailable):
            _sit_on_it(
                SqlRegistry(Transactions(cut_off)), lambda: registry.destroy(look.id, actor="tester", now=NOW)
            )

        assert registry.instances(DEFAULT_POOL)[look.id].state is InstanceState.TERMINATING


def _sit_on_it(registry: SqlRegistry, meanwhile: Callable[[], object]) -> None:
    with registry._exclusively() as tx:
        tx.execute(text("UPDATE instances SET zone = 'nowhere'"))
        meanwhile()  # has to wait until the server ends our transaction
        tx.execute(text("SELECT 1"))


# Silence


def test_a_connection_on_which_nothing_is_said_is_closed_and_another_one_made(url: str) -> None:
    with opened(url, replace(IMPATIENT, statement=None), connections=1) as engine:
        with pytest.raises(OperationalError, match="the server said nothing") as silent, engine.begin() as tx:
            tx.execute(text("SELECT pg_sleep(60)"))
        with engine.begin() as tx:
            assert tx.execute(text("SELECT 1")).scalar_one() == 1

    assert silent.value.connection_invalidated
    assert unreachable(silent.value)


@pytest.mark.parametrize("wait", ["wait_c", "wait_poll", "wait_select", "wait_selector"])
def test_each_way_in_which_the_driver_waits_has_an_end(url: str, wait: str) -> None:
    program = """
import sys
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from app.registry.database import open_database
from app.registry.postgresql import Limits
engine = open_database(sys.argv[1], limits=Limits(statement=None, silence=1.0))
try:
    with engine.begin() as tx:
        tx.execute(text("SELECT pg_sleep(60)"))
except OperationalError as error:
    print(error.orig, error.connection_invalidated)
engine.dispose()
"""
    process = python(program, url, PSYCOPG_WAIT_FUNC=wait)

    assert line(process) == "the server said nothing for 1 s True"
    assert process.communicate(timeout=30) == ("", "")


def test_a_wait_with_an_end_of_its_own_leaves_the_connection_open(url: str) -> None:
    with opened(url, replace(PATIENT, silence=1.0)) as engine, engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)

        assert list(driver.notifies(timeout=1.5)) == []

        assert not driver.closed


def test_a_server_that_takes_a_connection_and_never_answers_is_refused_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = monotonic()
        with pytest.raises(RegistryUnusable, match="connection timeout expired"):
            open_database(f"postgresql+psycopg://me@127.0.0.1:{mute.getsockname()[1]}/pool")

        assert monotonic() - began < 8 * LIMITS.connect
        assert comers(mute) == 1  # the one who waited for two seconds, and no other


def comers(server: socket.socket) -> int:
    """How many have come to a server that never looked after them."""
    server.setblocking(False)
    for count in itertools.count():
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
    raise AssertionError


def test_an_option_in_the_url_that_the_driver_cannot_use_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(RegistryUnusable, match="cannot be opened as its URL says: "):
        open_database(f"{url}?prepare_threshold=0")


def test_a_connection_that_others_have_is_waited_for_a_short_time(url: str) -> None:
    with opened(url, IMPATIENT, connections=1) as engine, engine.connect():
        began = monotonic()
        with pytest.raises(PoolTimeout) as full:
            engine.connect()

        assert monotonic() - began < 20  # of the thirty seconds that nobody has asked for
        assert unreachable(full.value)


def test_a_statement_that_is_refused_is_no_outage(url: str) -> None:
    with opened(url) as engine:
        with pytest.raises(DBAPIError) as refused, engine.begin() as tx:
            tx.execute(text("SELECT nonsense"))

        assert not unreachable(refused.value)


# Failover


def test_a_connection_to_a_server_that_is_only_a_standby_now_is_given_up(url: str) -> None:
    look = a_look()
    with opened(url, connections=1) as engine:
        registry = SqlRegistry(Transactions(engine))
        with engine.begin() as connection:
            connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        with pytest.raises(RegistryUnavailable):
            registry.discover(DEFAULT_POOL, look, now=NOW)

        assert registry.discover(DEFAULT_POOL, look, now=NOW)


# Migrations


def test_a_migration_is_not_cut_off_however_long_it_waits(a_postgres_database: Callable[[], str]) -> None:
    url = a_postgres_database()
    with ThreadPoolExecutor(1) as thread:
        with plainly(url) as other:
            other.execute(text("SELECT pg_advisory_xact_lock(7305411823)"))
            second = thread.submit(open_database, url, limits=IMPATIENT)
            until(lambda: _waits_for_long(url) or second.done(), what="the migration to wait")
            assert not second.done()
        engine = second.result(timeout=30)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pools")).scalar_one() == 0
    engine.dispose()


def _waits_for_long(url: str) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = :name "
        "AND clock_timestamp() - query_start > interval '2.5 s'"
    )
    engine = create_engine(url)
    with engine.connect() as connection:
        found: int = connection.execute(text(query), {"name": make_url(url).database}).scalar_one()
    engine.dispose()
    return found > 0


def test_a_database_that_is_up_to_date_is_opened_while_a_newer_version_migrates_it(url: str) -> None:
    with opened(url):
        pass
    with plainly(url) as newer:
        newer.execute(text("SELECT pg_advisory_xact_lock(7305411823)"))
        newer.execute(text("UPDATE alembic_version SET version_num = '9999'"))

        with opened(url, IMPATIENT) as engine:
            SqlRegistry(Transactions(engine)).view(DEFAULT_POOL)
