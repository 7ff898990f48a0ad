"""What is kept of the use of allocations: the Activity port on SQLite and on real PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, text

from app.domain.errors import RegistryUnavailable
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, ProjectId
from app.ports import Heard
from tests.builders import NOW, a_look
from tests.contract.activity_world import CULLS, MINUTE, OTHER, SECOND, World


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


# Who is watched


def test_allocated_instances_are_watched_where_they_listen(world: World) -> None:
    one = world.allocated()
    world.idle()

    assert world.activity.watched(DEFAULT_POOL) == {one: ("10.0.0.1", 8080)}


def test_those_of_another_pool_are_not(world: World) -> None:
    other = world.allocated(pool=OTHER)

    assert world.activity.watched(DEFAULT_POOL) == {}
    assert list(world.activity.watched(OTHER)) == [other]


def test_those_that_were_released_are_not(world: World) -> None:
    world.allocated()
    world.registry.release(ProjectId("a"), actor="ann", now=NOW)

    assert world.activity.watched(DEFAULT_POOL) == {}


def test_those_that_nobody_knows_who_holds_are_not(world: World) -> None:
    look = a_look()
    world.registry.discover(DEFAULT_POOL, look, now=NOW)
    world.registry.adopt(DEFAULT_POOL, look, None, port=8080, since=NOW, now=NOW)

    assert world.activity.watched(DEFAULT_POOL) == {}


# What is kept


def test_use_is_kept_with_its_time(world: World) -> None:
    one = world.allocated()
    world.note({one: MINUTE})
    world.clock.advance(30 * SECOND)

    world.note({one: 10 * SECOND})

    assert world.known(one).last_activity_at == world.now - 10 * SECOND


def test_what_is_kept_is_part_of_the_allocation_too(world: World) -> None:
    world.used()

    held = world.registry.claim(DEFAULT_POOL, ProjectId("a"), actor="ann", now=world.now).allocation

    assert held.last_activity_at == world.now


def test_silence_keeps_it_as_it_was(world: World) -> None:
    one = world.used()

    world.silent(one, MINUTE)

    assert world.known(one).last_activity_at == NOW


def test_before_any_use_there_is_none(world: World) -> None:
    one = world.allocated()

    world.note({one: None})

    assert world.known(one).last_activity_at is None


def test_it_stays_when_the_allocation_has_ended(world: World) -> None:
    one = world.used()
    world.registry.release(ProjectId("a"), actor="ann", now=NOW)

    assert world.known(one).last_activity_at == NOW


def test_of_many_each_is_kept(world: World) -> None:
    some = [world.used(f"project-{number}") for number in range(20)]
    world.clock.advance(MINUTE)

    world.note({one: number * SECOND for number, one in enumerate(some)})

    assert [world.known(one).last_activity_at for one in some] == [
        world.now - number * SECOND for number in range(20)
    ]


def test_nothing_is_written_where_nothing_has_changed(world: World, engine: Engine) -> None:
    one = world.used()
    world.clock.advance(MINUTE)
    written = []

    def watch(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        written.append(statement.split(maxsplit=1)[0])

    event.listen(engine, "before_cursor_execute", watch)
    world.note({one: MINUTE})
    event.remove(engine, "before_cursor_execute", watch)

    assert set(written) == {"SELECT"}


def test_what_is_not_allocated_any_more_is_left_alone(world: World) -> None:
    one = world.used()
    world.clock.advance(MINUTE)
    world.registry.release(ProjectId("a"), actor="ann", now=NOW)

    assert world.note({one: timedelta()}) == []
    assert world.known(one).last_activity_at == NOW


def test_where_nobody_told_anything_nothing_is_asked_of_the_database(world: World, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE allocations"))

    assert world.note({}) == []


# Confirmation


def test_one_in_use_need_not_be_confirmed_any_more(world: World) -> None:
    one = world.allocated(confirm_within=5 * MINUTE)
    world.clock.advance(MINUTE)

    world.note({one: 10 * SECOND})

    assert world.known(one).confirm_by is None
    assert [
        (line.actor, line.instance, line.reason) for line in world.events(EventKind.ALLOCATION_CONFIRMED)
    ] == [("poller", one, "it is in use")]


def test_one_that_is_not_must(world: World) -> None:
    one = world.allocated(confirm_within=5 * MINUTE)
    world.clock.advance(MINUTE)

    world.note({one: 2 * MINUTE})

    assert world.known(one).confirm_by == NOW + 5 * MINUTE
    assert world.events(EventKind.ALLOCATION_CONFIRMED) == []


def test_what_is_noted_one_by_one_confirms_as_well(world: World) -> None:
    used = world.allocated(confirm_within=5 * MINUTE)
    silent = world.allocated("b", confirm_within=5 * MINUTE)
    world.clock.advance(MINUTE)
    heard = {
        used: Heard(heartbeat=world.beat(10 * SECOND)),
        silent: Heard(heartbeat=world.beat(2 * MINUTE)),
    }

    assert set(world.activity.note_each(DEFAULT_POOL, heard, CULLS)) == {used, silent}
    assert world.known(used).confirm_by is None
    assert world.known(silent).confirm_by == NOW + 5 * MINUTE


def test_a_database_that_does_not_answer_is_told_in_our_words(world: World, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE allocations"))

    with pytest.raises(RegistryUnavailable):
        world.activity.watched(DEFAULT_POOL)
