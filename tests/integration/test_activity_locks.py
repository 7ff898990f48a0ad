"""Use of allocations on PostgreSQL, while somebody else keeps one of their rows to himself."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from app.domain.model import DEFAULT_POOL
from app.ports import Heard
from app.registry.database import open_database
from tests.contract.activity_world import CULLS, MINUTE, SECOND, World


@pytest.fixture
def engine(a_postgres_registry: Callable[[], str]) -> Iterator[Engine]:
    opened = open_database(a_postgres_registry())
    yield opened
    opened.dispose()


def test_what_somebody_else_changes_for_long_is_not_noted_and_said_so(engine: Engine) -> None:
    world = World(engine)
    locked = world.allocated(confirm_within=5 * MINUTE)
    free = world.allocated("b", confirm_within=5 * MINUTE)
    world.clock.advance(MINUTE)
    heard = {one: Heard(heartbeat=world.beat(10 * SECOND)) for one in (locked, free)}

    with engine.begin() as other:
        other.execute(text("SELECT 1 FROM instances WHERE id = :id FOR UPDATE"), {"id": locked})
        assert set(world.activity.note_each(DEFAULT_POOL, heard, CULLS)) == {free}

    assert set(world.activity.note_each(DEFAULT_POOL, heard, CULLS)) == {locked, free}
    assert world.known(locked).confirm_by is None
