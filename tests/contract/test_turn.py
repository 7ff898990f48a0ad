"""The Turn contract, beside SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from app.ports import Turn
from app.registry.database import open_database
from app.registry.turn import turn_of

Another = Callable[[], Turn]


@pytest.fixture
def another(database_url: str) -> Iterator[Another]:
    """Make turns of one database, each as another process would have it."""
    made: list[tuple[Turn, Engine]] = []

    def make() -> Turn:
        engine = open_database(database_url)
        made.append((turn_of(engine), engine))
        return made[-1][0]

    yield make
    for turn, engine in made:
        turn.give_back()
        engine.dispose()


def test_one_takes_the_turn_and_keeps_it(another: Another) -> None:
    turn = another()

    assert turn.take()
    assert turn.take()


def test_nobody_else_has_it_then(another: Another) -> None:
    another().take()

    assert not another().take()


def test_given_back_it_is_free_for_another(another: Another) -> None:
    first, second = another(), another()
    first.take()

    first.give_back()

    assert second.take()
    assert not first.take()


def test_giving_back_what_one_has_not_changes_nothing(another: Another) -> None:
    first, second = another(), another()
    first.take()

    second.give_back()

    assert not another().take()
