"""The table of tokens, close at hand: how old it may be, and what is noted in it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest

from app.domain.access import Token
from app.domain.errors import RegistryUnavailable, Unauthenticated
from app.service.standing import FRESH, LIMIT, Uses
from tests.unit.service.doors import Door
from tests.waiting import until


@pytest.fixture
def door() -> Door:
    return Door()


def test_many_requests_read_the_table_once(door: Door) -> None:
    token = door.token()
    for _ in range(100):
        door.enter(token)

    assert door.tokens.reads == 1


def test_a_short_absence_of_the_database_is_not_noticed(door: Door) -> None:
    token = door.token()
    door.enter(token)
    door.tokens.away = True
    door.watch.advance(LIMIT - 0.1)

    assert door.enter(token) == "token:ci"


def test_while_the_table_cannot_be_read_nobody_is_let_in(door: Door) -> None:
    token = door.token()
    door.enter(token)
    door.tokens.away = True
    door.watch.advance(LIMIT)

    with pytest.raises(RegistryUnavailable):
        door.enter(token)


def test_before_the_table_was_read_once_nobody_is_let_in(door: Door) -> None:
    token = door.token()
    door.tokens.away = True

    with pytest.raises(RegistryUnavailable):
        door.enter(token)


def test_a_slow_look_at_the_table_keeps_only_one_request_waiting(door: Door) -> None:
    token = door.token()
    door.enter(token)
    door.watch.advance(FRESH)
    looking, go_on, read = Event(), Event(), door.tokens.standing

    def slowly() -> Mapping[str, Token]:
        looking.set()
        go_on.wait(60)
        return read()

    door.tokens.standing = slowly  # type: ignore[method-assign]
    first = Thread(target=door.enter, args=(token,))
    first.start()
    assert looking.wait(60)

    assert door.enter(token) == "token:ci"

    go_on.set()
    first.join()


def test_what_is_revoked_during_a_slow_look_is_refused_in_time(door: Door) -> None:
    """The age of what was read counts from the beginning of the look."""
    token = door.token()
    read = door.tokens.standing

    def slowly() -> Mapping[str, Token]:
        found = read()
        door.desk.revoke("ci", actor="cli:ann")
        door.watch.advance(LIMIT - 1)
        door.tokens.standing = read  # type: ignore[method-assign]
        return found

    door.tokens.standing = slowly  # type: ignore[method-assign]
    door.enter(token)
    door.watch.advance(1)

    with pytest.raises(Unauthenticated):
        door.enter(token)


# The last use


def last_use(door: Door) -> Token:
    (token,) = door.tokens.listed()
    return token


def test_a_use_is_written_soon_and_by_no_request(door: Door) -> None:
    token = door.token()
    door.enter(token)

    until(lambda: last_use(door).last_used_at is not None)

    assert last_use(door).last_used_at == door.clock.now()


def test_it_is_written_once_a_minute(door: Door) -> None:
    token = door.token()
    for _ in range(60):
        door.enter(token)
        door.uses.write()
        door.clock.advance(1.1)

    door.gate.close()

    assert door.tokens.writes == 2


def test_what_another_process_has_noted_is_not_written_again(door: Door) -> None:
    token = door.token()
    door.tokens.note_used({last_use(door).id: door.clock.now()})
    door.clock.advance(59)
    door.enter(token)

    door.gate.close()

    assert door.tokens.writes == 1


def test_a_use_that_cannot_be_written_now_is_written_later(door: Door) -> None:
    token = door.token()
    door.enter(token)
    used = door.clock.now()
    door.tokens.away = True
    door.gate.close()
    door.tokens.away = False

    door.uses.write()

    assert last_use(door).last_used_at == used


def test_the_end_of_the_process_writes_what_is_left() -> None:
    door = Door()
    uses = Uses(door.tokens, gathering=3600)
    door.token()
    uses.note(last_use(door), door.clock.now())

    uses.close()

    assert last_use(door).last_used_at == door.clock.now()


def test_the_end_of_the_process_waits_for_what_is_being_written(door: Door) -> None:
    writing, go_on, note = Event(), Event(), door.tokens.note_used

    def slowly(used: Mapping[str, datetime]) -> None:
        writing.set()
        go_on.wait(60)
        note(used)

    door.tokens.note_used = slowly  # type: ignore[method-assign]
    door.enter(door.token())
    assert writing.wait(60)
    closing = Thread(target=door.gate.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()

    go_on.set()
    closing.join()

    assert last_use(door).last_used_at == door.clock.now()


def test_a_refused_token_was_not_used(door: Door) -> None:
    token = door.token(ttl=timedelta(seconds=1))
    door.clock.advance(1)
    with pytest.raises(Unauthenticated):
        door.enter(token)

    door.gate.close()

    assert door.tokens.writes == 0
