"""Opening a database, and what a database keeps by itself: on SQLite and on real PostgreSQL."""

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.domain.errors import RegistryUnavailable, RegistryUnusable
from app.domain.model import DEFAULT_POOL, PoolView, ProjectId
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.databases import as_owner, go, line, plainly, python
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SECRET = "correct-horse-battery"
ALICE = ProjectId("alice")


def refusal(url: str) -> str:
    """What opening this database is refused with; it must be refused."""
    with pytest.raises(RegistryUnusable) as caught:
        open_database(url)
    return caught.value.detail


@pytest.fixture
def opened(database_url: str) -> str:
    """Name a database that this version has used before."""
    open_database(database_url).dispose()
    return database_url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


# Refusals


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "unable to open" in refusal(f"sqlite:///{tmp_path}")


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("not a folder")

    assert "cannot be made" in refusal(f"sqlite:///{tmp_path}/plain/registry.db")


def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(file: Path) -> None:
    file.write_bytes(b"These are my notes, and by no means a database.\n" * 100)
    before = file.read_bytes()

    assert "not a database" in refusal(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_database_that_may_only_be_read_is_refused(file: Path) -> None:
    open_database(f"sqlite:///{file}").dispose()
    before = file.read_bytes()

    assert "readonly" in refusal(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert file.read_bytes() == before


def test_a_postgresql_database_that_may_only_be_read_is_refused(
    a_postgres_database: Callable[[], str],
) -> None:
    url = a_postgres_database()
    open_database(url).dispose()
    with as_owner(url) as owner:
        owner.execute(f'ALTER DATABASE "{make_url(url).database}" SET default_transaction_read_only = on')

    assert "read-only" in refusal(url)


def test_another_programs_tables_are_refused_and_stay(database_url: str) -> None:
    with plainly(database_url) as connection:
        connection.execute(text("CREATE TABLE events (what TEXT)"))
        connection.execute(text("INSERT INTO events VALUES ('theirs')"))

    assert "tables of another program" in refusal(database_url)
    with plainly(database_url) as connection:
        assert connection.execute(text("SELECT what FROM events")).scalar_one() == "theirs"


def test_another_programs_file_is_left_as_it_was(file: Path) -> None:
    with _file(file) as database:
        database.execute("CREATE TABLE events (what TEXT)")
    before = file.read_bytes()

    refusal(f"sqlite:///{file}")

    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:pool?mode=memory&uri=true",
    ],
)
def test_a_database_in_memory_is_refused(url: str) -> None:
    assert "memory" in refusal(url)


@pytest.mark.parametrize("driver", ["mysql", "postgresql+asyncpg", "postgresql", "oracle"])
def test_a_database_that_we_do_not_know_is_refused(driver: str) -> None:
    assert "not supported" in refusal(f"{driver}://user:{SECRET}@127.0.0.1/pool")


def test_a_server_that_is_not_there_is_refused() -> None:
    assert "127.0.0.1" in refusal("postgresql+psycopg://user@127.0.0.1:1/pool")


def test_a_database_that_is_not_there_is_refused(a_postgres_database: Callable[[], str]) -> None:
    assert "does not exist" in refusal(f"{a_postgres_database()}_not")


def test_a_wrong_password_is_refused(a_postgres_database: Callable[[], str]) -> None:
    url = make_url(a_postgres_database())
    with _a_login(url.render_as_string(hide_password=False)) as role:
        wrong = url.set(username=role, password="wrong").render_as_string(hide_password=False)

        assert "password authentication failed" in refusal(wrong)


UNUSABLE = [
    f"postgresql+psycopg://user:{SECRET}@127.0.0.1:1/pool",
    f"postgresql+psycopg://user:{SECRET}@127.0.0.1:port/pool",
    f"postgresql+psycopg:/user:{SECRET}@127.0.0.1/pool",
    f"mysql://user:{SECRET}@127.0.0.1/pool",
    f"user:{SECRET}@127.0.0.1",
    "sqlite:////proc/registry.db",
    "",
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_refusal_is_oneline(url: str) -> None:
    assert len(refusal(url).splitlines()) == 1


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_refusal_keeps_the_password(url: str) -> None:
    assert SECRET not in refusal(url)


# What is set


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_every_sqlite_connection_keeps_what_it_promised(file: Path, pragma: str, value: object) -> None:
    engine = open_database(f"sqlite:///{file}")
    try:
        with engine.connect() as first, engine.connect() as second:
            found = [one.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for one in (first, second)]
    finally:
        engine.dispose()

    assert found == [value, value]


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/some/where/registry.db").dispose()

    assert (tmp_path / "some/where/registry.db").is_file()


def test_an_old_database_is_opened_again(opened: str) -> None:
    open_database(opened).dispose()


# Several at once


def test_threads_that_open_a_new_database_at_once_all_can(database_url: str) -> None:
    start = Barrier(6)

    def open_it(_number: int) -> PoolView:
        start.wait(timeout=30)
        engine = open_database(database_url, connections=2)
        try:
            return SqlRegistry(Transactions(engine)).view(DEFAULT_POOL)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(open_it, range(6))) == [PoolView(pool=DEFAULT_POOL)] * 6


