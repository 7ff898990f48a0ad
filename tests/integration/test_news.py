"""What happened since somebody looked last, on SQLite and on real PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from app.domain import limits
from app.domain.errors import RegistryUnavailable
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, InstanceState, PoolName, ProjectId
from app.domain.terms import Terms
from app.registry import steps
from app.registry.news import News
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.fakes import FakeClock

ALICE = ProjectId("alice")
HOUR = timedelta(hours=1)
GPU = PoolName("gpu")
POOLS = frozenset({DEFAULT_POOL, GPU})


class Pools:
    """A registry in which things happen."""

    def __init__(self, engine: Engine) -> None:
        self.clock = FakeClock()
        self._transactions = Transactions(engine, clock=lambda _: self.clock.now())
        self.registry = SqlRegistry(self._transactions)

    def happens_in(self, *pools: PoolName) -> None:
        """Have somebody do something in each of these."""
        for pool in pools:
            with self._transactions.exclusively() as tx:
                steps.record(tx, EventKind.ALLOCATION_CREATED, pool, "alice", NOW)


@pytest.fixture
def world(engine: Engine) -> Pools:
    return Pools(engine)


@pytest.fixture
def news(engine: Engine) -> News:
    return News(Transactions(engine), POOLS)


def test_where_nothing_ever_happened_there_is_no_news(news: News) -> None:
    assert news.look() == frozenset()


def test_the_first_look_that_finds_any_is_news_of_all_pools(world: Pools, news: News) -> None:
    world.happens_in(GPU)

    assert news.look() == POOLS


def test_later_looks_name_the_pools_in_which_something_happened_once(world: Pools, news: News) -> None:
    world.happens_in(DEFAULT_POOL)
    news.look()
    world.happens_in(GPU, GPU)

    assert [news.look(), news.look()] == [{GPU}, frozenset()]


def test_what_is_about_no_pool_is_no_news(world: Pools, news: News) -> None:
    world.happens_in(DEFAULT_POOL)
    news.look()
    world.registry.record(EventKind.LEADER_ELECTED, PoolName("*"), reason="term 7", now=NOW)

    assert news.look() == frozenset()


def test_what_a_pass_learnt_is_no_news(world: Pools, news: News) -> None:
    world.happens_in(DEFAULT_POOL)
    news.look()
    world.registry.discover(DEFAULT_POOL, a_look(), now=NOW)

    assert news.look() == frozenset()


def test_an_allocation_whose_time_a_claim_found_over_is_news_of_its_own_pool(
    world: Pools, news: News
) -> None:
    held, free = a_look(), a_look()
    for pool, look in ((DEFAULT_POOL, held), (GPU, free)):
        world.registry.discover(pool, look, now=NOW)
        world.registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
    world.registry.claim(DEFAULT_POOL, ALICE, actor="alice", now=NOW, terms=Terms(ttl=HOUR))
    world.clock.advance(HOUR)
    world.registry.claim(GPU, ALICE, actor="alice", now=NOW)  # which announces the end
    world.clock.advance(limits.NOTICE)
    news.look()

    world.registry.claim(GPU, ALICE, actor="alice", now=NOW)

    assert news.look() == POOLS


def test_an_instance_that_ends_because_a_probe_gave_it_up_is_news(world: Pools, news: News) -> None:
    look = a_look()
    world.registry.discover(DEFAULT_POOL, look, now=NOW)
    news.look()

    booting, ends, reason = InstanceState.BOOTING, InstanceState.TERMINATING, EndReason.BOOT_TIMEOUT
    world.registry.end(look.id, expect=booting, to=ends, reason=reason, now=NOW)

    assert news.look() == {DEFAULT_POOL}


def test_what_happens_in_a_pool_that_is_not_ours_is_no_news(world: Pools, news: News) -> None:
    world.happens_in(DEFAULT_POOL)
    news.look()
    world.happens_in(PoolName("another"))

    assert news.look() == frozenset()


def test_a_database_that_was_restored_to_an_earlier_state_is_news_of_all(
    world: Pools, news: News, engine: Engine
) -> None:
    world.happens_in(DEFAULT_POOL, GPU, GPU)
    news.look()
    with engine.begin() as tx:
        tx.execute(text("DELETE FROM events WHERE id = (SELECT max(id) FROM events)"))

    assert news.look() == POOLS


def test_a_look_that_fails_forgets_nothing(world: Pools, engine: Engine) -> None:
    class Failing(Transactions):
        away = False

        @contextmanager
        def looking(self, *, at_one_moment: bool = False) -> Iterator[Connection]:
            if self.away:
                raise RegistryUnavailable("no answer")
            with super().looking(at_one_moment=at_one_moment) as tx:
                yield tx

    transactions: Any = Failing(engine)
    news = News(transactions, POOLS)
    world.happens_in(DEFAULT_POOL)
    news.look()
    world.happens_in(GPU)
    transactions.away = True
    with pytest.raises(RegistryUnavailable):
        news.look()

    transactions.away = False

    assert news.look() == {GPU}
