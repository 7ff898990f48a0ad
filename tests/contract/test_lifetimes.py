"""The Lifetimes contract on SQLite and on real PostgreSQL."""

import pytest
from sqlalchemy import Engine

from app.domain.model import DEFAULT_POOL, PoolView
from app.registry.controls import SqlControls
from app.registry.lifetimes import SqlLifetimes
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.contract.lifetimes_contract import LifetimesContract
from tests.contract.put_off_contract import PutOffContract
from tests.fakes import FakeClock


class TestSqlLifetimes(LifetimesContract, PutOffContract):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def transactions(self, engine: Engine, clock: FakeClock) -> Transactions:
        return Transactions(engine, clock=lambda _: clock.now())

    @pytest.fixture
    def registry(self, transactions: Transactions) -> SqlRegistry:
        registry = SqlRegistry(transactions)
        registry.record_view(PoolView(pool=DEFAULT_POOL))
        return registry

    @pytest.fixture
    def lifetimes(self, transactions: Transactions) -> SqlLifetimes:
        return SqlLifetimes(transactions)

    @pytest.fixture
    def panel(self, transactions: Transactions) -> SqlControls:
        return SqlControls(transactions)
