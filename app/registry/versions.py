"""The versions of the schema: which one a database has, whether we can go on with it, and the way to ours."""

from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, inspect, text

from app.domain.errors import RegistryUnusable

_MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK = 7_305_411_823  # any number, but always this one: replicas that start at once queue on it

_ALEMBIC = Lock()
"""Alembic keeps its context in its module: two threads that migrate at once would swap their connections."""


def revisions() -> tuple[str, ...]:
    """Name the schema's versions, oldest first: each migration's file begins with its own."""
    files = (_MIGRATIONS / "versions").glob("[0-9]*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def revision(connection: Connection, name: str) -> str | None:
    """Name the schema's version; None where the database is empty. Refuse what this version cannot use.

    One that is newer than ours can be used where it says so: while one version of the service follows the
    other, replicas of both run, and the older ones are started again, too.
    """
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
    newer = current is not None and current not in revisions()
    if newer and not ("compatibility" in tables and _can_go_on(connection)):
        raise RegistryUnusable(
            f"The database {name} is from a newer version of this service (schema {current}): "
            "run that version. Nothing was changed."
        )
    return current


def _can_go_on(connection: Connection) -> bool:
    """Whether the oldest version that its tables still suit is ours, or older."""
    oldest = connection.execute(text("SELECT max(oldest) FROM compatibility")).scalar_one()
    return oldest is not None and oldest <= revisions()[-1]


def outdated(current: str | None) -> bool:
    """Whether the way from this revision to ours is still to be gone; `revision` has let it pass."""
    return current is None or current in revisions()[:-1]


def upgrade(connection: Connection, name: str) -> None:
    """Run what is missing, in this one transaction: all of it, or nothing. Another one is waited for."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    if outdated(revision(connection, name)):
        _run(connection)


def _run(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - takes longer to load than all the rest of a start
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")


def try_to_write(connection: Connection) -> None:
    """Raise SQLAlchemyError where nothing can be written, without writing, or waiting for who does."""
    connection.execute(text("UPDATE alembic_version SET version_num = version_num WHERE version_num IS NULL"))
