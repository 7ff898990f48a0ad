"""Sending over real HTTP, on loopback: what is taken, what is not, and what is never done."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Event, Thread
from time import monotonic

import pytest

from app.ports import Answer
from app.webhook import WebhookSender
from app.webhook.addresses import Lookup, look_up
from app.webhook.sender import WHOLE
from tests.fake_clock import FakeClock
from tests.ports import a_port
from tests.receiving import KEY, Receiver, Reply
from tests.unit.webhook.now import the_real_time

BODY = '{"type":"allocation.created","data":{"project":"möwe"}}'


def a_sender(
    url: str, *, lookup: Lookup | None = None, whole: float = 60.0, clock: FakeClock | None = None
) -> WebhookSender:
    return WebhookSender(
        url, [KEY], clock=clock or FakeClock(the_real_time()), whole=whole, lookup=lookup or look_up
    )


def answered(reply: Reply, clock: FakeClock | None = None) -> Answer:
    with Receiver(answers=lambda _: reply) as receiver:
        return a_sender(receiver.url, clock=clock).send("msg_1", BODY)


@contextmanager
def saying(*parts: bytes, then: Event) -> Iterator[int]:
    """Listen at a port, say this to who connects, and hold the line until `then`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            with suppress(OSError):  # nobody came, or stayed
                connection, _ = server.accept()
                with connection:
                    for part in parts:
                        connection.sendall(part)
                    then.wait(120)

        thread = Thread(target=speak, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            then.set()
            server.shutdown(socket.SHUT_RDWR)  # or it would wait for ever for one whose time is over
            thread.join()


def test_a_message_arrives_as_it_is_and_signed() -> None:
    with Receiver() as receiver:
        answer = a_sender(receiver.url).send("msg_1", BODY)

    assert answer == Answer(taken=True)
    (got,) = receiver.got
    assert (got.id, got.body, got.kind) == ("msg_1", BODY, "allocation.created")
    assert got.headers["content-type"] == "application/json"


def test_the_path_and_the_query_are_kept() -> None:
    with Receiver() as receiver:
        a_sender(f"{receiver.url}/a%20b?token=x&y").send("msg_1", BODY)

    assert receiver.paths == ["/hooks/a%20b?token=x&y"]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_success_takes_a_message(status: int) -> None:
    assert answered(Reply(status)).taken


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as elsewhere:
        answer = answered(Reply(status, {"Location": elsewhere.url}))

    assert not answer.taken
    assert elsewhere.got == []
    assert answer.error == f"127.0.0.1 answered {status}, and redirects are not followed"


@pytest.mark.parametrize(
    ("status", "away"), [(400, False), (404, False), (500, False), (429, True), (503, True)]
)
def test_a_refusal_says_whether_others_would_fare_better(status: int, away: bool) -> None:
    assert answered(Reply(status)) == Answer(taken=False, error=f"127.0.0.1 answered {status}", away=away)


def test_a_receiver_can_be_gone_for_good() -> None:
    assert answered(Reply(410)).gone


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta()),
        ("Sun, 22 Nov 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 22 Nov 2026 11:00:00 GMT", timedelta()),
        ("soon", None),
        ("-5", None),
        ("9" * 400, timedelta(seconds=10**8)),
    ],
)
def test_a_receiver_can_ask_for_time(text: str, wish: timedelta | None) -> None:
    assert answered(Reply(503, {"Retry-After": text}), FakeClock()).wish == wish


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 23 Nov 99999999999999999999 10:00:00 GMT",
        "Mon, 23 Nov 2026 10:00:00 +99999999999999",
        "Mon, 23 Nov 2026 10:00:00 +9999",
        "Mon, 23 Nov 9999 23:59:59 -9999",
        "Mon, 01 Jan 0001 00:00:00 +2300",
        "Mon, 99999999999999999999999 Nov 2026 10:00:00 GMT",
        "Mon",
        "1, 2",
    ],
)
def test_a_time_that_is_none_is_passed_over(text: str) -> None:
    answer = answered(Reply(503, {"Retry-After": text}))

    assert answer.error == "127.0.0.1 answered 503"
    assert answer.wish is None or answer.wish >= timedelta()


@pytest.mark.parametrize(
    "said",
    [b"\x15\x03\x01\x00\x02\x02\x46", b"\x1b[2J\x1b]0;owned\x07\r\n\r\n", b"HTTP/1.1 999999 s3cr3t\r\n\r\n"],
)
def test_nothing_that_the_receiver_sends_is_repeated(said: bytes) -> None:
    with saying(said, b"\r\n", then=Event()) as port:
        answer = a_sender(f"http://127.0.0.1:{port}/").send("msg_1", BODY)

    assert answer.error == "127.0.0.1 does not answer: it does not speak HTTP"


