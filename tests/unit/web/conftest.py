"""A service over an empty registry."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.database import open_database
from app.registry.transactions import Transactions
from tests.property.quick_database import open_quickly
from tests.unit.web.services import Service


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and nothing in them: copying it is much quicker than making another."""
    file = tmp_path_factory.mktemp("registry") / "empty.db"
    open_database(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture
def transactions(empty_registry: Path, tmp_path: Path) -> Iterator[Transactions]:
    shutil.copy(empty_registry, tmp_path / "registry.db")
    engine = open_quickly(tmp_path)
    yield Transactions(engine)
    engine.dispose()


@pytest.fixture
def service(transactions: Transactions) -> Service:
    return Service(transactions)
