"""A service over an empty registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.database import open_database
from app.registry.transactions import Transactions
from tests.unit.web.services import Service


@pytest.fixture
def transactions(tmp_path: Path) -> Iterator[Transactions]:
    engine = open_database(f"sqlite:///{tmp_path}/registry.db")
    yield Transactions(engine)
    engine.dispose()


@pytest.fixture
def service(transactions: Transactions) -> Service:
    return Service(transactions)
