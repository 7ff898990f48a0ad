"""Word from one replica to another: by NOTIFY on real PostgreSQL, by a look at the registry elsewhere."""

from collections.abc import Callable, Iterator
from threading import active_count

import psycopg
import pytest
from sqlalchemy import Engine, text

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL
from app.ports import Bell
from app.registry.bell import CHANNEL, LOOK, PostgresBell, QuietBell, bell_of
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.fake_clock import Stopwatch
from tests.waiting import until


class Deaf:
    """A registry in which nobody finds news, so that word can come by the bell alone."""

    def __call__(self) -> int:
        return 0


def bell_on(engine: Engine, newest_event: Callable[[], int] | None = None) -> PostgresBell:
    bell = bell_of(engine, newest_event or Deaf(), Stopwatch())
    assert isinstance(bell, PostgresBell)
    return bell


@pytest.fixture
def engine(a_postgres_database: Callable[[], str]) -> Iterator[Engine]:
    opened = open_database(a_postgres_database())
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

    until(theirs.rang, within=5)


def test_word_comes_without_any_look(pair: tuple[PostgresBell, PostgresBell]) -> None:
    """The clock of the look stands still in these tests: it would never come."""
    ours, theirs = pair
    for _ in range(3):
        ours.ring()
        until(theirs.rang, within=5)


def test_word_is_told_once(pair: tuple[PostgresBell, PostgresBell]) -> None:
    ours, theirs = pair
    ours.ring()
    until(theirs.rang)

    assert not theirs.rang()


def test_many_rings_are_few_notifications(pair: tuple[PostgresBell, PostgresBell], engine: Engine) -> None:
    ours, _ = pair
    heard = 0
    with psycopg.connect(engine.url.render_as_string().replace("+psycopg", ""), autocommit=True) as ear:
        ear.execute(f"LISTEN {CHANNEL}")
        for _ in range(1000):
            ours.ring()
        heard = sum(1 for _ in ear.notifies(timeout=1))

    assert 1 <= heard <= 20


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
        return theirs.rang()

    until(heard, within=10)


def test_what_no_notification_told_is_found_by_looking(engine: Engine) -> None:
    time, registry = Stopwatch(), SqlRegistry(Transactions(engine))
    bell = bell_of(engine, registry.newest_event, time)
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
    a_postgres_database: Callable[[], str],
) -> None:
    engine = open_database(a_postgres_database(), connections=1)
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


class Events:
    """The number of the newest event, or why it cannot be told."""

    def __init__(self) -> None:
        self.newest: int | Exception = 0
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        if isinstance(self.newest, Exception):
            raise self.newest
        return self.newest


def a_look_at(events: Events) -> Bell:
    return QuietBell(events, monotonic=Stopwatch())


def test_a_look_finds_news_once() -> None:
    events = Events()
    look = a_look_at(events)
    assert not look.rang()

    events.newest = 7

    assert [look.rang(), look.rang()] == [True, False]


def test_a_look_finds_news_in_a_database_that_was_restored_to_an_earlier_state() -> None:
    events = Events()
    look = a_look_at(events)
    events.newest = 7
    look.rang()

    events.newest = 3

    assert look.rang()


def test_ringing_a_bell_that_only_looks_costs_nothing() -> None:
    events = Events()

    a_look_at(events).ring()

    assert events.asked == 0


def test_a_look_that_fails_says_so_and_forgets_nothing() -> None:
    events = Events()
    look = a_look_at(events)
    events.newest = RegistryUnavailable("no answer")
    with pytest.raises(RegistryUnavailable):
        look.rang()

    events.newest = 1

    assert look.rang()


def test_no_more_often_than_asked_for_is_looked() -> None:
    events, time = Events(), Stopwatch()
    look = QuietBell(events, monotonic=time, every=1.0)
    for _ in range(10):
        look.rang()
        time.seconds += 0.25

    assert events.asked == 3
