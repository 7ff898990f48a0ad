"""A registry of two pools, for what is told of several at once."""

from sqlalchemy import Engine

from app.domain.model import DEFAULT_POOL, PoolName
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions

GPU = PoolName("gpu")


def a_registry(engine: Engine) -> SqlRegistry:
    """Make one in this database, whose pools are `default` and GPU."""
    transactions = Transactions(engine)
    belong_to(transactions, {pool: Owner(pool, "eu-west-1") for pool in (DEFAULT_POOL, GPU)})
    return SqlRegistry(transactions)
