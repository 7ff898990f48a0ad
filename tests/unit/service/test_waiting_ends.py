"""How a wait in line ends, and that nobody stands in the way of others by it."""

from datetime import timedelta
from threading import Event

import pytest

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.model import ProjectId
from app.ports import Claimed, HungUp, RequestId, Standing
from tests.unit.service.allocating import ALICE, BOB, World, wait
from tests.unit.service.rooms import FOUND, Room
from tests.waiting import LONG, until


def test_who_hangs_up_gives_the_place_and_the_demand_up() -> None:
    room = Room(places=3)
    hangs_up = Event()
    request = room.come(ALICE, gone=hangs_up.is_set)
    hangs_up.set()

    assert isinstance(request.exception(LONG), HungUp)
    assert room.line.left == [(RequestId("0"), False)]


def test_a_database_that_is_away_for_a_moment_ends_no_wait() -> None:
    room = Room(places=3)
    request = room.come(ALICE)
    room.line.away = True
    seen = len(room.slept)
    until(lambda: len(room.slept) > seen + 5)
    room.line.away = False
    room.found = True

    assert request.result(LONG) == FOUND


def test_a_claim_that_the_database_does_not_answer_ends_no_wait() -> None:
    room = Room(places=3)
    answers = iter([RegistryUnavailable("The database did not answer as it should. Try again.")])

    def claim() -> Claimed:
        for error in answers:
            raise error
        return FOUND

    request = room.come(ALICE, claim=claim)
    room.found = True

    assert request.result(LONG) == FOUND


def test_a_database_that_is_still_away_when_the_time_is_over_is_what_is_told(world: World) -> None:
    began = world.watch()

    def away(*_: object, **__: object) -> Standing:
        raise RegistryUnavailable("The database did not answer as it should. Try again.")

    world.after(2, lambda: setattr(world.line, "look", away))

    with pytest.raises(RegistryUnavailable):
        wait(world, wait=timedelta(seconds=5))

    assert world.watch() - began == pytest.approx(5)


def test_who_got_an_instance_has_no_place_to_give_up() -> None:
    room = Room(places=3)
    request = room.come(ALICE)
    room.found = True

    request.result(LONG)
    assert room.line.left == []


def test_who_lost_the_place_gets_in_line_again() -> None:
    room = Room(places=3)
    room.come(ALICE)
    room.line.forget()

    until(lambda: [project for _, project, _ in room.line.places] == [ALICE])


def test_what_is_claimed_for_nobody_is_given_back_unless_somebody_wants_it() -> None:
    room = Room(places=3)
    made = Event()

    def claim() -> Claimed:
        made.set()
        return FOUND

    request = room.come(ALICE, claim=claim, gone=made.is_set)
    room.found = True

    assert isinstance(request.exception(LONG), HungUp)
    assert room.line.abandoned == [ALICE]
    room.line.is_wanted = True
    made.clear()
    assert room.come(BOB, claim=claim, gone=made.is_set).result(LONG) == FOUND


def test_a_place_is_free_again_when_its_wait_is_over(world: World) -> None:
    for number in range(5):
        with pytest.raises(PoolExhausted):
            wait(world, ProjectId(f"project-{number}"), timedelta(seconds=1))
    world.after(1, world.idle)

    assert wait(world).created


def test_a_place_is_free_again_after_a_failure(world: World) -> None:
    look = world.line.look

    def away(*_: object, **__: object) -> Standing:
        raise RegistryUnavailable

    for number in range(5):
        world.line.look = away  # type: ignore[method-assign]
        with pytest.raises(RegistryUnavailable):
            wait(world, ProjectId(f"project-{number}"), timedelta(seconds=1))
    world.line.look = look  # type: ignore[method-assign]
    world.after(1, world.idle)

    assert wait(world).created


def test_at_the_end_of_the_process_everybody_is_sent_away(world: World) -> None:
    began = world.watch()
    ends_at = began + 3
    world.waiting_room.open_while(lambda: world.watch() < ends_at)

    with pytest.raises(PoolExhausted):
        wait(world)

    assert world.watch() - began < 4
