"""A service over an empty registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.unit.web.services import Service


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    engine = open_database(f"sqlite:///{tmp_path}/registry.db")
    yield SqlRegistry(Transactions(engine))
    engine.dispose()


@pytest.fixture
def service(registry: SqlRegistry) -> Service:
    return Service(registry)
