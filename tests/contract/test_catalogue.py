"""The Catalogue contract on SQLite and on real PostgreSQL."""

import pytest
from sqlalchemy import Engine

from app.ports import Catalogue, Registry
from app.registry.catalogue import SqlCatalogue
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.contract.catalogue_contract import CatalogueContract


class TestSqlCatalogue(CatalogueContract):
    @pytest.fixture
    def registry(self, engine: Engine) -> Registry:
        return SqlRegistry(Transactions(engine))

    @pytest.fixture
    def catalogue(self, engine: Engine) -> Catalogue:
        return SqlCatalogue(Transactions(engine))
