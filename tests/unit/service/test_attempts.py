"""How often an address may fail, and who suffers from it."""

from datetime import timedelta

import pytest
from limits import RateLimitItemPerSecond

from app.domain.errors import TooManyAttempts, Unauthenticated
from app.service.attempts import Attempts
from tests.fakes import FakeClock
from tests.unit.service.doors import ADMIN_TOKEN, HERE, THERE, UNKNOWN, Door
from tests.waiting import until


@pytest.fixture
def door() -> Door:
    return Door()


def fail(door: Door, times: int, address: str = HERE, token: str = "wrong") -> None:
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            door.enter(token, address)


def test_an_address_may_fail_ten_times_and_is_then_told_to_wait() -> None:
    door = Door(admin=True)
    for _ in range(10):
        with pytest.raises(Unauthenticated) as refused:
            door.enter("wrong")
        assert not isinstance(refused.value, TooManyAttempts)

    with pytest.raises(TooManyAttempts) as stopped:
        door.enter("wrong")
    assert timedelta(seconds=1) <= stopped.value.retry_after <= timedelta(minutes=1)


def test_whoever_sends_no_token_is_never_told_to_wait(door: Door) -> None:
    for _ in range(50):
        with pytest.raises(Unauthenticated) as refused:
            door.gate.admit(None, HERE)
        assert not isinstance(refused.value, TooManyAttempts)


def test_another_address_is_not_held_responsible() -> None:
    door = Door(admin=True)
    fail(door, 50)

    assert door.enter(ADMIN_TOKEN, THERE) == "admin"


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    door = Door(admin=True)
    for number in range(10):
        fail(door, 1, f"2001:db8::{number}")

    with pytest.raises(TooManyAttempts):
        door.enter("wrong", "2001:db8::ffff")
    assert door.enter(ADMIN_TOKEN, "2001:db8:0:1::1") == "admin"


def test_an_address_that_failed_too_often_cannot_guess_the_admin_token() -> None:
    door = Door(admin=True)
    fail(door, 10)

    with pytest.raises(TooManyAttempts):
        door.enter(ADMIN_TOKEN)


@pytest.mark.parametrize("wrong", ["wrong", UNKNOWN])
def test_but_who_has_a_token_of_the_table_is_let_in_from_there(door: Door, wrong: str) -> None:
    """A client with an old token locks out nobody with whom it shares an address."""
    token = door.token()
    fail(door, 50, token=wrong)

    assert door.enter(token) == "token:ci"


def test_expired_tokens_are_failed_attempts_too(door: Door) -> None:
    token = door.token(ttl=timedelta(seconds=1))
    door.clock.advance(1)
    fail(door, 10, token=token)

    with pytest.raises(TooManyAttempts):
        door.enter(token)


def test_after_a_while_an_address_may_try_again() -> None:
    attempts = Attempts(clock=FakeClock(), rate=RateLimitItemPerSecond(1))
    assert attempts.failed(HERE) is None
    until(lambda: attempts.failed(HERE) is not None or attempts.spent(HERE))

    assert until(lambda: not attempts.spent(HERE))


def test_what_is_no_address_is_counted_all_the_same() -> None:
    attempts = Attempts(clock=FakeClock())
    for _ in range(10):
        assert attempts.failed("unknown") is None

    assert attempts.spent("unknown")
    assert not attempts.spent("")


def test_an_ipv4_address_is_the_same_however_it_is_written() -> None:
    attempts = Attempts(clock=FakeClock())
    for _ in range(10):
        attempts.failed("::ffff:192.0.2.1")

    assert attempts.spent("192.0.2.1")
