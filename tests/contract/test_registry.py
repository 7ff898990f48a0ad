"""The Registry contract on SQLite and on real PostgreSQL."""

import pytest
from sqlalchemy import Engine

from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.contract.readiness_contract import ReadinessContract
from tests.contract.registry_contract import RegistryContract
from tests.fakes import FakeClock


class TestSqlRegistry(RegistryContract, ReadinessContract):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def registry(self, engine: Engine, clock: FakeClock) -> SqlRegistry:
        return SqlRegistry(Transactions(engine, clock=lambda _: clock.now()))
