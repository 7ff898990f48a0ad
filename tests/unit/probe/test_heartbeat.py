"""What is read of an instance's use: what is not as code-server tells it is nothing, and never silence."""

import socket
import threading
from datetime import UTC, datetime

import pytest

from app.domain.activity import LATEST, Heartbeat
from app.probe import HeartbeatReader
from tests.builders import an_instance_id
from tests.unit.probe.servers import (
    AMPLE,
    Behaviour,
    Serve,
    Site,
    Target,
    dripping,
    hanging,
    raw,
    resetting,
    slowly,
)

DATE = "Mon, 23 Nov 2026 09:00:00 GMT"
NINE = int(datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp() * 1000)


def read(target: Target, *, timeout: float = AMPLE) -> Heartbeat | None:
    one = an_instance_id()
    return HeartbeatReader(timeout=timeout, deadline=AMPLE).read({one: target}).get(one)


def telling(body: str, *headers: str, status: str = "200 OK", length: int | None = None) -> Behaviour:
    told = len(body.encode()) if length is None else length
    return raw("\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {told}", "", body]).encode())


def code_server(last: object) -> str:
    return f'{{"status":"expired","lastHeartbeat":{last}}}'


def test_what_code_server_tells_is_read_with_its_own_time(serve: Serve) -> None:
    told = read(serve(telling(code_server(NINE - 5000), f"Date: {DATE}")))

    assert told == Heartbeat(last=NINE - 5000, now=NINE)


def test_one_that_was_never_used_tells_zero(serve: Serve) -> None:
    assert read(serve(telling(code_server(0), f"Date: {DATE}"))) == Heartbeat(last=0, now=NINE)


@pytest.mark.parametrize(
    "header", ["X: y", "Date: yesterday", "Date: Mon, 23 Nov 2026 09:00:00 -0000", "Date:"]
)
def test_without_a_time_of_its_own_it_tells_its_heartbeat_alone(serve: Serve, header: str) -> None:
    assert read(serve(telling(code_server(5), header))) == Heartbeat(last=5, now=None)


def test_a_body_that_ends_with_the_connection_is_read(serve: Serve) -> None:
    answer = f"HTTP/1.1 200 OK\r\n\r\n{code_server(7)}".encode()

    assert read(serve(raw(answer))) == Heartbeat(last=7, now=None)


def test_a_body_that_comes_after_the_head_is_read(serve: Serve) -> None:
    body = code_server(7).encode()

    def in_pieces(connection: socket.socket) -> None:
        raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())(connection)
        connection.sendall(body)

    assert read(serve(in_pieces)) == Heartbeat(last=7, now=None)


def test_exactly_the_health_check_is_asked_which_is_no_use(serve: Serve) -> None:
    site = Site({"/healthz": telling(code_server(0))})

    assert read(serve(site))
    assert site.asked == ["/healthz"]


def test_no_connection_is_kept_open_which_would_be_use(serve: Serve) -> None:
    requests = []

    def listening(connection: socket.socket) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    read(serve(listening))

    assert b"\r\nConnection: close\r\n" in requests[0]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "ok",
        "[]",
        "7",
        "null",
        "{}",
        '{"status":"alive"}',
        '{"lastHeartbeat":null}',
        '{"lastHeartbeat":"1700000000000"}',
        '{"lastHeartbeat":1700000000000.5}',
        '{"lastHeartbeat":true}',
        '{"lastHeartbeat":-1}',
        f'{{"lastHeartbeat":{LATEST + 1}}}',
        '{"lastHeartbeat":NaN}',
        '{"lastHeartbeat":7',
        "[" * 4000,
        "\ufeff\x00",
    ],
)
def test_anything_else_is_nothing(serve: Serve, body: str) -> None:
    assert read(serve(telling(body))) is None


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "302 Found"])
def test_an_answer_that_is_no_success_is_nothing(serve: Serve, status: str) -> None:
    assert read(serve(telling(code_server(7), status=status))) is None


def test_an_answer_that_breaks_off_is_nothing(serve: Serve) -> None:
    assert read(serve(telling(code_server(7), length=1000))) is None


def test_an_answer_that_goes_on_is_nothing(serve: Serve) -> None:
    assert read(serve(telling(code_server(7), length=3))) is None


def test_a_long_answer_is_not_read(serve: Serve) -> None:
    long = f'{{"lastHeartbeat":7,"more":"{"x" * 5000}"}}'

    assert read(serve(telling(long))) is None
    assert read(serve(raw(b"HTTP/1.1 200 OK\r\n\r\n" + long.encode()))) is None


def test_who_does_not_answer_in_time_tells_nothing(serve: Serve) -> None:
    assert read(serve(hanging), timeout=0.1) is None
    assert read(serve(slowly(1.0, telling(code_server(7)))), timeout=0.1) is None
    assert read(serve(dripping(b"HTTP/1.1 200 OK\r\n\r\n{")), timeout=0.1) is None


def test_who_does_not_listen_or_hangs_up_tells_nothing(serve: Serve) -> None:
    assert read(serve.nobody()) is None
    assert read(serve(resetting)) is None


def test_one_that_hangs_keeps_no_other_from_being_heard(serve: Serve) -> None:
    hung, well, was_heard = an_instance_id(), an_instance_id(), threading.Event()

    def hanging_until_then(_: socket.socket) -> None:
        was_heard.wait(2 * AMPLE)

    def telling_it(connection: socket.socket) -> None:
        telling(code_server(7))(connection)
        was_heard.set()

    targets = {hung: serve(hanging_until_then), well: serve(telling_it)}
    reader = HeartbeatReader(timeout=AMPLE, deadline=AMPLE)

    assert reader.read(targets) == {well: Heartbeat(last=7, now=None)}
    assert was_heard.is_set()


def test_nobody_to_ask_is_no_answer() -> None:
    assert HeartbeatReader().read({}) == {}
