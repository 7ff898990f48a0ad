"""A pool, or an allocator, for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.fakes import FakeClock, FakeCloud
from tests.unit.service.allocating import World
from tests.unit.service.pools import Pool


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    clock = FakeClock()
    yield Pool(registry, FakeCloud(clock=clock), clock)
    registry.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    yield World(registry)
    registry.close()
