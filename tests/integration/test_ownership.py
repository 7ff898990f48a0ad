"""Whose database it is, also where replicas start at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from app.domain.errors import RegistryUnusable
from app.domain.model import DEFAULT_POOL, PoolName, PoolView
from app.registry import ownership
from app.registry.database import open_database
from app.registry.ownership import Owner, belong_to
from app.registry.postgresql import LIMITS, Limits
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.databases import go, line, plainly, python
from tests.waiting import until

OURS = Owner("vscode-asg", "eu-west-1")


def belong(registry: SqlRegistry, owner: Owner = OURS) -> None:
    belong_to(registry._transactions, {DEFAULT_POOL: owner})


def owner_in(engine: Engine) -> Owner | None:
    with engine.connect() as connection:
        return ownership.owner_of(connection, DEFAULT_POOL)


@pytest.fixture
def shared(a_postgres_registry: Callable[[], str]) -> Iterator[Engine]:
    """A database that several replicas use, of which none gives up waiting for another."""
    opened = open_database(a_postgres_registry(), limits=LIMITS.without_hurry())
    yield opened
    opened.dispose()


def test_a_database_belongs_to_the_group_of_its_first_start(engine: Engine) -> None:
    registry = SqlRegistry(Transactions(engine))
    belong(registry)

    belong(registry)
    for other in [Owner("another-asg", "eu-west-1"), Owner("vscode-asg", "us-east-1")]:
        with pytest.raises(RegistryUnusable, match="belongs to the group 'vscode-asg' in eu-west-1"):
            belong(registry, other)


def test_the_group_of_a_database_survives_the_passes(engine: Engine) -> None:
    registry = SqlRegistry(Transactions(engine))
    belong(registry)
    registry.record_view(PoolView(pool=DEFAULT_POOL))

    with pytest.raises(RegistryUnusable):
        belong(registry, Owner("another-asg", "eu-west-1"))


def test_a_pool_that_only_a_pass_knows_is_tied_at_the_next_start(engine: Engine) -> None:
    registry = SqlRegistry(Transactions(engine))
    registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=NOW))

    belong(registry)

    assert owner_in(engine) == OURS
    assert registry.view(DEFAULT_POOL).last_pass_at == NOW


# Several pools

GPU = PoolName("gpu")
GPUS = Owner("gpu-asg", "eu-west-1")


def test_a_pool_can_be_added_later(engine: Engine) -> None:
    transactions = Transactions(engine)
    belong_to(transactions, {DEFAULT_POOL: OURS})

    belong_to(transactions, {DEFAULT_POOL: OURS, GPU: GPUS})

    with pytest.raises(RegistryUnusable, match=r"Pool 'gpu' of the database belongs to the group 'gpu-asg'"):
        belong_to(transactions, {DEFAULT_POOL: OURS, GPU: Owner("another-asg", "eu-west-1")})


def test_where_one_pool_is_refused_none_is_tied(engine: Engine) -> None:
    transactions = Transactions(engine)
    belong_to(transactions, {GPU: GPUS})

    with pytest.raises(RegistryUnusable):
        belong_to(transactions, {DEFAULT_POOL: OURS, GPU: Owner("another-asg", "eu-west-1")})

    assert owner_in(engine) is None


def test_a_pool_with_instances_cannot_be_given_another_name(engine: Engine) -> None:
    """Its instances would belong to nobody, and those of the new pool would all be known already."""
    transactions = Transactions(engine)
    belong_to(transactions, {GPU: GPUS})
    SqlRegistry(transactions).discover(GPU, a_look(), now=NOW)

    with pytest.raises(RegistryUnusable, match=r"'gpu-asg' in eu-west-1 is that of the pool 'gpu'"):
        belong_to(transactions, {PoolName("large"): GPUS})


def test_a_pool_without_instances_can(engine: Engine) -> None:
    transactions = Transactions(engine)
    belong_to(transactions, {GPU: GPUS})

    belong_to(transactions, {PoolName("large"): GPUS})


# Replicas that start at once


STARTER = """
import sys
from app.registry.database import open_database
from app.registry.ownership import Owner, belong_to
from app.registry.transactions import Transactions
print("ready", flush=True)
sys.stdin.readline()
transactions = Transactions(open_database(sys.argv[1]))
belong_to(transactions, {"default": Owner("vscode-asg", "eu-west-1"), "gpu": Owner("gpu", "eu-west-1")})
transactions.close()
"""


def test_processes_that_start_with_an_empty_database_at_once_all_can(
    a_postgres_database: Callable[[], str],
) -> None:
    url = a_postgres_database()
    starters = [python(STARTER, url) for _ in range(4)]
    assert [line(starter) for starter in starters] == ["ready"] * 4
    for starter in starters:
        go(starter)

    told = [starter.communicate(timeout=100)[1] for starter in starters]

    assert told == [""] * 4
    with plainly(url) as connection:
        assert connection.execute(text("SELECT count(*) FROM pools")).scalar_one() == 2


@contextmanager
def meanwhile(engine: Engine, do: Callable[[], None]) -> Iterator[Future[None]]:
    """Let `do` run into a transaction of the block's, which is committed once it waits for it."""
    with ThreadPoolExecutor(1) as thread:
        with engine.begin() as first:
            ownership.tie(first, DEFAULT_POOL, OURS)
            second = thread.submit(do)
            until(lambda: _waits_for_a_lock(engine) or second.done(), what="the second to wait for the first")
            assert not second.done()
        yield second


