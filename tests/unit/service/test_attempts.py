"""How often an address may fail, and who suffers from it."""

from datetime import timedelta

import pytest

from app.domain.errors import TooManyAttempts, Unauthenticated
from app.service.attempts import ALLOWED, WINDOW, Attempts
from tests.fake_clock import Stopwatch
from tests.unit.service.doors import ADMIN_TOKEN, HERE, THERE, UNKNOWN, Door


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


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def attempts(watch: Stopwatch) -> Attempts:
    """It tells three addresses apart."""
    return Attempts(monotonic=watch, most=3)


def spend(attempts: Attempts, address: str) -> None:
    for _ in range(ALLOWED):
        assert attempts.failed(address) is None


def test_an_address_waits_for_the_rest_of_the_minute(attempts: Attempts, watch: Stopwatch) -> None:
    spend(attempts, HERE)
    watch.advance(WINDOW - 20)

    assert attempts.failed(HERE) == timedelta(seconds=20)
    watch.advance(19.5)
    assert attempts.failed(HERE) == timedelta(seconds=1)
    watch.advance(0.5)
    assert not attempts.spent(HERE)
    spend(attempts, HERE)


def test_to_try_on_while_one_must_wait_makes_it_no_longer(attempts: Attempts, watch: Stopwatch) -> None:
    spend(attempts, HERE)
    for _ in range(60):
        attempts.failed(HERE)
        watch.advance(1)

    assert not attempts.spent(HERE)


def test_what_is_over_is_not_kept(attempts: Attempts, watch: Stopwatch) -> None:
    attempts.failed(HERE)
    watch.advance(1)
    attempts.failed(THERE)
    watch.advance(WINDOW - 1)

    assert not attempts.spent(HERE)
    assert len(attempts) == 1


def test_however_many_addresses_fail_no_more_is_kept(watch: Stopwatch) -> None:
    attempts = Attempts(monotonic=watch, most=100)
    for number in range(20_000):
        attempts.failed(f"10.0.{number >> 8}.{number & 255}")

    assert len(attempts) <= 101


def test_while_too_many_addresses_fail_the_new_ones_count_as_one(
    attempts: Attempts, watch: Stopwatch
) -> None:
    for known in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        attempts.failed(known)
    for number in range(ALLOWED):
        assert attempts.failed(f"198.51.100.{number}") is None

    assert attempts.spent("198.51.100.99")
    assert attempts.failed("198.51.100.99") is not None
    assert not attempts.spent("192.0.2.1")
    watch.advance(WINDOW)
    assert not attempts.spent("198.51.100.99")


def test_what_is_no_address_is_counted_all_the_same(attempts: Attempts) -> None:
    spend(attempts, "unknown")

    assert attempts.spent("unknown")
    assert not attempts.spent("")


def test_of_what_is_no_address_not_much_is_kept(attempts: Attempts) -> None:
    spend(attempts, "x" * 8000)

    assert attempts.spent("x" * 64)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "::1", "fe80::2%1"])
def test_any_way_to_write_an_address_is_understood(attempts: Attempts, address: str) -> None:
    spend(attempts, address)

    assert attempts.spent(address)


def test_an_ipv4_address_is_the_same_however_it_is_written(attempts: Attempts) -> None:
    spend(attempts, "::ffff:192.0.2.1")

    assert attempts.spent("192.0.2.1")
