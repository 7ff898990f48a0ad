"""What the client sends, and what it makes of the answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.client import Client, Refused
from tests.answering import AnsweringService, Says, problem
from tests.unit.client.answers import ALLOCATION, ONE, POOL, TOKEN

INSTANCE = "i-0123456789abcdef0"


def test_an_allocation_is_asked_for_with_what_is_given_and_no_more(
    service: AnsweringService, client: Client
) -> None:
    service.on("PUT", ONE, Says(201, ALLOCATION))

    held = client.allocate("my-project", pool="gpu", wait=0, ttl=timedelta(hours=2), confirm_within=60)

    (asked,) = service.asked
    assert asked.body == {"pool": "gpu", "wait": 0, "ttl": 7200, "confirmWithin": 60}
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["Content-Type"] == "application/json"
    assert (held.url, held.allocated_at) == (
        "http://10.0.0.1:8080",
        datetime(2026, 11, 22, 20, 15, tzinfo=UTC),
    )


def test_without_a_pool_none_is_named(service: AnsweringService, client: Client) -> None:
    service.on("PUT", ONE, Says(200, ALLOCATION))

    client.allocate("my-project", wait=0)

    assert service.asked[0].body == {"wait": 0}


def test_what_a_newer_service_adds_is_read_past(service: AnsweringService, client: Client) -> None:
    service.on("GET", ONE, Says(200, {**ALLOCATION, "colour": "blue"}))

    assert client.allocation("my-project").project == "my-project"


def test_an_allocation_of_an_older_service_is_read_all_the_same(
    service: AnsweringService, client: Client
) -> None:
    older = {name: told for name, told in ALLOCATION.items() if name != "confirmBy"}
    service.on("GET", ONE, Says(200, older))

    assert client.allocation("my-project").confirm_by is None


def test_a_pool_of_an_older_service_is_read_all_the_same(service: AnsweringService, client: Client) -> None:
    newer = {"waiting", "defaultTtl", "maxTtl", "confirmWithin", "idleTimeout", "launchSeconds"}
    service.on(
        "GET",
        "/v1/pools/default",
        Says(200, {name: told for name, told in POOL.items() if name not in newer}),
    )

    pool = client.pool()

    assert (pool.waiting, pool.idle_timeout, pool.launch_seconds) == (0, None, None)


def test_lists_are_walked_through_all_their_pages(service: AnsweringService, client: Client) -> None:
    second = {**ALLOCATION, "project": "other"}
    service.on(
        "GET",
        "/v1/allocations",
        Says(200, {"items": [ALLOCATION], "next": "abc"}),
        Says(200, {"items": [second], "next": None}),
    )

    assert [one.project for one in client.allocations(pool="gpu")] == ["my-project", "other"]
    assert [asked.query for asked in service.asked] == [
        {"pool": "gpu", "limit": "500"},
        {"pool": "gpu", "limit": "500", "cursor": "abc"},
    ]


def test_no_more_events_are_asked_for_than_wanted(service: AnsweringService, client: Client) -> None:
    event: dict[str, Any] = {
        "id": 1,
        "at": "2026-11-22T20:15:00Z",
        "kind": "instance.idle",
        "pool": "default",
    }
    event |= {"actor": "poller", "instance": None, "project": None, "reason": None}
    service.on("GET", "/v1/events", Says(200, {"items": [event, event], "next": "more"}))

    assert len(list(client.events(project="my-project", limit=2))) == 2
    assert [asked.query for asked in service.asked] == [{"project": "my-project", "limit": "2"}]


def test_releases_renewals_and_holds_go_to_their_own_places(
    service: AnsweringService, client: Client
) -> None:
    held: dict[str, Any] = {
        "id": "i-1",
        "pool": "default",
        "state": "idle",
        "stateSince": "2026-11-22T20:15:00Z",
    }
    held |= dict.fromkeys(
        ("address", "port", "url", "zone", "project", "allocatedAt", "expiresAt", "launchedAt", "readyAt")
    )
    held |= {"endReason": None, "hold": None}
    service.on("DELETE", ONE, Says(202, ALLOCATION))
    service.on("POST", f"{ONE}/renew", Says(200, ALLOCATION))
    service.on("POST", f"{ONE}/confirm", Says(200, ALLOCATION))
    service.on("PUT", "/v1/instances/i-1/hold", Says(200, held))
    service.on("DELETE", "/v1/instances/i-1/hold", Says(200, held))
    service.on("DELETE", "/v1/instances/i-1", Says(202, held))

    client.release("my-project")
    client.renew("my-project", None)
    client.confirm("my-project")
    client.renew("my-project", 60, instance=INSTANCE)
    client.confirm("my-project", instance=INSTANCE)
    client.hold("i-1", ttl=60, reason="odd")
    client.unhold("i-1")
    client.destroy("i-1")

    assert [asked.body for asked in service.asked] == [
        None,
        {"ttl": None},
        None,
        {"ttl": 60, "instance": INSTANCE},
        {"instance": INSTANCE},
        {"ttl": 60, "reason": "odd"},
        None,
        None,
    ]


def test_a_pool_is_changed_only_where_it_is_still_as_it_was_read(
    service: AnsweringService, client: Client
) -> None:
    service.on("GET", "/v1/pools/default", Says(200, POOL, {"ETag": '"7"'}))
    service.on("PATCH", "/v1/pools/default", problem(412, "version-changed", "Somebody was faster."))

    pool = client.pool()
    with pytest.raises(Refused) as refused:
        client.change_pool(buffer=pool.buffer + 1, expect=pool.etag)

    assert refused.value.code == "version-changed"
    assert service.asked[-1].headers["If-Match"] == '"7"'
    assert service.asked[-1].body == {"buffer": 6}


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({"buffer": 0}, {"buffer": 0}),
        ({"buffer": "configured"}, {"buffer": None}),
        ({"paused": True}, {"paused": True}),
        ({"paused": False, "buffer": 3}, {"paused": False, "buffer": 3}),
    ],
)
def test_only_what_is_to_change_of_a_pool_is_sent(
    service: AnsweringService, client: Client, change: dict[str, Any], sent: dict[str, Any]
) -> None:
    service.on("PATCH", "/v1/pools/default", Says(200, POOL))

    client.change_pool(**change)

    assert service.asked[0].body == sent
    assert "If-Match" not in service.asked[0].headers


@pytest.mark.parametrize("name", ["../pools/default", "a/b", "..", "a?b#c", "a b"])
def test_no_name_leads_to_another_resource(service: AnsweringService, client: Client, name: str) -> None:
    with pytest.raises(Refused, match=r"No answer for GET /v1/allocations/[^/?#]+ in this test"):
        client.allocation(name)


def test_names_and_numbers_that_cannot_be_are_refused_before_anything_is_sent(
    service: AnsweringService, client: Client
) -> None:
    with pytest.raises(ValueError, match="a name is missing"):
        client.release("")
    with pytest.raises(ValidationError):
        client.allocate("my-project", ttl=0)
    assert service.asked == []


def test_health_is_a_plain_yes_or_no(service: AnsweringService, client: Client, nobody: str) -> None:
    service.on(
        "GET",
        "/readyz",
        Says(200, {"status": "ready"}),
        problem(503, "not-ready", "no pass"),
        Says(200, "<html>", kind="text/html"),
    )

    assert [client.healthy() for _ in range(3)] == [True, False, False]
    assert len(service.asked) == 3
    assert Client(nobody, patience=30).healthy() is False


def test_messages_to_the_webhook_are_listed_and_sent_once_more(
    service: AnsweringService, client: Client
) -> None:
    message = {
        "id": "msg_1",
        "type": "allocation.created",
        "pool": "default",
        "at": "2026-11-22T20:15:00.000Z",
        "state": "dead",
        "attempts": 11,
        "nextAttemptAt": None,
        "endedAt": "2026-11-22T20:15:00.000Z",
        "lastError": "hooks.example.com answered 500",
        "body": {"type": "allocation.created"},
    }
    service.on("GET", "/v1/webhooks", Says(200, {"items": [message], "next": None}))
    service.on("POST", "/v1/webhooks/msg_1/retry", Says(202, {**message, "state": "pending"}))

    (dead,) = client.webhook_messages(state="dead")

    assert service.asked[0].query["state"] == "dead"
    assert client.retry_webhook_message(dead.id).state == "pending"

    service.on("POST", "/v1/webhooks/dead/retry", Says(202, {"messages": 3}))
    service.on("DELETE", "/v1/webhooks/dead", Says(200, {"messages": 2}))
    service.on("DELETE", "/v1/webhooks/msg_1", Says(200, message))
    service.on("POST", "/v1/webhooks", Says(202, {**message, "type": "webhook.test"}))
    assert client.retry_dead_webhook_messages() == 3
    assert client.discard_dead_webhook_messages() == 2
    assert client.discard_webhook_message("msg_1") == dead
    assert client.test_webhook().type == "webhook.test"
