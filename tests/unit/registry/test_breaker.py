"""The breaker: who waits for a database that cannot be reached, and who is spared it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.errors import RegistryUnavailable
from app.registry.breaker import REST, Breaker
from tests.fake_clock import Stopwatch

AWAY = OperationalError(None, None, psycopg.OperationalError("connection timeout expired"))


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def breaker(watch: Stopwatch) -> Breaker:
    return Breaker(monotonic=watch)


def fail(breaker: Breaker, error: BaseException = AWAY) -> None:
    """One transaction that ends with this error."""
    with suppress(type(error)), breaker.passing():
        raise error


def lets_in(breaker: Breaker) -> bool:
    """Whether a transaction may be tried; it succeeds."""
    try:
        with breaker.passing():
            return True
    except RegistryUnavailable:
        return False


@contextmanager
def tripped(breaker: Breaker, watch: Stopwatch) -> Iterator[None]:
    """After an outage, when the rest is over."""
    fail(breaker)
    watch.seconds += REST
    yield


def test_all_may_pass_while_the_database_answers(breaker: Breaker) -> None:
    with breaker.passing(), breaker.passing():
        assert lets_in(breaker)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(AWAY, id="no connection"),
        pytest.param(
            DBAPIError("SELECT 1", None, psycopg.OperationalError("lost"), connection_invalidated=True),
            id="a connection that was lost",
        ),
        pytest.param(
            DBAPIError("SELECT 1", None, psycopg.errors.AdminShutdown("bye"), connection_invalidated=True),
            id="a server that shuts down",
        ),
        pytest.param(PoolTimeout("pool"), id="no connection left"),
    ],
)
def test_after_an_outage_the_next_is_refused_at_once(breaker: Breaker, error: SQLAlchemyError) -> None:
    fail(breaker, error)

    assert not lets_in(breaker)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(
            OperationalError("BEGIN IMMEDIATE", None, sqlite3.OperationalError("locked")), id="file"
        ),
        pytest.param(OperationalError("x", None, psycopg.errors.LockNotAvailable("lock")), id="row lock"),
        pytest.param(OperationalError("x", None, psycopg.errors.QueryCanceled("statement")), id="statement"),
        pytest.param(IntegrityError("x", None, psycopg.errors.UniqueViolation("twice")), id="a conflict"),
        pytest.param(
            DBAPIError("x", None, psycopg.errors.ReadOnlySqlTransaction("ro"), connection_invalidated=True),
            id="a standby",
        ),
        pytest.param(RegistryUnavailable("ours"), id="an error of ours"),
        pytest.param(KeyboardInterrupt(), id="an interrupt"),
    ],
)
def test_what_the_database_itself_refuses_is_no_outage(breaker: Breaker, error: BaseException) -> None:
    fail(breaker, error)

    assert lets_in(breaker)


def test_one_connection_that_fails_while_others_are_answered_is_no_outage(
    breaker: Breaker, watch: Stopwatch
) -> None:
    """The server has no room for one more, or has ended one: those that work go on."""
    assert lets_in(breaker)
    watch.seconds += REST / 2

    fail(breaker)

    assert lets_in(breaker)


def test_once_nobody_was_answered_for_a_while_a_failure_is_an_outage(
    breaker: Breaker, watch: Stopwatch
) -> None:
    assert lets_in(breaker)
    watch.seconds += REST

    fail(breaker)

    assert not lets_in(breaker)


def test_what_went_wrong_stands_behind_a_refusal(breaker: Breaker) -> None:
    fail(breaker)

    with pytest.raises(RegistryUnavailable) as refused, breaker.passing():
        pass

    assert "connection timeout expired" in repr(refused.value.__cause__)


def test_after_a_rest_one_may_try_and_the_others_are_still_refused(
    breaker: Breaker, watch: Stopwatch
) -> None:
    with tripped(breaker, watch), breaker.passing():
        assert not lets_in(breaker)


def test_one_that_succeeds_lets_all_in(breaker: Breaker, watch: Stopwatch) -> None:
    with tripped(breaker, watch):
        assert lets_in(breaker)

    with breaker.passing():
        assert lets_in(breaker)


@pytest.mark.parametrize("error", [RegistryUnavailable("ours"), KeyboardInterrupt()])
def test_an_answer_of_any_kind_lets_all_in(breaker: Breaker, watch: Stopwatch, error: BaseException) -> None:
    with tripped(breaker, watch):
        fail(breaker, error)

    with breaker.passing():
        assert lets_in(breaker)


def test_one_that_fails_again_makes_for_another_rest(breaker: Breaker, watch: Stopwatch) -> None:
    with tripped(breaker, watch):
        fail(breaker)
    watch.seconds += REST - 0.001
    assert not lets_in(breaker)

    watch.seconds += 0.001
    assert lets_in(breaker)


def test_a_failure_that_began_before_the_recovery_proves_nothing(breaker: Breaker, watch: Stopwatch) -> None:
    with suppress(OperationalError), breaker.passing():
        with tripped(breaker, watch):
            assert lets_in(breaker)
        raise AWAY

    assert lets_in(breaker)


def test_a_success_that_began_before_the_outage_proves_nothing(breaker: Breaker) -> None:
    with breaker.passing():
        fail(breaker)

    assert not lets_in(breaker)