OPENER = """
import sys
from app.registry.database import open_database
print("ready", flush=True)
sys.stdin.readline()
open_database(sys.argv[1]).dispose()
"""


def test_processes_that_open_a_new_database_at_once_all_can(database_url: str) -> None:
    openers = [python(OPENER, database_url) for _ in range(3)]
    for opener in openers:
        assert line(opener) == "ready"
    for opener in openers:
        go(opener)

    told = [opener.communicate(timeout=100)[1] for opener in openers]
    assert [opener.returncode for opener in openers] == [0, 0, 0], told


def test_who_opens_a_new_file_waits_while_another_writes_its_first_lines(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite refuses to change the mode of such a file at once, and waits for nobody."""
    monkeypatch.setattr("app.registry.database.BUSY", 60.0)
    with closing(sqlite3.connect(file, isolation_level=None)) as other, ThreadPoolExecutor(1) as threads:
        other.execute("BEGIN IMMEDIATE")
        opening = threads.submit(open_database, f"sqlite:///{file}")
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.5)

        other.execute("ROLLBACK")

        opening.result().dispose()


def test_threads_of_one_process_can_each_open_a_new_database(tmp_path: Path) -> None:
    start = Barrier(4)

    def open_one(number: int) -> str:
        start.wait(timeout=30)
        engine = open_database(f"sqlite:///{tmp_path}/{number}.db")
        try:
            SqlRegistry(Transactions(engine)).view(DEFAULT_POOL)
            return engine.dialect.name
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(open_one, range(4))) == ["sqlite"] * 4


@contextmanager
def _file(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


@contextmanager
def _a_login(url: str) -> Iterator[str]:
    """Make a role that must give its password; the test server itself asks nobody for one."""
    role = f"role_{secrets.token_hex(6)}"
    with as_owner(url) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'")
        (rules,) = owner.execute("SELECT pg_read_file(current_setting('hba_file'))").fetchone() or ("",)
        _write_rules(owner, [f"host all {role} all scram-sha-256", *_lines(rules)])
        try:
            yield role
        finally:
            _write_rules(owner, _lines(rules))
            owner.execute(f"DROP ROLE {role}")


def _lines(rules: str) -> list[str]:
    return [line for line in rules.splitlines() if line.strip() and not line.startswith("#")]


def _write_rules(owner: psycopg.Connection[Any], rules: list[str]) -> None:
    (path,) = owner.execute("SELECT current_setting('hba_file')").fetchone() or ("",)
    (before,) = owner.execute("SELECT pg_conf_load_time()").fetchone() or (None,)
    values = ", ".join(psycopg.sql.Literal(rule).as_string(owner) for rule in rules)
    owner.execute(f"COPY (SELECT unnest(ARRAY[{values}])) TO '{path}'")
    owner.execute("SELECT pg_reload_conf()")
    until(lambda: (owner.execute("SELECT pg_conf_load_time()").fetchone() or (before,))[0] != before)


@pytest.mark.parametrize("how", ["taken away", "replaced"])
def test_a_file_that_was_moved_under_us_is_written_no_more(tmp_path: Path, how: str) -> None:
    """A process that starts now has a file of its own, and would hand out what we hand out."""
    file = tmp_path / "registry.db"
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{file}")))
    registry.discover(DEFAULT_POOL, a_look(), now=NOW)
    for one in tmp_path.glob("registry.db*"):
        one.rename(tmp_path / f"moved-{one.name}")
    if how == "replaced":
        open_database(f"sqlite:///{file}").dispose()

    with pytest.raises(RegistryUnavailable):
        registry.discover(DEFAULT_POOL, a_look(), now=NOW)
    registry.close()
