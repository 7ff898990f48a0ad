"""/v1/webhooks, and where else one sees that messages do not arrive."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.api.webhooks import Told
from app.domain.access import Role
from app.domain.events import EventKind
from app.domain.messages import MessageKind
from app.domain.model import DEFAULT_POOL
from app.ports import Message
from app.registry import steps
from app.registry.transactions import Transactions
from app.web import examples
from tests.builders import NOW
from tests.fakes import FakeTokens
from tests.property.quick_database import open_quickly
from tests.unit.web.services import Service, problem_of


@pytest.fixture
def telling(transactions: Transactions, tmp_path: Path) -> Iterator[Transactions]:
    """Another process, which writes messages."""
    made = Transactions(open_quickly(tmp_path), clock=transactions.time, tells=True)
    yield made
    made.close()


def written(service: Service, telling: Transactions) -> Message:
    with telling.exclusively() as tx:
        steps.record(tx, EventKind.POOL_LIMITED, DEFAULT_POOL, "poller", NOW, reason="quota")
    return service.outbox.messages(limit=1).items[0]


def test_a_message_is_shown_with_what_became_of_it(service: Service, telling: Transactions) -> None:
    message = written(service, telling)
    service.outbox.failed(message.number, "hooks.example.com answered 500", attempts=0, again_in=None)

    (shown,) = service.http.get("/v1/webhooks").get_json()["items"]

    assert shown["endedAt"] is not None
    assert {name: shown[name] for name in ("id", "type", "pool", "state", "attempts", "lastError")} == {
        "id": message.id,
        "type": "pool.limited",
        "pool": "default",
        "state": "dead",
        "attempts": 1,
        "lastError": "hooks.example.com answered 500",
    }
    assert shown["body"]["data"]["limitedBy"] == "quota"
    assert shown["nextAttemptAt"] is None


def test_messages_come_a_page_at_a_time_from_the_newest_on(service: Service, telling: Transactions) -> None:
    ids = [written(service, telling).id for _ in range(3)]

    first = service.http.get("/v1/webhooks?limit=2").get_json()
    rest = service.http.get(f"/v1/webhooks?limit=2&cursor={first['next']}").get_json()

    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None


def test_messages_can_be_chosen_by_their_state(service: Service, telling: Transactions) -> None:
    pending, delivered = written(service, telling), written(service, telling)
    service.outbox.delivered(delivered.number)

    for state, wanted in (("pending", [pending.id]), ("delivered", [delivered.id]), ("dead", [])):
        found = service.http.get(f"/v1/webhooks?state={state}").get_json()["items"]
        assert [one["id"] for one in found] == wanted


def test_a_state_that_there_is_not_is_an_invalid_query(service: Service) -> None:
    answer = service.http.get("/v1/webhooks?state=lost")

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-query")


def test_the_cursor_of_another_list_is_refused(service: Service, telling: Transactions) -> None:
    for _ in range(2):
        written(service, telling)
    cursor = service.http.get("/v1/webhooks?limit=1").get_json()["next"]

    assert service.http.get(f"/v1/events?cursor={cursor}").status_code == 400


def test_a_dead_message_can_be_sent_once_more(service: Service, telling: Transactions) -> None:
    message = written(service, telling)
    service.outbox.failed(message.number, "no", attempts=0, again_in=None)

    answer = service.http.post(f"/v1/webhooks/{message.id}/retry")

    assert answer.status_code == 202
    assert answer.get_json()["state"] == "pending"
    assert [one.id for one in service.outbox.due(9)] == [message.id]


def test_all_dead_messages_can_be_sent_once_more(service: Service, telling: Transactions) -> None:
    for _ in range(2):
        message = written(service, telling)
        service.outbox.failed(message.number, "no", attempts=0, again_in=None)

    answer = service.http.post("/v1/webhooks/dead/retry")

    assert (answer.status_code, answer.get_json()) == (202, {"messages": 2})
    assert len(service.outbox.due(9)) == 2


def test_a_message_can_be_discarded(service: Service, telling: Transactions) -> None:
    message = written(service, telling)

    assert service.http.delete(f"/v1/webhooks/{message.id}").get_json()["id"] == message.id
    assert service.http.delete(f"/v1/webhooks/{message.id}").status_code == 404


def test_all_dead_messages_can_be_discarded(service: Service, telling: Transactions) -> None:
    pending, dead = written(service, telling), written(service, telling)
    service.outbox.failed(dead.number, "no", attempts=0, again_in=None)

    assert service.http.delete("/v1/webhooks/dead").get_json() == {"messages": 1}
    assert [one.id for one in service.outbox.messages(limit=9).items] == [pending.id]


def test_a_test_message_can_be_sent(service: Service) -> None:
    answer = service.http.post("/v1/webhooks")

    assert answer.status_code == 202
    assert answer.get_json()["body"] == {
        "type": "webhook.test",
        "timestamp": answer.get_json()["at"],
        "data": {"actor": "anonymous"},
    }
    assert [one.id for one in service.outbox.due(9)] == [answer.get_json()["id"]]


@pytest.mark.parametrize("path", ["", "/dead/retry", "/msg_0/retry"])
def test_without_a_webhook_nothing_can_be_sent(transactions: Transactions, path: str) -> None:
    service = Service(transactions, webhook=False)

    answer = service.http.post(f"/v1/webhooks{path}")

    assert (answer.status_code, problem_of(answer)) == (409, "webhook-off")


def test_without_a_webhook_nothing_is_warned_about(transactions: Transactions, telling: Transactions) -> None:
    service = Service(transactions, webhook=False)
    dead = written(service, telling)
    service.outbox.failed(dead.number, "no", attempts=0, again_in=None)
    written(service, telling)
    service.clock.advance(timedelta(hours=1))

    codes = [one["code"] for one in service.http.get("/status").get_json()["warnings"]]

    assert not [code for code in codes if code.startswith("webhook")]


def test_a_message_that_there_is_not_cannot_be_sent_once_more(service: Service) -> None:
    answer = service.http.post("/v1/webhooks/msg_0/retry")

    assert (answer.status_code, problem_of(answer)) == (404, "message-not-found")


@pytest.mark.parametrize(("role", "status"), [(Role.ALLOCATOR, 403), (Role.ADMIN, 404)])
def test_only_an_admin_sends_messages_once_more(transactions: Transactions, role: Role, status: int) -> None:
    service = Service(transactions, tokens=FakeTokens())
    token = service.token("one", role)

    answer = service.http.post("/v1/webhooks/msg_0/retry", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == status


def test_status_warns_of_dead_messages(service: Service, telling: Transactions) -> None:
    message = written(service, telling)
    service.outbox.failed(message.number, "no", attempts=0, again_in=None)

    codes = [one["code"] for one in service.http.get("/status").get_json()["warnings"]]

    assert "webhook-dead" in codes


def test_status_warns_of_a_receiver_that_takes_nothing(service: Service, telling: Transactions) -> None:
    message = written(service, telling)
    service.outbox.failed(message.number, "no", attempts=0, again_in=timedelta(hours=1))
    service.clock.advance(timedelta(minutes=6))

    codes = [one["code"] for one in service.http.get("/status").get_json()["warnings"]]

    assert "webhook-failing" in codes


def test_metrics_tell_what_waits_and_what_is_dead(service: Service, telling: Transactions) -> None:
    dead = written(service, telling)
    service.outbox.failed(dead.number, "no", attempts=0, again_in=None)
    written(service, telling)
    service.clock.advance(90)

    lines = service.http.get("/metrics").get_data(as_text=True).splitlines()

    assert 'ec2_orchestrator_webhook_messages{state="pending"} 1.0' in lines
    assert 'ec2_orchestrator_webhook_messages{state="dead"} 1.0' in lines
    assert "ec2_orchestrator_webhook_oldest_pending_seconds 90.0" in lines
    assert 'ec2_orchestrator_webhook_attempts_total{outcome="delivered"} 0.0' in lines


def test_the_document_tells_of_every_message(service: Service) -> None:
    document = service.http.get("/openapi.json").get_json()

    assert set(document["webhooks"]) == {kind.value for kind in MessageKind}


@pytest.mark.parametrize("told", examples.TOLD, ids=lambda one: str(one.type))
def test_the_document_has_the_schema_and_an_example_of_each_message(service: Service, told: Told) -> None:
    document = service.http.get("/openapi.json").get_json()

    body = document["webhooks"][told.type]["post"]["requestBody"]["content"]["application/json"]

    assert body["example"]["type"] == told.type
    assert type(told).__name__ in document["components"]["schemas"]