def test_a_bug_is_an_answer_as_well() -> None:
    class Broken:
        def now(self) -> datetime:
            raise ZeroDivisionError("of whom nothing is told")

    answer = WebhookSender("http://127.0.0.1/", [KEY], clock=Broken()).send("msg_1", BODY)

    assert answer.error == "127.0.0.1 does not answer: ZeroDivisionError"


def test_nobody_there_is_told_without_the_path() -> None:
    with a_port() as port:
        answer = a_sender(f"http://127.0.0.1:{port}/a-secret").send("msg_1", BODY)

    assert answer == Answer(taken=False, error="127.0.0.1 does not answer: Connection refused", away=True)


def test_a_receiver_that_says_nothing_is_not_waited_for() -> None:
    with saying(then=Event()) as port:
        answer = a_sender(f"http://127.0.0.1:{port}/", whole=0.3).send("msg_1", BODY)

    assert (answer.taken, answer.away) == (False, True)


def test_one_that_never_gets_to_its_end_is_cut_off() -> None:
    """Each part comes in time, and the whole does not."""
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not stop.wait(0.02):
                        connection.sendall(b"X: y\r\n")

        thread = Thread(target=trickle, daemon=True)
        thread.start()
        begun = monotonic()
        answer = a_sender(f"http://127.0.0.1:{server.getsockname()[1]}/", whole=0.4).send("msg_1", BODY)
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()

    assert not answer.taken
    assert monotonic() - begun < 2 * WHOLE / 3  # which it would have, unless it was given less


def test_an_answer_counts_although_its_body_never_comes() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx"

    def is_taken() -> bool:
        with saying(head, then=Event()) as port:
            return a_sender(f"http://127.0.0.1:{port}/", whole=0.3).send("msg_1", BODY).taken

    assert any(is_taken() for _ in range(10))  # not each time: a busy machine is late even for the head


def test_what_is_not_http_is_told_in_words() -> None:
    with saying(b"220 smtp.example.com ESMTP\r\n", then=Event()) as port:
        answer = a_sender(f"http://127.0.0.1:{port}/").send("msg_1", BODY)

    assert not answer.taken
    assert answer.error is not None


def test_a_name_that_leads_to_a_metadata_address_is_never_connected_to() -> None:
    answer = a_sender(
        "http://rebinding.example.com/", lookup=lambda *_: ["127.0.0.1", "169.254.169.254"]
    ).send("msg_1", BODY)

    assert answer == Answer(
        taken=False,
        error="rebinding.example.com is refused: it leads to 169.254.169.254, and it is link-local: clouds "
        "serve secrets there",
        away=True,
    )


def test_the_address_that_was_judged_is_the_one_that_is_used() -> None:
    """A name server that gives a good address first, and a bad one later, is asked once."""
    asked: list[str] = []

    def lookup(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with Receiver() as receiver:
        url = f"http://rebinding.example.com:{receiver.port}/"
        answer = a_sender(url, lookup=lookup).send("msg_1", BODY)

    assert answer.taken
    assert len(asked) == 1
    assert receiver.got[0].headers["host"] == f"rebinding.example.com:{receiver.port}"


def test_where_one_address_does_not_answer_the_next_is_tried() -> None:
    with Receiver() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/"
        answer = a_sender(url, lookup=lambda *_: ["127.99.99.99", "127.0.0.1"]).send("msg_1", BODY)

    assert answer.taken


def test_a_name_that_does_not_exist_is_told_in_words() -> None:
    def lookup(*_: object) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    answer = a_sender("http://nowhere.example.com/", lookup=lookup).send("msg_1", BODY)

    assert answer.error == "nowhere.example.com cannot be found: Name or service not known"


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"])
def test_a_proxy_of_the_environment_is_not_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        answer = a_sender(receiver.url).send("msg_1", BODY)

    assert answer.taken
    assert proxy.got == []


def test_the_time_in_the_signature_is_that_of_the_attempt() -> None:
    clock = FakeClock(datetime.fromtimestamp(1_700_000_000, the_real_time().tzinfo))
    with Receiver() as receiver:
        a_sender(receiver.url, clock=clock).send("msg_1", BODY)
        clock.advance(60)
        a_sender(receiver.url, clock=clock).send("msg_1", BODY)

    assert [got.headers["webhook-timestamp"] for got in receiver.got] == ["1700000000", "1700000060"]
