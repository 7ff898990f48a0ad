"""The probers against tiny servers on loopback that behave well, badly, and not at all."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Protocol

import pytest

from app.ports import Prober
from app.probe import HttpProber, NoProber, TcpProber
from tests.builders import an_instance_id

Target = tuple[str, int]
Behaviour = Callable[[socket.socket], None]


class Serve(Protocol):
    """Starts a server that treats each connection in its own way."""

    def __call__(self, behaviour: Behaviour) -> Target: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def start(behaviour: Behaviour) -> Target:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            thread = threading.Thread(target=_accept, args=(listener, behaviour))
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            address, port = listener.getsockname()
            return address, port

        yield start


def _accept(listener: socket.socket, behaviour: Behaviour) -> None:
    threads = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threads.append(threading.Thread(target=_treat, args=(connection, behaviour)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def _treat(connection: socket.socket, behaviour: Behaviour) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        behaviour(connection)


def answering(status: str, *headers: str) -> Behaviour:
    """Read the request and send this answer."""
    answer = "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()

    def behaviour(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return behaviour


def hanging(connection: socket.socket) -> None:
    """Take the request and say nothing until the other side leaves."""
    while connection.recv(65536):
        pass


def dripping(payload: bytes) -> Behaviour:
    """Send one byte every 20 ms, for as long as the other side stays."""

    def behaviour(connection: socket.socket) -> None:
        gone = threading.Event()
        connection.sendall(payload)
        while not gone.wait(0.02):
            connection.sendall(b"x")

    return behaviour


@pytest.fixture
def prober() -> Iterator[HttpProber]:
    prober = HttpProber("/healthz")
    yield prober
    prober.close()


@pytest.fixture
def hasty() -> Iterator[HttpProber]:
    """A prober for those that keep it waiting."""
    prober = HttpProber("/healthz", timeout=0.1, concurrency=8, deadline=0.3)
    yield prober
    prober.close()


def ready(prober: Prober, target: Target) -> bool:
    one = an_instance_id()
    return prober.probe({one: target}) == {one}


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "299 Odd"])
def test_any_2xx_is_ready(prober: HttpProber, serve: Serve, status: str) -> None:
    assert ready(prober, serve(answering(status)))


@pytest.mark.parametrize("status", ["302 Found", "401 Unauthorized", "404 Not Found", "500 Oops"])
def test_any_other_status_is_not_ready(prober: HttpProber, serve: Serve, status: str) -> None:
    assert not ready(prober, serve(answering(status)))


def test_a_redirect_is_not_followed(prober: HttpProber, serve: Serve) -> None:
    address, port = serve(answering("200 OK"))
    assert not ready(prober, serve(answering("302 Found", f"Location: http://{address}:{port}/")))


def test_a_refused_connection_is_not_ready(prober: HttpProber) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, port = listener.getsockname()
    assert not ready(prober, (address, port))


def test_an_answer_that_is_not_http_is_not_ready(prober: HttpProber, serve: Serve) -> None:
    assert not ready(prober, serve(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")))


def test_a_connection_closed_without_an_answer_is_not_ready(prober: HttpProber, serve: Serve) -> None:
    assert not ready(prober, serve(lambda connection: None))


def test_an_address_that_is_none_is_not_ready(prober: HttpProber) -> None:
    assert not ready(prober, ("not an address", 8080))


def test_a_port_that_is_none_is_not_ready(prober: HttpProber) -> None:
    assert not ready(prober, ("127.0.0.1", 70_000))


def test_a_server_that_hangs_costs_no_more_than_its_timeout(hasty: HttpProber, serve: Serve) -> None:
    target = serve(hanging)
    began = monotonic()
    assert not ready(hasty, target)
    assert monotonic() - began < 1.0


def test_a_header_that_never_ends_costs_no_more_than_the_timeout(hasty: HttpProber, serve: Serve) -> None:
    target = serve(dripping(b"HTTP/1.1 200 OK\r\nX-Long: "))
    began = monotonic()
    assert not ready(hasty, target)
    assert monotonic() - began < 1.0


def test_a_body_that_never_ends_is_not_waited_for(prober: HttpProber, serve: Serve) -> None:
    target = serve(dripping(b"HTTP/1.1 200 OK\r\n\r\n"))
    began = monotonic()
    assert ready(prober, target)
    assert monotonic() - began < 1.5


def test_the_request_asks_for_the_path_alone_and_to_close_the_connection(
    prober: HttpProber, serve: Serve
) -> None:
    requests: list[str] = []

    def remember(connection: socket.socket) -> None:
        requests.append(connection.recv(65536).decode().lower())
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    ready(prober, serve(remember))
    line, *headers = requests[0].split("\r\n")
    assert (line, "connection: close" in headers) == ("get /healthz http/1.1", True)


def test_only_those_that_are_ready_are_returned(prober: HttpProber, serve: Serve) -> None:
    good, bad = an_instance_id(), an_instance_id()
    targets = {good: serve(answering("200 OK")), bad: serve(answering("500 Oops"))}
    assert prober.probe(targets) == {good}


def test_no_targets_make_an_empty_answer(prober: HttpProber) -> None:
    assert prober.probe({}) == frozenset()


def test_a_thousand_ready_instances_are_all_found(serve: Serve) -> None:
    target = serve(answering("200 OK"))
    targets = {an_instance_id(): target for _ in range(1000)}
    prober = HttpProber("/healthz")
    try:
        assert prober.probe(targets) == targets.keys()
    finally:
        prober.close()


def test_a_thousand_hanging_instances_cost_no_more_than_the_deadline(hasty: HttpProber, serve: Serve) -> None:
    target = serve(hanging)
    targets = {an_instance_id(): target for _ in range(1000)}
    began = monotonic()
    assert hasty.probe(targets) == frozenset()
    assert monotonic() - began < 1.5


def test_who_was_not_reached_in_time_comes_first_in_the_next_call(serve: Serve) -> None:
    prober = HttpProber("/healthz", timeout=0.05, concurrency=1, deadline=0.05)
    stuck = serve(hanging)
    targets = {**{an_instance_id(): stuck for _ in range(5)}, an_instance_id(): serve(answering("200 OK"))}
    try:
        assert any(prober.probe(targets) for _ in range(50))
    finally:
        prober.close()


def test_a_closed_prober_can_be_used_again(prober: HttpProber, serve: Serve) -> None:
    target = serve(answering("200 OK"))
    prober.close()
    assert ready(prober, target)


@pytest.fixture
def tcp() -> Iterator[TcpProber]:
    prober = TcpProber(timeout=0.3)
    yield prober
    prober.close()


def test_over_tcp_an_accepted_connection_is_enough(tcp: TcpProber, serve: Serve) -> None:
    assert ready(tcp, serve(hanging))


def test_over_tcp_a_refused_connection_is_not_ready(tcp: TcpProber) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, port = listener.getsockname()
    assert not ready(tcp, (address, port))


def test_without_probing_everything_is_ready() -> None:
    assert ready(NoProber(), ("192.0.2.1", 1))
