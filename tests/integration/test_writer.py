"""The connection that is kept to write to SQLite: each transaction counts, and what fails leaves nothing."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.registry import straight
from app.registry.database import open_database
from app.registry.transactions import Transactions
from app.registry.writer import Writer
from tests.databases import a_registry_in

_ADD = text("INSERT INTO waiting (project, pool, until) VALUES (:name, 'default', '2026-01-01 00:00:00')")
_ADD_WITHOUT_ITS_INSTANCE = text(
    "INSERT INTO allocations (project, pool, instance_id, allocated_at, tagged) "
    "VALUES ('p', 'default', 'i-nowhere', '2026-01-01 00:00:00.000000', 0)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(a_registry_in(tmp_path).removeprefix("sqlite:///"))


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    opened = open_database(f"sqlite:///{file}")
    yield opened
    opened.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    made = Writer(engine, {})
    yield made
    made.close()


def add(tx: Connection, name: str) -> None:
    tx.execute(_ADD, {"name": name})


def fail(tx: Connection) -> None:
    add(tx, "failed")
    raise ZeroDivisionError


def refer_to_nothing(tx: Connection) -> None:
    """Write what the database refuses at the end of the transaction."""
    add(tx, "failed")
    tx.execute(text("PRAGMA defer_foreign_keys = ON"))
    tx.execute(_ADD_WITHOUT_ITS_INSTANCE)


def there(file: Path) -> list[str]:
    """Say which rows somebody else sees."""
    with sqlite3.connect(file) as connection:
        found = [name for (name,) in connection.execute("SELECT project FROM waiting ORDER BY project")]
    connection.close()
    return found


def test_what_a_transaction_wrote_everybody_sees_after_it(writer: Writer, file: Path) -> None:
    with writer.begin() as tx:
        add(tx, "a")
        before = there(file)

    assert (before, there(file)) == ([], ["a"])


def test_the_connection_is_kept_from_one_transaction_to_the_next(writer: Writer, engine: Engine) -> None:
    lent: list[object] = []
    event.listen(engine, "checkout", lambda *heard: lent.append(heard))

    for name in ("a", "b", "c"):
        with writer.begin() as tx:
            add(tx, name)

    assert len(lent) == 1


def test_each_transaction_has_the_write_lock_from_its_begin_on(writer: Writer, file: Path) -> None:
    for _ in range(2):
        with writer.begin():
            other = sqlite3.connect(file, timeout=0)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            other.close()


def test_what_failed_left_nothing_and_the_next_one_counts(writer: Writer, file: Path) -> None:
    with pytest.raises(ZeroDivisionError), writer.begin() as tx:
        fail(tx)
    with writer.begin() as tx:
        add(tx, "b")

    assert there(file) == ["b"]


def test_an_error_that_is_none_of_the_databases_stays_what_it_is(writer: Writer) -> None:
    with pytest.raises(UnicodeEncodeError), writer.begin() as tx:
        straight.execute(tx, "SELECT ?", ("\ud800",))


def test_what_the_database_refuses_at_the_end_left_nothing(writer: Writer, file: Path) -> None:
    with pytest.raises(IntegrityError), writer.begin() as tx:
        refer_to_nothing(tx)
    with writer.begin() as tx:
        add(tx, "b")

    assert there(file) == ["b"]


def test_a_lock_that_somebody_else_has_is_an_error_and_then_it_goes_on(file: Path) -> None:
    engine = open_database(f"sqlite:///{file}")
    event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout = 0"))
    writer = Writer(engine, {})
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(OperationalError, match="locked"), writer.begin():
        pass
    other.close()
    with writer.begin() as tx:
        add(tx, "a")

    assert there(file) == ["a"]
    writer.close()
    engine.dispose()


def test_of_two_connections_one_is_left_to_who_reads(file: Path) -> None:
    transactions = Transactions(open_database(f"sqlite:///{file}", connections=2))
    with transactions.exclusively() as tx:
        add(tx, "a")
        with transactions.looking() as look:
            assert look.execute(text("SELECT count(*) FROM waiting")).scalar_one() == 0

    with transactions.looking() as look:
        assert look.execute(text("SELECT count(*) FROM waiting")).scalar_one() == 1
    transactions.close()


def test_a_closed_one_has_let_go_of_its_connection_and_can_be_used_anew(
    writer: Writer, engine: Engine, file: Path
) -> None:
    with writer.begin() as tx:
        add(tx, "a")
    writer.close()
    kept = engine.pool.checkedout()  # type: ignore[attr-defined]
    with writer.begin() as tx:
        add(tx, "b")

    assert kept == 0
    assert there(file) == ["a", "b"]


def test_a_forked_child_writes_on_a_connection_of_its_own(writer: Writer, engine: Engine, file: Path) -> None:
    lent: list[object] = []
    with writer.begin() as tx:
        add(tx, "a")
    event.listen(engine, "checkout", lambda *heard: lent.append(heard))
    child = os.fork()
    if not child:
        try:
            with writer.begin() as tx:
                add(tx, "b")
        finally:
            os._exit(len(lent))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    with writer.begin() as tx:
        add(tx, "c")
    assert there(file) == ["a", "b", "c"]
