"""Where a database server is: names are looked up, and not waited for without end."""

import socket
from collections.abc import Callable
from threading import Event
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app.registry.addresses import MOST, located
from app.registry.database import open_database


def answering(*addresses: str) -> Callable[..., list[tuple[Any, ...]]]:
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in addresses]


def never(*_: object, **__: object) -> list[tuple[Any, ...]]:
    Event().wait(60)
    return []


def unknown(*_: object, **__: object) -> list[tuple[Any, ...]]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_comes_with_its_addresses_and_stays() -> None:
    found = located({"host": "db.internal", "port": 5432}, 30, answering("10.0.0.1", "10.0.0.2"))

    assert found == {"host": "db.internal,db.internal", "hostaddr": "10.0.0.1,10.0.0.2", "port": 5432}


def test_no_more_addresses_are_tried_than_there_is_time_for() -> None:
    found = located({"host": "db.internal"}, 30, answering(*(f"10.0.0.{n}" for n in range(9))))

    assert found["hostaddr"].count(",") == MOST - 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"host": "10.0.0.1"},
        {"host": "fe80::1"},
        {"host": "/var/run/postgresql"},
        {"host": "one,two"},
        {"host": "db.internal", "hostaddr": "10.0.0.1"},
        {"host": ""},
        {},
    ],
)
def test_what_is_no_single_name_is_left_to_libpq(arguments: dict[str, str]) -> None:
    assert located(arguments, 1, unknown) == arguments


def test_a_resolver_that_does_not_answer_is_not_waited_for() -> None:
    with pytest.raises(psycopg.OperationalError, match=r"nobody said within 0\.1 s where db\.internal is"):
        located({"host": "db.internal"}, 0.1, never)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(psycopg.OperationalError, match=r"db\.internal is not known: Name or service"):
        located({"host": "db.internal"}, 30, unknown)


def test_a_server_is_found_by_its_name(a_postgres_registry: Callable[[], str]) -> None:
    engine = open_database(a_postgres_registry().replace("127.0.0.1", "localhost"))

    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()
