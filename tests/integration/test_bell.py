"""Word from one replica to another: by NOTIFY on real PostgreSQL, by a look at the registry elsewhere."""

from collections.abc import Callable, Iterator
from threading import active_count
from time import monotonic

import psycopg
import pytest
from sqlalchemy import Engine, text

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, PoolName
from app.registry.bell import CHANNEL, GAP, LOOK, PostgresBell, QuietBell, bell_of
from app.registry.database import open_database
from app.registry.news import News
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.fake_clock import Stopwatch
from tests.waiting import until

GPU = PoolName("gpu")
POOLS = frozenset({DEFAULT_POOL, GPU})


def deaf() -> frozenset[PoolName]:
    """Look at a registry in which nobody finds news, so that word can come by the bell alone."""
    return frozenset()


def bell_on(engine: Engine) -> PostgresBell:
    bell = bell_of(engine, deaf, POOLS, Stopwatch())
    assert isinstance(bell, PostgresBell)
    return bell


@pytest.fixture
def engine(a_postgres_registry: Callable[[], str]) -> Iterator[Engine]:
    opened = open_database(a_postgres_registry())
    yield opened
    opened.dispose()


@pytest.fixture
def pair(engine: Engine) -> Iterator[tuple[PostgresBell, PostgresBell]]:
    """Two replicas that both listen, and have heard nothing yet."""
    ours, theirs = bell_on(engine), bell_on(engine)
    for bell in (ours, theirs):
        until(bell.rang, what="the first word, which stands for all that was missed before")
    yield ours, theirs
    ours.close()
    theirs.close()


def test_who_rings_is_heard_by_the_other(pair: tuple[PostgresBell, PostgresBell]) -> None:
    ours, theirs = pair

    ours.ring()

    until(theirs.rang)


def test_word_comes_without_any_look(pair: tuple[PostgresBell, PostgresBell]) -> None:
    """The clock of the look stands still in these tests: it would never come."""
    ours, theirs = pair
    for _ in range(3):
        ours.ring()
        until(theirs.rang)


def test_word_is_told_once(pair: tuple[PostgresBell, PostgresBell]) -> None:
    ours, theirs = pair
    ours.ring()
    until(theirs.rang)

    assert not theirs.rang()


def heard_by(bell: PostgresBell) -> frozenset[PoolName]:
    """Wait for word, and return what it says."""
    words: list[frozenset[PoolName]] = []

    def heard() -> bool:
        words.append(bell.rang())
        return bool(words[-1])

    until(heard)
    return words[-1]


def test_word_of_one_pool_names_that_pool_alone(pair: tuple[PostgresBell, PostgresBell]) -> None:
    ours, theirs = pair
    ours.ring(GPU)

    assert heard_by(theirs) == {GPU}


def test_word_of_no_pool_in_particular_is_word_of_all(pair: tuple[PostgresBell, PostgresBell]) -> None:
    ours, theirs = pair
    ours.ring()

    assert heard_by(theirs) == POOLS


def test_word_of_a_pool_that_a_replica_does_not_have_is_no_word_to_it(
    pair: tuple[PostgresBell, PostgresBell], engine: Engine
) -> None:
    ours, theirs = pair
    other = bell_of(engine, deaf, [*POOLS, PoolName("another")], Stopwatch())
    until(other.rang)

    other.ring(PoolName("another"))
    until(other.rang, what="its own word")
    ours.ring(GPU)

    assert heard_by(theirs) == {GPU}
    other.close()


def test_word_of_an_older_version_which_names_no_pool_is_word_of_all(
    pair: tuple[PostgresBell, PostgresBell], engine: Engine
) -> None:
    _, theirs = pair
    with psycopg.connect(engine.url.render_as_string().replace("+psycopg", ""), autocommit=True) as voice:
        voice.execute(f"NOTIFY {CHANNEL}")

    assert heard_by(theirs) == POOLS


def test_many_rings_are_few_notifications(pair: tuple[PostgresBell, PostgresBell], engine: Engine) -> None:
    ours, _ = pair
    with psycopg.connect(engine.url.render_as_string().replace("+psycopg", ""), autocommit=True) as ear:
        ear.execute(f"LISTEN {CHANNEL}")
        began = monotonic()
        for _ in range(1000):
            ours.ring()
        took = monotonic() - began
        first = list(ear.notifies(timeout=30, stop_after=1))
        more = list(ear.notifies(timeout=1))

    assert 1 <= len(first + more) <= 2 + took / GAP  # one at the beginning, and one for what came last


def test_a_bell_whose_connection_was_ended_comes_back(
    pair: tuple[PostgresBell, PostgresBell], engine: Engine
) -> None:
    ours, theirs = pair
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    def heard() -> bool:
        ours.ring()
        return bool(theirs.rang())

    until(heard)


def test_what_no_notification_told_is_found_by_looking(engine: Engine) -> None:
    time, transactions = Stopwatch(), Transactions(engine)
    registry, news = SqlRegistry(transactions), News(transactions, POOLS)
    bell = bell_of(engine, news.look, POOLS, time)
    until(bell.rang)
    registry.discover(DEFAULT_POOL, a_look(), now=NOW)
    assert not bell.rang()

    time.seconds += LOOK

    assert bell.rang()
    bell.close()


def test_a_bell_that_was_closed_listens_no_more(pair: tuple[PostgresBell, PostgresBell]) -> None:
    before = active_count()
    for bell in pair:
        bell.close()

    until(lambda: active_count() <= before - 2)


def test_a_bell_takes_none_of_the_connections_that_requests_share(
    a_postgres_registry: Callable[[], str],
) -> None:
    engine = open_database(a_postgres_registry(), connections=1)
    bell = bell_on(engine)
    until(bell.rang)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    bell.close()
    engine.dispose()


def test_a_bell_that_was_closed_may_still_be_rung(engine: Engine) -> None:
    bell = bell_on(engine)
    bell.close()

    bell.ring()

    assert not bell.rang()


# By looking


class Look:
    """What the registry shows, or why it cannot be told."""

    def __init__(self) -> None:
        self.news: frozenset[PoolName] | Exception = frozenset()
        self.asked = 0

    def __call__(self) -> frozenset[PoolName]:
        self.asked += 1
        if isinstance(self.news, Exception):
            raise self.news
        return self.news


def test_a_bell_that_only_looks_says_what_it_sees() -> None:
    look = Look()
    bell = QuietBell(look, monotonic=Stopwatch())
    look.news = frozenset({GPU})

    assert bell.rang() == {GPU}


def test_ringing_a_bell_that_only_looks_costs_nothing() -> None:
    look = Look()

    QuietBell(look, monotonic=Stopwatch()).ring(GPU)

    assert look.asked == 0


def test_a_look_that_fails_says_so() -> None:
    look = Look()
    look.news = RegistryUnavailable("no answer")

    with pytest.raises(RegistryUnavailable):
        QuietBell(look, monotonic=Stopwatch()).rang()


def test_no_more_often_than_asked_for_is_looked() -> None:
    look, time = Look(), Stopwatch()
    bell = QuietBell(look, monotonic=time, every=1.0)
    for _ in range(10):
        bell.rang()
        time.seconds += 0.25

    assert look.asked == 3
