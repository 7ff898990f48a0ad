"""The Line contract on SQLite and on real PostgreSQL."""

import pytest
from sqlalchemy import Engine

from app.registry.line import SqlLine
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.contract.line_contract import LineContract, Lines
from tests.fakes import FakeClock


class TestSqlLine(LineContract):
    @pytest.fixture
    def lines(self, engine: Engine) -> Lines:
        clock = FakeClock()
        transactions = Transactions(engine, clock=lambda _: clock.now())
        return Lines(SqlLine(transactions), SqlRegistry(transactions), clock)
