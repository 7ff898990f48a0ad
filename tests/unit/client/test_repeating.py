"""What the client asks again, when, and what it gives up."""

import time
from threading import Thread

import pytest

from app.client import Client, Refused, Unreachable
from tests.answering import AnsweringService, Says, problem
from tests.unit.client.answers import ALLOCATION, AWAY, ONE, POOL


def test_a_503_is_repeated_after_the_time_it_names(
    service: AnsweringService, client: Client, pauses: list[float]
) -> None:
    service.on(
        "GET", ONE, problem(503, "registry-unavailable", "Away.", retry_after="7"), Says(200, ALLOCATION)
    )

    client.allocation("my-project")

    assert len(service.asked) == 2
    assert pauses == [7]


def test_that_time_is_really_waited_for(service: AnsweringService, client: Client) -> None:
    service.on(
        "GET", ONE, problem(503, "registry-unavailable", "Away.", retry_after="1"), Says(200, ALLOCATION)
    )
    since = time.monotonic()

    client.allocation("my-project")

    assert time.monotonic() - since >= 1


def test_a_503_that_names_a_time_beyond_the_patience_is_told_at_once(
    service: AnsweringService, client: Client
) -> None:
    service.on("GET", ONE, problem(503, "registry-unavailable", "Away.", retry_after="3600"))

    with pytest.raises(Refused) as refused:
        client.allocation("my-project")

    assert (refused.value.status, refused.value.retry_after) == (503, 3600)
    assert len(service.asked) == 1


def test_patience_ends(service: AnsweringService, pauses: list[float]) -> None:
    service.on("GET", ONE, AWAY)

    with Client(service.url, patience=0.4) as client, pytest.raises(Refused, match="database"):
        client.allocation("my-project")

    assert pauses == [0.1, 0.2]
    assert len(service.asked) == 3


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


def test_nothing_is_in_doubt_where_nobody_listens(nobody: str) -> None:
    with Client(nobody, patience=0) as client, pytest.raises(Unreachable) as nowhere:
        client.release("my-project")

    assert not nowhere.value.in_doubt
    assert str(nowhere.value) == f"{client.url} does not answer: connection refused"


def test_a_service_that_comes_back_is_found(nobody: str) -> None:
    answers: list[str] = []

    def ask() -> None:
        with Client(nobody, patience=60) as client:
            answers.append(client.allocation("my-project").project)

    asking = Thread(target=ask)
    asking.start()
    service = AnsweringService(port=int(nobody.rpartition(":")[2]))
    service.on("GET", ONE, Says(200, ALLOCATION))
    with service:
        asking.join(60)

    assert answers == ["my-project"]
