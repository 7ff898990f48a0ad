"""The Registry contract on SQLite and on real PostgreSQL."""

import pytest
from sqlalchemy import Engine

from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.contract.readiness_contract import ReadinessContract
from tests.contract.registry_contract import RegistryContract


class TestSqlRegistry(RegistryContract, ReadinessContract):
    @pytest.fixture
    def registry(self, engine: Engine) -> SqlRegistry:
        return SqlRegistry(Transactions(engine))
