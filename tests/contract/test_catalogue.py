"""The Catalogue contract on SQLite and on real PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from app.domain.model import DEFAULT_POOL, InstanceState, PoolName
from app.ports import ENDED, Catalogue, Registry
from app.registry.catalogue import SqlCatalogue
from app.registry.ownership import Owner, belong_to
from app.registry.schema import instances
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW
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

    @pytest.mark.parametrize("pool", [DEFAULT_POOL, GPU, None])
    @pytest.mark.parametrize("text", ["", "i-"])
    def test_of_the_terminated_the_last_ended_of_each_pool_are_looked_through(
        self, registry: Registry, catalogue: Catalogue, engine: Engine, pool: PoolName | None, text: str
    ) -> None:
        ended_long_ago(engine, DEFAULT_POOL, ENDED + 5)
        ended_long_ago(engine, GPU, 3)

        found = catalogue.find_instances(pool=pool, state=InstanceState.TERMINATED, text=text, limit=2)

        assert found.total == {DEFAULT_POOL: ENDED, GPU: 3, None: ENDED + 3}[pool]
        assert found.items[0].state_since == NOW

    def test_what_ended_before_those_is_not_found(
        self, registry: Registry, catalogue: Catalogue, engine: Engine
    ) -> None:
        ids = ended_long_ago(engine, DEFAULT_POOL, ENDED + 1)
        ended = InstanceState.TERMINATED

        assert catalogue.find_instances(state=ended, text=ids[ENDED - 1], limit=1).total == 1
        assert catalogue.find_instances(state=ended, text=ids[ENDED], limit=1).total == 0

    def test_those_that_ended_at_the_same_moment_are_not_parted(
        self, registry: Registry, catalogue: Catalogue, engine: Engine
    ) -> None:
        ended_long_ago(engine, DEFAULT_POOL, ENDED + 7, apart=timedelta())

        found = catalogue.find_instances(pool=DEFAULT_POOL, state=InstanceState.TERMINATED, limit=1)

        assert found.total == ENDED + 7


def ended_long_ago(
    engine: Engine, pool: PoolName, count: int, *, apart: timedelta = timedelta(minutes=1)
) -> list[str]:
    """Put so many ended instances there, the last ended first."""
    ids = [f"i-{pool}-{number:06}" for number in range(count)]
    with engine.begin() as connection:
        connection.execute(
            instances.insert(),
            [
                {"id": one, "pool": pool, "state": "terminated", "state_since": NOW - number * apart}
                for number, one in enumerate(ids)
            ],
        )
    return ids
