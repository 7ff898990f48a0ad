"""What tests of databases share: ways behind the registry's back, and processes beside the test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from app.registry.database import open_database
from app.registry.postgresql import LIMITS

ROOT = Path(__file__).parents[1]
A_LONG_TIME = 60
"""Seconds."""


def open_patiently(url: str) -> Engine:
    """Open a registry in which whoever waits for another waits long.

    Threads that race are the test's; one that has a lock, and for seconds no processor, is no fault of ours.
    """
    limits = replace(LIMITS.without_hurry(), connect=A_LONG_TIME, pool=float(A_LONG_TIME))
    engine = open_database(url, limits=limits)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _wait_long)
        engine.dispose()  # the connection that opened it is in a hurry
    return engine


def _wait_long(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={A_LONG_TIME * 1000}")


def a_registry_in(folder: Path) -> str:
    """Make a SQLite registry that nobody has used, and name its URL: a copy, since migrations take long."""
    file = folder / "registry.db"
    file.write_bytes(_a_new_one())
    return f"sqlite:///{file}"


@cache
def _a_new_one() -> bytes:
    with TemporaryDirectory(prefix="registry-") as folder:
        open_database(f"sqlite:///{folder}/registry.db").dispose()
        return Path(folder, "registry.db").read_bytes()


@contextmanager
def plainly(url: str) -> Iterator[Connection]:
    """One transaction on a database, without anything of ours."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def at_revision(database_url: str, revision: str) -> Engine:
    """Make a database as an earlier version of the service left it."""
    engine = create_engine(database_url)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "app/registry/migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


@contextmanager
def as_owner(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to the same server, but not to this database."""
    maintenance = make_url(url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


@contextmanager
def away(engine: Engine) -> Iterator[None]:
    """Have the server end every connection to this database, and take no new one, while the block runs."""
    name = engine.url.database
    with as_owner(engine.url.render_as_string(hide_password=False)) as owner:
        owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            ended = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s"
            owner.execute(ended, [name])
            yield
        finally:
            owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def python(program: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Run a program beside the tests."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},  # noqa: TID251 - the rest of it is needed, too
    )


def line(process: subprocess.Popen[str]) -> str:
    """Wait for what it says next."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    """Let it go on, where it waits for a line."""
    assert process.stdin is not None
    process.stdin.write("now\n")
    process.stdin.flush()
