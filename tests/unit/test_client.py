"""The client, against a small HTTP server: what it sends, understands, repeats and gives up."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from pydantic import ValidationError

from app.client import Client, Refused, Unexpected, Unreachable
from tests.answering import AnsweringService, Asked, Says, problem
from tests.waiting import until

TOKEN = "eco_0a1b2c3d_" + "s" * 43
ALLOCATION = {
    "project": "my-project",
    "pool": "default",
    "instance": "i-0123456789abcdef0",
    "address": "10.0.0.1",
    "url": "http://10.0.0.1:8080",
    "state": "allocated",
    "allocatedAt": "2026-11-22T20:15:00.000Z",
    "expiresAt": None,
    "lastActivityAt": None,
}
ONE = "/v1/allocations/my-project"
EXHAUSTED = problem(503, "pool-exhausted", "Nothing is idle.", retry_after="0")
AWAY = problem(503, "registry-unavailable", "The database does not answer.", retry_after="0")


@pytest.fixture
def service() -> Iterator[AnsweringService]:
    with AnsweringService() as running:
        yield running


@pytest.fixture
def client(service: AnsweringService) -> Iterator[Client]:
    with Client(service.url, TOKEN, timeout=5, patience=5) as one:
        yield one


def nobody() -> str:
    """The URL of a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


# what it sends and understands


def test_an_allocation_is_asked_for_with_what_is_given_and_no_more(
    service: AnsweringService, client: Client
) -> None:
    service.on("PUT", ONE, Says(201, ALLOCATION))

    held = client.allocate("my-project", pool="gpu", wait=0, ttl=timedelta(hours=2))

    (asked,) = service.asked
    assert asked.body == {"pool": "gpu", "wait": 0, "ttl": 7200}
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
    service.on("PUT", "/v1/instances/i-1/hold", Says(200, held))
    service.on("DELETE", "/v1/instances/i-1/hold", Says(200, held))
    service.on("DELETE", "/v1/instances/i-1", Says(202, held))

    client.release("my-project")
    client.renew("my-project", None)
    client.hold("i-1", ttl=60, reason="odd")
    client.unhold("i-1")
    client.destroy("i-1")

    assert [asked.body for asked in service.asked] == [
        None,
        {"ttl": None},
        {"ttl": 60, "reason": "odd"},
        None,
        None,
    ]


POOL = {
    "name": "default",
    "group": "vscode-asg",
    "region": "us-east-1",
    "buffer": 5,
    "configuredBuffer": 5,
    "paused": False,
    "pausedAt": None,
    "pausedBy": None,
    "address": "public",
    "port": 8080,
    "readiness": "http",
    "instances": {"booting": 0, "idle": 5, "allocated": 1, "terminating": 0, "held": 0},
    "waiting": 0,
    "desiredCapacity": 6,
    "minSize": 0,
    "maxSize": 20,
    "limitedBy": None,
    "lastPassAt": None,
    "warnings": [],
}


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


def test_health_is_a_plain_yes_or_no(service: AnsweringService, client: Client) -> None:
    service.on(
        "GET",
        "/readyz",
        Says(200, {"status": "ready"}),
        problem(503, "not-ready", "no pass"),
        Says(200, "<html>", kind="text/html"),
    )

    assert [client.healthy() for _ in range(3)] == [True, False, False]
    assert len(service.asked) == 3
    assert Client(nobody(), patience=30).healthy() is False


# what it repeats


def test_a_503_is_repeated_after_the_time_it_names(service: AnsweringService, client: Client) -> None:
    service.on(
        "GET", ONE, problem(503, "registry-unavailable", "Away.", retry_after="1"), Says(200, ALLOCATION)
    )
    since = time.monotonic()

    client.allocation("my-project")

    assert len(service.asked) == 2
    assert 1 <= time.monotonic() - since < 3


def test_a_503_that_names_a_time_beyond_the_patience_is_told_at_once(
    service: AnsweringService, client: Client
) -> None:
    service.on("GET", ONE, problem(503, "registry-unavailable", "Away.", retry_after="3600"))

    with pytest.raises(Refused) as refused:
        client.allocation("my-project")

    assert (refused.value.status, refused.value.retry_after) == (503, 3600)
    assert len(service.asked) == 1


def test_patience_ends(service: AnsweringService) -> None:
    service.on("GET", ONE, AWAY)

    with Client(service.url, patience=0.4) as client, pytest.raises(Refused, match="database"):
        client.allocation("my-project")

    assert 2 <= len(service.asked) <= 4


