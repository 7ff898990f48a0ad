"""GET /status as it is sent: whole, or not at all, in pieces that are one document of one shape."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from app.api.seed import Machine, Status
from app.domain.model import DEFAULT_POOL, ProjectId
from app.registry.schema import instances
from app.registry.transactions import Transactions
from app.web import spool
from tests.builders import NOW
from tests.unit.web.services import Service, problem_of

MANY = 2_000


def fill(transactions: Transactions, count: int = MANY) -> None:
    """Put so many booting instances there."""
    rows = [
        {"id": f"i-{number:017x}", "pool": DEFAULT_POOL, "state": "booting", "state_since": NOW}
        for number in range(count)
    ]
    with transactions.engine.begin() as connection:
        connection.execute(insert(instances), rows)


def test_the_answer_is_what_the_model_says(service: Service) -> None:
    service.booting()
    service.http.put(f"/v1/instances/{service.idle()}/hold")
    service.http.delete(f"/v1/instances/{service.idle(address='2001:db8::7')}")
    service.held_by("my-project")
    service.registry.renew(
        ProjectId("my-project"), timedelta(hours=1), policies={}, actor="tester", now=service.clock.now()
    )

    told = service.http.get("/status").get_data(as_text=True)

    states = {machine["state"] for machine in json.loads(told)["machines"]}
    assert states == {"booting", "idle", "allocated", "terminating"}
    assert told == Status.model_validate_json(told).model_dump_json(by_alias=True) + "\n"


@pytest.mark.parametrize("count", [0, 1, 2, 501])
def test_however_many_there_are_it_is_one_document(
    service: Service, transactions: Transactions, count: int
) -> None:
    fill(transactions, count) if count else None

    machines = service.http.get("/status").get_json()["machines"]

    assert [one["machineId"] for one in machines] == [f"i-{number:017x}" for number in range(count)]
    assert all(set(one) == {field.alias for field in Machine.model_fields.values()} for one in machines)


def test_it_is_sent_in_pieces_that_say_beforehand_how_long_they_are_together(
    service: Service, transactions: Transactions
) -> None:
    fill(transactions)

    answer = service.http.get("/status", buffered=False)
    pieces = list(answer.iter_encoded())
    answer.close()

    assert max(map(len, pieces)) <= spool.PIECE
    assert answer.content_length == sum(map(len, pieces)) > spool.PIECE


def test_who_reads_slowly_holds_no_transaction(service: Service, transactions: Transactions) -> None:
    fill(transactions)
    transactions.close()  # or it would keep what it writes with

    answer = service.http.get("/status", buffered=False)

    next(answer.iter_encoded())
    assert transactions.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    answer.close()


def test_a_database_that_fails_in_the_middle_leaves_no_half_of_an_answer(
    service: Service, transactions: Transactions
) -> None:
    fill(transactions)

    @event.listens_for(transactions.engine, "after_cursor_execute")
    def _begun(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "ORDER BY instances.state_since" in statement:
            driver: Any = connection.connection.dbapi_connection
            driver.interrupt()

    answer = service.http.get("/status")

    assert (answer.status_code, problem_of(answer)) == (503, "registry-unavailable")
    assert "machines" not in answer.get_json(force=True)


def test_to_ask_for_its_headers_alone_is_answered_without_a_body(service: Service) -> None:
    length = service.http.get("/status").content_length

    with service.http.head("/status") as answer:
        assert (answer.content_length, answer.get_data()) == (length, b"")


# What keeps the pieces


def test_no_more_than_a_part_of_a_long_answer_is_in_memory() -> None:
    half = bytes(spool.IN_MEMORY // 2)

    with spool.keep([half]) as short, spool.keep([half, half, half]) as long:
        assert (short._rolled, long._rolled) == (False, True)  # type: ignore[attr-defined]
        assert long.tell() == 3 * len(half)


def test_what_goes_wrong_with_a_piece_comes_out() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"{"
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        spool.answer(pieces())


@pytest.mark.parametrize("read", [0, 1])
def test_what_was_kept_is_gone_with_the_answer(read: int) -> None:
    answer = spool.answer([bytes(2 * spool.IN_MEMORY)])
    sent = answer.iter_encoded()
    for _ in range(read):
        next(sent)

    answer.close()

    assert list(sent) == []  # and a file that is still open would be a warning, which is an error here


# Readiness


def test_readiness_costs_the_same_however_many_instances_there_are(
    service: Service, transactions: Transactions
) -> None:
    fill(transactions, 1)
    said: list[str] = []
    event.listen(transactions.engine, "before_cursor_execute", lambda *heard: said.append(heard[2]))

    service.http.get("/readyz")

    assert len(said) == 2
    assert not any("instances" in statement for statement in said)