def _waits_for_a_lock(engine: Engine) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = :name"
    with engine.connect() as connection:
        return bool(connection.execute(text(query), {"name": engine.url.database}).scalar_one())


def test_the_second_of_two_first_starts_goes_on(shared: Engine) -> None:
    with meanwhile(shared, lambda: belong(SqlRegistry(Transactions(shared)))) as second:
        second.result(timeout=30)

    assert owner_in(shared) == OURS


def test_a_start_that_cannot_tie_its_pool_is_refused(shared: Engine) -> None:
    url = shared.url.render_as_string(hide_password=False)
    hurried = open_database(url, limits=Limits(lock=0.1))
    with shared.begin() as first:
        ownership.tie(first, DEFAULT_POOL, OURS)
        with pytest.raises(RegistryUnusable, match="did not answer"):
            belong(SqlRegistry(Transactions(hurried)))
    hurried.dispose()


def test_of_two_first_starts_with_different_groups_one_is_refused(shared: Engine) -> None:
    other = Owner("another-asg", "eu-west-1")
    with (
        meanwhile(shared, lambda: belong(SqlRegistry(Transactions(shared)), other)) as second,
        pytest.raises(RegistryUnusable),
    ):
        second.result(timeout=30)

    assert owner_in(shared) == OURS


def test_of_two_groups_that_claim_an_untied_pool_at_once_one_is_refused(shared: Engine) -> None:
    SqlRegistry(Transactions(shared)).record_view(PoolView(pool=DEFAULT_POOL))
    other = Owner("another-asg", "eu-west-1")
    with (
        meanwhile(shared, lambda: belong(SqlRegistry(Transactions(shared)), other)) as second,
        pytest.raises(RegistryUnusable),
    ):
        second.result(timeout=30)

    assert owner_in(shared) == OURS


def test_a_pass_may_end_while_another_replica_starts(shared: Engine) -> None:
    registry = SqlRegistry(Transactions(shared))
    view = PoolView(pool=DEFAULT_POOL, last_pass_at=NOW)
    with meanwhile(shared, lambda: registry.record_view(view)) as second:
        second.result(timeout=30)

    assert registry.view(DEFAULT_POOL).last_pass_at == NOW
    assert owner_in(shared) == OURS