@pytest.mark.parametrize("retry_after", ["soon", "", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_time_that_nobody_understands_or_that_is_over_does_no_harm(
    service: AnsweringService, client: Client, retry_after: str
) -> None:
    service.on("GET", ONE, problem(503, "x", "Away.", retry_after=retry_after), Says(200, ALLOCATION))

    assert client.allocation("my-project").project == "my-project"


def test_a_gateway_that_answers_for_the_service_is_asked_again(
    service: AnsweringService, client: Client
) -> None:
    gateway = Says(502, "<html>Bad Gateway</html>", kind="text/html")
    service.on("PUT", ONE, gateway, Says(201, ALLOCATION))

    assert client.allocate("my-project", wait=0).project == "my-project"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 429, 500])
def test_no_other_refusal_is_repeated(service: AnsweringService, client: Client, status: int) -> None:
    service.on("GET", ONE, problem(status, "some-code", "No.", retry_after="0"))

    with pytest.raises(Refused) as refused:
        client.allocation("my-project")

    assert (refused.value.status, refused.value.code, str(refused.value)) == (status, "some-code", "No.")
    assert len(service.asked) == 1


LOST = Says(hangs_up=True)


def test_an_allocation_whose_answer_was_lost_is_asked_for_again(
    service: AnsweringService, client: Client
) -> None:
    service.on("PUT", ONE, LOST, Says(200, ALLOCATION))

    assert client.allocate("my-project", wait=0).instance == ALLOCATION["instance"]


def test_a_release_whose_answer_was_lost_is_not_repeated_and_in_doubt(
    service: AnsweringService, client: Client
) -> None:
    service.on("DELETE", ONE, LOST, Says(202, ALLOCATION))

    with pytest.raises(Unreachable, match="is not known") as lost:
        client.release("my-project")

    assert lost.value.in_doubt
    assert len(service.asked) == 1


def test_a_change_of_a_pool_whose_answer_was_lost_is_not_repeated(
    service: AnsweringService, client: Client
) -> None:
    service.on("PATCH", "/v1/pools/default", LOST, Says(200, POOL))

    with pytest.raises(Unreachable):
        client.change_pool(paused=True)

    assert len(service.asked) == 1


def test_a_release_that_the_service_put_off_is_repeated(service: AnsweringService, client: Client) -> None:
    service.on("DELETE", ONE, AWAY, Says(202, ALLOCATION))

    assert client.release("my-project").project == "my-project"


def test_nothing_is_in_doubt_where_nobody_listens() -> None:
    with Client(nobody(), patience=0) as client, pytest.raises(Unreachable) as nowhere:
        client.release("my-project")

    assert not nowhere.value.in_doubt
    assert str(nowhere.value) == f"{client.url} does not answer: connection refused"


def test_a_service_that_comes_back_is_found() -> None:
    url = nobody()
    answers: list[str] = []

    def ask() -> None:
        with Client(url, patience=10) as client:
            answers.append(client.allocation("my-project").project)

    asking = Thread(target=ask)
    asking.start()
    service = AnsweringService(port=int(url.rpartition(":")[2]))
    service.on("GET", ONE, Says(200, ALLOCATION))
    with service:
        asking.join(10)

    assert answers == ["my-project"]


# waiting for an instance


def test_who_waits_stays_in_line_at_the_service(service: AnsweringService, client: Client) -> None:
    service.on("PUT", ONE, Says(201, ALLOCATION))

    client.allocate("my-project", wait=300)

    assert service.asked[0].body == {"wait": 60}


def test_who_is_turned_away_asks_again_until_the_time_is_over(
    service: AnsweringService, client: Client
) -> None:
    service.on("PUT", ONE, EXHAUSTED)

    with pytest.raises(Refused) as refused:
        client.allocate("my-project", wait=1.5)

    waits = [asked.body["wait"] for asked in service.asked]
    assert refused.value.code == "pool-exhausted"
    assert waits[0] == 1.5
    assert waits == sorted(waits, reverse=True)
    assert len(waits) == 3


def test_who_does_not_wait_is_told_at_once_however_patient(service: AnsweringService, client: Client) -> None:
    service.on("PUT", ONE, EXHAUSTED)

    with pytest.raises(Refused, match=r"Nothing is idle\."):
        client.allocate("my-project", wait=0)

    assert len(service.asked) == 1


def test_an_instance_that_becomes_idle_meanwhile_is_got(service: AnsweringService, client: Client) -> None:
    service.on("PUT", ONE, EXHAUSTED, Says(201, ALLOCATION))

    assert client.allocate("my-project").project == "my-project"


