"""Opening the database: connections that keep what they promised, and the newest schema."""

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from app.domain.errors import RegistryUnusable
from app.registry.postgresql import LIMITS, Limits, postgresql
from app.registry.versions import outdated, revision, try_to_write, upgrade

EXCLUSIVE = "exclusive"
"""Execution option: the transaction takes SQLite's write lock when it begins."""
BEGUN = "begun"
"""Execution option: who has the connection sees to BEGIN, COMMIT and ROLLBACK itself (SQLite)."""
BUSY = 5.0
"""Seconds for which a connection to SQLite waits for another one's lock."""

_PRIMARY = 0xFF
"""Of an error's code, what SQLite has told since ever; above it is more exactly what."""
_OPENED = "opened"


def open_database(
    url: str, *, connections: int = 20, patient: bool = False, limits: Limits = LIMITS
) -> Engine:
    """Connect, and bring the schema up to date. The limits are PostgreSQL's.

    There are so many connections at most; Transactions keeps one of them to write with.

    Raises RegistryUnusable, in one sentence, where that cannot be done; the database is then as it was. Where
    it does not answer, or cannot be written just now, the `patient` get their engine all the same: each use
    of it fails with SQLAlchemyError until the database is back, and its schema is ours or can be used. They
    never bring it up to date: that is for a start.
    """
    where = parsed(url)
    # Who was lent last is lent again: it has prepared its statements, or read SQLite's pages, already.
    engine = _engine(where, limits, pool_size=connections, max_overflow=0, pool_use_lifo=True)
    name = where.render_as_string(hide_password=True)
    try:
        _prepare(where, name, limits)
    except SQLAlchemyError as error:
        if not patient:
            raise RegistryUnusable(
                f"The database {name} cannot be opened for writing: {reason(error)}."
            ) from error
        _postpone(engine, lambda: _check(where, name, limits))
    except TypeError as error:  # the driver's word for an option that it cannot use
        raise RegistryUnusable(f"The database {name} cannot be opened as its URL says: {error}.") from error
    return engine


def _prepare(where: URL, name: str, limits: Limits) -> None:
    """Bring the schema up to date, on connections of its own: none may be carried into a fork."""
    if _is_outdated(where, name, limits):
        unhurried = _engine(where, limits.without_hurry(), poolclass=NullPool)
        with unhurried.execution_options(**{EXCLUSIVE: True}).begin() as connection:
            upgrade(connection, name)


def _is_outdated(where: URL, name: str, limits: Limits) -> bool:
    """Whether the schema is to be brought up to date; if not, find out now that we may not write."""
    with _engine(where, limits, poolclass=NullPool).execution_options(**{EXCLUSIVE: True}).begin() as look:
        missing = outdated(revision(look, name))
        if not missing:
            try_to_write(look)
    return missing


def _check(where: URL, name: str, limits: Limits) -> None:
    """Raise RegistryUnusable where the schema is not ours: a request has no time to bring it up to date."""
    if _is_outdated(where, name, limits):
        raise RegistryUnusable(
            f"The database {name} is empty, or of an older version: start the service anew."
        )


def _postpone(engine: Engine, prepare: Callable[[], None]) -> None:
    """Have the engine lend no connection before the database is prepared."""
    prepared = False

    @event.listens_for(engine, "connect")
    def _connected(_connection: Any, _record: Any) -> None:
        nonlocal prepared
        if prepared:
            return
        try:
            prepare()
        except RegistryUnusable as error:  # the start is over: it is a request now that cannot be served
            raise SQLAlchemyError(error.detail) from error
        prepared = True


def parsed(url: str) -> URL:
    """Read the URL of a database that we can use; otherwise raise RegistryUnusable."""
    try:
        where = make_url(url)
    except (ArgumentError, ValueError):  # both may quote the URL, and with it the password
        raise RegistryUnusable(
            "The database URL cannot be read: write sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME."
        ) from None
    if where.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise RegistryUnusable(
            f"'{where.drivername}' is not supported: use sqlite:///FILE or postgresql+psycopg://..."
        )
    name = where.database or ":memory:"
    if where.get_backend_name() == "sqlite" and (":memory:" in name or where.query.get("mode") == "memory"):
        raise RegistryUnusable("A database in memory would forget who holds what: use sqlite:///FILE.")
    return where


def file_of(where: URL) -> Path:
    """Name the file of a SQLite database, however its URL writes it."""
    return Path((where.database or "").removeprefix("file:"))


def _engine(where: URL, limits: Limits, **pool: Any) -> Engine:
    if where.get_backend_name() == "sqlite":
        return _sqlite(where, **pool)
    return postgresql(where, limits, **pool)


def _sqlite(url: URL, **pool: Any) -> Engine:
    if url.database is not None and not url.database.startswith("file:"):
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RegistryUnusable(
                f"The folder of {url.database} cannot be made: {error.strerror}."
            ) from error
    engine = create_engine(url, connect_args={"timeout": BUSY}, **pool)
    file = str(file_of(url))

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we write BEGIN ourselves; the driver's own is always deferred
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if not tables or "alembic_version" in tables:  # it stays in the file, which may be somebody else's
            _log_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")  # an answer given is an answer kept, even at power loss
        connection.execute("PRAGMA foreign_keys=ON")
        # Not sooner: a new file is made by the first look at it.
        record.info[_OPENED] = _Opened(file, _identity(file))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(BEGUN):
            return
        driver: Any = connection.connection.dbapi_connection
        if options.get(EXCLUSIVE):
            take_write_lock(connection, driver)
            return
        try:
            driver.execute("BEGIN")
        except sqlite3.Error as error:
            raise OperationalError("BEGIN", None, error) from error

    return engine


def _log_ahead(connection: Any) -> None:
    """Have the file keep a write-ahead log.

    Only the first to open it changes anything. SQLite refuses that at once while somebody writes, lest two
    wait for each other: of services that are started together, some would not start.
    """
    begun = time.monotonic()
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() - begun > BUSY:
                raise
        else:
            return
        connection.execute("BEGIN IMMEDIATE")  # this one waits
        connection.execute("ROLLBACK")


def take_write_lock(connection: Connection, driver: Any) -> None:
    """Begin the one transaction on SQLite that may write; OperationalError where there can be none.

    It goes straight to the driver: through SQLAlchemy's statement machinery this costs a tenth of a claim.
    """
    begin = "BEGIN IMMEDIATE"
    opened: _Opened = connection.info[_OPENED]
    if opened.identity != _identity(opened.file):
        # Others would go on with the new file, and hand out what we hand out.
        gone = f"{opened.file} was replaced or taken away: start the service anew"
        raise OperationalError(begin, None, sqlite3.OperationalError(gone))
    try:
        driver.execute(begin)
    except sqlite3.Error as error:  # somebody else holds the file's lock for too long
        raise OperationalError(begin, None, error) from error


@dataclass(frozen=True, slots=True)
class _Opened:
    """The file that a connection has opened."""

    file: str
    identity: tuple[int, int] | None


def _identity(file: str) -> tuple[int, int] | None:
    """Tell one file from another that has its name; None where there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 - before each transaction: a Path takes three times as long
    except OSError:
        return None
    return found.st_dev, found.st_ino


def reason(error: SQLAlchemyError) -> str:
    """Reduce a driver's report to its first line: what is wrong, without our SQL."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().splitlines()[0].rstrip(".")
