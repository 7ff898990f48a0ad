"""Opening the database: connections that keep what they promised, and the newest schema."""

import sqlite3
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from app.domain.errors import RegistryUnusable

EXCLUSIVE = "exclusive"
"""Execution option: the transaction takes SQLite's write lock when it begins."""

_MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK = 7_305_411_823  # any number, but always this one: replicas that start at once queue on it

_ALEMBIC = Lock()
"""Alembic keeps its context in its module: two threads that migrate at once would swap their connections."""


def open_database(url: str, *, connections: int = 20) -> Engine:
    """Connect, and bring the schema up to date.

    Raises RegistryUnusable, in one sentence, where that cannot be done; the database is then as it was.
    """
    where = parsed(url)
    if where.get_backend_name() == "sqlite":
        engine = _sqlite(where, connections)
    else:
        engine = _postgresql(where, connections)
    name = where.render_as_string(hide_password=True)
    try:
        with engine.execution_options(**{EXCLUSIVE: True}).begin() as connection:
            _migrate(connection, name)
    except SQLAlchemyError as error:
        raise RegistryUnusable(
            f"The database {name} cannot be opened for writing: {reason(error)}."
        ) from error
    finally:
        engine.dispose()  # no connection may be carried into a fork
    return engine


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


def _sqlite(url: URL, connections: int) -> Engine:
    if url.database is not None and not url.database.startswith("file:"):
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RegistryUnusable(
                f"The folder of {url.database} cannot be made: {error.strerror}."
            ) from error
    engine = create_engine(url, pool_size=connections, max_overflow=0, connect_args={"timeout": 5.0})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we write BEGIN ourselves; the driver's own is always deferred
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if not tables or "alembic_version" in tables:  # it stays in the file, which may be somebody else's
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an answer given is an answer kept, even at power loss
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Straight to the driver: through SQLAlchemy's statement machinery this costs a tenth of a claim.
        begin = "BEGIN IMMEDIATE" if connection.get_execution_options().get(EXCLUSIVE) else "BEGIN"
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.execute(begin)
        except sqlite3.Error as error:  # somebody else holds the file's lock for too long
            raise OperationalError(begin, None, error) from error

    return engine


def _postgresql(url: URL, connections: int) -> Engine:
    return create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": "-c statement_timeout=10000 -c lock_timeout=5000 -c timezone=UTC",
        },
    )


def _migrate(connection: Connection, name: str) -> None:
    """Run what is missing, in this one transaction: all of it, or nothing."""
    if connection.dialect.name == "postgresql":
        # A migration may take its time, and others wait for it: the limits are for claims.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    current = revision(connection, name)
    if current != revisions()[-1]:
        _upgrade(connection)
    # Nothing to migrate, nothing written: find out now, not at the first claim, that we may not write.
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


def revision(connection: Connection, name: str) -> str | None:
    """Name the schema's version; None where the database is empty. Refuse what this version cannot read."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        if tables:
            raise RegistryUnusable(
                f"The database {name} holds the tables of another program: name one of our own."
            )
        return None
    current: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    if current is not None and current not in revisions():
        raise RegistryUnusable(
            f"The database {name} is from a newer version of this service (schema {current}): "
            "run that version. Nothing was changed."
        )
    return current


def revisions() -> tuple[str, ...]:
    """Name the schema's versions, oldest first: each migration's file begins with its own."""
    files = (_MIGRATIONS / "versions").glob("[0-9]*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - takes longer to load than all the rest of a start
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")


def reason(error: SQLAlchemyError) -> str:
    """Reduce a driver's report to its first line: what is wrong, without our SQL."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().splitlines()[0].rstrip(".")
