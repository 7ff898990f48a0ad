"""When it is told that a pool's buffer cannot be met, and that it can again."""

from datetime import timedelta

from app.domain.events import EventKind
from app.domain.model import Limit
from app.domain.telling import PATIENCE, News, Told, follow
from tests.builders import NOW

MOMENT = timedelta(microseconds=1)
LIMITED = Told(limited_by=Limit.MAX_SIZE)


def test_where_nothing_is_in_the_way_nothing_is_told() -> None:
    assert follow(Told(), None, NOW) == (Told(), None)


def test_a_limit_is_not_told_at_once() -> None:
    assert follow(Told(), Limit.QUOTA, NOW) == (Told(since=NOW), None)


def test_a_limit_that_is_over_soon_is_never_told() -> None:
    assert follow(Told(since=NOW), None, NOW + PATIENCE) == (Told(), None)


def test_a_limit_is_told_once_it_has_lasted() -> None:
    before = Told(since=NOW)

    assert follow(before, Limit.QUOTA, NOW + PATIENCE - MOMENT) == (before, None)
    assert follow(before, Limit.QUOTA, NOW + PATIENCE) == (
        Told(limited_by=Limit.QUOTA),
        News(kind=EventKind.POOL_LIMITED, limited_by=Limit.QUOTA),
    )


def test_a_limit_is_told_once() -> None:
    assert follow(LIMITED, Limit.MAX_SIZE, NOW) == (LIMITED, None)


def test_another_limit_is_told_after_the_first() -> None:
    told, news = follow(LIMITED, Limit.CAPACITY, NOW)
    assert (told, news) == (Told(limited_by=Limit.MAX_SIZE, since=NOW), None)

    assert follow(told, Limit.CAPACITY, NOW + PATIENCE) == (
        Told(limited_by=Limit.CAPACITY),
        News(kind=EventKind.POOL_LIMITED, limited_by=Limit.CAPACITY),
    )


def test_another_limit_that_is_over_soon_is_never_told() -> None:
    assert follow(Told(limited_by=Limit.MAX_SIZE, since=NOW), Limit.MAX_SIZE, NOW) == (LIMITED, None)


def test_a_limit_that_turns_into_another_is_told_as_what_it_is_by_then() -> None:
    told, _ = follow(Told(), Limit.CAPACITY, NOW)

    _, news = follow(told, Limit.QUOTA, NOW + PATIENCE)

    assert news == News(kind=EventKind.POOL_LIMITED, limited_by=Limit.QUOTA)


def test_the_first_pass_without_takes_back_what_was_told() -> None:
    assert follow(LIMITED, None, NOW) == (
        Told(),
        News(kind=EventKind.POOL_RECOVERED, limited_by=Limit.MAX_SIZE),
    )


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_once() -> None:
    later = Told(since=NOW + timedelta(days=1))

    told, _ = follow(later, Limit.QUOTA, NOW)

    assert told == Told(since=NOW)
