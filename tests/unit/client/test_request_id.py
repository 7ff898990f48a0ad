"""The client and the request's id: it sends what its program gives it, and errors say what to look for."""

from collections.abc import Iterator

import pytest

from app.client import Client, ClientError, Refused, Unexpected, Unreachable
from tests.answering import AnsweringService, Says
from tests.unit.client.answers import ONE

FOUND = Says(200, {"status": "ready"})
NOT_FOUND = {
    "type": "urn:x:allocation-not-found",
    "title": "It holds nothing",
    "status": 404,
    "detail": "It holds nothing.",
    "code": "allocation-not-found",
}


@pytest.fixture
def service() -> Iterator[AnsweringService]:
    with AnsweringService() as running:
        running.on("GET", "/readyz", FOUND)
        yield running


def test_it_sends_none_of_its_own(service: AnsweringService) -> None:
    with Client(service.url) as client:
        client.healthy()

    assert "X-Request-ID" not in service.asked[0].headers


def test_a_request_has_the_id_that_the_program_gives_it(service: AnsweringService) -> None:
    ids = iter(["first", None])

    with Client(service.url, request_id=lambda: next(ids)) as client:
        client.healthy()
        client.healthy()

    assert [asked.headers.get("X-Request-ID") for asked in service.asked] == ["first", None]


@pytest.mark.parametrize("given", ["", "two words", "a\r\nb: c", "ü", "x" * 129])
def test_what_cannot_be_one_is_refused_before_anything_is_sent(service: AnsweringService, given: str) -> None:
    with (
        Client(service.url, request_id=lambda: given) as client,
        pytest.raises(ValueError, match="request id"),
    ):
        client.healthy()

    assert service.asked == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Says(404, NOT_FOUND, {"X-Request-ID": "r-1"}, kind="application/problem+json"), Refused),
        (Says(200, "<p>A page</p>", {"X-Request-ID": "r-1"}, kind="text/html"), Unexpected),
    ],
)
def test_an_error_has_the_one_of_the_answer(
    service: AnsweringService, answer: Says, kind: type[ClientError]
) -> None:
    service.on("GET", ONE, answer)

    with Client(service.url) as client, pytest.raises(kind) as raised:
        client.allocation("my-project")

    assert raised.value.request_id == "r-1"


def test_where_no_answer_came_the_error_has_the_one_that_was_sent(nobody: str) -> None:
    with (
        Client(nobody, patience=0, request_id=lambda: "mine") as client,
        pytest.raises(Unreachable) as raised,
    ):
        client.allocation("my-project")

    assert raised.value.request_id == "mine"
