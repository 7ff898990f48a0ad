"""However a server stalls, a probe is over in time.

The bounds are far from both sides: what they hold is 0.3 s, and without a limit it would be 30 s.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from app.probe import HttpProber, TcpProber
from tests.builders import an_instance_id
from tests.unit.probe.servers import (
    Behaviour,
    Serve,
    Site,
    answering,
    dripping,
    flooding,
    hanging,
    redirecting,
    slowly,
)


@pytest.fixture
def hasty() -> HttpProber:
    """As it looks once more before an instance is handed out."""
    return HttpProber("/healthz", timeout=0.3, deadline=0.3, page_timeout=0.3, page_deadline=0.3)


@contextmanager
def in_time() -> Iterator[None]:
    began = monotonic()
    yield
    assert monotonic() - began < 2.0


@pytest.mark.parametrize(
    "stalling",
    [
        pytest.param(hanging, id="silence"),
        pytest.param(dripping(b""), id="bytes without a meaning"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX-Long: "), id="a header that drips"),
        pytest.param(flooding(b"HTTP/1.1 200 OK\r\n"), id="headers without end"),
    ],
)
def test_a_server_that_stalls_is_not_ready(hasty: HttpProber, serve: Serve, stalling: Behaviour) -> None:
    one, target = an_instance_id(), serve(stalling)
    with in_time():
        assert hasty.probe({one: target}) == frozenset()
    with in_time():
        assert hasty.opens({one: target}) == frozenset()


def test_a_connection_that_nobody_accepts_is_not_ready(hasty: HttpProber, serve: Serve) -> None:
    with in_time():
        assert hasty.probe({an_instance_id(): serve.deaf()}) == frozenset()


def test_a_connection_that_never_comes_about_is_not_ready(hasty: HttpProber, serve: Serve) -> None:
    with in_time():
        assert hasty.probe({an_instance_id(): serve.crowded()}) == frozenset()


def test_over_tcp_a_connection_that_never_comes_about_is_not_ready(serve: Serve) -> None:
    with in_time():
        assert TcpProber(timeout=0.3).probe({an_instance_id(): serve.crowded()}) == frozenset()


@pytest.mark.parametrize("body", [hanging, dripping(b""), flooding(b"")])
def test_a_body_is_not_waited_for(serve: Serve, body: Behaviour) -> None:
    def headers_and(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        body(connection)

    patient = HttpProber("/healthz", timeout=20, deadline=20, page_timeout=20, page_deadline=20)
    one, target = an_instance_id(), serve(headers_and)
    with in_time():
        assert patient.probe({one: target}) == {one}
    with in_time():
        assert patient.opens({one: target}) == {one}


def test_one_that_answers_is_found_among_many_that_stall(hasty: HttpProber, serve: Serve) -> None:
    stalling, good = serve(hanging), an_instance_id()
    targets = {**{an_instance_id(): stalling for _ in range(50)}, good: serve(answering("200 OK"))}
    with in_time():
        assert hasty.probe(targets) == {good}


def test_each_gets_its_own_time_within_that_of_the_whole_call(serve: Serve) -> None:
    prober = HttpProber("/healthz", timeout=0.1, deadline=20, concurrency=1)
    good = an_instance_id()
    with in_time():
        targets = {an_instance_id(): serve.deaf(), good: serve(answering("200 OK"))}
        assert prober.probe(targets) == {good}


def test_the_whole_call_ends_although_some_had_time_left(serve: Serve) -> None:
    prober = HttpProber("/healthz", timeout=20, deadline=0.3)
    good = an_instance_id()
    with in_time():
        targets = {an_instance_id(): serve.deaf(), good: serve(answering("200 OK"))}
        assert prober.probe(targets) == {good}


def test_a_thousand_that_stall_cost_no_more_than_one(hasty: HttpProber, serve: Serve) -> None:
    target = serve(hanging)
    with in_time():
        assert hasty.probe({an_instance_id(): target for _ in range(1000)}) == frozenset()


def test_redirects_share_the_time_of_one_instance(serve: Serve) -> None:
    site = Site({"/": slowly(0.3, redirecting("/"))})
    prober = HttpProber("/healthz", page_timeout=0.5)
    with in_time():
        assert prober.opens({an_instance_id(): serve(site)}) == frozenset()
    assert len(site.asked) <= 2
