"""Looking at the database without changing anything in it: for the command line."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import RegistryUnusable
from app.domain.finding import Finding, Verdict
from app.domain.model import PoolName
from app.registry.census import living
from app.registry.database import file_of, open_database, parsed, reason
from app.registry.ownership import Owner, check, dispute, namesake, owner_of, renamed
from app.registry.postgresql import LIMITS, postgresql
from app.registry.versions import outdated, revision, revisions, try_to_write


@contextmanager
def open_read_only(url: str, pool: PoolName, wanted: Owner) -> Iterator[Engine]:
    """Lend the database for reading alone; where there is none yet, an empty one in its place.

    Raises RegistryUnusable where this version cannot read its schema, or the pool belongs to another group.
    """
    with open_any(url) as engine:
        with _told(parsed(url).render_as_string(hide_password=True)), engine.begin() as connection:
            owner = owner_of(connection, pool)
        check(pool, owner, wanted)
        yield engine


@contextmanager
def open_any(url: str) -> Iterator[Engine]:
    """As `open_read_only`, for what is not about a pool."""
    with _look(url) as (engine, name):
        if engine is None:
            with TemporaryDirectory(prefix="ec2-orchestrator-") as folder:
                empty = open_database(f"sqlite:///{folder}/empty.db")
                yield empty
                empty.dispose()
            return
        with _told(name), engine.begin() as connection:
            schema = revision(connection, name)
        if outdated(schema):
            raise RegistryUnusable(
                f"The database {name} has the schema {schema} of an older version: start the service, which "
                "brings it up to date."
            )
        yield engine


def is_there(url: str) -> bool:
    """Whether there is a database, with tables in it. Raises RegistryUnusable where that cannot be told."""
    with _look(url) as (engine, _):
        return engine is not None


def examine_database(url: str, owners: Mapping[PoolName, Owner]) -> list[Finding]:
    """Tell whether the service can start with this database and keep its promises. Never raises.

    `owners` has every pool that the settings name.
    """
    try:
        with _look(url) as (engine, name):
            if engine is None:
                return [_room(parsed(url), name)]
            with _told(name), engine.begin() as connection:  # open until the end: see _look
                found = revision(connection, name)
                return [
                    _schema(name, found),
                    _writing(parsed(url)),
                    *(() if outdated(found) else _orphans(connection, owners)),
                    *(_ownership(connection, pool, wanted) for pool, wanted in owners.items()),
                ]
    except RegistryUnusable as error:
        return [_failure("database", error.detail)]


@contextmanager
def _look(url: str) -> Iterator[tuple[Engine | None, str]]:
    """Lend an engine that cannot write, and the database's name; None where there is no database yet."""
    where = parsed(url)
    name = where.render_as_string(hide_password=True)
    engine: Engine | None = None
    try:
        with _told(name):
            engine = _engine(where)
            if engine is not None:
                with engine.begin() as connection:
                    empty = revision(connection, name) is None
        yield None if engine is None or empty else engine, name
    finally:
        if engine is not None:
            engine.dispose()


def _engine(where: URL) -> Engine | None:
    if where.get_backend_name() != "sqlite":
        return postgresql(where, LIMITS, read_only=True)
    path = file_of(where)
    if not path.exists() or not path.stat().st_size:
        return None
    # SQLite's last connection moves what a crash left beside the file into it, and takes its companions away;
    # one that was opened to read does neither. So this one is opened to read where there are companions, and
    # else to write, which it then must not: it would leave new companions behind.
    mode = "ro" if Path(f"{path}-wal").exists() else "rw"

    def connect() -> sqlite3.Connection:
        uri = f"file:{quote(str(path))}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=5.0, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what goes wrong with reading into a sentence of ours."""
    try:
        yield
    except OSError as error:
        raise RegistryUnusable(f"The database {name} cannot be read: {error.strerror}.") from error
    except SQLAlchemyError as error:
        raise RegistryUnusable(f"The database {name} cannot be read: {reason(error)}.") from error


def _room(where: URL, name: str) -> Finding:
    """Tell whether the first start can make the database that is not there yet."""
    if where.get_backend_name() == "sqlite":
        folder = file_of(where).absolute().parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            return _failure("database", f"{name} does not exist, and nothing can be created in {folder}.")
        return _ok("database", f"{name} does not exist yet: the first start creates it.")
    return _ok("database", f"{name} is empty: the first start creates the tables.")


def _schema(name: str, found: str | None) -> Finding:
    newest = revisions()[-1]
    if outdated(found):
        return _ok("database", f"{name} can be opened; the next start brings schema {found} up to {newest}.")
    if found != newest:
        return _ok(
            "database",
            f"{name} can be opened; its schema {found} is newer than {newest}, and this version can use it.",
        )
    return _ok("database", f"{name} can be opened; its schema {found} is this version's.")


def _writing(where: URL) -> Finding:
    """Try what the service tries when it starts: whether it could write."""
    if where.get_backend_name() == "sqlite":
        engine = create_engine(where, poolclass=NullPool, connect_args={"timeout": 5.0})
    else:
        engine = postgresql(where, LIMITS, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            try_to_write(connection)
            connection.rollback()
    except SQLAlchemyError as error:
        return _failure("database writes", f"It cannot be written to: {reason(error)}.")
    return _ok("database writes", "It can be written to.")


def _orphans(tx: Connection, owners: Mapping[PoolName, Owner]) -> Iterator[Finding]:
    """Tell of pools that still have instances, and that nobody looks after."""
    for pool, count in sorted(living(tx).items()):
        if pool not in owners:
            yield Finding(
                check="database pools",
                verdict=Verdict.WARNING,
                detail=f"The settings name no pool '{pool}', and nobody looks after its instances "
                f"({count.total}).",
                remedy="Put it back, with buffer = 0, end them, and take it out again.",
            )


def _ownership(tx: Connection, pool: PoolName, wanted: Owner) -> Finding:
    check, owner = "database group", owner_of(tx, pool)
    before = namesake(tx, pool, wanted) if owner is None else None
    if before is not None:
        return Finding(
            check=check,
            verdict=Verdict.FAILURE,
            detail=f"{renamed(before, pool, wanted)}.",
            remedy="Give it that name again.",
            pool=pool,
        )
    if owner is None:
        told = f"It belongs to no group yet: the first start ties it to {wanted}."
        return Finding(check=check, verdict=Verdict.OK, detail=told, pool=pool)
    if owner == wanted:
        told = f"It belongs to {wanted}, as the settings say."
        return Finding(check=check, verdict=Verdict.OK, detail=told, pool=pool)
    return Finding(
        check=check,
        verdict=Verdict.FAILURE,
        detail=f"{dispute(pool, owner, wanted)}.",
        remedy="Correct the pool's group and region (ORCHESTRATOR_ASG_NAME and AWS_REGION, or the file with "
        "the pools), or name another database in ORCHESTRATOR_DATABASE_URL.",
        pool=pool,
    )


def _ok(check: str, detail: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, detail=detail)


def _failure(check: str, detail: str) -> Finding:
    return Finding(
        check=check,
        verdict=Verdict.FAILURE,
        detail=detail,
        remedy="Correct ORCHESTRATOR_DATABASE_URL, or what it names.",
    )