def test_an_answer_that_may_take_longer_is_waited_for(service: AnsweringService) -> None:
    late = Event()

    def slowly(_: Asked) -> Says:
        late.wait(0.6)
        return Says(201, ALLOCATION)

    service.on("PUT", ONE, slowly)

    with Client(service.url, timeout=0.3, patience=0) as client:
        assert client.allocate("my-project", wait=5).project == "my-project"


def test_closing_ends_the_waiting_of_other_threads(service: AnsweringService) -> None:
    service.on("GET", ONE, problem(503, "x", "Away.", retry_after="60"))
    client, errors = Client(service.url, patience=300), []

    def ask() -> None:
        try:
            client.allocation("my-project")
        except Refused as error:
            errors.append(error)

    asking = Thread(target=ask)
    asking.start()
    until(lambda: service.asked)
    client.close()
    asking.join(5)

    assert [str(error) for error in errors] == ["Away."]
    with pytest.raises(RuntimeError, match="closed"):
        client.status()


# what is not the service


def test_an_answer_that_does_not_come_is_given_up(service: AnsweringService) -> None:
    never = Event()
    service.on("GET", ONE, Says(200, ALLOCATION, after=never))

    with Client(service.url, timeout=0.2, patience=0) as client, pytest.raises(Unreachable, match="in time"):
        client.allocation("my-project")
    never.set()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Says(200, "<html>Welcome</html>", kind="text/html; charset=utf-8"), "text/html"),
        (Says(404, "<html>Not here</html>", kind="text/html"), "404 with text/html"),
        (Says(200, '{"project": "my-pro'), "application/json, of which the whole is not as it should be"),
        (Says(200, {"items": []}), "of which project is not as it should be"),
        (Says(400, {"error": "no"}, kind="application/problem+json"), "of which type is not"),
        (Says(401, {"error": "no"}), "401 with application/json"),
    ],
)
def test_what_is_not_this_service_is_recognized(
    service: AnsweringService, client: Client, answer: Says, says: str
) -> None:
    service.on("GET", ONE, answer)

    with pytest.raises(Unexpected) as unexpected:
        client.allocation("my-project")

    assert says in str(unexpected.value)
    assert service.url in str(unexpected.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed_so_the_token_goes_nowhere_else(
    service: AnsweringService, client: Client, status: int
) -> None:
    with AnsweringService() as elsewhere:
        elsewhere.on("GET", ONE, Says(200, ALLOCATION))
        service.on("GET", ONE, Says(status, "", {"Location": elsewhere.url + ONE}))

        with pytest.raises(Unexpected, match="with a redirect to"):
            client.allocation("my-project")

        assert elsewhere.asked == []


# what it is given


@pytest.mark.parametrize(
    "url",
    ["", "localhost:9092", "ftp://host", "http://", "http://host:99999", "http://host/?a=b", "http://ho st"],
)
def test_what_cannot_be_the_url_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the URL of the service"):
        Client(url)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="no password") as refused:
        Client("http://user:geheim@host")

    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "  ", "gehe im", "gehe\nim", "gehüim"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="a token is made of") as refused:
        Client("http://host", token)

    assert "gehe" not in str(refused.value)


def test_a_line_end_after_the_token_as_files_have_it_is_left_out(service: AnsweringService) -> None:
    service.on("GET", ONE, Says(200, ALLOCATION))

    with Client(service.url, f"{TOKEN}\n") as client:
        client.allocation("my-project")

    assert service.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_token_is_in_no_text(service: AnsweringService, client: Client) -> None:
    service.on("GET", ONE, problem(401, "unauthenticated", "A valid token is needed."))

    with pytest.raises(Refused) as refused:
        client.allocation("my-project")

    texts = (repr(client), str(client), repr(refused.value), str(refused.value.problem))
    assert all(TOKEN not in text for text in texts)
    assert repr(client) == f"<Client {service.url}>"


def test_a_service_may_live_below_a_path(service: AnsweringService) -> None:
    service.on("GET", f"/orchestrator{ONE}", Says(200, ALLOCATION))

    with Client(f"{service.url}/orchestrator/") as client:
        assert client.allocation("my-project").project == "my-project"


def test_threads_share_a_client(service: AnsweringService, client: Client) -> None:
    service.on("GET", ONE, Says(200, ALLOCATION))
    threads = [Thread(target=client.allocation, args=("my-project",)) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(service.asked) == 16
