"""A service over an empty registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.transactions import Transactions
from tests.property.quick_database import open_quickly
from tests.unit.web.services import Service


@pytest.fixture
def transactions(tmp_path: Path) -> Iterator[Transactions]:
    made = Transactions(open_quickly(tmp_path))
    yield made
    made.close()


@pytest.fixture
def service(transactions: Transactions) -> Service:
    return Service(transactions)
