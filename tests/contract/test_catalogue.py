"""The Catalogue contract on SQLite and on real PostgreSQL."""

import pytest
from sqlalchemy import Engine

from app.domain.model import DEFAULT_POOL
from app.ports import Catalogue, Registry
from app.registry.catalogue import SqlCatalogue
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.contract.catalogue_contract import GPU, CatalogueContract


class TestSqlCatalogue(CatalogueContract):
    @pytest.fixture
    def registry(self, engine: Engine) -> Registry:
        transactions = Transactions(engine)
        owners = {pool: Owner(f"group-{pool}", "eu-central-1") for pool in (DEFAULT_POOL, GPU)}
        belong_to(transactions, owners, patient=False)
        return SqlRegistry(transactions)

    @pytest.fixture
    def catalogue(self, engine: Engine) -> Catalogue:
        return SqlCatalogue(Transactions(engine))
