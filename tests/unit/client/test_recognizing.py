"""What the client does not take for a service, for its URL or for a token."""

from threading import Event, Thread

import pytest

from app.client import Client, Refused, Unexpected, Unreachable
from tests.answering import AnsweringService, Says, problem
from tests.unit.client.answers import ALLOCATION, ONE, TOKEN


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
