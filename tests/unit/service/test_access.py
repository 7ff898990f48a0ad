"""The gate: who is let in, and as whom."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.access import Role
from app.domain.errors import RegistryUnavailable, TooManyAttempts, Unauthenticated
from app.service.attempts import ALLOWED
from app.service.standing import FRESH, LIMIT
from tests.unit.service.doors import ADMIN_TOKEN, HERE, THERE, UNKNOWN, Door


@pytest.fixture
def door() -> Door:
    return Door()


# Who is let in


def test_a_token_lets_in_under_its_name_and_role(door: Door) -> None:
    identity = door.gate.admit(f"Bearer {door.token('ci', Role.VIEWER)}", HERE)

    assert (identity.actor, identity.role) == ("token:ci", Role.VIEWER)


def test_the_admin_token_of_the_settings_needs_no_database() -> None:
    door = Door(admin=True)
    door.tokens.away = True

    assert door.enter(ADMIN_TOKEN) == "admin"


def test_beside_the_admin_token_others_are_good_too() -> None:
    door = Door(admin=True)

    assert door.enter(door.token()) == "token:ci"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_may_be_written_in_any_case(door: Door, scheme: str) -> None:
    token = door.token()

    assert door.gate.admit(f"{scheme} {token}", HERE).actor == "token:ci"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "{}",
        "Basic {}",
        "Token {}",
        "Bearer{}",
        "Bearer {} ",
        " Bearer {}",
        "Bearer {},",
        "Bearer {} {}",
        "Bearer {},Bearer {}",
        "Bearer {}\n",
        "Bearer {}\x00",
        "Bearer \xe4{}",
        "Bearer \u0660{}",
        'Bearer "{}"',
        "Bearer " + "x" * 100_000,
    ],
)
def test_a_header_that_is_not_just_a_token_lets_nobody_in(door: Door, header: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        door.gate.admit(header.replace("{}", door.token()), HERE)

    assert refused.value.token_sent


@pytest.mark.parametrize("header", [None, "", "  "])
def test_without_a_header_one_is_told_how_to_send_it(door: Door, header: str | None) -> None:
    with pytest.raises(Unauthenticated, match="Authorization: Bearer TOKEN") as refused:
        door.gate.admit(header, HERE)

    assert not refused.value.token_sent


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token.upper(),
        lambda token: token.replace("eco_", ""),
        lambda token: token.rpartition("_")[2],
        lambda token: UNKNOWN[:13] + token[13:],
        lambda _: UNKNOWN,
        lambda _: "eco__",
    ],
)
def test_a_token_with_anything_wrong_in_it_lets_nobody_in(door: Door, change: Callable[[str], str]) -> None:
    with pytest.raises(Unauthenticated):
        door.enter(change(door.token()))


def test_the_secret_of_one_token_does_not_open_another(door: Door) -> None:
    viewer, admin = door.token("viewer", Role.VIEWER), door.token("admin", Role.ADMIN)

    with pytest.raises(Unauthenticated):
        door.enter(admin[:13] + viewer[13:])


def test_a_refusal_tells_nothing_of_what_was_sent(door: Door) -> None:
    with pytest.raises(Unauthenticated) as refused:
        door.enter(UNKNOWN)

    assert UNKNOWN[13:] not in refused.value.detail


# Expired and revoked


def test_a_token_is_refused_from_the_moment_it_expires(door: Door) -> None:
    token = door.token(ttl=timedelta(hours=1))
    door.clock.advance(3599.9)
    assert door.enter(token) == "token:ci"

    door.clock.advance(0.1)

    with pytest.raises(Unauthenticated, match="'ci' expired at"):
        door.enter(token)
    assert door.tokens.reads == 1


def test_that_it_has_expired_is_told_to_nobody_else(door: Door) -> None:
    token = door.token(ttl=timedelta(hours=1))
    door.clock.advance(7200)

    with pytest.raises(Unauthenticated) as refused:
        door.enter(token[:13] + "x" * 43)

    assert "expired" not in refused.value.detail


def test_a_revoked_token_is_refused_within_the_limit(door: Door) -> None:
    token = door.token()
    door.enter(token)
    door.desk.revoke("ci", actor="cli:ann")

    door.watch.advance(LIMIT)

    with pytest.raises(Unauthenticated):
        door.enter(token)


def test_a_new_token_is_taken_at_once(door: Door) -> None:
    with pytest.raises(Unauthenticated):
        door.enter(UNKNOWN)

    assert door.enter(door.token()) == "token:ci"


def test_from_an_address_that_guesses_a_new_token_is_taken_when_the_table_is_read_again(door: Door) -> None:
    """Or each guess would cost a look at the table."""
    for _ in range(ALLOWED):
        with pytest.raises(Unauthenticated):
            door.enter(UNKNOWN)
    token, reads = door.token(), door.tokens.reads
    with pytest.raises(TooManyAttempts):
        door.enter(token)
    assert door.tokens.reads == reads
    assert door.enter(token, THERE) == "token:ci"

    door.watch.advance(FRESH)

    assert door.enter(token) == "token:ci"


def test_a_secret_that_is_not_right_costs_no_look_at_the_table(door: Door) -> None:
    token = door.token()
    door.enter(token)

    with pytest.raises(Unauthenticated):
        door.enter(token[:-1] + ("A" if token[-1] != "A" else "B"))

    assert door.tokens.reads == 1


def test_whether_a_token_is_new_cannot_be_told_without_the_database(door: Door) -> None:
    """It is not refused as if it were not good: who has it may try again."""
    door.enter(door.token())
    door.tokens.away = True

    with pytest.raises(RegistryUnavailable):
        door.enter(UNKNOWN)


# Open services


def test_an_open_service_asks_nobody() -> None:
    door = Door(always_open=True)
    door.token()
    door.tokens.away = True

    assert door.gate.admit(None, HERE).actor == "anonymous"
    assert door.gate.admit("Basic whatever", HERE).role is Role.ADMIN


def test_an_open_service_is_so_to_this_machine_alone_unless_it_is_guarded_elsewhere() -> None:
    assert Door(open_while_unused=True).gate.local
    assert Door(always_open=True, local=True).gate.local
    assert not Door(always_open=True).gate.local


def test_a_service_that_is_open_while_unused_closes_with_its_first_token() -> None:
    door = Door(open_while_unused=True)
    before = door.gate.open
    token = door.token()

    door.watch.advance(LIMIT)

    assert (before, door.gate.open) == (True, False)
    assert door.enter(token) == "token:ci"
    with pytest.raises(Unauthenticated):
        door.gate.admit(None, HERE)


def test_an_expired_token_keeps_it_closed() -> None:
    door = Door(open_while_unused=True)
    door.token(ttl=timedelta(seconds=1))
    door.clock.advance(60)

    assert not door.gate.open


def test_when_all_tokens_have_expired_that_can_be_told() -> None:
    door = Door()
    none = door.gate.lapsed
    door.token("short", ttl=timedelta(seconds=1))
    door.token("long", ttl=timedelta(hours=1))
    door.watch.advance(LIMIT)
    door.clock.advance(60)
    one = door.gate.lapsed
    door.clock.advance(3600)

    assert (none, one, door.gate.lapsed) == (False, False, True)


@pytest.mark.parametrize("door", [Door(admin=True), Door(always_open=True)])
def test_where_one_can_enter_without_them_expired_tokens_are_no_matter(door: Door) -> None:
    door.token(ttl=timedelta(seconds=1))
    door.clock.advance(60)

    assert not door.gate.lapsed


def test_when_the_last_token_is_revoked_it_is_open_again() -> None:
    door = Door(open_while_unused=True)
    door.token()
    door.desk.revoke("ci", actor="cli:ann")

    assert door.gate.open


def test_whether_it_is_open_cannot_be_told_without_the_database() -> None:
    door = Door(open_while_unused=True)
    door.tokens.away = True

    with pytest.raises(RegistryUnavailable):
        door.gate.admit(None, HERE)


def test_a_service_with_an_admin_token_is_never_open_by_itself() -> None:
    assert not Door(open_while_unused=True, admin=True).gate.open


def test_a_service_that_nobody_has_a_token_for_is_barred() -> None:
    door = Door()
    before = door.gate.barred

    door.token()
    door.watch.advance(LIMIT)

    assert (before, door.gate.barred) == (True, False)
    assert not Door(admin=True).gate.barred
    assert not Door(open_while_unused=True).gate.barred
    assert not Door(always_open=True).gate.barred
