"""How an allocation ends that nobody uses: the Activity port on SQLite and on real PostgreSQL."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine

from app.domain.controls import Change
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, InstanceState
from app.domain.terms import TermsPolicy
from tests.contract.activity_world import CULLS, HOUR, MINUTE, SECOND, World


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


# The announcement


def test_the_end_is_announced_once(world: World) -> None:
    one = world.used()

    assert world.silent(one, 50 * MINUTE) == []
    world.clock.advance(5 * MINUTE)
    world.note({one: 55 * MINUTE})

    [line] = world.events(EventKind.ALLOCATION_EXPIRING)
    assert (line.actor, line.instance, line.project) == ("poller", one, "a")
    assert line.reason == (
        "nobody has used it since 2026-11-22T12:00:00+00:00: "
        "it ends at 2026-11-22T13:00:00+00:00 unless it is used again"
    )


def test_after_new_use_it_is_announced_anew(world: World) -> None:
    one = world.used()
    world.silent(one, 50 * MINUTE)
    world.note({one: timedelta()})

    world.silent(one, 50 * MINUTE)

    assert len(world.events(EventKind.ALLOCATION_EXPIRING)) == 2


def test_without_a_timeout_nothing_is_announced(world: World) -> None:
    one = world.used()
    world.clock.advance(100 * HOUR)

    assert world.note({one: 100 * HOUR}, TermsPolicy()) == []
    assert world.events(EventKind.ALLOCATION_EXPIRING) == []


def test_two_leaders_announce_it_once(world: World) -> None:
    one = world.used()
    world.clock.advance(50 * MINUTE)
    start = Barrier(2)

    def announce() -> None:
        start.wait()
        world.note({one: 50 * MINUTE})

    threads = [Thread(target=announce) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(world.events(EventKind.ALLOCATION_EXPIRING)) == 1


# The end


def test_what_nobody_uses_ends(world: World) -> None:
    one = world.announced()

    assert world.note({one: HOUR}) == [one]
    assert world.end(one, HOUR)
    ended = world.known(one)
    assert (ended.state, ended.end_reason) == (InstanceState.TERMINATING, EndReason.UNUSED)
    [line] = world.events(EventKind.ALLOCATION_ENDED)
    assert (line.actor, line.project, line.reason) == ("poller", "a", "unused")


def test_it_ends_once(world: World) -> None:
    one = world.announced()
    world.end(one, HOUR)

    assert not world.end(one, HOUR)
    assert world.note({one: HOUR}) == []


def test_it_does_not_end_unannounced(world: World) -> None:
    one = world.used()
    world.clock.advance(5 * HOUR)

    assert not world.end(one, 5 * HOUR)


def test_it_does_not_end_before_its_time(world: World) -> None:
    one = world.used()
    world.silent(one, 50 * MINUTE)
    world.clock.advance(10 * MINUTE - SECOND)

    assert world.note({one: HOUR - SECOND}) == []
    assert not world.end(one, HOUR - SECOND)


def test_what_was_used_since_does_not_end(world: World) -> None:
    one = world.announced()

    assert not world.end(one, timedelta())
    assert world.known(one).state is InstanceState.ALLOCATED


def test_what_was_never_used_does_not_end(world: World) -> None:
    one = world.allocated()
    world.note({one: None})
    world.clock.advance(100 * HOUR)

    assert world.note({one: None}) == []
    assert not world.activity.end(one, world.beat(), CULLS)


def test_what_is_on_hold_does_not_end_and_is_not_announced(world: World) -> None:
    one = world.used()
    world.registry.hold(one, reason=None, actor="ann", now=world.now)

    assert world.silent(one, 50 * MINUTE) == []
    world.clock.advance(HOUR)
    assert world.note({one: 110 * MINUTE}) == []
    assert not world.end(one, 110 * MINUTE)
    assert world.events(EventKind.ALLOCATION_EXPIRING) == []


def test_what_was_put_on_hold_at_the_last_moment_does_not_end(world: World) -> None:
    one = world.announced()
    world.registry.hold(one, reason=None, actor="ann", now=world.now)

    assert not world.end(one, HOUR)


def test_after_a_long_hold_it_is_announced_anew_before_it_ends(world: World) -> None:
    one = world.announced()
    world.registry.hold(one, reason=None, actor="ann", now=world.now)
    world.clock.advance(2 * HOUR)
    world.registry.unhold(one, actor="ann", now=world.now)

    assert not world.end(one, 3 * HOUR)
    assert world.note({one: 3 * HOUR}) == []
    assert len(world.events(EventKind.ALLOCATION_EXPIRING)) == 2
    world.clock.advance(MINUTE)
    assert world.note({one: 3 * HOUR + MINUTE}) == [one]
    assert world.end(one, 3 * HOUR + MINUTE)


def paused(world: World, *, now: bool) -> None:
    change = Change(paused=now)
    world.controls.change(DEFAULT_POOL, change, configured=5, expect=None, actor="ann", now=world.now)


def test_in_a_paused_pool_nothing_ends_and_nothing_is_announced(world: World) -> None:
    one = world.used()
    paused(world, now=True)

    assert world.silent(one, 50 * MINUTE) == []
    assert world.events(EventKind.ALLOCATION_EXPIRING) == []
    assert not world.end(one, 50 * MINUTE)


def test_in_a_pool_that_was_paused_at_the_last_moment_nothing_ends(world: World) -> None:
    one = world.announced()
    paused(world, now=True)

    assert not world.end(one, HOUR)


def test_use_is_kept_while_a_pool_is_paused(world: World) -> None:
    one = world.used()
    paused(world, now=True)
    world.clock.advance(MINUTE)

    world.note({one: timedelta()})

    assert world.known(one).last_activity_at == world.now


def test_of_an_end_and_a_release_that_race_one_happens(world: World) -> None:
    one = world.announced()
    start, ended = Barrier(2), list[bool]()

    def end() -> None:
        start.wait()
        ended.append(world.end(one, HOUR))

    thread = Thread(target=end)
    thread.start()
    start.wait()
    world.registry.destroy(one, actor="ann", now=world.now)
    thread.join()

    reason = EndReason.UNUSED if ended == [True] else EndReason.DESTROYED
    assert world.known(one).end_reason is reason
    assert len(world.events(EventKind.ALLOCATION_ENDED)) == 1
