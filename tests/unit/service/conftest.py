"""A pool, or an allocator, for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.fakes import FakeClock, FakeCloud
from tests.property.quick_database import open_quickly
from tests.unit.service.allocating import World
from tests.unit.service.pools import Pool
from tests.unit.service.rooms import close_rooms


@pytest.fixture(autouse=True)
def _rooms() -> Iterator[None]:
    yield
    close_rooms()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    registry, clock = registry_in(tmp_path)
    yield Pool(registry, FakeCloud(clock=clock), clock)
    registry.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    transactions, clock = transactions_in(tmp_path)
    yield World(transactions, clock)
    transactions.close()


def registry_in(folder: Path) -> tuple[SqlRegistry, FakeClock]:
    """Make a registry whose database goes by a clock of the test's."""
    transactions, clock = transactions_in(folder)
    return SqlRegistry(transactions), clock


def transactions_in(folder: Path) -> tuple[Transactions, FakeClock]:
    """Make a database that goes by a clock of the test's."""
    clock = FakeClock()
    return Transactions(open_quickly(folder), clock=lambda _: clock.now()), clock
