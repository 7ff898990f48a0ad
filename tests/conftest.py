"""Fixtures that more than one folder of tests needs."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from app.registry.database import open_database
from tests import postgres

SHARED = ("_pools", "_open_to_all", "_guarded")
"""Fixtures that take seconds and serve several files."""


@pytest.hookimpl(tryfirst=True)  # before the one of xdist, which reads the mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares an expensive fixture in one process, where the suite runs in several."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        file = item.path.relative_to(item.config.rootpath).as_posix()
        item.add_marker(pytest.mark.xdist_group(next((one for one in SHARED if one in used), file)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.a_server() as url:
        yield url


@pytest.fixture
def a_postgres_database(postgres_server: str) -> Callable[[], str]:
    """Make empty databases; each call returns the SQLAlchemy URL of a new one."""

    def make() -> str:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return (
            postgres_server.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0] + f"/{name}"
        )

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database, once of each kind that we support."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/registry.db"
    make: Callable[[], str] = request.getfixturevalue("a_postgres_database")
    return make()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_database(database_url)
    yield opened
    opened.dispose()
